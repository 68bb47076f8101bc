//! Secrets that only their name gives away: `password=…`, `"api_key": "…"`, `my password is …`.
//!
//! The name says that a secret follows; the value has to look like one. A key's name, a reference, a placeholder, a
//! hash or the identifier of something is none.

use super::Hit;
use crate::Entity;
use crate::hints::{self, Said};
use crate::labels::{Label, Says};
use crate::text::{LOOK_BEHIND, Text};

/// The longest value that is judged; what is longer is a document.
const MAX_VALUE: usize = 256;
/// The shortest password worth the name, and the shortest that prose is believed.
const MIN_PASSWORD: usize = 4;
const MIN_SPOKEN: usize = 6;
/// The shortest key that a machine makes.
const MIN_SECRET: usize = 16;
/// Bits per character below which a text says something, or repeats itself.
const MIN_ENTROPY: f32 = 2.8;

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
    if mark == b':' && logs_in(text, at) {
        let (start, end, _) = value_at(text, at + 1)?;
        return judge(text, start, end, &LOGIN, Kept::Assigned);
    }
    let label = name_before(text, at).or_else(|| parameter_before(text, at))?;
    let next = text.get(at + 1)?;
    if next == b'=' || mark == b':' && next == b':' {
        return None;
    }
    let mut start = at + 1 + usize::from(mark == b'=' && next == b'>');
    // `**Password:** …`
    start += 2 * usize::from(text.starts_with(start, b"** "));
    start = text.run(start, 4, |b| b == b' ' || b == b'\t');
    let (start, end, quoted) = value_at(text, start)?;
    let kept = match mark {
        _ if quoted => Kept::Assigned,
        b'=' => Kept::Bare,
        _ => Kept::Written,
    };
    judge(text, start, end, label, kept)
}

/// The value behind the `>` at `at`, of an element whose name says that it is a secret, or of a cell beside one that
/// does: `<password>…</password>`, `<th>Password</th><td>…</td>`.
pub(crate) fn behind_tag(text: &Text<'_>, at: usize) -> Option<Value> {
    let behind = text.slice(at.saturating_sub(LOOK_BEHIND), at);
    let open = memchr::memrchr(b'<', behind)?;
    let (before, tag) = (behind.get(..open)?, behind.get(open + 1..)?);
    let name = tag.split(|b| *b == b' ').next()?;
    if !name.first()?.is_ascii_alphabetic() || tag.ends_with(b"/") {
        return None;
    }
    let named = match name {
        b"td" | b"dd" | b"TD" | b"DD" => {
            let before = before.trim_ascii_end();
            let closed = before.strip_suffix(b">").and_then(|_| memchr::memrchr(b'<', before));
            closed.and_then(|close| before.get(..close)).unwrap_or(before)
        }
        _ => name,
    };
    let label = hints::ends_secret(named).then(|| hints::before(named).secret())??;
    let start = text.run(at + 1, 4, |b| b <= b' ');
    let end = text.run(start, MAX_VALUE, |b| b != b'<' && b > b' ');
    let closes = text.run(end, 4, |b| b <= b' ');
    (text.get(closes) == Some(b'<')).then(|| judge(text, start, end, label, Kept::Assigned))?
}

/// Commands that take a password behind an option of one letter, and whether with nothing between.
const COMMANDS: [(&[u8], u8, bool); 9] = [
    (b"sshpass", b'p', false),
    (b"mysql", b'p', true),
    (b"mariadb", b'p', true),
    (b"docker login", b'p', false),
    (b"podman login", b'p', false),
    (b"helm ", b'p', false),
    (b"az login", b'p', false),
    (b"redis-cli", b'a', false),
    (b"mosquitto_", b'P', false),
];

