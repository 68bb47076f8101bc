//! Keep it: append, order, sign, recover and verify trails.
//!
//! The ledger owns a data directory. Producers hash and encrypt ([`Appender`]), one committer writes groups of
//! entries to the log and syncs once per group (`commit.rs`), a publisher makes trees, tiles and signed
//! checkpoints of what is durable (`publish.rs`), witnesses are asked to cosign these (`anchor.rs`), and opening a
//! directory brings it back from wherever it stopped (`recover.rs`). Reading ([`Reader`]), checking ([`verify`])
//! and copying ([`backup`]) need no running ledger.
//!
//! ```text
//! wal/<20 digits>.wal                the log: entries and encrypted parts; the truth
//! trails/<tenant>/checkpoint         C2SP signed checkpoint
//! trails/<tenant>/cosigned           the newest checkpoint that enough witnesses cosigned
//! trails/<tenant>/tile/…             C2SP hash tiles
//! trust                              C2SP trust policy: which key signs which trail
//! manifests/                         what all of this was, signed
//! ngrams/<tenant>/…                  optional: where texts may stand in segments; can be made again at any time
//! ```
//!
//! Not here: HTTP, policy, SQL. Above stand the gateway (append only), the read side and the binary.

mod anchor;
mod anchoring;
mod append;
mod backlog;
pub mod backup;
mod cipher;
mod commit;
mod disclose;
mod erase;
mod error;
mod gaps;
mod heads;
mod ids;
mod indexer;
mod keys;
mod ledger;
mod manifest;
mod ngrams;
mod open_decisions;
pub mod pack;
mod peek;
mod publish;
mod read;
mod recover;
mod seal;
mod sealer;
pub mod segment;
mod snapshot;
mod store;
#[cfg(test)]
mod testing;
pub mod timestamp;
pub mod verify;
mod wal;

pub use anchor::{Anchor, MAX_WITNESSES, QUORUM, Reply, Unreachable, Witness, Witnesses};
pub use anchoring::{Anchoring, STALE_AFTER};
pub use append::{Appender, Health, Recorded, Submission};
pub use backlog::SealPolicy;
pub use disclose::{DisclosedPart, Disclosure, DisclosureError};
pub use erase::{EraseError, Erased, Eraser, Expiring, Gone, Held, Kept};
pub use erase::{Plan, Request, Retention, Scope, State, Target};
pub use error::{AppendError, LedgerError};
pub use gaps::Gaps;
pub use heads::{Heads, Level, NoWitnesses, Require, SignedHead};
pub use indexer::{IndexError, Indexed, Indexer};
pub use keys::{Generation, KeyAction, KeyChange, KeyError, KeyRing, KeyState};
pub use ledger::{Ledger, LedgerConfig, Startup};
pub use ngrams::{Blocks, Opened as Ngrams};
pub use open_decisions::MAX_OPEN_DECISIONS;
pub use read::{Found, MAX_CALL_EVENTS, PartState, ReadError, Reader};
pub use recover::Recovered;
pub use seal::OpenedPart;
pub use snapshot::{Segment, Snapshot};
