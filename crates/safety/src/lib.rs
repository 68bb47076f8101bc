//! Find and redact sensitive data in text and JSON.
//!
//! Pure: bytes in, places out; no I/O, no clock. What is found is told by kind and place, never by value.
//! A checksum or a numbering plan decides wherever there is one, so that a number which only looks like a card
//! is none. Above it stands the gateway, which decides by [`Rules`] what becomes of a hit.

mod entity;
mod find;
mod hints;
mod rules;
mod scan;
mod span;
mod text;

pub use entity::Entity;
pub use rules::Rules;
pub use scan::Scanner;
pub use span::{Span, placeholder, redact_text};
