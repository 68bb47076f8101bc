//! Find and redact sensitive data in text and JSON.
//!
//! Pure: bytes in, places out; no I/O, no clock. What is found is told by kind and place, never by value.
//! A checksum or a numbering plan decides wherever there is one, so that a number which only looks like a card
//! is none. Above it stands the gateway, which finds in a [`Rulebook`] what is to become of a hit: which action
//! is said by [`Rules`], what then stands in its place by [`Marks`], and the way back is a [`Restorer`].
//!
//! - [`Scanner`] finds hits in text, [`redact_text`] replaces them;
//! - [`json`] checks, inspects and redacts documents byte by byte;
//! - [`urlenc`] does the same for paths and queries;
//! - [`StreamRedactor`] for text that arrives in pieces.

mod alphabet;
mod columns;
mod custom;
mod entity;
mod field;
mod find;
mod grid;
mod hints;
pub mod json;
mod labels;
mod leaf;
mod marks;
mod others;
mod restore;
mod rulebook;
mod rules;
#[cfg(test)]
mod samples;
mod scan;
mod segments;
mod shifts;
mod sieve;
mod span;
mod stream;
mod tags;
mod text;
mod tuples;
mod unfold;
pub mod urlenc;
mod vault;
mod watched;

pub use custom::{BadDefinition, BadPattern, Custom, Definition, Line, MAX_CUSTOM, Validator};
pub use entity::{Class, Entity, Tier};
pub use field::{BadField, Field};
pub use marks::{Hasher, Marks, replace_text};
pub use others::{Others, TooMany, texts};
pub use restore::Restorer;
pub use rulebook::{Kinds, Rule, Rulebook, Way};
pub use rules::Rules;
pub use scan::Scanner;
pub use span::{Span, placeholder, redact_text};
pub use stream::{Met, Mode, Release, StreamRedactor};
pub use vault::Vault;
