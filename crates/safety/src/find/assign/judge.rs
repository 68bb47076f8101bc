//! Whether a value that is announced as a secret looks like one: no name of a key, no reference, no placeholder, no
//! hash, no identifier of something.

use super::instead::is_instead;
use super::phrase;
use super::{MAX_VALUE, SIGNED, Value, is_option_byte};
use crate::Entity;
use crate::hints;
use crate::labels::Label;
use crate::text::Text;

/// The shortest password worth the name, and the shortest that prose is believed.
const MIN_PASSWORD: usize = 4;
const MIN_SPOKEN: usize = 6;
/// The shortest key that a machine makes.
const MIN_SECRET: usize = 16;
/// The longest name of a value.
const MAX_NAMED: usize = 40;
/// Bits per character below which a text says something, or repeats itself.
const MIN_ENTROPY: f32 = 2.8;

/// How a value is given, which says how much of a secret it has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
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

/// The value from `start` to `end`, if it is the secret that the label announces.
pub(super) fn judge(
    text: &Text<'_>,
    start: usize,
    end: usize,
    label: &'static Label,
    kept: Kept,
) -> Option<Value> {
    let value = text.slice(start, end);
    let entity = label.kinds().iter().copied().find(|kind| match kind {
        Entity::AwsSecretKey => is_aws_secret(value),
        Entity::GenericSecret => is_key(value),
        _ => is_password(value, kept),
    })?;
    // The next head of a table, and what code calls.
    if names_a_value(value) || kept != Kept::Assigned && is_call(value) {
        return None;
    }
    let another =
        label.phrase != SIGNED.phrase && entity != Entity::AwsSecretKey && stands_for_another(value);
    (!another || is_aws_secret(value)).then_some(Value { entity, start, end, label: label.phrase })
}

/// Whether the bytes up to what no value goes over may be, or begin, the secret of a sentence, whatever it is of: most
/// words of code are none.
pub(super) fn may_be_told(token: &[u8]) -> bool {
    let looks = Looks::of(token);
    let strange = looks.digits > 0 || looks.signs > 0 || looks.inner_capital || token.contains(&b'-');
    token.len() >= MIN_SPOKEN && strange && !is_call(token)
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

/// What a value is made of.
#[derive(Default)]
struct Looks {
    digits: usize,
    letters: usize,
    /// Signs that do not join words.
    signs: usize,
    /// What is no blank, and no letter, digit or sign of ASCII.
    foreign: usize,
    blanks: usize,
    inner_capital: bool,
}

impl Looks {
    fn of(value: &[u8]) -> Self {
        let (mut looks, mut before) = (Self::default(), b' ');
        for &b in value {
            match b {
                b'0'..=b'9' => looks.digits += 1,
                b'a'..=b'z' => looks.letters += 1,
                b'A'..=b'Z' => {
                    looks.letters += 1;
                    looks.inner_capital |= before.is_ascii_lowercase() || before.is_ascii_digit();
                }
                b'-' | b'_' | b'.' | b'/' | b':' => {}
                b'!'..=b'~' => looks.signs += 1,
                ..=b' ' => looks.blanks += 1,
                _ => looks.foreign += 1,
            }
            before = b;
        }
        looks
    }
}

/// Whether a machine made the value to be a key.
fn is_key(value: &[u8]) -> bool {
    if !(MIN_SECRET..=MAX_VALUE).contains(&value.len()) {
        return false;
    }
    let looks = Looks::of(value);
    looks.foreign == 0
        && looks.blanks == 0
        && looks.letters > 0
        && (looks.digits > 0 || looks.inner_capital)
        && !is_uuid(value)
        && !is_name(value)
        && entropy(value) >= MIN_ENTROPY
}

/// Whether a person may have chosen the value as a password.
fn is_password(value: &[u8], kept: Kept) -> bool {
    let least = if matches!(kept, Kept::Spoken | Kept::Written) { MIN_SPOKEN } else { MIN_PASSWORD };
    if !(least..=128).contains(&value.len()) {
        return false;
    }
    let looks = Looks::of(value);
    let (digits, letters, signs) = (looks.digits > 0, looks.letters > 0, looks.signs > 0);
    let strong = letters && (digits || signs || looks.inner_capital) || digits && signs;
    let assigned = matches!(kept, Kept::Assigned | Kept::Bare);
    let plain = assigned && (value.len() >= MIN_SPOKEN && letters || digits);
    let wordy = is_name(value);
    looks.blanks == 0
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
        // Words, and no more than a name has of them.
        Kept::Quoted | Kept::Spoken => {
            words().count() > 3 && value.contains(&b'-') && !words().any(phrase::is_function_word)
        }
    };
    let joint = !value.iter().any(|b| matches!(b, b'/' | b':'));
    small && words().next().is_some() && joint && reads && !naming
}

