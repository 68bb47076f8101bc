//! Telephone numbers: `+` and a country code, or a national form that punctuation gives away. The numbering
//! plans of libphonenumber decide.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, Region};

use super::Hit;
use super::groups::{Digits, Separator, joined, separator};
use crate::{Entity, text::Text};

/// `+44 (0)20 79 46 09 58` has seven groups.
const MAX_GROUPS: usize = 8;

/// E.164 allows 15; a written-out `(0)` adds one, and one more shows that a run is longer.
const MAX_DIGITS: usize = 17;

/// A country and its calling code.
type Country = (Region, i32);

const US: Country = (Region::US, 1);
const MEXICO: Country = (Region::MX, 52);
const BRAZIL: Country = (Region::BR, 55);
const SPAIN: Country = (Region::ES, 34);
const INDIA: Country = (Region::IN, 91);
/// Here a 0 in front belongs to the number, also when it is dialled from abroad.
const ITALY: Country = (Region::IT, 39);

/// Countries where a number is dialled as it is, without a 0 in front.
const NO_TRUNK: [Country; 13] = [
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
const TRUNK_ZERO: [Country; 11] = [
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

/// Loads the numbering plans, so that the first text does not wait for them.
pub(crate) fn warm_up() {
    std::sync::LazyLock::force(&PHONE_NUMBER_UTIL);
}

pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    let parenthesis = text.get(at) == Some(b'(') && text.get(at + 1) == Some(b'+');
    let plus = parenthesis || text.get(at) == Some(b'+');
    if is_continuation(text, at, plus) {
        return None;
    }
    let number = Written::read(text, at, plus, parenthesis)?;
    let end = if plus { international(text, &number) } else { national(text, &number) }?;
    Some(Hit::closed(Entity::PhoneNumber, end))
}

/// Where a number ends that a label announces: without country code and punctuation too.
pub(crate) fn announced(text: &Text<'_>, at: usize) -> Option<usize> {
    let amount = matches!(text.before(at, 1), Some(b'$' | b'+'));
    if !text.get(at)?.is_ascii_digit() || amount || joined(text, at).is_some() {
        return None;
    }
    let number = Written::read(text, at, false, false)?;
    (1..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let digits = number.prefix(count);
        let plausible = match (digits.as_bytes(), digits.len()) {
            // North America, and what is dialled within a town.
            ([b'2'..=b'9', ..], 10) | ([b'1', b'2'..=b'9', ..], 11) => true,
            ([b'2'..=b'9', ..], 7) => number.lengths(count) == [3, 4],
            ([b'0', b'0', ..], _) => digits.get(2..).and_then(with_code).is_some_and(|n| n.is_valid()),
            ([b'0', ..], 9..=12) => true,
            (_, 9..=15) => with_code(digits).is_some_and(|number| number.is_valid()),
            _ => false,
        };
        (plausible && !super::checksum::uniform(digits.as_bytes())).then_some(end)
    })
}

/// Where a number right behind its label ends: one that some country has assigned, also with nothing in front to
/// tell which. Never a day written in one piece.
pub(crate) fn beside_label(text: &Text<'_>, at: usize) -> Option<usize> {
    let amount = matches!(text.before(at, 1), Some(b'$' | b'+'));
    // `call 12:08:42.429333`
    let time = text.before(at, 1) == Some(b':') && text.before(at, 2).is_some_and(|b| b.is_ascii_digit());
    if !text.get(at)?.is_ascii_digit() || amount || time || joined(text, at).is_some() {
        return None;
    }
    let number = Written::read(text, at, false, false)?;
    (1..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let digits = number.prefix(count);
        let known = (8..=11).contains(&digits.len()) && assigned(digits, &NO_TRUNK);
        (known && super::date::find(text, at) != Some(end)).then_some(end)
    })
}

