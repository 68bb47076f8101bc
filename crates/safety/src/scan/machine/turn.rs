//! What a place comes to: which finders may find something there, and in what order they are asked.

use super::Machine;
use super::dull::is_dull;
use crate::Entity;
use crate::columns;
use crate::find::assign::{self, Value};
use crate::find::{Hit, Tail};
use crate::find::{
    address, age, card, crypto, database_url, date, email, encoded, groups, iban, ip, jwt, labelled, mac,
    mark, national, pem, person, phone, secret, ssn, track, uuid,
};
use crate::hints::Said;
use crate::labels;
use crate::text::{LOOK_BEHIND, Text};

/// The longest run of letters that is taken for a word; the local part of an e-mail address has 64 at most.
const MAX_WORD: usize = 72;

/// Letters and digits of the id of an access key.
const ACCESS_KEY: usize = 20;

/// Bytes of a month's name that are read.
const MAX_MONTH: usize = 15;

/// Letters that an identifier may start with, set apart by a space.
const MAX_LETTERS: usize = 3;

/// What a place came to.
pub(super) enum Turn {
    /// A hit starts here.
    Hit(Hit),
    /// Nothing does, nor before this place.
    On(usize),
}

impl Machine {
    /// What this place comes to.
    pub(super) fn turn(&mut self, text: &Text<'_>) -> Turn {
        let at = self.at;
        if at == 0 && text.hints.said.secret().is_some() {
            self.expect(text, assign::whole(text, &text.hints.said));
        }
        let Some(first) = text.get(at) else { return Turn::On(at + 1) };
        if first == b'<'
            && let Some(end) = mark::end(text, at)
        {
            self.columns.pass_border();
            return Turn::On(end);
        }
        if let Some(hit) = text.customs.and_then(|customs| customs.find(text, at)) {
            return Turn::Hit(hit);
        }
        let border = columns::is_border(text.bytes(), at);
        if is_dull(first) && self.value.is_none() && self.user_info.is_none() && !self.columns.in_table() {
            if border {
                self.columns.pass_border();
            }
            return Turn::On(at + 1);
        }
        let mut next = at + 1;
        let opens = border && matches!(first, b'\n' | b'(');
        let speaks = || first.is_ascii_digit() || first.is_ascii_uppercase();
        if opens || self.columns.in_table() || self.columns.may_begin() && speaks() {
            self.columns.read(text.bytes(), if opens { at + 1 } else { at });
            let cell = self.columns.cell();
            text.set_cell(cell);
            if let Some(cell) = cell.filter(|cell| cell.start == at && cell.said.secret().is_some()) {
                self.expect(text, assign::cell(text, at, &cell.said));
            }
        }
        if border && !opens {
            self.columns.pass_border();
        }
        if first.is_ascii_hexdigit()
            && text.word_start(at)
            && text.customs.is_none()
            && let Some(end) = uuid::end(text, at)
        {
            return self.on(end);
        }
        let hit = match first {
            b'A'..=b'Z' | b'a'..=b'z' if text.word_start(at) => self.word(text, at, &mut next),
            b'0'..=b'9' if text.word_start(at) => self.number(text, at),
            b'0'..=b'9' if text.glued(at) => labelled::find(text, at, &text.said(at)),
            b'-' => {
                self.expect(text, assign::behind_flag(text, at));
                pem::find(text, at)
            }
            b'>' => {
                self.expect(text, assign::behind_tag(text, at));
                None
            }
            b'|' => {
                self.expect(text, assign::behind_bar(text, at));
                None
            }
            b'(' => {
                self.expect(text, assign::behind_call(text, at));
                phone::find(text, at)
            }
            b'+' => phone::find(text, at),
            b'=' => self.mark(text, at),
            b':' => self.mark(text, at).or_else(|| ip::find(text, at)),
            b'%' | b';' => track::find(text, at),
            lead if email::is_latin_lead(lead) => {
                self.email(text, at).or_else(|| address::find(text, at)).or_else(|| person::find(text, at))
            }
            _ => None,
        };
        let hit = hit.or_else(|| self.announced(at));
        match hit {
            Some(hit) => Turn::Hit(hit),
            None => self.on(next),
        }
    }

    /// On to a place; nothing is skipped that was announced.
    fn on(&self, next: usize) -> Turn {
        Turn::On(self.value.filter(|value| value.start > self.at).map_or(next, |value| next.min(value.start)))
    }

    /// A value that stands encoded in a run of base64. Each run is decoded once.
    fn encoded(&mut self, text: &Text<'_>, at: usize) -> Option<Hit> {
        if self.decoded > at {
            return None;
        }
        let run = encoded::read(text, at)?;
        if !text.is_starved() {
            self.decoded = run.end;
        }
        let entity = run.holds()?;
        Some(
            Hit::open(entity, run.end, run.goes_on.then_some(Tail::Base64))
                .by("found in what base64 encodes"),
        )
    }

