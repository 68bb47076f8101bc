//! What a pack says about itself: the packer's words, which no signature covers, and figures that are counted again.

use greffier_event::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the layout.
pub(crate) const FORMAT: &str = "greffier evidence pack 1";

/// The file `pack.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Which layout this is.
    pub format: String,
    /// When the pack was made.
    pub made: Timestamp,
    /// With what.
    pub made_by: String,
    /// The trail's name.
    pub trail: String,
    /// Its origin, as in its checkpoint.
    pub origin: String,
    /// Entries that the checkpoint covers: the search looked at these.
    pub size: u64,
    /// What was asked, word for word.
    pub search: String,
    /// The parts that are shown: `all`, or their names.
    pub parts: String,
    /// What is in it.
    pub figures: Figures,
    /// All entries from the first on to before the second are in it, each in full or as its leaf hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<(u64, u64)>,
}

/// What a pack holds, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Entries that the search found.
    pub found: u64,
    /// Entries that are there for completeness, or explain others.
    pub beside: u64,
    /// Entries that are there only as leaf hashes.
    pub withheld: u64,
    /// Parts that are shown.
    pub parts_shown: u64,
    /// Parts that are there only as commitments, or by name.
    pub parts_withheld: u64,
    /// Parts that an entry of the trail makes gone.
    pub parts_gone: u64,
    /// Runs of consecutive entries, each with one proof.
    pub runs: u64,
}

impl About {
    /// As it stands in a pack.
    pub(crate) fn write(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads what [`About::write`] writes, and nothing else.
    pub(crate) fn read(bytes: &[u8]) -> Option<About> {
        let about: About = serde_json::from_slice(bytes).ok()?;
        (about.format == FORMAT && about.write().ok()?.as_bytes() == bytes).then_some(about)
    }
}
