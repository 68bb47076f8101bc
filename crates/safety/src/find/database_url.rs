//! Passwords in URLs, of databases and brokers above all, and where the user part of any URL ends.

use crate::Entity;
use crate::text::Text;

/// Scheme, user and password together; what is longer is no URL that a driver takes.
const MAX_SCHEME: usize = 32;
const MAX_AUTHORITY: usize = 512;

/// The user part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserInfo {
    /// Where its `@` stands: no e-mail address ends there.
    pub(crate) at_sign: usize,
    /// Where a password stands in it, and what that is of.
    pub(crate) password: Option<(usize, usize)>,
    pub(crate) entity: Entity,
}

/// Reads the URL whose scheme starts at `at`.
pub(crate) fn read(text: &Text<'_>, at: usize) -> Option<UserInfo> {
    if !text.get(at)?.is_ascii_alphabetic() {
        return None;
    }
    let scheme_end =
        text.run(at, MAX_SCHEME, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'));
    if !text.starts_with(scheme_end, b"://") {
        return None;
    }
    let start = scheme_end + 3;
    let end = text.run(start, MAX_AUTHORITY, is_authority_byte);
    let authority = text.slice(start, end);
    let at_sign = authority.iter().rposition(|&b| b == b'@')?;
    let entity =
        if is_database(text.slice(at, scheme_end)) { Entity::DatabaseUrlPassword } else { Entity::Password };
    let password = authority
        .iter()
        .position(|&b| b == b':')
        .map(|colon| (colon + 1, at_sign))
        .filter(|&(from, to)| authority.get(from..to).is_some_and(is_password))
        .map(|(from, to)| (start + from, start + to));
    Some(UserInfo { at_sign: start + at_sign, password, entity })
}

fn is_authority_byte(b: u8) -> bool {
    b > b' ' && !matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}

fn is_database(scheme: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 22] = [
        b"postgres",
        b"postgresql",
        b"mysql",
        b"mysqlx",
        b"mariadb",
        b"mongodb",
        b"redis",
        b"rediss",
        b"valkey",
        b"amqp",
        b"amqps",
        b"mssql",
        b"sqlserver",
        b"oracle",
        b"clickhouse",
        b"cockroachdb",
        b"cassandra",
        b"couchdb",
        b"neo4j",
        b"bolt",
        b"snowflake",
        b"nats",
    ];
    let name = scheme.split(|&b| b == b'+').next().unwrap_or_default();
    SCHEMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether this is a password and not what stands for one: `${DB_PASSWORD}`, `****`, `password`.
fn is_password(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"password", b"passwd", b"pass", b"pwd", b"secret", b"changeme", b"yourpassword", b"example"];
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let reference = matches!(text, [b'$', ..] | [b'{', ..] | [b'%', b's' | b'(', ..] | [b'[', ..]);
    let mask = text.iter().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.'));
    !text.is_empty() && !reference && !mask && !word
}

impl UserInfo {
    /// The same counted from `count` bytes later; nothing once it lies behind.
    pub(crate) fn forget(self, count: usize) -> Option<Self> {
        let at_sign = self.at_sign.checked_sub(count)?;
        let password =
            self.password.map(|(start, end)| (start.saturating_sub(count), end.saturating_sub(count)));
        Some(Self { at_sign, password, ..self })
    }
}
