//! Secrets that only their name gives away: `password=…`, `"api_key": "…"`, `my password is …`.
//!
//! The name says that a secret follows, here; the value has to look like one, see [`judge`].

mod behind;
mod command;
mod instead;
mod judge;
mod markup;
mod outright;
mod phrase;
mod place;

pub(crate) use self::behind::before_label;
pub(crate) use self::command::behind_flag;
pub(crate) use self::judge::is_aws_secret;
use self::judge::{Kept, has_inner_capital, judge, may_be_told, stands_for_another};
pub(crate) use self::markup::{behind_bar, behind_tag};
use self::place::{behind_scheme, ends_value, value_at};
use super::Hit;
use crate::Entity;
use crate::hints::{self, Said};
use crate::labels::{Label, Says};
use crate::text::{LOOK_BEHIND, Text};

/// The longest value that is judged; what is longer is a document.
const MAX_VALUE: usize = 256;
/// The longest name of a user in front of a password.
const MAX_NAME: usize = 40;
/// The longest remark between a label and its mark.
const MAX_REMARK: usize = 24;

/// A value that is announced as a secret, and looks like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) entity: Entity,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) label: &'static str,
}

impl Value {
    /// The same counted from `count` bytes later; nothing once it lies behind.
    pub(crate) fn forget(self, count: usize) -> Option<Self> {
        Some(Self { start: self.start.checked_sub(count)?, end: self.end.checked_sub(count)?, ..self })
    }
}

/// The value behind the `:` or `=` at `at`.
pub(crate) fn behind_mark(text: &Text<'_>, at: usize) -> Option<Value> {
    let mark = text.get(at)?;
    if mark == b':'
        && let Some(value) = command::behind_user(text, at)
            .or_else(|| command::behind_entry(text, at))
            .or_else(|| command::behind_creds(text, at))
    {
        return Some(value);
    }
    if mark == b'='
        && let Some(value) = command::behind_auth(text, at)
    {
        return Some(value);
    }
    let label =
        name_before(text, at).or_else(|| slot_before(text, at)).or_else(|| parameter_before(text, at))?;
    let next = text.get(at + 1)?;
    if next == b'=' || mark == b':' && next == b':' {
        return None;
    }
    let mut start = at + 1 + usize::from(mark == b'=' && next == b'>');
    // `**Password:** …`
    start += 2 * usize::from(text.starts_with(start, b"** "));
    start = text.run(start, 4, |b| b == b' ' || b == b'\t');
    // `<b>Password:</b> …`
    if text.starts_with(start, b"</") {
        let close = text.run(start, MAX_REMARK, |b| b != b'>');
        start = text.run(close + 1, 4, |b| b == b' ');
    }
    let (start, end, quoted) = value_at(text, start)?;
    if let Some(value) = worded(text, start, label) {
        return Some(value);
    }
    let kept = match mark {
        _ if quoted => Kept::Assigned,
        b'=' => Kept::Bare,
        _ => Kept::Written,
    };
    judge(text, start, end, label, kept)
}

/// The secret that is told behind the word that ends at `end`: `password is …`, `Bearer …`.
pub(crate) fn spoken(text: &Text<'_>, at: usize, end: usize) -> Option<Value> {
    const VERBS: [&[u8]; 24] = [
        b" is: ",
        b" is now ",
        b" is ",
        b" was changed to ",
        b" was reset to ",
        b" was set to ",
        b" was ",
        b" changed to ",
        b" reset to ",
        b" set to ",
        b" should be ",
        b" will be ",
        b" would be ",
        b" to ",
        b" = ",
        b" - ",
        b" as ",
        b" ist ",
        b" lautet ",
        b" es ",
        b" est ",
        b" \xC3\xA8 ",
        b" \xC3\xA4r ",
        b" er ",
    ];
    let word = text.slice(at, end);
    if word.eq_ignore_ascii_case(b"bearer") && text.get(end) == Some(b' ') {
        let (start, end, _) = value_at(text, end + 1)?;
        return judge(text, start, end, &BEARER, Kept::Written);
    }
    match text.get(end)? {
        b' ' | b'\n' => {}
        b'"' | b'\'' if text.get(end + 1) == Some(b',') => {}
        // The quote around an argument, in a document within a document.
        b'\\' => {}
        _ => return None,
    }
    let said = hints::before(text.slice(end.saturating_sub(LOOK_BEHIND).max(at.saturating_sub(24)), end));
    let label = said.secret()?;
    if text.get(end) == Some(b'\n') {
        return below(text, end, label);
    }
    if let Some(value) = setting(text, at, end, label).or_else(|| command::argument(text, at, end, label)) {
        return Some(value);
    }
    let Some(verb) = VERBS.iter().find(|verb| text.starts_with(end, verb)) else {
        // `secret access key /FwE/4Lo7jI4…`: where no word starts, nothing else would look.
        if text.get(end) == Some(b' ') && text.get(end + 1).is_some_and(|b| matches!(b, b'/' | b'+')) {
            let (start, end, _) = value_at(text, end + 1)?;
            return is_aws_secret(text.slice(start, end))
                .then(|| judge(text, start, end, label, Kept::Spoken))?;
        }
        let quoted = text.starts_with(end, b" '");
        return (quoted || text.get(end) == Some(b' ') && takes_next(text, at, label)).then(|| {
            let (start, end, quoted) = value_at(text, end + 1)?;
            let kept = if quoted { Kept::Quoted } else { Kept::Written };
            (text.get(start) != Some(b'-')).then(|| judge(text, start, end, label, kept))?
        })?;
    };
    let (start, end, quoted) = value_at(text, end + verb.len())?;
    if let Some(value) = worded(text, start, label) {
        return Some(value);
    }
    judge(text, start, end, label, if quoted { Kept::Quoted } else { Kept::Spoken })
}

