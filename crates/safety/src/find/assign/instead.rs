//! What stands where a secret would, and is none: the hash of one, a moment, code that fetches one, the name of an
//! algorithm.

use super::is_option_byte;

/// Whether the value is none of the secret's own bytes.
pub(super) fn is_instead(value: &[u8]) -> bool {
    is_moment(value) || is_hash(value) || is_expression(value) || is_variable(value) || is_algorithm(value)
}

/// Whether a secret was hashed, in one of the forms that say how: `$2b$12$…`, `{SSHA}…`, `pbkdf2_sha256$…`, `sha256:…`.
pub(super) fn is_hash(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 20] = [
        b"1", b"2", b"2a", b"2b", b"2x", b"2y", b"5", b"6", b"7", b"y", b"gy", b"p", b"h", b"s", b"apr1",
        b"md5", b"sha1", b"scrypt", b"bcrypt", b"krb5",
    ];
    /// Names by which a scheme begins that has more to say: `argon2id`, `pbkdf2-sha256`, `SSHA512`.
    const FAMILIES: [&[u8]; 14] = [
        b"argon2", b"pbkdf2", b"scrypt", b"bcrypt", b"sha", b"ssha", b"md5", b"smd5", b"crypt", b"hmac",
        b"scram", b"blake2", b"blake3", b"phpass",
    ];
    let family = |name: &[u8]| {
        let lower = name.to_ascii_lowercase();
        FAMILIES.iter().any(|family| {
            let rest = lower.strip_prefix(*family);
            rest.is_some_and(|rest| {
                rest.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_'))
                    || rest.iter().all(|&b| is_option_byte(b))
                        && (rest.starts_with(b"-") || rest.starts_with(b"_") || *family == b"argon2")
            })
        })
    };
    let until = |rest: &[u8], ends: &[u8]| rest.iter().position(|b| ends.contains(b));
    match value {
        [b'$', rest @ ..] => until(rest, b"$").and_then(|end| rest.get(..end)).is_some_and(|name| {
            SCHEMES.iter().any(|scheme| name.eq_ignore_ascii_case(scheme)) || family(name)
        }),
        [b'{', rest @ ..] => until(rest, b"}").and_then(|end| rest.get(..end)).is_some_and(family),
        _ => until(value, b":$").and_then(|end| value.get(..end)).is_some_and(family),
    }
}

/// Whether the value begins with a day, `2024-05-18`, and a time may follow.
fn is_moment(value: &[u8]) -> bool {
    let day = |form: &[u8]| {
        value.len() >= form.len()
            && value
                .iter()
                .zip(form)
                .all(|(b, form)| if *form == b'0' { b.is_ascii_digit() } else { b == form })
    };
    let dashed = day(b"0000-00-00") && matches!(value.get(10), None | Some(b'T' | b't' | b' ' | b'_'));
    dashed || day(b"00000000T000000")
}

/// Whether code fetches the value: names joined by `.`, `::` or `->` with an index or call behind them, as in
/// `request.form["password"]` and `Optional[str]`; what is quoted in the brackets stands behind the end of the value.
fn is_expression(value: &[u8]) -> bool {
    let name = value
        .iter()
        .take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b':' | b'-' | b'>' | b'?'))
        .count();
    let Some((name, [b'[', index @ ..])) = value.split_at_checked(name) else { return false };
    let inside = index.strip_suffix(b"]").unwrap_or(index);
    name.len() > 2
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.last().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && inside.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'[' | b']' | b'$'))
}

/// Whether the value is a variable of the environment, the text of a vault, or an anchor: `%DB_PASSWORD%`,
/// `$env:DB_PASSWORD`, `ENC[AES256_GCM`, `*password`.
fn is_variable(value: &[u8]) -> bool {
    let words = |name: &[u8]| {
        name.len() > 2 && name.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
    };
    let lower = |start: &[u8]| value.get(..start.len()).is_some_and(|v| v.eq_ignore_ascii_case(start));
    match value {
        [b'%', name @ .., b'%'] => name.iter().all(|&b| is_option_byte(b)),
        [b'*', name @ ..] => words(name),
        _ => lower(b"$env:") || lower(b"ENC[") || lower(b"ENC("),
    }
}

/// Whether the value is the name of an algorithm, of a format, or of a type: `AES256`, `RS256`, `sha256`, `secretRef`.
pub(super) fn is_algorithm(value: &[u8]) -> bool {
    const NAMES: [&[u8]; 28] = [
        b"aes", b"rs", b"hs", b"es", b"ps", b"rsa", b"ed", b"dsa", b"ecdsa", b"sha", b"md", b"hmac",
        b"pbkdf", b"argon", b"base", b"oauth", b"utf", b"tls", b"ssl", b"ipv", b"chacha", b"blake",
        b"bcrypt", b"scrypt", b"curve", b"totp", b"http", b"fido",
    ];
    const TYPES: [&[u8]; 12] = [
        b"Ref",
        b"Reference",
        b"Str",
        b"String",
        b"Type",
        b"Field",
        b"Input",
        b"Provider",
        b"Manager",
        b"Path",
        b"File",
        b"Selector",
    ];
    let letters = value.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if letters == value.len() {
        return TYPES.iter().any(|kind| {
            value.strip_suffix(*kind).is_some_and(|name| name.last().is_some_and(u8::is_ascii_lowercase))
        });
    }
    let (name, rest) = value.split_at_checked(letters).unwrap_or_default();
    let digits = rest.strip_prefix(b"-").unwrap_or(rest);
    let number = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let named = NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    let mode = digits.get(number..).unwrap_or_default();
    named
        && (1..=5).contains(&number)
        && (mode.is_empty()
            || matches!(mode.first(), Some(b'-' | b'_' | b'/'))
                && mode.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
                && mode.len() <= 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_instead_of_a_secret() {
        for none in [
            "$2b$12$76CmAiGh686BLWzDRYWJ43Gv5iE1L2P59imkMm0MQPoup8Or3vy4P",
            "$argon2id$v=19$m=65536",
            "$6$rounds=5000$saltsalt$abc",
            "{SSHA}90zXoRBXKXv6lcpAZT3P9cJUSLZKRnrO",
            "{CRYPT}$6$x$y",
            "pbkdf2_sha256$260000$QZ6xGbXk4rCv$40v2",
            "pbkdf2:sha256:260000$abc$def",
            "SCRAM-SHA-256$4096:abc",
            "sha256:81f2134a618a9669bd1560811bee874b",
            "2024-05-18T23:24:54Z",
            "2024-05-18",
            "20240518T232454Z",
            "request.form[",
            "data.vault_generic_secret.db.data[",
            "Optional[str]",
            "self->config[",
            "%DB_PASSWORD%",
            "$env:DB_PASSWORD",
            "ENC[AES256_GCM",
            "*password",
            "AES256",
            "aes-256-gcm",
            "RS256",
            "secretRef",
        ] {
            assert!(is_instead(none.as_bytes()), "{none}");
        }
        for secret in [
            "$ecret99",
            "$a$B3cd91",
            "{Maple}73!",
            "shallow:73",
            "2024-05-18x",
            "Sunset[42]",
            "k9X[ab]",
            "*Maple73!",
            "%Maple73%!",
            "Maple256",
            "AESkey-2561",
            "ENCore[73]",
            "SecretGarden",
            "md-Maple73!",
        ] {
            assert!(!is_instead(secret.as_bytes()), "{secret}");
        }
    }
}