/// The password behind the `-` at `at`, if it begins the option of a command that takes one.
pub(crate) fn behind_flag(text: &Text<'_>, at: usize) -> Option<Value> {
    let letter = text.get(at + 1).filter(|b| matches!(b, b'p' | b'P' | b'a'))?;
    if text.before(at, 1) != Some(b' ') {
        return None;
    }
    let line = text.slice(at.saturating_sub(LOOK_BEHIND), at);
    let line = line.rsplit(|b| matches!(b, b'\n' | b';' | b'|')).next()?;
    let takes = |(command, option, _): &&(&[u8], u8, bool)| {
        *option == letter && memchr::memmem::find(line, command).is_some()
    };
    let &(_, _, glued) = COMMANDS.iter().find(takes)?;
    let space = text.get(at + 2) == Some(b' ');
    if glued && space {
        return None;
    }
    let (start, end, _) = value_at(text, at + 2 + usize::from(space))?;
    (text.get(start) != Some(b'-')).then(|| judge(text, start, end, &FLAG, Kept::Assigned))?
}

/// The secret that is told behind the word that ends at `end`: `password is …`, `Bearer …`.
pub(crate) fn spoken(text: &Text<'_>, at: usize, end: usize) -> Option<Value> {
    const VERBS: [&[u8]; 15] = [
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
        b" to ",
        b" = ",
        b" - ",
        b" as ",
    ];
    let word = text.slice(at, end);
    if word.eq_ignore_ascii_case(b"bearer") && text.get(end) == Some(b' ') {
        let (start, end, _) = value_at(text, end + 1)?;
        return judge(text, start, end, &BEARER, Kept::Written);
    }
    let said = hints::before(text.slice(end.saturating_sub(LOOK_BEHIND).max(at.saturating_sub(24)), end));
    let label = said.secret()?;
    let Some(verb) = VERBS.iter().find(|verb| text.starts_with(end, verb)) else {
        let quoted = text.starts_with(end, b" '");
        return (quoted || text.get(end) == Some(b' ') && takes_next(text, at, label)).then(|| {
            let (start, end, quoted) = value_at(text, end + 1)?;
            let kept = if quoted { Kept::Quoted } else { Kept::Written };
            (text.get(start) != Some(b'-')).then(|| judge(text, start, end, label, kept))?
        })?;
    };
    let (start, end, quoted) = value_at(text, end + verb.len())?;
    judge(text, start, end, label, if quoted { Kept::Quoted } else { Kept::Spoken })
}

