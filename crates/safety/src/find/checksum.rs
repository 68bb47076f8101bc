//! The check digits of identifiers, each by the rule of its issuer.

/// The value of an ASCII digit.
fn value(b: u8) -> Option<u32> {
    char::from(b).to_digit(10)
}

/// The sum of digits, each times its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> Option<u32> {
    digits.iter().zip(weights).try_fold(0, |sum, (&b, weight)| Some(sum + value(b)? * weight))
}

/// The number that digits write.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, &b| number.checked_mul(10)?.checked_add(u64::from(value(b)?)))
}

pub(super) fn all_digits(characters: &[u8]) -> bool {
    characters.iter().all(u8::is_ascii_digit)
}

/// Whether one digit stands everywhere: what people type to fill a field.
pub(super) fn uniform(characters: &[u8]) -> bool {
    characters.windows(2).all(|pair| pair.first() == pair.last())
}

/// Luhn, over `prefix` and the digits.
pub(super) fn luhn(prefix: &[u8], digits: &[u8]) -> bool {
    let sum = prefix.iter().chain(digits).rev().enumerate().try_fold(0, |sum, (i, &b)| {
        let digit = value(b)? * (1 + u32::from(i % 2 == 1));
        Some(sum + if digit > 9 { digit - 9 } else { digit })
    });
    sum.is_some_and(|sum| sum.is_multiple_of(10))
}

/// Routing numbers of US banks: the range of a Federal Reserve district, and the weights 3, 7, 1.
pub(super) fn aba(digits: &[u8]) -> bool {
    let district = number(digits.get(..2).unwrap_or_default());
    let issued = matches!(district, Some(1..=12 | 21..=32 | 61..=72 | 80));
    issued && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_some_and(|sum| sum.is_multiple_of(10))
}

/// Two letters and seven digits: the last is that of the odd places plus twice that of the even ones.
pub(super) fn dea(characters: &[u8]) -> bool {
    let [registrant, name, digits @ ..] = characters else { return false };
    registrant.is_ascii_uppercase()
        && !matches!(registrant, b'I' | b'N' | b'O' | b'Q' | b'V' | b'W' | b'Y' | b'Z')
        && (name.is_ascii_uppercase() || *name == b'9')
        && digits.len() == 7
        && weighted(digits, &[1, 2, 1, 2, 1, 2])
            .is_some_and(|sum| digits.last().and_then(|&b| value(b)) == Some(sum % 10))
}

/// NHS numbers: modulo 11, where 10 is not issued.
pub(super) fn nhs(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let check = sum.map(|sum| (11 - sum % 11) % 11);
    !uniform(digits) && check.is_some() && check == digits.get(9).and_then(|&b| value(b))
}