/// Whether the next token is the value of the label whose last word starts at `at`, with no mark between: an option
/// (`--password …`), SQL (`identified by …`), a login (`login … password …`).
fn takes_next(text: &Text<'_>, at: usize, label: &Label) -> bool {
    if matches!(label.phrase, IDENTIFIED | "requirepass" | "masterauth") {
        return true;
    }
    if command::is_option(text, at) {
        return true;
    }
    let behind = text.slice(at.saturating_sub(MAX_NAME), at).to_ascii_lowercase();
    let login = [&b"login "[..], b"user ", b"username "]
        .iter()
        .filter_map(|w| memchr::memmem::rfind(&behind, w))
        .max();
    // The name of the user, and nothing else, stands between.
    label.kinds().first() == Some(&Entity::Password)
        && login.and_then(|place| behind.get(place..)).is_some_and(|login| {
            let words = login.split(|b| matches!(b, b' ' | b'/' | b','));
            words.filter(|word| !word.is_empty()).count() == 2
        })
}

/// The argument of the call whose bracket stands at `at`, if it sets a secret: `setPassword("…")`.
pub(crate) fn behind_call(text: &Text<'_>, at: usize) -> Option<Value> {
    let behind = text.near(at);
    let start = behind.iter().rposition(|&b| !is_option_byte(b)).map_or(0, |last| last + 1);
    let name = behind.get(start..)?;
    let sets = name.starts_with(b"set") && hints::ends_secret(name);
    let label = sets.then(|| hints::before(name).secret())??;
    let (start, end, quoted) = value_at(text, at + 1)?;
    quoted.then(|| judge(text, start, end, label, Kept::Written))?
}

/// The value of a setting that a call names, `define('DB_PASSWORD', '…')`; the name ends at `end`.
fn setting(text: &Text<'_>, at: usize, end: usize, label: &'static Label) -> Option<Value> {
    const SETTERS: [&[u8]; 7] =
        [b"define", b"setenv", b"putenv", b"setProperty", b"put", b"set", b"setdefault"];
    if !matches!(text.get(end), Some(b'"' | b'\'')) || text.get(end + 1) != Some(b',') {
        return None;
    }
    let behind = text.near(at);
    let call = behind.get(..memchr::memrchr(b'(', behind)?)?;
    let name = call.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |last| last + 1);
    let start = SETTERS.contains(&call.get(name..)?).then(|| text.run(end + 2, 4, |b| b == b' '))?;
    let (start, end, quoted) = value_at(text, start)?;
    quoted.then(|| judge(text, start, end, label, Kept::Written))?
}

/// A password of several words.
fn worded(text: &Text<'_>, start: usize, label: &'static Label) -> Option<Value> {
    let first = label.kinds().first()?;
    let end = (*first == Entity::Password).then(|| phrase::end(text, start))??;
    Some(Value { entity: *first, start, end, label: label.phrase })
}

