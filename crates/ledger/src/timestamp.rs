//! RFC 3161 time stamps: a third party says when a checkpoint was there.
//!
//! A request carries SHA-256 of a signed checkpoint, byte for byte, and a nonce; the response is stored beside that
//! checkpoint:
//!
//! ```text
//! trails/<tenant>/timestamps/<size>.checkpoint   the signed note that was stamped
//! trails/<tenant>/timestamps/<size>.tsr          the response, as it came
//! ```
//!
//! What is checked here is what the response is about: that it grants a stamp, over this digest, for this nonce. Who
//! signed it, and whether to believe them, is for `openssl ts -verify` and the authority's certificates. The messages
//! are pure; `stamper.rs` is what touches the disk, and the HTTP is done above.

mod der;
mod message;
mod stamper;

pub use message::{MAX_RESPONSE, NONCE_BYTES, Stamp, TimestampError, request};
pub(crate) use stamper::folder;
pub use stamper::{Due, KeepError, Stamper};

#[cfg(test)]
pub(crate) use message::tests;