/// UK tax references: the first digit checks the other nine.
pub(super) fn utr(digits: &[u8]) -> bool {
    const CHECK: [u32; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let sum = weighted(digits.get(1..).unwrap_or_default(), &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    let check = sum.and_then(|sum| CHECK.get(usize::try_from(sum % 11).ok()?).copied());
    !uniform(digits) && check.is_some() && check == digits.first().and_then(|&b| value(b))
}

/// German tax numbers: among the first ten digits one stands two or three times, and ISO 7064 modulo 11, 10 holds.
pub(super) fn de_tax(digits: &[u8]) -> bool {
    let mut counts = [0_usize; 10];
    for &b in digits.iter().take(10) {
        if let Some(count) = value(b).and_then(|v| counts.get_mut(usize::try_from(v).ok()?)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|&&count| count > 1).count() == 1 && counts.iter().all(|&c| c <= 3);
    let product = digits.iter().take(10).try_fold(10, |product, &b| {
        let sum = (value(b)? + product) % 10;
        Some((if sum == 0 { 10 } else { sum }) * 2 % 11)
    });
    let check = product.map(|product| (11 - product) % 10);
    digits.first() != Some(&b'0') && repeated && check == digits.get(10).and_then(|&b| value(b))
}

/// French social security numbers: sex, year, month, department (`2A` and `2B` are Corsica), and the key 97.
pub(super) fn nir(characters: &[u8]) -> bool {
    let department = characters.get(5..7).unwrap_or_default();
    let corsica: u64 = match department {
        b"2A" => 19,
        b"2B" => 18,
        _ => 0,
    };
    let mut body = [0; 13];
    for (to, from) in body.iter_mut().zip(characters) {
        *to = *from;
    }
    if corsica > 0 {
        for (to, from) in body.iter_mut().skip(5).zip(corsica.to_string().bytes()) {
            *to = from;
        }
    }
    let month = number(characters.get(3..5).unwrap_or_default());
    matches!(characters.first(), Some(b'1'..=b'4' | b'7' | b'8'))
        && matches!(month, Some(1..=12 | 20 | 30..=42 | 50..=99))
        && department != b"00"
        && characters.len() == 15
        && number(&body)
            .zip(number(characters.get(13..15).unwrap_or_default()))
            .is_some_and(|(body, key)| 97 - body % 97 == key)
}

/// The control letter of Spanish numbers; `X`, `Y`, `Z` in front stand for 0, 1, 2.
pub(super) fn spanish(characters: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let Some((&letter, body)) = characters.split_last() else { return false };
    let mut digits = [b'0'; 8];
    for (to, &from) in digits.iter_mut().zip(body) {
        *to = match from {
            b'X' => b'0',
            b'Y' => b'1',
            b'Z' => b'2',
            other => other,
        };
    }
    let control = number(&digits).and_then(|n| LETTERS.get(usize::try_from(n % 23).ok()?).copied());
    body.len() == 8 && !uniform(body) && control == Some(letter)
}

/// Italian fiscal codes: six letters, then positions that are digits or stand for them, and a control letter.
pub(super) fn fiscal_code(characters: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let digit = |i: usize| characters.get(i).is_some_and(|b| b.is_ascii_digit() || b"LMNPQRSTUV".contains(b));
    let letter = |i: usize| characters.get(i).is_some_and(u8::is_ascii_uppercase);
    let form = (0..6).all(letter)
        && [6, 7, 9, 10, 12, 13, 14].into_iter().all(digit)
        && characters.get(8).is_some_and(|b| b"ABCDEHLMPRST".contains(b))
        && letter(11)
        && letter(15);
    let sum = characters.iter().take(15).enumerate().try_fold(0, |sum, (i, &b)| {
        let at = u32::from(if b.is_ascii_digit() { b - b'0' } else { b.checked_sub(b'A')? });
        let weight = if i % 2 == 0 { *ODD.get(usize::try_from(at).ok()?)? } else { at };
        Some(sum + weight)
    });
    let control = sum.and_then(|sum: u32| u8::try_from(sum % 26).ok()).map(|n| b'A' + n);
    characters.len() == 16 && form && control == characters.last().copied()
}

pub(super) fn pesel(digits: &[u8]) -> bool {
    weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_some_and(|sum| sum.is_multiple_of(10))
        && !uniform(digits)
}

/// The eleven test of the Netherlands.
pub(super) fn bsn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let last = digits.get(8).and_then(|&b| value(b));
    sum.zip(last).is_some_and(|(sum, last)| sum > 0 && sum % 11 == last % 11 && sum >= last)
        && !uniform(digits)
}

/// Finland: the nine digits modulo 31 choose the last character.
pub(super) fn finnish(digits: &[u8], check: u8) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    number(digits).and_then(|n| CHECKS.get(usize::try_from(n % 31).ok()?).copied()) == Some(check)
}

/// Norway: two check digits modulo 11.
pub(super) fn norwegian(digits: &[u8]) -> bool {
    let first = weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let holds = |sum: Option<u32>| sum.is_some_and(|sum| sum.is_multiple_of(11));
    holds(first) && holds(second)
}

/// Belgium: 97 minus the nine digits modulo 97; a 2 in front for who was born in this century.
pub(super) fn belgian(digits: &[u8]) -> bool {
    let body = number(digits.get(..9).unwrap_or_default());
    let check = number(digits.get(9..11).unwrap_or_default());
    body.zip(check)
        .is_some_and(|(body, check)| [body, body + 2_000_000_000].iter().any(|body| 97 - body % 97 == check))
}

/// EAN-13, as Switzerland numbers people behind 756.
pub(super) fn ean13(digits: &[u8]) -> bool {
    weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_some_and(|sum| sum.is_multiple_of(10))
}

/// Brazil: two check digits modulo 11.
pub(super) fn cpf(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    let check = |count: usize| {
        let sum = weighted(digits.get(..count)?, WEIGHTS.get(10 - count..)?)?;
        Some(sum * 10 % 11 % 10 == digits.get(count).and_then(|&b| value(b))?)
    };
    !uniform(digits) && check(9) == Some(true) && check(10) == Some(true)
}

/// Verhoeff, as India uses it.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    // The dihedral group of a pentagon: rotations 0 to 4, reflections 5 to 9.
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let step = |v: u32| usize::try_from(v).ok().and_then(|v| STEP.get(v).copied()).unwrap_or_default();
    let sum = digits.iter().rev().enumerate().try_fold(0, |sum, (i, &b)| {
        let permuted = (0..i % 8).fold(value(b)?, |v, _| step(v));
        Some(product(sum, permuted))
    });
    sum == Some(0) && !uniform(digits)
}

