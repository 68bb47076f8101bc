//! Exact decimals: the numbers of the seed forms (milliseconds, dollars) as our integers (microseconds,
//! millionths), without a detour over floating point.

use crate::limits::INTEGER;

/// A JSON number's text times 10^`places`, rounded to the nearest integer (halves away from zero); `None` beyond
/// 2^53 - 1.
pub(crate) fn scaled(number: &str, places: i32) -> Option<i64> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    let significant = i64::try_from(digits().count()).ok()?;
    if significant == 0 {
        return Some(0);
    }
    // An exponent too long for an i64 is far out of range, on one side or the other.
    let far = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
    let exponent = exponent.parse::<i64>().unwrap_or(far).clamp(i64::MIN / 4, i64::MAX / 4);
    let point = significant - i64::try_from(fraction.len()).ok()? + exponent + i64::from(places);
    // 2^53 has 16 digits.
    let Ok(point) = usize::try_from(point) else { return Some(0) };
    if point > 16 {
        return None;
    }
    let kept = digits().chain(std::iter::repeat(b'0')).take(point);
    let value = kept.fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    let value = value + u64::from(digits().nth(point).is_some_and(|digit| digit >= b'5'));
    let value = i64::try_from(value).ok().filter(|value| value.unsigned_abs() <= INTEGER)?;
    Some(if negative { -value } else { value })
}

/// The shortest decimal text of `value` divided by 10^`places`.
pub(crate) fn text(value: u64, places: u32) -> String {
    let unit = 10_u64.saturating_pow(places);
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = places as usize;
    format!("{whole}.{}", format!("{fraction:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scales() {
        let check =
            |number: &str, places| scaled(number, places).map_or("-".to_owned(), |value| value.to_string());
        insta::assert_snapshot!(check("342", 3), @"342000");
        insta::assert_snapshot!(check("12.34567", 3), @"12346");
        insta::assert_snapshot!(check("0.0067", 6), @"6700");
        insta::assert_snapshot!(check("6.7e-3", 6), @"6700");
        insta::assert_snapshot!(check("67E+2", 0), @"6700");
        insta::assert_snapshot!(check("0.0000004", 6), @"0");
        insta::assert_snapshot!(check("0.0000005", 6), @"1");
        insta::assert_snapshot!(check("-32601", 0), @"-32601");
        insta::assert_snapshot!(check("-0.0", 3), @"0");
        insta::assert_snapshot!(check("9007199254740991", 0), @"9007199254740991");
        insta::assert_snapshot!(check("9007199254740992", 0), @"-");
        insta::assert_snapshot!(check("1e999999999999999999999", 0), @"-");
        insta::assert_snapshot!(check("1e-999999999999999999999", 6), @"0");
        insta::assert_snapshot!(check("0e999999999999999999999", 0), @"0");
    }

    proptest! {
        #[test]
        fn text_is_exact(value in 0..=INTEGER, places in 0_u32..9) {
            let places_back = i32::try_from(places).unwrap();
            prop_assert_eq!(scaled(&text(value, places), places_back), i64::try_from(value).ok());
        }
    }
}