/// Whether what stands before makes this a part of something else.
fn is_continuation(text: &Text<'_>, at: usize, plus: bool) -> bool {
    match text.before(at, 1) {
        None => false,
        Some(b) if b.is_ascii_alphanumeric() => plus || !text.word_start(at) || text.get(at) == Some(b'('),
        Some(b'+' | b'$' | b'(') if !plus => true,
        Some(b'+') => true,
        Some(b'/') => text.before(at, 2).is_some_and(|b| b.is_ascii_digit()),
        // `line 4 +1 212 …`
        Some(_) => joined(text, at).is_some_and(|joint| !plus || joint != Separator::Space),
    }
}

/// A number as it is written: its digits, and how they are grouped.
struct Written {
    start: usize,
    digits: Digits,
    lengths: [usize; MAX_GROUPS],
    /// Where each group ends.
    ends: [usize; MAX_GROUPS],
    /// What stands before each group but the first.
    joints: [Option<Separator>; MAX_GROUPS],
    count: usize,
    parenthesis: bool,
    /// Two capitals stand before it, as the abbreviation of a state does before a ZIP code.
    follows_state: bool,
}

impl Written {
    /// Reads from `at` on; `open` if a parenthesis stands before the `+`.
    fn read(text: &Text<'_>, at: usize, plus: bool, mut open: bool) -> Option<Self> {
        let mut number = Self {
            start: at,
            digits: Digits::default(),
            lengths: [0; MAX_GROUPS],
            ends: [0; MAX_GROUPS],
            joints: [None; MAX_GROUPS],
            count: 0,
            parenthesis: open,
            follows_state: text.before(at, 1) == Some(b' ')
                && (2..=3).all(|back| text.before(at, back).is_some_and(|b| b.is_ascii_uppercase())),
        };
        let mut next = at + usize::from(open) + usize::from(plus);
        let mut joint = None;
        loop {
            if !number.parenthesis && text.get(next) == Some(b'(') {
                open = true;
                number.parenthesis = true;
                next += 1;
            }
            let end = text.run(next, MAX_DIGITS, |b| b.is_ascii_digit());
            if end == next
                || number.digits.len() + (end - next) > MAX_DIGITS
                || !number.take(text, next, end, joint)
            {
                break;
            }
            next = end;
            let closed = open && text.get(next) == Some(b')');
            if open && !closed {
                return None;
            }
            open = false;
            next += usize::from(closed);
            joint = None;
            if number.is_area_code() && text.starts_with(next, b" / ") {
                next += 3;
            } else if let Some((found, length)) = joint_at(text, next) {
                joint = found;
                next += length;
            } else if !closed && text.get(next) != Some(b'(') {
                break;
            }
        }
        (number.count > 0).then_some(number)
    }

    /// Adds a group; `false` if there is no room.
    fn take(&mut self, text: &Text<'_>, start: usize, end: usize, joint: Option<Separator>) -> bool {
        let (Some(length), Some(last), Some(before)) = (
            self.lengths.get_mut(self.count),
            self.ends.get_mut(self.count),
            self.joints.get_mut(self.count),
        ) else {
            return false;
        };
        (*length, *last, *before) = (end - start, end, joint);
        for &digit in text.slice(start, end) {
            self.digits.push(digit);
        }
        self.count += 1;
        true
    }

    /// Whether what has been read is an area code: of `040 / 958 24 07`.
    fn is_area_code(&self) -> bool {
        self.count == 1 && (3..=5).contains(&self.digits.len()) && self.digits.as_slice().starts_with(b"0")
    }

    fn lengths(&self, count: usize) -> &[usize] {
        self.lengths.get(..count).unwrap_or_default()
    }

    fn joint(&self, group: usize) -> Option<Separator> {
        self.joints.get(group).copied().flatten()
    }

    /// The digits of the first `count` groups.
    fn prefix(&self, count: usize) -> &str {
        let length = self.lengths(count).iter().sum();
        self.digits
            .as_slice()
            .get(..length)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }

    /// Where the number ends if it has `count` groups, unless it goes on there.
    fn end(&self, text: &Text<'_>, count: usize) -> Option<usize> {
        let end = *self.ends.get(count.checked_sub(1)?)?;
        if count < self.count {
            // More digits follow: by a space they may be another number, unless spaces join this one.
            let other =
                self.joint(count) == Some(Separator::Space) && self.joint(count - 1) != self.joint(count);
            return other.then_some(end);
        }
        let ends = match text.get(end) {
            Some(b'x' | b'X') => text.get(end + 1).is_some_and(|b| b.is_ascii_digit()),
            Some(b) if b.is_ascii_alphanumeric() => false,
            _ => separator(text, end)
                .is_none_or(|(_, length)| !text.get(end + length).is_some_and(|b| b.is_ascii_digit())),
        };
        ends.then_some(end)
    }
}

