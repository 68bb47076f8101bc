//! Prove it: RFC 6962 trees, C2SP tiles, signed notes, checkpoints and proofs, verified offline.
//!
//! From the bottom up: [`hash`] is the one file that knows a hash function; [`Frontier`] is a growing tree's
//! memory; [`tile`] and [`bundle`] are what a log stores and serves; [`proof`] makes and checks inclusion and
//! consistency; [`note`] signs text; [`checkpoint`] is a tree head in a note; [`trust`] is an auditor's
//! policy of logs and witnesses, and [`succession`] how its trust goes on from a log's key to the next;
//! [`witness`] is what a log asks of witnesses and what they answer; [`tlog_proof`] and [`consistency`] are the
//! files that carry all of it offline.
//!
//! The formats are C2SP's (`c2sp.org`), byte for byte. Parsers are strict: what parses formats back to the
//! same bytes. There is no I/O, no clock and no randomness here, and nothing depends on another crate of
//! ours.

pub mod bundle;
pub mod checkpoint;
pub mod consistency;
mod encode;
mod frontier;
pub mod hash;
pub mod note;
pub mod proof;
mod receipt;
pub mod succession;
pub mod tile;
pub mod tlog_proof;
pub mod trust;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use consistency::ConsistencyProof;
pub use frontier::{Frontier, FrontierError};
pub use receipt::{Receipt, ReceiptError};
pub use succession::Succession;
pub use tlog_proof::TlogProof;
pub use trust::TrustPolicy;

/// A SHA-256 hash: of a leaf, of a node or of a whole tree.
pub type Hash = [u8; 32];