/// Whether the next token is the value of the label whose last word starts at `at`, with no mark between: an option
/// (`--password …`), SQL (`identified by …`), a login (`login … password …`).
fn takes_next(text: &Text<'_>, at: usize, label: &Label) -> bool {
    if matches!(label.phrase, IDENTIFIED | "requirepass" | "masterauth") {
        return true;
    }
    let start = at - (1..=MAX_NAME).take_while(|&n| text.before(at, n).is_some_and(is_option_byte)).count();
    if text.slice(start, at + 1).starts_with(b"--") {
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
    // Not over the border of what the label stands in, but for `{"name":"password","value":…}`.
    if said.crossed && said.distance > 0 {
        return None;
    }
    let glued =
        matches!(text.before(at, 1), Some(b'_' | b'-' | b'/' | b'.' | b'@' | b'=' | b':' | b'<' | b'{'));
    let (start, end, _) = value_at(text, at).filter(|&(start, ..)| !glued && start == at)?;
    if is_pair(text.slice(start, end)) || is_key_of_another(text, end) {
        return None;
    }
    let value = judge(text, start, end, label, Kept::Spoken)?;
    let strong = value.entity != Entity::Password || said.asked || has_inner_capital(text.slice(start, end));
    strong.then(|| Hit::closed(value.entity, value.end).said_by(value.label))
}

/// Whether the letters up to `end` are a word and a whole value: no secret in a sentence is.
pub(crate) fn is_word(text: &Text<'_>, at: usize, end: usize) -> bool {
    text.get(end).is_none_or(ends_value) && !has_inner_capital(text.slice(at, end))
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

/// `Bearer …` and `-u name:…` announce secrets by themselves.
static BEARER: Label = Label { phrase: "bearer", says: Says::Kinds(&[Entity::GenericSecret]), near: true };
static FLAG: Label = Label { phrase: "-p", says: Says::Kinds(&[Entity::Password]), near: true };
static SIGNED: Label = Label { phrase: "signature", says: Says::Kinds(&[Entity::GenericSecret]), near: true };
static LOGIN: Label = Label { phrase: "-u name", says: Says::Kinds(&[Entity::Password]), near: true };

/// The label that SQL gives passwords.
const IDENTIFIED: &str = "identified by";

/// The longest name of a user in front of a password.
const MAX_NAME: usize = 40;

/// Whether the colon stands behind the name in `-u name:password` or `--user name:password`.
fn logs_in(text: &Text<'_>, at: usize) -> bool {
    let name =
        |back| text.before(at, back).is_some_and(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
    let length = (1..=MAX_NAME).take_while(|&back| name(back)).count();
    let quoted = usize::from(matches!(text.before(at, length + 1), Some(b'"' | b'\'')));
    let before = text.slice(at.saturating_sub(length + quoted + 8), at - length - quoted.min(at - length));
    length > 0 && (before.ends_with(b" -u ") || before.ends_with(b"--user "))
}

/// The label of a secret whose last word ends right before the mark, quotes and spaces aside.
fn name_before(text: &Text<'_>, at: usize) -> Option<&'static Label> {
    let mut end = at;
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
    let length = (1..=MAX_NAME).take_while(|&n| text.before(at, n).is_some_and(is_option_byte)).count();
    let name = text.slice(at - length, at);
    let starts = matches!(text.before(at, length + 1), Some(b'?' | b'&'));
    (starts && text.get(at) == Some(b'=') && NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)))
        .then_some(&SIGNED)
}

/// Where a value stands that may be quoted, and whether it is.
fn value_at(text: &Text<'_>, at: usize) -> Option<(usize, usize, bool)> {
    match text.get(at)? {
        quote @ (b'"' | b'\'' | b'`') => {
            let start = behind_scheme(text, at + 1);
            let end = text.run(start, MAX_VALUE, |b| b != quote && b != b'\n');
            (text.get(end) == Some(quote)).then_some((start, end, true))
        }
        _ => {
            let start = behind_scheme(text, at);
            let part = |b: u8| !ends_value(b) && b != b'&';
            let mut end = text.run(start, MAX_VALUE, part);
            while end - start < MAX_VALUE && text.get(end) == Some(b'&') && !names_follow(text, end + 1) {
                end = text.run(end + 1, MAX_VALUE - (end + 1 - start), part);
            }
            // The full stop of a sentence, the bracket around it; a `!` may well belong to a password.
            while end > start
                && matches!(text.get(end - 1), Some(b'.' | b'?' | b':' | b')' | b']' | b'}' | b'*'))
            {
                end -= 1;
            }
            (end > start).then_some((start, end, false))
        }
    }
}

/// Behind `Bearer ` and the like, which say how a value is used.
fn behind_scheme(text: &Text<'_>, at: usize) -> usize {
    const SCHEMES: [&[u8]; 6] = [b"Basic ", b"Bearer ", b"bearer ", b"Token ", b"token ", b"ApiKey "];
    SCHEMES.iter().find(|scheme| text.starts_with(at, scheme)).map_or(at, |scheme| at + scheme.len())
}

fn ends_value(b: u8) -> bool {
    b <= b' ' || matches!(b, b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'>' | b'\\' | b'|')
}

/// Whether the next parameter of a query starts here.
fn names_follow(text: &Text<'_>, at: usize) -> bool {
    let end = text.run(at, 24, |b| b.is_ascii_alphanumeric() || b == b'_');
    end > at && text.get(end) == Some(b'=')
}

/// How a value is given, which says how much of a secret it has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// As the value of a key.
    Assigned,
    /// Behind a `=`, without quotes: it may be the name of a variable.
    Bare,
    /// Behind a colon in a text.
    Written,
    /// In a sentence, between quotes.
    Quoted,
    /// In a sentence.
    Spoken,
}

fn judge(text: &Text<'_>, start: usize, end: usize, label: &'static Label, kept: Kept) -> Option<Value> {
    let value = text.slice(start, end);
    if stands_for_another(value) && !is_aws_secret(value) && label.phrase != SIGNED.phrase {
        return None;
    }
    let entity = label.kinds().iter().copied().find(|kind| match kind {
        Entity::AwsSecretKey => is_aws_secret(value),
        Entity::GenericSecret => is_key(value),
        _ => is_password(value, kept),
    })?;
    Some(Value { entity, start, end, label: label.phrase })
}

/// Forty characters of base64, of all sorts.
pub(crate) fn is_aws_secret(value: &[u8]) -> bool {
    let sort = |sort: fn(&u8) -> bool| value.iter().any(sort);
    value.len() == 40
        && value.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+'))
        && sort(u8::is_ascii_uppercase)
        && sort(u8::is_ascii_lowercase)
        && sort(u8::is_ascii_digit)
        && entropy(value) > 3.5
        && memchr::memmem::find(value, b"EXAMPLE").is_none()
}

/// Whether a machine made the value to be a key.
fn is_key(value: &[u8]) -> bool {
    let printable = value.iter().all(|b| b.is_ascii_graphic());
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    (MIN_SECRET..=MAX_VALUE).contains(&value.len())
        && printable
        && letters > 0
        && (digits > 0 || has_inner_capital(value))
        && !is_uuid(value)
        && !is_name(value)
        && entropy(value) >= MIN_ENTROPY
}

/// Whether a person may have chosen the value as a password.
fn is_password(value: &[u8], kept: Kept) -> bool {
    let least = if matches!(kept, Kept::Spoken | Kept::Written) { MIN_SPOKEN } else { MIN_PASSWORD };
    let digits = value.iter().any(u8::is_ascii_digit);
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    let symbols =
        value.iter().any(|b| b.is_ascii_punctuation() && !matches!(b, b'-' | b'_' | b'.' | b'/' | b':'));
    let strong = letters && (digits || symbols || has_inner_capital(value)) || digits && symbols;
    let assigned = matches!(kept, Kept::Assigned | Kept::Bare);
    let plain = assigned && (value.len() >= MIN_SPOKEN && letters || digits);
    let wordy = is_name(value);
    (least..=128).contains(&value.len())
        && !value.iter().any(|b| *b <= b' ')
        && (strong || plain || wordy)
        && !is_uuid(value)
        && !is_hash(value)
        && (!wordy || is_wordy_password(value, kept))
        && !is_stop_word(value)
}

/// Whether words that are joined are a password rather than the name of something (`velvet-otter-83`, but not
/// `prod-db-password-2`, `DB_PASSWORD`, `args.input` or `secret/db`).
fn is_wordy_password(value: &[u8], kept: Kept) -> bool {
    const NAMING: [&[u8]; 24] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"pass",
        b"pwd",
        b"pw",
        b"secret",
        b"key",
        b"token",
        b"cred",
        b"creds",
        b"credential",
        b"credentials",
        b"db",
        b"env",
        b"vault",
        b"name",
        b"id",
        b"file",
        b"path",
        b"json",
        b"txt",
        b"yaml",
        b"pem",
    ];
    let small = value.iter().any(u8::is_ascii_lowercase);
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let words = || value.split(|b| !b.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let naming = words().any(|word| NAMING.iter().any(|known| word.eq_ignore_ascii_case(known)));
    // Nothing but words: what has a dash in it is no variable, and what has a dot is a part of something.
    let reads = match kept {
        _ if digits > 0 => matches!(kept, Kept::Assigned | Kept::Bare | Kept::Written) || digits > 1,
        Kept::Assigned => !value.contains(&b'.'),
        Kept::Bare => value.contains(&b'-') && !value.contains(&b'.'),
        Kept::Written => words().count() > 2 && value.contains(&b'-') && !value.contains(&b'.'),
        Kept::Quoted | Kept::Spoken => false,
    };
    let joint = !value.iter().any(|b| matches!(b, b'/' | b':'));
    small && words().next().is_some() && joint && reads && !naming
}

/// A capital behind a small letter or a digit: no word of a sentence has one.
fn has_inner_capital(value: &[u8]) -> bool {
    value.windows(2).any(|w| matches!(w, [a, b] if !a.is_ascii_uppercase() && a.is_ascii_alphanumeric() && b.is_ascii_uppercase()))
}

/// Whether the value points at the secret, or stands in its place: `${X}`, `<password>`, `****`, `your-key-here`,
/// `vault:secret/x`, `os.environ["X"]`, `get_secret()`.
fn stands_for_another(value: &[u8]) -> bool {
    const STARTS: [&[u8]; 21] = [
        b"<",
        b"{",
        b"[",
        b"(",
        b"%(",
        b"%s",
        b"#{",
        b"@",
        b"&",
        b"arn:",
        b"vault:",
        b"env:",
        b"ssm:",
        b"file:",
        b"ref:",
        b"secretref:",
        b"http:",
        b"https:",
        b"./",
        b"~/",
        b"op:",
    ];
    const PARTS: [&[u8]; 26] = [
        b"your",
        b"placeholder",
        b"changeme",
        b"change_me",
        b"change-me",
        b"redacted",
        b"insert",
        b"example",
        b"xxxx",
        b"****",
        b"....",
        b"environ",
        b"getenv",
        b"process.env",
        b"secrets.",
        b"secrets/",
        b"config.",
        b"settings.",
        b"${",
        b"{{",
        b"_here",
        b"-here",
        b"<",
        b"dummy",
        b"sample",
        b"()",
    ];
    let lower = value.to_ascii_lowercase();
    let path = value.starts_with(b"/") && value.iter().filter(|&&b| b == b'/').count() > 1;
    let variable = value.strip_prefix(b"$").is_some_and(|name| {
        matches!(name, [b'{' | b'(', ..]) || name.contains(&b'$') || name.iter().all(|&b| is_option_byte(b))
    });
    STARTS.iter().any(|start| lower.starts_with(start))
        || variable
        || PARTS.iter().any(|part| memchr::memmem::find(&lower, part).is_some())
        || path
        || matches!(lower.last(), Some(b'(' | b')'))
        || super::checksum::uniform(value)
        || memchr::memmem::find(&lower, b"://").is_some()
}

fn is_stop_word(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 44] = [
        b"password",
        b"passwd",
        b"secret",
        b"null",
        b"none",
        b"nil",
        b"true",
        b"false",
        b"undefined",
        b"string",
        b"text",
        b"required",
        b"optional",
        b"empty",
        b"unset",
        b"hidden",
        b"masked",
        b"missing",
        b"invalid",
        b"incorrect",
        b"wrong",
        b"expired",
        b"reset",
        b"changed",
        b"updated",
        b"enabled",
        b"disabled",
        b"unknown",
        b"varchar",
        b"bytes",
        b"value",
        b"object",
        b"number",
        b"boolean",
        b"integer",
        b"token",
        b"todo",
        b"encrypted",
        b"hashed",
        b"rotated",
        b"strong",
        b"prompt",
        b"stdin",
        b"default",
    ];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether the value names something: words joined by `-`, `_`, `.` or `/`, in one case, and no more than a short
/// number among them (`prod-db-password-2`, `DB_PASSWORD`, `billing.api.key`).
fn is_name(value: &[u8]) -> bool {
    let parts = value.split(|b| matches!(b, b'-' | b'_' | b'.' | b'/' | b':'));
    let mut count = 0;
    let words = parts.filter(|part| !part.is_empty()).all(|part| {
        count += 1;
        let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let digits = part.get(letters..).unwrap_or_default();
        let tail = part.get(1..letters).unwrap_or_default();
        let one_case =
            tail.iter().all(u8::is_ascii_lowercase) || part.iter().all(|b| !b.is_ascii_lowercase());
        digits.len() <= 2 && super::checksum::all_digits(digits) && one_case
            || part.len() <= 4 && super::checksum::all_digits(part)
    });
    words && count > 1
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether the value is a digest, in hexadecimal, of a length in use, or in the form of `crypt`.
fn is_hash(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128) && value.iter().all(u8::is_ascii_hexdigit)
}

/// Shannon's entropy in bits per byte.
fn entropy(value: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for &b in value {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count = count.saturating_add(1);
        }
    }
    let length = f32::from(u16::try_from(value.len()).unwrap_or(u16::MAX));
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f32::from(count) / length)
        .map(|share| -share * share.log2())
        .sum()
}