/// A capital behind a small letter or a digit: no word of a sentence has one.
pub(super) fn has_inner_capital(value: &[u8]) -> bool {
    value.windows(2).any(|w| matches!(w, [a, b] if !a.is_ascii_uppercase() && a.is_ascii_alphanumeric() && b.is_ascii_uppercase()))
}

/// Whether the value points at the secret, or stands in its place: `${X}`, `<password>`, `****`, `your-key-here`,
/// `vault:secret/x`, `os.environ["X"]`, `get_secret()`.
pub(super) fn stands_for_another(value: &[u8]) -> bool {
    const STARTS: [&[u8]; 16] = [
        b"<",
        b"%(",
        b"%s",
        b"#{",
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
    let path =
        value.starts_with(b"/") && value.iter().filter(|&&b| b == b'/').count() > 1 && !is_padded(value);
    let variable = value.strip_prefix(b"$").is_some_and(|name| {
        matches!(name, [b'{' | b'(', ..]) || name.contains(&b'$') || name.iter().all(|&b| is_option_byte(b))
    });
    STARTS.iter().any(|start| begins_with(value, start))
        || variable
        || is_reference(value)
        || is_instead(value)
        // `!vault …`
        || value.strip_prefix(b"!").is_some_and(|tag| tag.iter().all(u8::is_ascii_alphabetic))
        || has_tell_tale(value)
        || path
        || matches!(value.last(), Some(b'(' | b')'))
        || crate::find::checksum::uniform(value)
}

/// Whether there is something in the value that no secret has in it, in whatever case.
fn has_tell_tale(value: &[u8]) -> bool {
    let found =
        |rest: &[u8]| rest.first().is_some_and(|b| tell_tales(*b).iter().any(|part| begins_with(rest, part)));
    (0..value.len()).any(|at| value.get(at..).is_some_and(found))
}

/// What no secret has in it, by its first letter.
fn tell_tales(first: u8) -> &'static [&'static [u8]] {
    match first.to_ascii_lowercase() {
        b'c' => &[b"changeme", b"change_me", b"change-me", b"config."],
        b'd' => &[b"dummy"],
        b'e' => &[b"example", b"environ"],
        b'g' => &[b"getenv"],
        b'i' => &[b"insert"],
        b'p' => &[b"placeholder", b"process.env"],
        b'r' => &[b"redacted"],
        b's' => &[b"sample", b"secrets.", b"secrets/", b"settings."],
        b'x' => &[b"xxxx"],
        b'y' => &[b"your"],
        b'*' => &[b"****"],
        b'.' => &[b"...."],
        b'$' => &[b"${"],
        b'{' => &[b"{{"],
        b'_' => &[b"_here"],
        b'-' => &[b"-here"],
        b'<' => &[b"<"],
        b'(' => &[b"()"],
        b':' => &[b"://"],
        _ => &[],
    }
}

/// Whether a value begins so, in whatever case.
fn begins_with(value: &[u8], beginning: &[u8]) -> bool {
    value.get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning))
}

/// Whether the value is itself the name of something that we look for: `accountNumber`.
fn names_a_value(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
        && value.len() <= MAX_NAMED
        && hints::before(value).label.is_some_and(|label| !label.kinds().is_empty())
}

/// Whether code is called for the value: `forms.CharField(widget=…`, `generateSecret(32`.
fn is_call(value: &[u8]) -> bool {
    let name = value.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.')).count();
    name > 2 && value.get(name) == Some(&b'(')
}

/// Whether this is `@file`, `&anchor`, `{name}`, `[redacted]` or `(none)`: a mark and words, where a password has signs as
/// well.
fn is_reference(value: &[u8]) -> bool {
    let Some((b'@' | b'&' | b'{' | b'[' | b'(', rest)) = value.split_first() else { return false };
    rest.iter().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b' ' | b'{' | b'}' | b']' | b')')
    }) || rest.iter().filter(|b| !b.is_ascii_alphanumeric()).count() * 3 > rest.len()
        || rest.contains(&b'"')
}

/// Whether the value ends as base64 does, which no path does.
fn is_padded(value: &[u8]) -> bool {
    value.ends_with(b"=") || value.contains(&b'+')
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
        digits.len() <= 2 && crate::find::checksum::all_digits(digits) && one_case
            || part.len() <= 4 && crate::find::checksum::all_digits(part)
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
    let mut bytes = value.to_vec();
    bytes.sort_unstable();
    let count = |bytes: &[u8]| f32::from(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    let shares = bytes.chunk_by(|a, b| a == b).map(|alike| count(alike) / count(value));
    shares.map(|share| -share * share.log2()).sum()
}