/// The secret in a line of its own below a line with nothing but its label, which ends at `end`.
fn below(text: &Text<'_>, end: usize, label: &'static Label) -> Option<Value> {
    let behind = text.near(end);
    let line = behind.rsplit(|b| *b == b'\n').next()?;
    let words = line.split(|b| *b == b' ').count();
    let alone =
        words <= 3 && line.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'_') || *b >= 0x80);
    let (start, value_end, _) = value_at(text, end + 1).filter(|_| alone)?;
    let ends = matches!(text.get(value_end), None | Some(b'\n' | b'\r'));
    ends.then(|| judge(text, start, value_end, label, Kept::Written))?
}

fn is_option_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// A text that is a secret as a whole, because its key says so.
pub(crate) fn whole(text: &Text<'_>, said: &Said) -> Option<Value> {
    let label = said.secret()?;
    let end = text.run(0, MAX_VALUE + 1, |_| true);
    // Blanks stand around a number in a document.
    let value = text.slice(0, end);
    let start = behind_scheme(text, end - value.trim_ascii_start().len());
    let end = if end <= MAX_VALUE { value.trim_ascii_end().len() } else { end };
    (end <= MAX_VALUE).then(|| judge(text, start, end, label, Kept::Assigned))?
}

/// The secret that a cell of a table holds, below such a head.
pub(crate) fn cell(text: &Text<'_>, at: usize, said: &Said) -> Option<Value> {
    let start = text.run(at, 4, |b| b == b' ');
    let (start, end, _) = value_at(text, start)?;
    judge(text, start, end, said.secret()?, Kept::Assigned)
}

/// A token of letters and digits in a sentence that speaks of a secret: `the password? Sure, it's …`.
pub(crate) fn told(text: &Text<'_>, at: usize, said: &Said) -> Option<Hit> {
    let label = said.secret_at_all()?;
    // Not over the border of what the label stands in.
    if said.crossed && !said.asked {
        return None;
    }
    // `Type="x#PasswordText"`
    let attribute = text.before(at, 1) == Some(b'"') && text.before(at, 2) == Some(b'=');
    let glued = attribute
        || matches!(
            text.before(at, 1),
            Some(b'_' | b'-' | b'/' | b'.' | b'@' | b'=' | b':' | b'<' | b'{' | b'#')
        );
    let (start, end, _) = value_at(text, at).filter(|&(start, ..)| !glued && start == at)?;
    let open = text.slice(start, end).ends_with(b"=") && matches!(text.get(end), Some(b'"' | b'\''));
    if open || is_pair(text.slice(start, end)) || is_key_of_another(text, end) {
        return None;
    }
    let written = text.slice(start, end);
    // What would only be a password has to look like more than a word with a sign.
    let plain = || !written.iter().any(u8::is_ascii_digit) && !has_inner_capital(written);
    if label.kinds() == [Entity::Password] && !said.asked && plain() {
        return None;
    }
    let value = judge(text, start, end, label, Kept::Spoken)?;
    let strong = value.entity != Entity::Password || outright::is_believed(text, at, written, said);
    (strong && !is_rest_of_another(text, at, end))
        .then(|| Hit::closed(value.entity, value.end).said_by(value.label))
}

/// Whether the token begins before `at`, and as a whole stands for a secret, or is the hash of one: `$2b$12$…`, `{SSHA}…`.
fn is_rest_of_another(text: &Text<'_>, at: usize, end: usize) -> bool {
    let part =
        |n: &usize| text.before(at, *n).is_some_and(|b| !ends_value(b) && !matches!(b, b'=' | b':' | b'('));
    let before = (1..=MAX_NAME).take_while(part).count();
    before > 0 && stands_for_another(text.slice(at - before, end))
}

/// Whether the letters up to `end` are a word and a whole value, or what is there already shows that they begin none:
/// no secret in a sentence does.
pub(crate) fn is_word(text: &Text<'_>, at: usize, end: usize) -> bool {
    if text.get(end).is_none_or(ends_value) {
        return !has_inner_capital(text.slice(at, end));
    }
    let ahead = text.slice(at, text.len().min(at + MAX_VALUE));
    ahead
        .iter()
        .position(|b| ends_value(*b))
        .and_then(|end| ahead.get(..end))
        .is_some_and(|token| !may_be_told(token))
}

