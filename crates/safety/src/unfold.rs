//! What hides a value from a search, undone: full-width and look-alike characters, characters of no width, escapes
//! of JSON, HTML and URLs. Each character is undone once; the places in the original are kept.
//!
//! The same for a whole text and for one that arrives in pieces: what may be the beginning of an escape waits.

use crate::shifts::Shifts;

/// The longest escape: `&NonBreakingSpace;` is none that we know, `&#x1D7D8;` is. Longer beginnings are text.
const MAX_ESCAPE: usize = 10;

/// A text being undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unfold {
    /// What may be an escape: characters, each with its length in the original.
    pending: Vec<(char, usize)>,
}

/// What the characters that wait are.
enum Escape {
    /// So many of them stand for this one.
    Of(char, usize),
    /// The first stands for itself.
    None,
    /// It takes more to tell.
    Incomplete,
}

/// Where undone text goes.
pub(crate) struct Target<'t> {
    pub(crate) decoded: &'t mut Vec<u8>,
    pub(crate) shifts: &'t mut Shifts,
    /// Behind the last character in the original.
    pub(crate) raw: usize,
}

impl Target<'_> {
    /// Adds a character that stood for itself, or for another.
    fn push(&mut self, character: char, length: usize) {
        self.raw += length;
        let Some(shown) = fold(character) else {
            return self.shifts.note(self.decoded.len(), self.raw);
        };
        self.decoded.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        if length != shown.len_utf8() {
            self.shifts.note(self.decoded.len(), self.raw);
        }
    }

    /// Adds bytes that stand for themselves.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.decoded.extend_from_slice(bytes);
        self.raw += bytes.len();
    }
}

/// Whether there is anything to undo in a text.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    text.is_ascii() && memchr::memchr3(b'&', b'%', b'\\', text).is_none()
}

