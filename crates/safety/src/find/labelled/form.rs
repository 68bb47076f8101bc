//! The forms of identifiers that have no checksum: which letters and digits stand at which places.

use crate::find::checksum as check;
use crate::find::date;

/// Day and month in front, as in Denmark and Norway.
pub(in crate::find) fn is_short(characters: &[u8]) -> bool {
    date::is_short_day(characters.get(..2).unwrap_or_default(), characters.get(2..4).unwrap_or_default())
}

/// Year, month and day in front, the century perhaps before them, and Luhn over the last ten digits. Numbers that
/// stand in for a missing one have 60 added to the day.
pub(in crate::find) fn is_swedish(characters: &[u8]) -> bool {
    let ten = characters.get(characters.len().saturating_sub(10)..).unwrap_or_default();
    let century = characters.len() == 10 || characters.starts_with(b"19") || characters.starts_with(b"20");
    let day = match ten.get(4..6) {
        Some(&[tens @ b'6'..=b'9', ones]) => [tens - 6, ones],
        Some(&[tens, ones]) => [tens, ones],
        _ => return false,
    };
    century && date::is_short_day(&day, ten.get(2..4).unwrap_or_default()) && check::luhn(b"", ten)
}

/// Individual taxpayer numbers: a 9, and the groups that the IRS issues.
pub(in crate::find) fn is_itin(digits: &[u8]) -> bool {
    let group = check::number(digits.get(3..5).unwrap_or_default());
    digits.starts_with(b"9") && matches!(group, Some(50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// Medicare numbers: the class of each of the eleven positions, without letters that look like digits.
pub(in crate::find) fn is_mbi(characters: &[u8]) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() && !matches!(b, b'S' | b'L' | b'O' | b'I' | b'B' | b'Z');
    let classes = b"1A#0A#0AA00";
    characters.len() == classes.len()
        && characters.iter().zip(classes).all(|(&b, class)| match class {
            b'1' => b.is_ascii_digit() && b != b'0',
            b'A' => letter(b),
            b'#' => letter(b) || b.is_ascii_digit(),
            _ => b.is_ascii_digit(),
        })
}

/// National insurance numbers: a prefix that is issued, six digits, `A` to `D`.
pub(in crate::find) fn is_nino(characters: &[u8]) -> bool {
    let [first, second, digits @ .., suffix] = characters else { return false };
    let prefix = [*first, *second];
    characters.len() == 9
        && prefix.iter().all(|b| b.is_ascii_uppercase() && !b"DFIQUV".contains(b))
        && *second != b'O'
        && !matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && check::all_digits(digits)
        && (b'A'..=b'D').contains(suffix)
}

/// Letters and digits of a number that an organisation gives as it likes.
pub(in crate::find) fn is_record(characters: &[u8], digits: usize, most: usize) -> bool {
    let have = characters.iter().filter(|b| b.is_ascii_digit()).count();
    (digits.max(5)..=most).contains(&characters.len())
        && have >= digits
        && have * 2 >= characters.len()
        && !check::uniform(characters)
}

/// Letters and digits that a maker stamps on a device.
pub(in crate::find) fn is_serial(characters: &[u8]) -> bool {
    let digits = characters.iter().filter(|b| b.is_ascii_digit()).count();
    (6..=20).contains(&characters.len()) && digits >= 2 && !check::uniform(characters)
}

pub(in crate::find) fn is_great_age(digits: &[u8]) -> bool {
    matches!(check::number(digits), Some(100..=125))
}

/// Nine digits, or a letter and eight.
pub(in crate::find) fn is_us_passport(characters: &[u8]) -> bool {
    let digits = characters
        .strip_prefix(
            characters.get(..1).filter(|c| c.iter().all(u8::is_ascii_uppercase)).unwrap_or_default(),
        )
        .unwrap_or_default();
    check::all_digits(digits) && !check::uniform(digits)
}

/// The forms of other countries: nine, of them four digits at least, or a letter or two in front of fewer.
pub(in crate::find) fn is_passport(characters: &[u8]) -> bool {
    let digits = characters.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = characters.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let form = match characters.len() {
        9 => digits >= 4,
        length => (1..=2).contains(&letters) && letters + digits == length,
    };
    form && !check::uniform(characters)
}

/// The forms of the states, as letters and digits in a row.
pub(in crate::find) fn is_driver_license(characters: &[u8]) -> bool {
    const FORMS: [&str; 26] = [
        "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13", "A14", "AA6", "AA7", "AAA6", "7", "8", "9", "10",
        "12", "7A", "8A", "8AA", "9A", "AA6A", "3AA4", "2AAA5", "A1A1A", "3A6",
    ];
    let mut form = String::new();
    for run in characters.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()) {
        match run {
            [b, ..] if b.is_ascii_digit() => form.push_str(&run.len().to_string()),
            _ => form.push('A'),
        }
    }
    // Washington: five letters of a name, two initials, and five more.
    let washington = characters.len() == 12
        && characters.iter().take(3).all(u8::is_ascii_uppercase)
        && characters.iter().filter(|b| b.is_ascii_digit()).count() >= 2;
    // Washington again, since 2018.
    let washington = washington || characters.len() == 12 && characters.starts_with(b"WDL");
    (FORMS.contains(&form.as_str()) || washington) && !check::uniform(characters)
}

/// What some state may print: letters and digits, enough of them digits.
pub(in crate::find) fn is_some_license(characters: &[u8]) -> bool {
    let digits = characters.iter().filter(|b| b.is_ascii_digit()).count();
    (6..=15).contains(&characters.len()) && digits >= 3 && !check::uniform(characters)
}