/// Whether this is `name=value` or `name:value`, whose name speaks for the value.
fn is_pair(token: &[u8]) -> bool {
    let name = token.iter().take_while(|&&b| is_option_byte(b) || b == b'.').count();
    matches!(token.get(name..), Some([b'=' | b':', next, ..]) if *next != b'=')
        && token.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Whether a `:` or `=` behind the token makes it the name of another value: `"isError": false`.
fn is_key_of_another(text: &Text<'_>, end: usize) -> bool {
    let quoted = usize::from(matches!(text.get(end), Some(b'"' | b'\'')));
    let mark = text.run(end + quoted, 2, |b| b == b' ');
    matches!(text.get(mark), Some(b':' | b'='))
}

/// `Bearer …` and signed URLs announce secrets by themselves.
static BEARER: Label = Label { phrase: "bearer", says: Says::Kinds(&[Entity::GenericSecret]), near: true };
static SIGNED: Label = Label { phrase: "signature", says: Says::Kinds(&[Entity::GenericSecret]), near: true };

/// The label that SQL gives passwords.
const IDENTIFIED: &str = "identified by";

/// Before a remark in brackets, `Password (temporary):`, or `at` if there is none.
fn before_remark(text: &Text<'_>, at: usize) -> usize {
    if text.before(at, 1) != Some(b')') {
        return at;
    }
    let inside = |n: &usize| {
        text.before(at, *n).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'/'))
    };
    let open = 2 + (2..=MAX_REMARK).take_while(inside).count();
    let remark = text.before(at, open) == Some(b'(') && text.before(at, open + 1) == Some(b' ');
    if remark { at - open - 1 } else { at }
}

/// The label of a secret whose last word ends right before the mark, quotes and spaces aside.
fn name_before(text: &Text<'_>, at: usize) -> Option<&'static Label> {
    let mut end = before_remark(text, at);
    for _ in 0..4 {
        match text.before(end, 1) {
            Some(b' ' | b'"' | b'\'' | b'`' | b'*' | b'\\' | b':' | b']') => end -= 1,
            _ => break,
        }
    }
    if !text.before(end, 1).is_some_and(|b| b.is_ascii_alphanumeric() || b >= 0x80) {
        return None;
    }
    let behind = text.slice(end.saturating_sub(LOOK_BEHIND), end);
    hints::ends_secret(behind).then(|| hints::before(behind).secret())?
}

/// The label of a secret that names the slot whose value the mark introduces: `{"name":"password","value":…}`,
/// `name="password" value=…`, `{"question":"Wifi password?","answer":…}`, `variable "db_password" { default = … }`.
fn slot_before(text: &Text<'_>, at: usize) -> Option<&'static Label> {
    const SLOTS: [&[u8]; 3] = [b"value", b"answer", b"default"];
    let behind = text.near(at).trim_ascii_end();
    let unquoted = behind.strip_suffix(b"\"").or(behind.strip_suffix(b"'")).unwrap_or(behind);
    // In a document within a document.
    let behind = if unquoted.len() < behind.len() { trim_escapes(unquoted) } else { unquoted };
    if !matches!(behind.last()? | 0x20, b'e' | b'r' | b't') {
        return None;
    }
    let named = SLOTS.iter().find_map(|slot| {
        let (named, word) = behind.split_at_checked(behind.len().checked_sub(slot.len())?)?;
        word.eq_ignore_ascii_case(slot).then_some(named)
    })?;
    if named.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let said = hints::before(named);
    // `"type":"text"` may stand between.
    let typed = said.distance == 2
        && memchr::memmem::rfind(named, b"type").is_some_and(|place| named.len() - place <= MAX_REMARK);
    said.secret_at_all().filter(|_| said.distance == 0 || typed)
}

fn trim_escapes(text: &[u8]) -> &[u8] {
    let escapes = text.iter().rev().take_while(|&&b| b == b'\\').count();
    text.get(..text.len() - escapes).unwrap_or_default()
}

/// The parameter of a query that gives access to what the URL names: `?…&sig=…`.
fn parameter_before(text: &Text<'_>, at: usize) -> Option<&'static Label> {
    const NAMES: [&[u8]; 7] = [
        b"sig",
        b"signature",
        b"x-amz-signature",
        b"x-amz-security-token",
        b"x-goog-signature",
        b"key",
        b"code",
    ];
    if text.get(at) != Some(b'=') {
        return None;
    }
    let behind = text.near(at);
    let length = behind.iter().rev().take(MAX_NAME).take_while(|b| is_option_byte(**b)).count();
    let (before, name) = behind.split_at_checked(behind.len() - length)?;
    let starts = matches!(before.last(), Some(b'?' | b'&'));
    (starts && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))).then_some(&SIGNED)
}

#[cfg(test)]
mod tests;
