//! JSON as bytes: checked strictly, inspected string by string, redacted by splicing.
//!
//! Nothing is parsed into values and written again, so that what is not redacted stays byte for byte as it
//! came. Strings are inspected decoded, numbers as they are written; keys are inspected too, and say what
//! stands below them. A string that itself holds JSON, as tool arguments do, is inspected as JSON.

mod clean;
pub(crate) mod context;
mod error;
pub(crate) mod escape;
mod inspect;
pub(crate) mod pointer;
#[cfg(test)]
mod tests;
mod walk;

pub use clean::Clean;
pub use error::{JsonError, JsonFault};
pub use inspect::{Inspection, JsonFinding, MAX_PLACES};
pub(crate) use inspect::{MAX_NESTING, unescaped};
pub use pointer::MAX_POINTER;
pub use walk::MAX_DEPTH;

use crate::Scanner;

/// Whether this is one complete JSON document: UTF-8, no deeper than [`MAX_DEPTH`], no key twice in an object.
///
/// # Errors
/// Says what is wrong, and where.
pub fn check(raw: &[u8]) -> Result<(), JsonError> {
    let text = error::utf8(raw)?;
    let mut walker = walk::Walker::new(text);
    while walker.next()?.is_some() {}
    Ok(())
}

/// Every string of a document, keys included, decoded, with its place.
pub(crate) fn strings(raw: &str) -> Result<Vec<walk::Text<'_>>, JsonError> {
    let mut walker = walk::Walker::new(raw);
    let mut strings = Vec::new();
    while let Some(token) = walker.next()? {
        if let walk::Token::Key(text) | walk::Token::Text(text) = token {
            strings.push(text);
        }
    }
    Ok(strings)
}

/// A text as JSON writes it within quotes. Writing a string cannot fail.
pub(crate) fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// Checks a document and finds what is sensitive in it.
///
/// # Errors
/// As [`check`].
pub fn inspect(raw: &[u8], scanner: &Scanner) -> Result<Inspection, JsonError> {
    inspect::document(error::utf8(raw)?, scanner, None)
}

/// [`inspect`] for one of many documents that look alike: what is said again is not looked through again.
///
/// # Errors
/// As [`check`].
pub fn inspect_next(raw: &[u8], scanner: &Scanner, clean: &mut Clean) -> Result<Inspection, JsonError> {
    inspect::document(error::utf8(raw)?, scanner, Some(clean))
}
