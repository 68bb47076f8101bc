//! Numbering plans: which countries write numbers without their code, and whether one of them has assigned a number.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, Region};

/// A country and its calling code.
pub(super) type Country = (Region, i32);

pub(super) const US: Country = (Region::US, 1);
pub(super) const MEXICO: Country = (Region::MX, 52);
pub(super) const BRAZIL: Country = (Region::BR, 55);
pub(super) const SPAIN: Country = (Region::ES, 34);
pub(super) const INDIA: Country = (Region::IN, 91);
/// Here a 0 in front belongs to the number, also when it is dialled from abroad.
pub(super) const ITALY: Country = (Region::IT, 39);

/// Countries where a number is dialled as it is, without a 0 in front.
pub(super) const NO_TRUNK: [Country; 13] = [
    SPAIN,
    ITALY,
    MEXICO,
    BRAZIL,
    INDIA,
    (Region::SG, 65),
    (Region::HK, 852),
    (Region::DK, 45),
    (Region::NO, 47),
    (Region::PT, 351),
    (Region::PL, 48),
    (Region::CZ, 420),
    (Region::CN, 86),
];

/// Countries that dial a 0 before national numbers, the most spoken of first.
pub(super) const TRUNK_ZERO: [Country; 11] = [
    (Region::GB, 44),
    (Region::FR, 33),
    (Region::DE, 49),
    ITALY,
    (Region::NL, 31),
    (Region::AU, 61),
    (Region::JP, 81),
    (Region::CH, 41),
    (Region::BE, 32),
    (Region::AT, 43),
    (Region::SE, 46),
];

/// The number that digits with a country code in front write.
pub(super) fn with_code(digits: &str) -> Option<PhoneNumber> {
    if !(8..=16).contains(&digits.len()) {
        return None;
    }
    // No code is the beginning of another.
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        let code = code.parse().ok()?;
        PHONE_NUMBER_UTIL.get_region_for_country_code(code)?;
        let national =
            if code == ITALY.1 { national } else { national.strip_prefix('0').unwrap_or(national) };
        // Mexico dialled a 1 before mobile numbers until 2019, and many still write it.
        let national = match national.strip_prefix('1') {
            Some(rest) if code == MEXICO.1 && rest.len() == 10 => rest,
            _ => national,
        };
        number(code, national)
    })
}

/// A number by its country code and the digits behind it.
fn number(code: i32, national: &str) -> Option<PhoneNumber> {
    let zeros = national.bytes().take_while(|&b| b == b'0').count();
    Some(PhoneNumber {
        country_code: code,
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: if zeros > 1 { i32::try_from(zeros).ok() } else { None },
        ..PhoneNumber::default()
    })
}

/// Whether the plan of North America has the area code and the exchange.
pub(super) fn is_north_american(digits: &str) -> bool {
    number(US.1, digits).is_some_and(|number| number.is_valid())
}

/// Whether some of these countries has assigned the number, dialled within it.
pub(super) fn assigned(digits: &str, countries: &[Country]) -> bool {
    countries.iter().any(|&country| {
        let (region, code) = country;
        let national = if country == ITALY { digits } else { digits.strip_prefix('0').unwrap_or(digits) };
        number(code, national).is_some_and(|number| number.is_valid_for_region(region))
    })
}