impl Unfold {
    /// Bytes of the original that wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending.iter().map(|&(_, length)| length).sum()
    }

    /// Takes text as it stands in the original.
    pub(crate) fn feed(&mut self, text: &str, target: &mut Target<'_>) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if self.pending.is_empty() {
                let plain = rest.bytes().position(is_special).unwrap_or(rest.len());
                target.bytes(rest.as_bytes().get(..plain).unwrap_or_default());
                rest = rest.get(plain..).unwrap_or_default();
                let Some(special) = rest.chars().next() else { break };
                let (one, behind) = rest.split_at_checked(special.len_utf8()).unwrap_or((rest, ""));
                if begins_nothing(special, behind.as_bytes()) {
                    target.bytes(one.as_bytes());
                } else {
                    self.take(special, one.len(), target);
                }
                rest = behind;
            } else {
                self.take(character, character.len_utf8(), target);
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            }
        }
    }

    /// Takes a character that so many bytes of the original stand for.
    pub(crate) fn take(&mut self, character: char, length: usize, target: &mut Target<'_>) {
        if self.pending.is_empty() && !matches!(character, '&' | '%' | '\\') {
            return target.push(character, length);
        }
        self.pending.push((character, length));
        self.settle(false, target);
    }

    /// The text ends: what waits stands for itself.
    pub(crate) fn finish(&mut self, target: &mut Target<'_>) {
        self.settle(true, target);
    }

    fn settle(&mut self, last: bool, target: &mut Target<'_>) {
        while let Some(&(first, length)) = self.pending.first() {
            let (character, count) = match self.escape() {
                Escape::Of(character, count) => (character, count),
                Escape::Incomplete if !last => return,
                _ => (first, 1),
            };
            let raw =
                if count == 1 { length } else { self.pending.iter().take(count).map(|&(_, l)| l).sum() };
            self.pending.drain(..count);
            target.push(character, raw);
        }
    }

    fn at(&self, index: usize) -> Option<char> {
        self.pending.get(index).map(|&(character, _)| character)
    }

    fn escape(&self) -> Escape {
        match self.at(0) {
            Some('%') => self.percent(),
            Some('\\') => self.backslash(),
            Some('&') => self.entity(),
            _ => Escape::None,
        }
    }

    /// `%40`, and `%2540`, which is the same encoded twice.
    fn percent(&self) -> Escape {
        match self.hex(1, 2) {
            Ok(0x25) => match self.hex(3, 2) {
                Ok(code @ 0x20..0x7F) => Escape::Of(character(code), 5),
                Err(Escape::Incomplete) => Escape::Incomplete,
                _ => Escape::Of('%', 3),
            },
            Ok(code @ 0x20..0x7F) => Escape::Of(character(code), 3),
            Ok(_) => Escape::None,
            Err(escape) => escape,
        }
    }

    /// The escapes of JSON, in a text that is none. Of two backslashes the second may begin one.
    fn backslash(&self) -> Escape {
        let code = match self.at(1) {
            None => return Escape::Incomplete,
            Some('n') => return Escape::Of('\n', 2),
            Some('r') => return Escape::Of('\r', 2),
            Some('t') => return Escape::Of('\t', 2),
            Some(quote @ ('"' | '\'' | '/')) => return Escape::Of(quote, 2),
            Some('u') => self.hex(2, 4).map(|code| (code, 6)),
            Some('x') => self.hex(2, 2).map(|code| (code, 4)),
            Some(_) => return Escape::None,
        };
        match code {
            Ok((code, count)) if code >= 0x20 => {
                char::from_u32(code).map_or(Escape::None, |character| Escape::Of(character, count))
            }
            Ok(_) => Escape::None,
            Err(escape) => escape,
        }
    }

    /// `&#52;`, `&#x34;`, `&commat;`.
    fn entity(&self) -> Escape {
        let Some(end) = self.pending.iter().position(|&(c, _)| c == ';') else {
            let open = self.pending.iter().skip(1).all(|&(c, _)| c.is_ascii_alphanumeric() || c == '#');
            return if open && self.pending.len() < MAX_ESCAPE { Escape::Incomplete } else { Escape::None };
        };
        let name: String = self.pending.iter().take(end).skip(1).map(|&(c, _)| c).collect();
        let code = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            },
            None => named(&name).map(u32::from),
        };
        let character = code.filter(|&code| code >= 0x20).and_then(char::from_u32);
        character.map_or(Escape::None, |character| Escape::Of(character, end + 1))
    }

    /// The number that so many hexadecimal digits write.
    fn hex(&self, from: usize, count: usize) -> Result<u32, Escape> {
        (from..from + count).try_fold(0, |code, index| match self.at(index) {
            None => Err(Escape::Incomplete),
            Some(c) => c.to_digit(16).map(|digit| code * 16 + digit).ok_or(Escape::None),
        })
    }
}

fn character(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether a character may begin with the byte that stands for another, or begins an escape. Of the others beyond ASCII
/// (U+00C0 to U+033F) all bytes are passed over.
fn is_special(b: u8) -> bool {
    matches!(b, b'&' | b'%' | b'\\' | 0xC2 | 0xCD..)
}

/// Whether what is there already shows that a sign begins no escape.
fn begins_nothing(sign: char, behind: &[u8]) -> bool {
    let Some(next) = behind.first() else { return false };
    match sign {
        '%' => !next.is_ascii_hexdigit(),
        '\\' => !matches!(next, b'n' | b'r' | b't' | b'"' | b'\'' | b'/' | b'u' | b'x'),
        '&' => {
            let name = behind.iter().take(MAX_ESCAPE).position(|b| !b.is_ascii_alphanumeric() && *b != b'#');
            name.is_some_and(|end| behind.get(end) != Some(&b';'))
        }
        _ => false,
    }
}

/// The entities of HTML that stand for what identifiers are made of.
fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "commat" => '@',
        "period" => '.',
        "colon" => ':',
        "sol" => '/',
        "lowbar" => '_',
        "plus" => '+',
        "equals" => '=',
        "lpar" => '(',
        "rpar" => ')',
        "num" => '#',
        "hyphen" | "dash" => '-',
        "shy" => '\u{ad}',
        "zwj" | "zwnj" => '\u{200b}',
        _ => return None,
    })
}

