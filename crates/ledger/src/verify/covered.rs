//! Which files a manifest covers: those it lists, and those that follow from the sizes of its trails.

use std::collections::{BTreeMap, BTreeSet};

use greffier_merkle::tile::TileId;

use crate::manifest::{self, Manifest};
use crate::publish::{TRAILS, tile_end};
use crate::store::UNFINISHED;

/// What may be in a directory after a clean stop, beside the log.
pub(super) struct Covered<'a> {
    newest: u64,
    listed: BTreeSet<&'a str>,
    sizes: BTreeMap<&'a str, u64>,
}

impl<'a> Covered<'a> {
    pub(super) fn by(manifest: &'a Manifest) -> Covered<'a> {
        let holds = &manifest.holds;
        let listed = holds.files.iter().chain(holds.segment_files()).map(|file| file.path.as_str()).collect();
        let sizes = holds.trails.iter().map(|trail| (trail.name.as_str(), trail.size)).collect();
        Covered { newest: manifest.sequence, listed, sizes }
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.listed.contains(path) || self.is_manifest(path) || self.is_of_a_trail(path).unwrap_or(false)
    }

    /// Every note there ever was, and the newest listing. A crash may keep the listing before it, and a start that
    /// came to nothing leaves what it wrote of the next manifest, or the other name of the newest: nobody reads them.
    fn is_manifest(&self, path: &str) -> bool {
        let sequence = path.rsplit_once('/').and_then(|(_, name)| name.strip_suffix(".note")?.parse().ok());
        path == manifest::list_path(self.newest)
            || path == manifest::list_path(self.newest.saturating_sub(1))
            || path.strip_suffix(UNFINISHED).unwrap_or(path) == manifest::list_path(self.newest + 1)
            || path.strip_suffix(UNFINISHED) == Some(&manifest::note_path(self.newest + 1))
            || path.strip_suffix(UNFINISHED) == Some(&manifest::note_path(self.newest))
            || (self.newest == 0 && path == manifest::v1::PATH)
            || sequence.is_some_and(|sequence| {
                (1..=self.newest).contains(&sequence) && path == manifest::note_path(sequence)
            })
    }

    /// A checkpoint, and the tiles of exactly this size.
    fn is_of_a_trail(&self, path: &str) -> Option<bool> {
        let (trail, rest) = path.strip_prefix(TRAILS)?.strip_prefix('/')?.split_once('/')?;
        let size = *self.sizes.get(trail)?;
        if rest == "checkpoint" || rest == "cosigned" {
            return Some(size > 0);
        }
        let tile = TileId::parse(rest).ok()?;
        Some(if tile.is_full() {
            tile_end(&tile) <= size
        } else {
            TileId::in_tree(tile.level, tile.index, size) == Some(tile)
        })
    }
}
