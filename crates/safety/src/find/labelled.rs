//! What is known by a label: an identifier that keeps the rules of the kind which a word or a key in front announces.

mod behind;
mod form;
mod pair;
mod topic;

use std::cell::LazyCell;

pub(in crate::find) use self::behind::words_behind;
pub(crate) use self::behind::{find_before_label, find_day_before_label};
use self::form::{
    is_driver_license, is_great_age, is_itin, is_passport, is_record, is_serial, is_some_license, is_swedish,
    is_us_passport,
};
pub(super) use self::form::{is_mbi, is_nino, is_short};
pub(crate) use self::pair::find as find_pair;
pub(super) use self::topic::speaks_of_a_card;
use self::topic::{is_at_a_bank, is_counted};
use super::checksum as check;
use super::groups::{Separator, joined};
use super::token::{Id, Token};
use super::{Hit, date, phone, swift};
use crate::hints::Said;
use crate::text::Text;
use crate::{Class, Entity};

/// The hit that starts at `at`, of a kind that was announced: of more than one the surest.
pub(crate) fn find(text: &Text<'_>, at: usize, said: &Said) -> Option<Hit> {
    let digit = text.get(at).is_some_and(|b| b.is_ascii_digit());
    // `Anna Lee (b. 2 May 1980)`
    if !said.something() && text.behind(at).ends_with(b"(b. ") {
        return date::find(text, at).map(|end| Hit::closed(Entity::DateOfBirth, end).said_by("b"));
    }
    // `05.10.1953 geboren`, `1944-03-10 is her date of birth`
    if digit
        && said.announces(Entity::DateOfBirth).is_none()
        && !said.other()
        && let Some(end) = date::find(text, at)
    {
        if text.starts_with(end, b" geboren") {
            return Some(Hit::closed(Entity::DateOfBirth, end).said_by("geboren"));
        }
        if !said.something()
            && let Some(hit) = behind::day_before_label(text, at, end)
        {
            return Some(hit);
        }
    }
    if !said.something() || digit && matches!(joined(text, at), Some(Separator::Dash | Separator::Dot)) {
        return None;
    }
    // The rest of a name with another beginning, `req_5a465bf589`.
    let joined_to_word = matches!(text.before(at, 1), Some(b'_' | b'-'))
        && text.before(at, 2).is_some_and(|b| b.is_ascii_alphanumeric());
    if joined_to_word && said.distance > 0 {
        return None;
    }
    if !digit && behind::is_label(text, at) {
        return None;
    }
    let token = LazyCell::new(|| Token::read(text, at));
    // A moment is no number, whatever its label says.
    let moment = digit && is_moment(text, at);
    let mut best: Option<Hit> = None;
    for label in said.labels() {
        // `<Cvv>…</Cvv><MailingAddress>1582 Juniper Way`
        let elsewhere = || said.distance > 0 && super::address::find(text, at).is_some();
        if label.kinds() == [Entity::Cvv] && elsewhere() {
            continue;
        }
        // `total patients: 42365`; `DL-1818734`, which is the name of something.
        if is_counted(text, at, label.phrase) || label.phrase == "dl" && text.before(at, 1) == Some(b'-') {
            continue;
        }
        for &entity in label.kinds().iter().filter(|kind| kind.class() != Class::Secret) {
            let day = matches!(
                entity,
                Entity::DateOfBirth | Entity::AdmissionDate | Entity::DischargeDate | Entity::DateOfDeath
            );
            if moment && !day {
                continue;
            }
            if entity == Entity::UsBankNumber && !is_at_a_bank(text, at, label.phrase) {
                continue;
            }
            // `"phone verified, DOB on file",2026-02-03`
            if day && said.distance > 0 && text.near(at).ends_with(b"\",") {
                continue;
            }
            if best.is_none_or(|best| best.entity.score() < entity.score())
                && let Some(end) = end_of(text, at, &token, entity).or_else(|| {
                    (said.distance == 0).then(|| end_beside(text, at, &token, entity, label.phrase))?
                })
            {
                best = Some(Hit::closed(entity, end).said_by(label.phrase));
            }
        }
    }
    best
}

/// `2024-05-06T07:08:09Z`
fn is_moment(text: &Text<'_>, at: usize) -> bool {
    let digits = |start: usize, count: usize| {
        (start..start + count).all(|i| text.get(i).is_some_and(|b| b.is_ascii_digit()))
    };
    digits(at, 4)
        && text.get(at + 4) == Some(b'-')
        && digits(at + 5, 2)
        && text.get(at + 7) == Some(b'-')
        && digits(at + 8, 2)
        && matches!(text.get(at + 10), Some(b'T' | b' '))
        && digits(at + 11, 2)
        && text.get(at + 13) == Some(b':')
}