/// A separator, or a slash, which is none for other numbers.
fn joint_at(text: &Text<'_>, at: usize) -> Option<(Option<Separator>, usize)> {
    if text.get(at) == Some(b'/') {
        return Some((None, 1));
    }
    separator(text, at).map(|(separator, length)| (Some(separator), length))
}

/// The groups that make a number of some country: all whose length is right; where that is so for more than one
/// count of them, the most that are also assigned.
fn international(text: &Text<'_>, number: &Written) -> Option<usize> {
    let mut longest: Option<(usize, PhoneNumber)> = None;
    for count in (1..=number.count).rev() {
        let end =
            if count == number.count { number.end(text, count) } else { number.ends.get(count - 1).copied() };
        let (Some(end), Some(parsed)) = (end, with_code(number.prefix(count))) else { continue };
        if parsed.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
            continue;
        }
        match &longest {
            None => longest = Some((end, parsed)),
            Some((_, more)) if !more.is_valid() && parsed.is_valid() => return Some(end),
            Some(_) => {}
        }
    }
    longest.map(|(end, _)| end)
}

/// The number that digits with a country code in front write.
fn with_code(digits: &str) -> Option<PhoneNumber> {
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

fn national(text: &Text<'_>, number: &Written) -> Option<usize> {
    // `UT 84101-1234`: a place in a state.
    if number.lengths(2) == [5, 4] && number.follows_state {
        return None;
    }
    (2..=number.count).rev().find_map(|count| {
        let end = number.end(text, count)?;
        let holds = match is_national(number, count) {
            Layout::Phone => true,
            Layout::Spaced => !counts_something(text, number.start),
            Layout::Bare => {
                is_told(text, number.start)
                    || stands_alone(text, number.start, end)
                    || text.starts_with(end, b" ext")
            }
            Layout::Other => false,
        };
        holds.then_some(end)
    })
}

/// What the layout of a national number says.
enum Layout {
    /// Only telephone numbers are written so.
    Phone,
    /// So are other numbers, behind a word that says so.
    Spaced,
    /// So are amounts and serial numbers.
    Bare,
    Other,
}

impl Layout {
    fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::Other }
    }
}

/// Whether the word before says that the number counts or names something.
fn counts_something(text: &Text<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 28] = [
        b"EUR",
        b"USD",
        b"GBP",
        b"CHF",
        b"JPY",
        b"CAD",
        b"AUD",
        b"SEK",
        b"NOK",
        b"DKK",
        b"PLN",
        b"INR",
        b"BRL",
        b"MXN",
        b"CNY",
        b"SGD",
        b"partition",
        b"part",
        b"serial",
        b"tag",
        b"asset",
        b"lot",
        b"batch",
        b"item",
        b"sku",
        b"model",
        b"order",
        b"invoice",
    ];
    let behind = text.near(at).trim_ascii_end();
    let start = behind.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |last| last + 1);
    let word = behind.get(start..).unwrap_or_default();
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether some label before says that a telephone number comes: `call me back on`.
fn is_told(text: &Text<'_>, at: usize) -> bool {
    text.said(at).announces(Entity::PhoneNumber).is_some()
}

/// Whether a number is all of a value, a line or an item, with no label of something else.
fn stands_alone(text: &Text<'_>, at: usize, end: usize) -> bool {
    let gap = text.before(at, 1) == Some(b' ');
    let before = text.before(at, 1 + usize::from(gap));
    let opens = matches!(
        before,
        None | Some(b'"' | b'\'' | b'`' | b'\n' | b'\t' | b',' | b';' | b'|' | b'(' | b'[' | b'>' | b'*')
    );
    let after = text.get(end);
    let after = if after == Some(b' ') { text.get(end + 1) } else { after };
    let closes = matches!(
        after,
        None | Some(
            b'"' | b'\''
                | b'`'
                | b'\n'
                | b'\r'
                | b'\t'
                | b','
                | b';'
                | b'|'
                | b')'
                | b']'
                | b'<'
                | b'\\'
                | b'.'
        )
    );
    opens && closes && !text.said(at).something()
}