    /// The secret that was announced for this place.
    fn announced(&self, at: usize) -> Option<Hit> {
        if let Some((start, end)) = self.user_info.and_then(|info| info.password)
            && (start..end).contains(&at)
        {
            return Some(Hit::closed(self.user_info.map_or(Entity::Password, |info| info.entity), end));
        }
        let value = self.value.filter(|value| (value.start..value.end).contains(&at))?;
        Some(Hit::closed(value.entity, value.end).said_by(value.label))
    }

    /// Remembers a secret to come, unless the text may still change what it is.
    fn expect(&mut self, text: &Text<'_>, value: Option<Value>) {
        if value.is_some() && !text.is_starved() {
            self.value = value;
        }
    }

    /// What a `:` or `=` announces stands behind it.
    fn mark(&mut self, text: &Text<'_>, at: usize) -> Option<Hit> {
        // Within a secret that was announced, a mark is a part of it.
        if self.value.is_none_or(|value| at >= value.end) {
            self.expect(text, assign::behind_mark(text, at));
        }
        None
    }

    fn number(&mut self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let beside = (at < self.beside()).then(|| secret::beside_access_key(text, at));
        let other = beside
            .flatten()
            .or_else(|| crypto::find(text, at))
            .or_else(|| self.email(text, at))
            .or_else(|| ip::find(text, at))
            .or_else(|| mac::find(text, at));
        other
            .or_else(|| {
                let groups = groups::Groups::read(text, at);
                let said = if worth_a_label(text, &groups) { text.said(at) } else { Said::default() };
                // Under a key for another number, what comes first is that.
                let other = said.other() && (at == 0 || said != text.hints.said);
                card::find(text, at, &groups)
                    .or_else(|| ssn::find(text, at, &groups))
                    .or_else(|| labelled::find(text, at, &said))
                    .or_else(|| card::told_with(text, at))
                    .or_else(|| labelled::find_pair(text, at, &groups))
                    .or_else(|| age::find(text, &groups))
                    .or_else(|| national::find(text, at))
                    .or_else(|| assign::told(text, at, &said))
                    .or_else(|| {
                        (!said.something() || said == text.hints.said).then(|| before_label(text, at))?
                    })
                    .or_else(|| phone::find(text, at).filter(|_| !other || said.may_call()))
                    .or_else(|| address::find(text, at))
            })
            .or_else(|| self.encoded(text, at))
    }

    /// A word; `next` becomes where the scan goes on, if that is not the next byte.
    fn word(&mut self, text: &Text<'_>, at: usize, next: &mut usize) -> Option<Hit> {
        let end = text.run(at, MAX_WORD, |b| b.is_ascii_alphabetic());
        if let Some(hit) = self.told(text, at, end) {
            return Some(hit);
        }
        if !goes_on(text, at, end) {
            *next = end;
            let hit = self.plain_word(text, at, end);
            // Long enough to encode something.
            let long = end - at >= encoded::MIN_RUN || matches!(text.get(end), Some(b'/' | b'+'));
            return hit.or_else(|| long.then(|| self.encoded(text, at))?);
        }
        if self.user_info.is_none_or(|info| at > info.at_sign)
            && let Some(info) = database_url::read(text, at)
            && !text.is_starved()
        {
            self.user_info = Some(info);
        }
        secret::find(text, at)
            .or_else(|| jwt::find(text, at))
            .or_else(|| iban::find(text, at))
            .or_else(|| crypto::find(text, at))
            .or_else(|| self.email(text, at))
            .or_else(|| ip::find(text, at))
            .or_else(|| mac::find(text, at))
            .or_else(|| self.identifier(text, at, end))
            .or_else(|| self.plain_word(text, at, end))
            .or_else(|| self.encoded(text, at))
    }

    /// A secret in a sentence that speaks of one, or beside the id of an access key.
    fn told(&self, text: &Text<'_>, at: usize, end: usize) -> Option<Hit> {
        let beside = at < self.beside();
        if at >= self.spoken && !beside {
            return None;
        }
        let specific = secret::find(text, at).or_else(|| jwt::find(text, at));
        specific.or_else(|| beside.then(|| secret::beside_access_key(text, at))?).or_else(|| {
            let told = at < self.spoken && !assign::is_word(text, at, end);
            told.then(|| assign::told(text, at, &text.said(at)))?
        })
    }

    /// Up to here a secret may stand beside the id of an access key.
    fn beside(&self) -> usize {
        match self.last {
            Some(last) if last.entity == Entity::AwsAccessKey => self.floor + LOOK_BEHIND + 1,
            _ => 0,
        }
    }

    /// From here on a plain word is no secret that was told, and stands right behind no hit.
    pub(super) fn calm_from(&self) -> usize {
        self.spoken.max(self.beside()).max(self.floor + 1)
    }