/// Digits that the rest of a day or a version has not.
pub(crate) const MIN_PLAIN: usize = 7;

/// Where a value of this kind that starts at `at` ends.
fn end_of(text: &Text<'_>, at: usize, token: &Token, entity: Entity) -> Option<usize> {
    let exactly = |length: usize, holds: &dyn Fn(&[u8]) -> bool| {
        let id = token.exactly(length).filter(|id| holds(id.characters))?;
        text.word_end(id.end).then_some(id.end)
    };
    let digits =
        |length: usize, holds: &dyn Fn(&[u8]) -> bool| exactly(length, &|c| check::all_digits(c) && holds(c));
    let free = |holds: &dyn Fn(&[u8]) -> bool| {
        let id = token.unspaced().filter(|id| holds(id.characters) && !is_day(text, at, id))?;
        text.word_end(id.end).then_some(id.end)
    };
    match entity {
        Entity::UsSsn => digits(9, &super::ssn::is_issued),
        Entity::UsItin => digits(9, &is_itin),
        Entity::PhoneNumber => phone::announced(text, at),
        Entity::UsNpi => digits(10, &|c| matches!(c, [b'1' | b'2', ..]) && check::luhn(b"80840", c)),
        Entity::UsMbi => exactly(11, &is_mbi),
        Entity::MedicalRecordNumber => free(&|c| is_record(c, 4, 15)),
        Entity::DateOfBirth | Entity::AdmissionDate | Entity::DischargeDate | Entity::DateOfDeath => {
            date::find(text, at)
        }
        Entity::Age => digits(2, &|c| c.starts_with(b"9")).or_else(|| digits(3, &is_great_age)),
        Entity::AbaRouting => digits(9, &check::aba),
        Entity::UsBankNumber => bank_number(text, at, token),
        Entity::UsPassport => exactly(9, &is_us_passport),
        Entity::Passport => [9, 8, 7]
            .into_iter()
            .find_map(|n| exactly(n, &is_passport))
            .filter(|&end| !text.slice(at, end).iter().any(u8::is_ascii_lowercase)),
        Entity::UsDriverLicense => free(&is_driver_license)
            .or_else(|| [15, 14, 13, 12, 9].into_iter().find_map(|n| exactly(n, &is_driver_license))),
        Entity::LicensePlate => plate(text, at, token),
        Entity::MedicalLicense => exactly(9, &check::dea),
        Entity::Cvv => {
            let rest =
                text.before(at, 1) == Some(b',') && text.before(at, 2).is_some_and(|b| b.is_ascii_digit());
            let alone = |end: &usize| {
                text.in_cell(at) && matches!(text.get(*end), None | Some(b',' | b'\n' | b'\r' | b'"' | b'\\'))
                    || !rest && stands_alone(text, *end)
            };
            digits(3, &|_| true).or_else(|| digits(4, &|_| true)).filter(alone)
        }
        Entity::CardExpiry => expiry(text, at).filter(|_| speaks_of_a_card(text, at)),
        Entity::Vin => exactly(17, &check::vin),
        Entity::Imei => digits(15, &|c| check::luhn(b"", c) && !check::uniform(c)),
        Entity::MemberId => free(&|c| is_record(c, 5, 16)),
        Entity::DeviceSerial => free(&is_serial),
        Entity::SwiftCode => swift::end(text, at),
        Entity::UkNino => exactly(9, &is_nino),
        Entity::UkNhs => digits(10, &check::nhs),
        Entity::UkUtr => digits(10, &check::utr),
        Entity::DeTaxId => digits(11, &check::de_tax),
        Entity::FrNir => exactly(15, &check::nir),
        Entity::EsNif | Entity::EsNie => {
            let foreign = matches!(text.get(at), Some(b'X' | b'Y' | b'Z' | b'x' | b'y' | b'z'));
            (foreign == (entity == Entity::EsNie)).then(|| exactly(9, &check::spanish))?
        }
        Entity::FiPersonalIdentityCode => super::national::finnish(text, at).map(|hit| hit.end),
        Entity::ItFiscalCode => exactly(16, &check::fiscal_code),
        Entity::PlPesel => digits(11, &check::pesel),
        Entity::NlBsn => digits(9, &check::bsn),
        Entity::SePersonnummer => digits(10, &|c| is_swedish(c)).or_else(|| digits(12, &is_swedish)),
        Entity::DkCpr => digits(10, &|c| is_short(c) && !check::uniform(c)),
        Entity::NoFodselsnummer => digits(11, &check::norwegian),
        Entity::BeNationalNumber => digits(11, &check::belgian),
        Entity::ChAhv => digits(13, &|c| c.starts_with(b"756") && check::ean13(c)),
        Entity::CaSin => digits(9, &|c| check::luhn(b"", c) && !check::uniform(c)),
        Entity::BrCpf => digits(11, &check::cpf),
        Entity::InAadhaar => digits(12, &|c| !matches!(c, [b'0' | b'1', ..]) && check::verhoeff(c)),
        Entity::AuTfn => digits(9, &check::tfn),
        _ => None,
    }
}