/// How the first groups are laid out, if some country writes its numbers so, and they are one of that country.
fn is_national(number: &Written, count: usize) -> Layout {
    let digits = number.prefix(count);
    let joint = number.joint(count - 1);
    let uniform = (2..count).all(|group| number.joint(group) == joint);
    let [first, second, ..] = *digits.as_bytes() else { return Layout::Other };
    if !uniform {
        return Layout::Other;
    }
    let spaced = joint == Some(Separator::Space) && !number.parenthesis;
    match (number.lengths(count), first) {
        // Three numbers joined by dots may be anything: in North America the area and the exchange are known ones.
        ([3, 3, 4], _) if joint == Some(Separator::Dot) && !number.parenthesis => {
            Layout::Spaced.when(digits.starts_with("555") || is_north_american(digits))
        }
        // So may numbers joined by strokes.
        ([3, 3, 4], b'2'..=b'9') if joint.is_none() && !number.parenthesis => {
            Layout::Bare.when(is_north_american(digits))
        }
        // By dashes or a parenthesis nothing else looks like it.
        ([3, 3, 4], b'2'..=b'9') if !spaced => Layout::Phone,
        ([3, 3, 4], b'2'..=b'9') => Layout::Spaced.when(
            digits.starts_with("555") || is_north_american(digits) || assigned(digits, &[ITALY, MEXICO]),
        ),
        ([1, 3, 3, 4], b'1') => Layout::Phone.when(second > b'1'),
        // A zero first: most of the world. Not a date, not `0123-45-6789` or `012-34-5678`, not a number padded with zeros.
        ([2, 2, 4, ..] | [4, 2, 4] | [3, 2, 4], b'0') => Layout::Other,
        // Half a pair of coordinates looks like it as well.
        ([5, 5], b'0') if spaced => Layout::Bare.when(assigned(digits, &TRUNK_ZERO)),
        ([2..=5, ..], b'0') => {
            let fits = second != b'0' && (9..=12).contains(&digits.len()) && assigned(digits, &TRUNK_ZERO);
            // By strokes only the area code is parted.
            if joint.is_none() && count > 2 && !number.parenthesis {
                Layout::Bare.when(fits)
            } else {
                Layout::Phone.when(fits)
            }
        }
        // Spain
        ([3, 3, 3] | [3, 2, 2, 2] | [2, 3, 2, 2], b'6'..=b'9') => {
            Layout::Bare.when(assigned(digits, &[SPAIN]))
        }
        // India
        ([5, 5], b'6'..=b'9') => Layout::Bare.when(assigned(digits, &[INDIA])),
        ([2, 4 | 5, 4], b'1'..=b'9') if number.parenthesis => {
            Layout::Phone.when(assigned(digits, &[BRAZIL, MEXICO]))
        }
        // Brazil and Mexico
        ([2, 5, 4], _) => Layout::Bare.when(assigned(digits, &[BRAZIL])),
        ([2, 4, 4], _) => Layout::Bare.when(assigned(digits, &[BRAZIL, MEXICO])),
        // Italy
        ([3, 6 | 7], b'3') => Layout::Bare.when(assigned(digits, &[ITALY])),
        _ => Layout::Other,
    }
}

/// Whether the plan of North America has the area code and the exchange.
fn is_north_american(digits: &str) -> bool {
    number(US.1, digits).is_some_and(|number| number.is_valid())
}

/// Whether some of these countries has assigned the number, dialled within it.
fn assigned(digits: &str, countries: &[Country]) -> bool {
    countries.iter().any(|&country| {
        let (region, code) = country;
        let national = if country == ITALY { digits } else { digits.strip_prefix('0').unwrap_or(digits) };
        number(code, national).is_some_and(|number| number.is_valid_for_region(region))
    })
}
