//! Evidence packs: entries of one trail, chosen parts, their proofs, the checkpoint, and plain words, for somebody
//! outside who has nothing else.
//!
//! [`Packer`] makes one, entry by entry and in bounded memory; [`check_pack`] checks one the same way, and
//! believes nothing in it but what the checkpoint covers. Both know entries only by their index: what was searched for,
//! those above know. The layout is `layout.rs`, and `docs/evidence-pack.md` for others to write their own verifier.

mod about;
mod check;
mod gone;
mod layout;
mod line;
pub(crate) mod open;
mod readme;
mod write;
mod zip;

pub use about::{About, Figures};
pub use check::{PackEvent, PackReport, Vouching, check_pack};
pub use open::{Pack, PackError};
pub use write::{PackFile, Packer, PackingError, ShownParts};
pub use zip::{ZipError, ZipWriter};
