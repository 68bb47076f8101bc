//! Find and redact sensitive data in text and JSON.
//!
//! Pure: bytes in, places out; no I/O, no clock. What is found is told by kind and place, never by value.
//! A checksum or a numbering plan decides wherever there is one, so that a number which only looks like a card
//! is none. Above it stands the gateway, which decides by [`Rules`] what becomes of a hit.
//!
//! - [`Scanner`] finds hits in text, [`redact_text`] replaces them;
//! - [`json`] checks, inspects and redacts documents byte by byte;
//! - [`urlenc`] does the same for paths and queries;
//! - [`StreamRedactor`] for text that arrives in pieces.

mod columns;
mod entity;
mod find;
mod hints;
pub mod json;
mod labels;
mod leaf;
mod rules;
#[cfg(test)]
mod samples;
mod scan;
mod shifts;
mod span;
mod stream;
mod text;
mod unfold;
pub mod urlenc;

pub use entity::{Class, Entity, Tier};
pub use rules::Rules;
pub use scan::Scanner;
pub use span::{Span, placeholder, redact_text};
pub use stream::{Mode, Release, StreamRedactor};
