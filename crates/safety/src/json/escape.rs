//! The escapes of JSON strings.

/// What the bytes behind and including a backslash are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// A character, and how many bytes stand for it.
    Character(char, usize),
    /// Half of a surrogate pair, six bytes.
    Half,
    /// Nothing that JSON knows.
    Bad,
    /// The beginning of one.
    Incomplete,
}

/// Reads the escape at the start of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Escape {
    let character = match bytes.get(1) {
        None => return Escape::Incomplete,
        Some(b'u') => return unicode(bytes),
        Some(&b @ (b'"' | b'\\' | b'/')) => char::from(b),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(_) => return Escape::Bad,
    };
    Escape::Character(character, 2)
}

fn unicode(bytes: &[u8]) -> Escape {
    let first = match unit(bytes) {
        Ok(unit) => unit,
        Err(fault) => return fault,
    };
    if let Some(character) = char::from_u32(first) {
        return Escape::Character(character, 6);
    }
    let high = (0xD800..0xDC00).contains(&first);
    let rest = bytes.get(6..).unwrap_or_default();
    if !high || !matches!(rest, [] | [b'\\'] | [b'\\', b'u', ..]) {
        return Escape::Half;
    }
    match unit(rest) {
        Ok(second @ 0xDC00..0xE000) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            char::from_u32(code).map_or(Escape::Half, |character| Escape::Character(character, 12))
        }
        Err(Escape::Incomplete) => Escape::Incomplete,
        _ => Escape::Half,
    }
}

/// The number that `\uXXXX` writes.
fn unit(bytes: &[u8]) -> Result<u32, Escape> {
    let digits = bytes.get(2..).unwrap_or_default();
    let digits = digits.get(..4).unwrap_or(digits);
    let value = digits.iter().try_fold(0, |value, &b| {
        char::from(b).to_digit(16).map(|digit| value * 16 + digit).ok_or(Escape::Bad)
    })?;
    if digits.len() == 4 { Ok(value) } else { Err(Escape::Incomplete) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_whole_or_not_at_all() {
        let read = |text: &str| super::read(text.as_bytes());
        assert_eq!(read(r"\n"), Escape::Character('\n', 2));
        assert_eq!(read(r"\u0041b"), Escape::Character('A', 6));
        assert_eq!(read(r"\ud83d\ude00"), Escape::Character('😀', 12));
        for cut in 1..12 {
            assert_eq!(read(&r"\ud83d\ude00"[..cut]), Escape::Incomplete, "{cut}");
        }
        for half in [r"\ud83dx", r"\ud83d\n", r"\ude00", r"\ud83d\ud83d", r"\ud83d\u0041"] {
            assert_eq!(read(half), Escape::Half, "{half}");
        }
        for bad in [r"\x", r"\u00g", r"\u+041"] {
            assert_eq!(read(bad), Escape::Bad, "{bad}");
        }
    }
}
