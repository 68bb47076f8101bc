//! Secrets whose label stands behind them: `Maple73! is the new password`, `k9Fh… (api key)`.

use super::judge::{Kept, has_inner_capital, judge};
use super::outright::is_mixed;
use super::place::value_at;
use crate::Entity;
use crate::find::Hit;
use crate::find::labelled::words_behind;
use crate::hints;
use crate::text::Text;

/// Words of the label.
const MAX_WORDS: usize = 4;

/// The secret that starts at `at`, if the words behind it say so.
pub(crate) fn before_label(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !matches!(text.before(at, 1), None | Some(b' ' | b'"' | b'\n')) {
        return None;
    }
    let (start, end, _) = value_at(text, at).filter(|&(_, end, _)| text.get(end) == Some(b' '))?;
    let words = words_behind(text, end)?;
    let ends = (0..=words.len()).filter(|&end| words.get(end).is_none_or(|b| matches!(b, b' ' | b'_')));
    let label = ends.take(MAX_WORDS).find_map(|end| {
        let said = hints::before(words.get(..end).unwrap_or_default());
        // `… is the password policy`
        let ends = words.get(end..).unwrap_or_default();
        let over = ends.is_empty()
            || [&b" for"[..], b" of", b" to", b" and"].iter().any(|word| ends.starts_with(word));
        said.secret().filter(|_| over)
    })?;
    let value = judge(text, start, end, label, Kept::Spoken)?;
    let written = text.slice(start, end);
    let strong = value.entity != Entity::Password || is_mixed(written) || has_inner_capital(written);
    strong.then(|| Hit::closed(value.entity, value.end).said_by(value.label))
}