/// Australian tax file numbers.
pub(super) fn tfn(digits: &[u8]) -> bool {
    !uniform(digits)
        && weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_some_and(|sum| sum.is_multiple_of(11))
}

/// Vehicles: letters have values, and the ninth place is the sum modulo 11.
pub(super) fn vin(characters: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum = characters.iter().zip(WEIGHTS).try_fold(0, |sum, (&b, weight)| {
        let value = match b {
            b'0'..=b'9' => b - b'0',
            b'A'..=b'H' => b - b'A' + 1,
            b'J'..=b'N' => b - b'J' + 1,
            b'P' => 7,
            b'R' => 9,
            b'S'..=b'Z' => b - b'S' + 2,
            _ => return None,
        };
        Some(sum + u32::from(value) * weight)
    });
    let check = sum
        .map(|sum: u32| sum % 11)
        .map(|n| if n == 10 { b'X' } else { b'0' + u8::try_from(n).unwrap_or(0) });
    characters.len() == 17 && !uniform(characters) && check == characters.get(8).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which single digits at `place` the check accepts, as proof that it accepts no others.
    fn accepted(check: impl Fn(&[u8]) -> bool, text: &str, place: usize) -> String {
        let mut bytes = text.as_bytes().to_vec();
        b"0123456789"
            .iter()
            .filter(|&&digit| {
                bytes[place] = digit;
                check(&bytes)
            })
            .map(|&digit| char::from(digit))
            .collect()
    }

    #[test]
    fn each_rule_accepts_one_check_digit_only() {
        assert_eq!(accepted(|d| luhn(b"80840", d), "1234567893", 9), "3");
        assert_eq!(accepted(aba, "021000021", 8), "1");
        assert_eq!(accepted(dea, "AB1234563", 8), "3");
        assert_eq!(accepted(nhs, "9434765919", 9), "9");
        assert_eq!(accepted(utr, "1955839661", 0), "1");
        assert_eq!(accepted(de_tax, "86095742719", 10), "9");
        assert_eq!(accepted(nir, "255081416802538", 14), "8");
        assert_eq!(accepted(pesel, "44051401359", 10), "9");
        assert_eq!(accepted(bsn, "111222333", 8), "3");
        assert!(accepted(norwegian, "01010750160", 10) == "0");
        assert_eq!(accepted(ean13, "7569217076985", 12), "5");
        assert_eq!(accepted(cpf, "52998224725", 10), "5");
        assert_eq!(accepted(verhoeff, "234123412346", 11), "6");
        assert_eq!(accepted(tfn, "123456782", 8), "2");
        assert_eq!(accepted(vin, "1M8GDM9AXKP042788", 16), "8");
        assert_eq!(accepted(belgian, "85073003328", 10), "8");
    }

    #[test]
    fn letters_check_as_well() {
        assert!(
            spanish(b"12345678Z")
                && !spanish(b"12345678A")
                && spanish(b"X1234567L")
                && !spanish(b"X1234567M")
        );
        assert!(fiscal_code(b"RSSMRA85T10A562S") && !fiscal_code(b"RSSMRA85T10A562T"));
        assert!(nir(b"255081416802538") && !nir(b"198902196156CAN"));
        assert!(finnish(b"131052308", b'T') && !finnish(b"131052308", b'U'));
    }
}
