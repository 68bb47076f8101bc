//! Elements between a label and its value: those that only lay a text out say nothing, and a mark that redaction left
//! stands for a value of its own.

use crate::Entity;
use crate::find::mark;

/// How far back an element may start.
const MAX_TAG: usize = 80;

/// What the `>` at a place ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// An element that only says how its content looks; it starts here.
    Layout(usize),
    /// `<US_SSN>`, in the place of a value.
    Mark,
    /// The end of a row: no label speaks for what is in the next.
    Row,
    /// Anything else; perhaps an element whose name says what it holds.
    Other,
}

/// Reads back from the `>` at `close`.
pub(crate) fn read(text: &[u8], close: usize) -> Tag {
    let from = close.saturating_sub(MAX_TAG);
    let Some(open) = text.get(from..close).and_then(|before| memchr::memrchr(b'<', before)) else {
        return Tag::Other;
    };
    let tag = text.get(from + open + 1..close).unwrap_or_default();
    if mark::is_inside(tag) && !names_element(tag, text.get(close + 1..).unwrap_or_default()) {
        return Tag::Mark;
    }
    let closes = tag.first() == Some(&b'/');
    let name = tag.get(usize::from(closes)..).unwrap_or_default();
    let name = name.split(|b| *b == b' ').next().unwrap_or_default();
    if closes && (name.eq_ignore_ascii_case(b"tr") || name.eq_ignore_ascii_case(b"table")) {
        return Tag::Row;
    }
    if is_layout(name, closes) { Tag::Layout(from + open) } else { Tag::Other }
}

/// Whether what looks like a mark is the start of an element, `<CVV>123</CVV>`: nothing parts it from a letter or digit,
/// where a value that was hidden would have gone on.
pub(crate) fn names_element(name: &[u8], content: &[u8]) -> bool {
    let kind = std::str::from_utf8(name).ok().and_then(Entity::parse);
    let labelled = kind.is_some_and(|kind| {
        kind.class() != crate::Class::Secret || matches!(kind, Entity::Password | Entity::GenericSecret)
    });
    // At the end of what is behind a value, the value follows.
    labelled && content.first().is_none_or(u8::is_ascii_alphanumeric)
}

/// Whether an element of this name only lays out; at its end, only where a label may end with it.
fn is_layout(name: &[u8], closes: bool) -> bool {
    const BOTH: [&[u8]; 16] = [
        b"td", b"th", b"dt", b"b", b"i", b"u", b"em", b"strong", b"span", b"label", b"small", b"font",
        b"code", b"h3", b"h4", b"bdi",
    ];
    const OPENS: [&[u8]; 6] = [b"dd", b"p", b"div", b"li", b"tr", b"br"];
    let one_of = |list: &[&[u8]]| list.iter().any(|known| name.eq_ignore_ascii_case(known));
    one_of(&BOTH) || !closes && one_of(&OPENS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Tag {
        let close = text.rfind('>').unwrap();
        read(text.as_bytes(), close)
    }

    #[test]
    fn elements_are_told_apart() {
        assert_eq!(check("SSN</th>"), Tag::Layout(3));
        assert_eq!(check("<td class=\"v\">"), Tag::Layout(0));
        assert_eq!(check("x</dd>"), Tag::Other);
        assert_eq!(check("<SSN>"), Tag::Other);
        assert_eq!(check("<Cvv2>1"), Tag::Other);
        assert_eq!(check("<US_SSN> "), Tag::Mark);
        assert_eq!(check("<US_SSN_2>,"), Tag::Mark);
        assert_eq!(check("<CVV>1"), Tag::Other);
        assert_eq!(check("<CVV>"), Tag::Other);
        assert_eq!(check("<JWT>a"), Tag::Mark);
        assert_eq!(check("->"), Tag::Other);
        assert_eq!(check("</tr>"), Tag::Row);
    }
}
