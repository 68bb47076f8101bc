//! Secrets in the elements of a document and the cells of a table, which an element or a cell names.

use super::judge::{Kept, judge};
use super::{MAX_VALUE, Value};
use crate::hints;
use crate::text::{LOOK_BEHIND, Text};

/// The longest cell that is a label.
const MAX_CELL: usize = 40;

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
            let before = closed.and_then(|close| before.get(..close)).unwrap_or(before).trim_ascii_end();
            before.strip_suffix(b":").unwrap_or(before)
        }
        _ => name,
    };
    let label = hints::ends_secret(named).then(|| hints::before(named).secret())??;
    let start = text.run(at + 1, 4, |b| b <= b' ');
    let end = text.run(start, MAX_VALUE, |b| b != b'<' && b > b' ');
    let closes = text.run(end, 4, |b| b <= b' ');
    (text.get(closes) == Some(b'<')).then(|| judge(text, start, end, label, Kept::Assigned))?
}

/// The value behind the `|` at `at`, in the second cell of a row whose first cell names a secret: `| Password | … |`.
/// Where a rule follows, the row is the head of a table, and names what stands below.
pub(crate) fn behind_bar(text: &Text<'_>, at: usize) -> Option<Value> {
    let behind = text.near(at);
    let open = behind.iter().rposition(|b| matches!(b, b'|' | b'\n')).map_or(0, |open| open + 1);
    let cell = behind.get(open..)?;
    let name = trim_marks(cell);
    if name.len() > MAX_CELL || name.len() == cell.len() && open > 0 || !hints::ends_secret(name) {
        return None;
    }
    let label = hints::before(name).secret()?;
    let mut start = text.run(at + 1, MAX_CELL, |b| b == b' ');
    let border = text.run(start, MAX_VALUE, |b| !matches!(b, b'|' | b'\n' | b'\r'));
    let mut end = start + text.slice(start, border).trim_ascii_end().len();
    if let (Some(b'`'), [.., b'`']) = (text.get(start), text.slice(start + 1, end)) {
        (start, end) = (start + 1, end - 1);
    }
    let value = judge(text, start, end, label, Kept::Written)?;
    (!is_head(text, border)).then_some(value)
}

fn trim_marks(cell: &[u8]) -> &[u8] {
    let mark = |b: &u8| matches!(b, b' ' | b'*' | b'`' | b'_' | b':');
    let start = cell.iter().position(|b| !mark(b)).unwrap_or(cell.len());
    let end = cell.iter().rposition(|b| !mark(b)).map_or(start, |last| last + 1);
    cell.get(start..end).unwrap_or_default()
}

/// Whether the line that goes on at `at` stands above a rule.
fn is_head(text: &Text<'_>, at: usize) -> bool {
    let end = text.run(at, MAX_VALUE, |b| b != b'\n');
    let below = text.run(end + 1, 4, |b| matches!(b, b'|' | b' ' | b':' | b'+'));
    text.get(end) == Some(b'\n') && text.starts_with(below, b"--")
}