/// The character that one looks like; `None` for one that is not seen at all.
fn fold(c: char) -> Option<char> {
    let code = u32::from(c);
    let ascii = |base: u32, from: u32| char::from_u32(base + code - from);
    Some(match code {
        ..0xAD => c,
        // Soft hyphen, zero width, directions, joiners, byte order mark, variation selectors.
        0xAD
        | 0x34F
        | 0x61C
        | 0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x2064
        | 0x2066..=0x206F => {
            return None;
        }
        0xFE00..=0xFE0F | 0xFEFF | 0xE0000..=0xE007F => return None,
        0x370..=0x52F => look_alike(c),
        0x660..=0x669 => return ascii(0x30, 0x660),
        0x6F0..=0x6F9 => return ascii(0x30, 0x6F0),
        0x966..=0x96F => return ascii(0x30, 0x966),
        0x2024 => '.',
        0x3000 => ' ',
        0xFE6B => '@',
        0xFF01..=0xFF5E => return ascii(0x21, 0xFF01),
        // The alphabets and digits of mathematics, one after the other.
        0x1D400..=0x1D6A3 => match (code - 0x1D400) % 52 {
            capital @ 0..26 => return char::from_u32(0x41 + capital),
            small => return char::from_u32(0x61 + small - 26),
        },
        0x1D7CE..=0x1D7FF => return char::from_u32(0x30 + (code - 0x1D7CE) % 10),
        _ => c,
    })
}

/// The Latin letter that a Greek or Cyrillic one looks like.
fn look_alike(c: char) -> char {
    const PAIRS: &str =
        "АAВBЕEЅSІIЈJКKМMНHОOРPСCТTХXаaеeѕsіiјjоoрpсcуyхxһhԁdԛqԝwΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoνv";
    let mut pairs = PAIRS.chars();
    while let (Some(from), Some(to)) = (pairs.next(), pairs.next()) {
        if from == c {
            return to;
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str]) -> String {
        let (mut decoded, mut shifts, mut unfold) = (Vec::new(), Shifts::default(), Unfold::default());
        let mut raw = 0;
        for piece in pieces {
            let mut target = Target { decoded: &mut decoded, shifts: &mut shifts, raw };
            unfold.feed(piece, &mut target);
            raw = target.raw;
        }
        let mut target = Target { decoded: &mut decoded, shifts: &mut shifts, raw };
        unfold.finish(&mut target);
        assert_eq!(target.raw, pieces.concat().len());
        assert_eq!(shifts.raw(decoded.len()), pieces.concat().len());
        String::from_utf8(decoded).unwrap()
    }

    #[test]
    fn what_hides_is_undone() {
        let one = |text: &str| check(&[text]);
        assert_eq!(one("plain über 漢字"), "plain über 漢字");
        assert_eq!(one("１２３－４５"), "123-45");
        assert_eq!(one("1\u{200b}2\u{ad}3\u{feff}"), "123");
        assert_eq!(one("bоb@ехample.cоm"), "bob@example.com");
        assert_eq!(
            one("&#52;&#x34;&commat;&amp;&bogus; &;&#; & &#99999999;"),
            "44@&&bogus; &;&#; & &#99999999;"
        );
        assert_eq!(one("a%40b %zz 100% %2540 %C3%A9 %25"), "a@b %zz 100% @ %C3%A9 %25");
        assert_eq!(one(r#"\"\u0034\n\\n \q \x41 \"#), "\"4\n\\\n \\q A \\");
        assert_eq!(one("𝟏𝟚𝟹 ٤٥ 𝐀𝐳"), "123 45 Az");
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let text = "a&#5２;%4\u{200b}0 \\u0034&amp;%25%2540\\\\n&toolongtobeone;";
        let pieces: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(check(&pieces), check(&[text]));
    }
}
