//! Text as a terminal may show it: what came from outside must neither steer the terminal nor change how the
//! text around it reads.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands where a cell was cut.
const CUT: char = '…';

/// Whether a character steers: controls (C0, DEL, C1), and what is invisible or turns the direction of writing.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text of several lines.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// Text of one line: a line break or a tab is a space.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// Text of one line that shows its line breaks.
pub(super) fn exact_line(text: &str) -> String {
    escaped(text, steers)
}

fn escaped(text: &str, steers: impl Fn(char) -> bool) -> String {
    text.chars().flat_map(|c| if steers(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// JSON that says the same: outside its strings nothing steers, and inside an escape is as good.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A question, and below it a mark at the byte where the trouble is.
pub(super) fn pointed(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    // Only the line that it stands in.
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let indent = width(&one_line(before.get(start..).unwrap_or_default()));
    format!("  {}\n  {}^", one_line(line), " ".repeat(indent))
}

/// Cells that a text takes up on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to at most so many cells.
pub(super) fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = room.saturating_sub(1);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        out.push(c);
    }
    if room > 0 {
        out.push(CUT);
    }
    out
}

/// The text, with spaces up to so many cells.
pub(super) fn padded(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers() {
        assert_eq!(one_line("a\u{1b}[2J\u{9b}1m\r\nb\u{202e}c"), "a\\u{1b}[2J\\u{9b}1m\\r b\\u{202e}c");
        assert_eq!(printable("a\n\tb\u{200b}"), "a\n\tb\\u{200b}");
        assert_eq!(exact_line("a\nb"), "a\\nb");
        assert_eq!(printable("é 世界 😀"), "é 世界 😀");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a\u{9b}": "x\u{7f}\u{202e}\u{e0041}\n"});
        let text = json(&format!("{value:#}"));
        assert!(!text.chars().any(|c| steers(c) && c != '\n'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn points_into_a_question() {
        assert_eq!(pointed("user:alice usr:b", 11), "  user:alice usr:b\n             ^");
        assert_eq!(pointed("世 x:", 4), "  世 x:\n     ^");
        assert_eq!(pointed("SELECT\n  x FORM", 11), "    x FORM\n      ^");
        assert_eq!(pointed("a", 99), "  a\n   ^");
        assert_eq!(pointed("", 0), "  \n  ^");
    }

    #[test]
    fn cuts_by_cells() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("世界世界", 5), "世界…");
        assert_eq!(cut("世界世界", 4), "世…");
        assert_eq!(cut("ab", 0), "");
        assert_eq!(padded("世", 4), "世  ");
    }
}