    /// Letters and digits in one token.
    fn identifier(&self, text: &Text<'_>, at: usize, end: usize) -> Option<Hit> {
        let digit = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_digit());
        // `HH-MY 369`: capitals in groups, which only a label makes a plate.
        let capitals = end - at <= MAX_LETTERS && text.slice(at, end).iter().all(u8::is_ascii_uppercase);
        if !digit(end) && !digit(end + 1) {
            let said = if capitals && text.get(end) == Some(b'-') { text.said(at) } else { Said::default() };
            return labelled::find(text, at, &said)
                .or_else(|| national::begins_in_groups(text, at).then(|| national::find(text, at))?);
        }
        let said = text.said(at);
        national::find(text, at).or_else(|| labelled::find(text, at, &said)).or_else(|| {
            let unsaid = !said.something() || said == text.hints.said;
            unsaid.then(|| before_label(text, at))?
        })
    }

    /// A word of letters: a name may start with it, a month be it, a secret be told behind it.
    fn plain_word(&mut self, text: &Text<'_>, at: usize, end: usize) -> Option<Hit> {
        let word = text.slice(at, end);
        // `contraseña`
        let accented = text.get(end).is_some_and(email::is_latin_lead);
        let whole =
            if accented { text.run(end, MAX_WORD, |b| b.is_ascii_alphabetic() || b >= 0x80) } else { end };
        if labels::ends_secret(text.slice(at, whole)) {
            self.expect(text, assign::spoken(text, at, whole));
            if !text.is_starved() {
                self.spoken = whole + LOOK_BEHIND;
            }
        }
        let code = matches!(word.len(), 8 | 11) && word.iter().all(u8::is_ascii_uppercase);
        if code || (3..=10).contains(&word.len()) && date::is_month(word) && date::goes_on(text, end) {
            let said = text.said(at);
            let behind =
                || (!code && !said.something()).then(|| labelled::find_day_before_label(text, at))?;
            if let Some(hit) = labelled::find(text, at, &said).or_else(behind) {
                return Some(hit);
            }
        }
        self.people(text, at, word)
    }

    /// A name or an address, which start with a capital wherever no key says that one stands here.
    fn people(&self, text: &Text<'_>, at: usize, word: &[u8]) -> Option<Hit> {
        let valued = match text.before(at, 1) {
            None | Some(b'"' | b'\'' | b'>') => true,
            // `Mr. van Dijk`
            before => before == Some(b' ') && text.before(at, 2) == Some(b'.'),
        };
        let capital = word.first().is_some_and(u8::is_ascii_uppercase);
        let may_start = capital || valued || address::starts_small(word);
        may_start.then(|| address::find(text, at).or_else(|| person::find(text, at)))?
    }

    /// An address, unless its `@` ends the user part of a URL.
    fn email(&self, text: &Text<'_>, at: usize) -> Option<Hit> {
        let hit = email::find(text, at)?;
        let in_url = self.user_info.is_some_and(|info| info.at_sign == email::at_sign(text, at));
        (!in_url).then_some(hit)
    }
}

/// What the words behind a value say it is.
fn before_label(text: &Text<'_>, at: usize) -> Option<Hit> {
    labelled::find_before_label(text, at).or_else(|| assign::before_label(text, at))
}

/// Whether digits may be what a label announces: not one or two by themselves, unless they begin a day or are an age, and
/// not the rest of a day or a version.
fn worth_a_label(text: &Text<'_>, groups: &groups::Groups) -> bool {
    let Some(first) = groups.as_slice().first() else { return false };
    let joined = matches!(text.before(first.start, 1), Some(b'-' | b'.'))
        && text.before(first.start, 2).is_some_and(|b| b.is_ascii_digit());
    if joined && first.len() < labelled::MIN_PLAIN {
        return false;
    }
    if first.len() > 2 || first.then.is_some() || text.slice(first.start, first.end).starts_with(b"9") {
        return true;
    }
    match text.get(first.end) {
        Some(b' ') => {
            let word = first.end + 1;
            text.get(word).is_some_and(|b| b.is_ascii_alphabetic())
                && date::is_month(
                    text.slice(word, text.run(word, MAX_MONTH, |b| b.is_ascii_alphabetic() || b >= 0x80)),
                )
                || text.starts_with(word, b"de ")
                || text.starts_with(word, b"of ")
                || text.starts_with(word, b"/ ")
        }
        Some(b'/' | b'-' | b'.' | b's' | b'n' | b'r' | b't') => true,
        _ => text.get(first.end).is_some_and(|b| b.is_ascii_alphabetic()),
    }
}

/// Whether what stands behind a run of letters may make it a part of something longer.
fn goes_on(text: &Text<'_>, at: usize, end: usize) -> bool {
    let next = |at: usize, class: fn(u8) -> bool| text.get(at).is_some_and(class);
    // The id of an access key may be without a digit.
    if end - at == ACCESS_KEY && text.slice(at, end).iter().all(u8::is_ascii_uppercase) {
        return true;
    }
    match text.get(end) {
        Some(b'@' | b'_' | b'+' | b'%' | b'0'..=b'9') => true,
        Some(b'.' | b'-') => next(end + 1, |b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80),
        Some(b':') => next(end + 1, |b| b.is_ascii_hexdigit() || matches!(b, b'/' | b':')),
        // `QQ 12 34 56 C`, `D 123 4567`
        Some(b' ') if end - at <= MAX_LETTERS && text.slice(at, end).iter().all(u8::is_ascii_uppercase) => {
            next(end + 1, |b| b.is_ascii_digit()) || national::begins_in_groups(text, at)
        }
        Some(b) => email::is_latin_lead(b),
        None => false,
    }
}
