//! Identifiers whose form and checksum are so strict that no label is needed.

use super::checksum as check;
use super::labelled::{is_mbi, is_nino, is_short};
use super::token::Token;
use super::{Hit, date};
use crate::{Entity, text::Text};

/// The identifier that starts at `at`, the first letter or digit of a token.
pub(crate) fn find(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !may_start(text, at) {
        return None;
    }
    let token = Token::read(text, at);
    let first = token.first();
    let exactly = |entity: Entity, length: usize, holds: &dyn Fn(&[u8]) -> bool| {
        let id = token.exactly(length).filter(|id| holds(id.characters))?;
        text.word_end(id.end).then(|| Hit::closed(entity, id.end))
    };
    // What the first group can be of, so that most tokens are done with here.
    let hit = match first {
        1 => exactly(Entity::FrNir, 15, &check::nir).filter(|_| token.laid_out(&[1, 2, 2])),
        2 => exactly(Entity::BeNationalNumber, 11, &|c| is_year_first(c) && check::belgian(c))
            .filter(|_| token.laid_out(&[2, 2, 2, 3, 2]) && token.joint() == Some(b'.'))
            .or_else(|| exactly(Entity::UkNino, 9, &is_nino).filter(|_| token.laid_out(&[2, 2, 2, 2, 1]))),
        3 => exactly(Entity::BrCpf, 11, &check::cpf)
            .filter(|_| token.laid_out(&[3, 3, 3, 2]) && token.joint() == Some(b'.'))
            .or_else(|| exactly(Entity::ChAhv, 13, &is_ahv))
            .or_else(|| {
                exactly(Entity::ItFiscalCode, 16, &check::fiscal_code)
                    .filter(|_| token.laid_out(&FISCAL_GROUPS))
            }),
        4 => exactly(Entity::UsMbi, 11, &is_mbi).filter(|_| token.laid_out(&[4, 3, 4])),
        6 => exactly(Entity::ItFiscalCode, 16, &check::fiscal_code)
            .or_else(|| exactly(Entity::NoFodselsnummer, 11, &is_norwegian)),
        9 => exactly(Entity::EsNie, 9, &|c| matches!(c, [b'X' | b'Y' | b'Z', ..]) && check::spanish(c)),
        11 => exactly(Entity::UsMbi, 11, &is_mbi)
            .or_else(|| exactly(Entity::NoFodselsnummer, 11, &is_norwegian)),
        13 => exactly(Entity::ChAhv, 13, &is_ahv),
        // Others begin the numbers of those who wait for theirs, and of devices.
        15 => exactly(Entity::FrNir, 15, &|c| matches!(c, [b'1' | b'2', ..]) && check::nir(c)),
        16 => exactly(Entity::ItFiscalCode, 16, &check::fiscal_code),
        _ => None,
    };
    // `X-1234567-L`
    let hit = hit.or_else(|| {
        let spelled = token.laid_out(&[1, 7, 1]) || token.laid_out(&[8, 1]);
        exactly(Entity::EsNie, 9, &|c| matches!(c, [b'X' | b'Y' | b'Z', ..]) && check::spanish(c))
            .filter(|_| spelled)
    });
    hit.or_else(|| finnish(text, at))
}

/// Whether the lengths of the first two groups are those of any: most tokens are done with here.
fn may_start(text: &Text<'_>, at: usize) -> bool {
    /// The longest first group.
    const MOST: usize = 16;
    let group = |from: usize, most: usize| text.run(from, most + 1, |b| b.is_ascii_alphanumeric()) - from;
    let first = group(at, MOST);
    let second = || match text.get(at + first) {
        Some(b' ' | b'-' | b'.' | b'/') => group(at + first + 1, 7),
        _ => 0,
    };
    match first {
        1 => matches!(second(), 2 | 7),
        2 => second() == 2,
        3 => second() == 3 || text.starts_with(at, b"756"),
        4 => second() == 3,
        6 => second() > 0 || text.get(at + first) == Some(b'+'),
        8 => second() == 1,
        9 | 11 | 13 | 15 | 16 => true,
        _ => false,
    }
}

/// How the Italian card prints a fiscal code: `RSS MRA 85T10 A562S`.
const FISCAL_GROUPS: [usize; 4] = [3, 3, 5, 5];

/// Whether letters in groups may begin a fiscal code as the card prints it: two groups of three, and a digit.
pub(crate) fn begins_in_groups(text: &Text<'_>, at: usize) -> bool {
    const FORM: &[u8; 9] = b"AAA AAA 0";
    FORM.iter().enumerate().all(|(i, class)| {
        text.get(at + i).is_some_and(|b| match class {
            b'A' => b.is_ascii_alphabetic(),
            b'0' => b.is_ascii_digit(),
            _ => b == b' ' || b == b'-',
        })
    })
}

/// `131052-308T`: the sign tells the century.
pub(super) fn finnish(text: &Text<'_>, at: usize) -> Option<Hit> {
    let digit = |i: usize| text.get(at + i).is_some_and(|b| b.is_ascii_digit());
    if !(0..6).all(digit)
        || !text.get(at + 6).is_some_and(|b| b"+-ABCDEFYXWVU".contains(&b))
        || !(7..10).all(digit)
    {
        return None;
    }
    let check = text.get(at + 10)?.to_ascii_uppercase();
    let (day, serial) = (text.slice(at, at + 6), text.slice(at + 7, at + 10));
    let end = at + 11;
    (is_short(day) && check::finnish(&[day, serial].concat(), check) && text.word_end(end))
        .then(|| Hit::closed(Entity::FiPersonalIdentityCode, end))
}

fn is_norwegian(characters: &[u8]) -> bool {
    check::all_digits(characters) && is_short(characters) && check::norwegian(characters)
}

fn is_ahv(characters: &[u8]) -> bool {
    characters.starts_with(b"756") && check::all_digits(characters) && check::ean13(characters)
}

fn is_year_first(characters: &[u8]) -> bool {
    date::is_short_day(characters.get(4..6).unwrap_or_default(), characters.get(2..4).unwrap_or_default())
}