/// The same right behind a label, which then says more than the form.
fn end_beside(text: &Text<'_>, at: usize, token: &Token, entity: Entity, phrase: &str) -> Option<usize> {
    match entity {
        Entity::PhoneNumber => phone::beside_label(text, at),
        // `04-01-14`: a record number, unless the label speaks of other things as well.
        Entity::MedicalRecordNumber if !matches!(phrase, "patient" | "pt" | "chart" | "mr") => {
            let id =
                token.unspaced().filter(|id| check::all_digits(id.characters) && id.characters.len() == 6)?;
            (token.laid_out(&[2, 2, 2]) && text.word_end(id.end)).then_some(id.end)
        }
        Entity::UsDriverLicense => {
            let capitals = |id: &Id<'_>| !text.slice(at, id.end).iter().any(u8::is_ascii_lowercase);
            let id = token
                .unspaced()
                .filter(|id| is_some_license(id.characters) && capitals(id) && !is_day(text, at, id))?;
            text.word_end(id.end).then_some(id.end)
        }
        _ => None,
    }
}

/// An account: digits in one piece, or in groups of three or more.
fn bank_number(text: &Text<'_>, at: usize, token: &Token) -> Option<usize> {
    let id = token
        .digits()
        .filter(|id| (6..=17).contains(&id.characters.len()) && !check::uniform(id.characters))?;
    let grouped = id.end - at == id.characters.len() || token.first() >= 3;
    (grouped && text.word_end(id.end) && !is_day(text, at, &id)).then_some(id.end)
}

/// A plate: both letters and digits, in capitals, in up to three groups.
fn plate(text: &Text<'_>, at: usize, token: &Token) -> Option<usize> {
    let fits = |id: &Id<'_>| {
        let digits = id.characters.iter().filter(|b| b.is_ascii_digit()).count();
        (4..=8).contains(&id.characters.len()) && digits > 0 && digits < id.characters.len()
    };
    let whole =
        |id: &Id<'_>| text.word_end(id.end) && !text.slice(at, id.end).iter().any(u8::is_ascii_lowercase);
    (4..=8).rev().find_map(|length| token.exactly(length).filter(fits).filter(whole)).map(|id| id.end)
}

/// `12/27`, `12/2027`, `12-27`: a month and a year.
pub(super) fn expiry(text: &Text<'_>, at: usize) -> Option<usize> {
    let month = text.slice(at, text.run(at, 3, |b| b.is_ascii_digit()));
    let joint = at + month.len();
    if !matches!(check::number(month), Some(1..=12)) || month.len() > 2 {
        return None;
    }
    // ` / ` as forms print it.
    let spaced = usize::from(text.starts_with(joint, b" / "));
    if !matches!(text.get(joint + spaced), Some(b'/' | b'-')) {
        return None;
    }
    let year = joint + 1 + 2 * spaced;
    let end = text.run(year, 5, |b| b.is_ascii_digit());
    let value = check::number(text.slice(year, end))?;
    let fits = matches!((end - year, value), (2, 10..=59) | (4, 2010..=2059));
    (fits && text.word_end(end) && stands_alone(text, end)).then_some(end)
}

/// Whether no further group follows, as in a date or an amount.
fn stands_alone(text: &Text<'_>, end: usize) -> bool {
    !(matches!(text.get(end), Some(b'/' | b'-' | b'.' | b','))
        && text.get(end + 1).is_some_and(|b| b.is_ascii_digit()))
}

/// Whether the identifier is a day rather than a number.
fn is_day(text: &Text<'_>, at: usize, id: &Id<'_>) -> bool {
    id.end - at > id.characters.len() && date::find(text, at) == Some(id.end)
}

#[cfg(test)]
mod tests;
