//! Passwords in commands: the option that takes one, the name of a user in front of one, and the line of a file that
//! commands read them from.

use super::judge::{Kept, judge};
use super::outright::is_mixed;
use super::place::value_at;
use super::{MAX_NAME, Value, is_option_byte};
use crate::Entity;
use crate::labels::{Label, Says};
use crate::text::{LOOK_BEHIND, Text};

static FLAG: Label = Label { phrase: "-p", says: Says::Kinds(&[Entity::Password]), near: true };
static LOGIN: Label = Label { phrase: "-u name", says: Says::Kinds(&[Entity::Password]), near: true };

static ENTRY: Label =
    Label { phrase: "host:port:database:user", says: Says::Kinds(&[Entity::Password]), near: true };

/// Backslashes before a quote in documents within documents, and spaces.
const MAX_ESCAPES: usize = 8;

/// Commands that take a password behind an option of one letter, and whether with nothing between.
const COMMANDS: [(&[u8], u8, bool); 12] = [
    (b"sshpass", b'p', false),
    (b"mysql", b'p', true),
    (b"mariadb", b'p', true),
    (b"docker login", b'p', false),
    (b"podman login", b'p', false),
    (b"helm ", b'p', false),
    (b"az login", b'p', false),
    (b"redis-cli", b'a', false),
    (b"mosquitto_", b'P', false),
    (b"sqlcmd", b'P', false),
    (b"bcp ", b'P', false),
    (b"mongosh", b'p', false),
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

/// The password behind the colon at `at`, in `-u name:password`.
pub(super) fn behind_user(text: &Text<'_>, at: usize) -> Option<Value> {
    if !logs_in(text, at) {
        return None;
    }
    let (start, end, _) = value_at(text, at + 1)?;
    judge(text, start, end, &LOGIN, Kept::Assigned)
}

/// The password of the pair behind the colon at `at`, that says nothing else than who logs in: `creds: admin / …`.
pub(super) fn behind_creds(text: &Text<'_>, at: usize) -> Option<Value> {
    const WORDS: [&[u8]; 4] = [b"creds", b"credentials", b"logins", b"login"];
    if text.get(at + 1) != Some(b' ') || !text.before(at, 1).is_some_and(|b| matches!(b | 0x20, b's' | b'n'))
    {
        return None;
    }
    let word =
        (1..=MAX_NAME).take_while(|&n| text.before(at, n).is_some_and(|b| b.is_ascii_alphabetic())).count();
    let word = text.slice(at - word, at);
    if !WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return None;
    }
    let user = text.run(at + 2, MAX_NAME, |b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
    let joint =
        [&b" / "[..], b"/", b":", b" : ", b", "].into_iter().find(|joint| text.starts_with(user, joint))?;
    let (start, end, _) = value_at(text, user + joint.len()).filter(|_| user > at + 2)?;
    let mixed = is_mixed(text.slice(start, end));
    mixed.then(|| judge(text, start, end, &LOGIN, Kept::Written))?
}

/// The password behind the last colon of a line that files of passwords hold: `host:5432:database:user:…`.
pub(super) fn behind_entry(text: &Text<'_>, at: usize) -> Option<Value> {
    if matches!(text.get(at + 1)?, b' ' | b':' | b'/' | b'"') {
        return None;
    }
    let behind = text.near(at);
    let part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'*' | b':');
    // Of most marks, such as those of a time, no name stands in front.
    let user = behind.iter().rposition(|b| !b.is_ascii_alphanumeric() && *b != b'_' && *b != b'-')?;
    if behind.get(user) != Some(&b':') || !behind.get(user + 1)?.is_ascii_alphabetic() {
        return None;
    }
    let length = behind.iter().rev().take_while(part).count();
    let entry = behind.get(behind.len() - length..)?;
    if entry.iter().filter(|b| **b == b':').count() != 3 {
        return None;
    }
    let mut fields = entry.split(|b| *b == b':');
    let (host, port, database, user) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let named = |field: &[u8]| field == b"*" || field.first().is_some_and(u8::is_ascii_alphabetic);
    let served = matches!(port, b"*" | b"5432" | b"5433" | b"5434" | b"5439" | b"6432" | b"6543" | b"25060");
    let entry = named(host) && served && named(database) && named(user);
    let (start, end, _) = value_at(text, at + 1).filter(|_| entry)?;
    let ends = matches!(text.get(end), None | Some(b'\n' | b'\r' | b'"' | b'\\' | b'`' | b'<'));
    ends.then(|| judge(text, start, end, &ENTRY, Kept::Written))?
}

/// The password of the pair behind the `=` at `at`: `auth=("name", "…")`.
pub(super) fn behind_auth(text: &Text<'_>, at: usize) -> Option<Value> {
    let name = (1..).zip(b"auth".iter().rev()).all(|(back, &b)| text.before(at, back) == Some(b));
    if !name || text.get(at + 1) != Some(b'(') {
        return None;
    }
    let quote = text.get(at + 2).filter(|b| matches!(b, b'"' | b'\''))?;
    let user = text.run(at + 3, MAX_NAME, |b| b != quote && b != b'\n');
    let comma = text.get(user) == Some(quote) && text.get(user + 1) == Some(b',');
    let (start, end, quoted) = value_at(text, text.run(user + 2, 2, |b| b == b' ')).filter(|_| comma)?;
    quoted.then(|| judge(text, start, end, &LOGIN, Kept::Assigned))?
}

/// The argument behind an option in a list of arguments, whose name ends at `end`: `["--password", "…"]`.
pub(super) fn argument(text: &Text<'_>, at: usize, end: usize, label: &'static Label) -> Option<Value> {
    let quote = text.run(end, MAX_ESCAPES, |b| b == b'\\');
    if !matches!(text.get(quote), Some(b'"' | b'\'')) || text.get(quote + 1) != Some(b',') {
        return None;
    }
    if !is_option(text, at) {
        return None;
    }
    let start = text.run(quote + 2, MAX_ESCAPES, |b| matches!(b, b' ' | b'\\'));
    let (start, end, quoted) = value_at(text, start)?;
    // Within a document within a document, the closing quote is escaped as well.
    let escapes = text.slice(start, end).iter().rev().take_while(|&&b| b == b'\\').count();
    (quoted && text.get(start) != Some(b'-'))
        .then(|| judge(text, start, end - escapes, label, Kept::Written))?
}

/// Whether the word at `at` belongs to an option, `--db-password`.
pub(super) fn is_option(text: &Text<'_>, at: usize) -> bool {
    let start = at - (1..=MAX_NAME).take_while(|&n| text.before(at, n).is_some_and(is_option_byte)).count();
    text.slice(start, at + 1).starts_with(b"--")
}

/// Whether the colon stands behind the name in `-u name:password` or `--user name:password`.
fn logs_in(text: &Text<'_>, at: usize) -> bool {
    let name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@' | b'-');
    let length = text.near(at).iter().rev().take(MAX_NAME).take_while(name).count();
    let quoted = usize::from(matches!(text.before(at, length + 1), Some(b'"' | b'\'')));
    let before = text.slice(at.saturating_sub(length + quoted + 8), at - length - quoted.min(at - length));
    length > 0 && (before.ends_with(b" -u ") || before.ends_with(b"--user "))
}
