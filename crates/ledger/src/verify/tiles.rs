//! Tiles on disk, held against those that the entries give.

use greffier_merkle::tile::TileId;

use super::Report;
use crate::publish::{MAX_TILE_BYTES, read_tile, tile_end, tile_path};
use crate::store::Disk;

/// A tile that the entries say is full: where a checkpoint covers it, it must be there; partial tiles of it may be
/// left, and must be its beginning.
pub(super) fn check_full(
    disk: &Disk,
    trail: &str,
    covered: Option<u64>,
    tile: &TileId,
    bytes: &[u8],
    report: &mut Report,
) {
    let path = tile_path(trail, tile);
    let found = disk.store().read(&path, MAX_TILE_BYTES).ok();
    if found.is_some() || covered.is_some_and(|size| tile_end(tile) <= size) {
        compare(&path, found.as_deref(), bytes, report);
    }
    check_partials(disk, trail, tile, bytes, report);
}

/// A partial tile of the newest checkpoint: it must be there.
pub(super) fn check_edge(
    disk: &Disk,
    trail: &str,
    clean: bool,
    tile: &TileId,
    bytes: &[u8],
    report: &mut Report,
) {
    let path = tile_path(trail, tile);
    // A running server may have put a wider tile in its place since.
    let found = if clean {
        disk.store().read(&path, MAX_TILE_BYTES).ok()
    } else {
        read_tile(disk, trail, tile).ok().flatten()
    };
    compare(&path, found.as_deref(), bytes, report);
}

/// Partial tiles that are on disk: none may say anything else than the tile.
pub(super) fn check_partials(disk: &Disk, trail: &str, tile: &TileId, bytes: &[u8], report: &mut Report) {
    let full = TileId { width: 256, ..*tile };
    let dir = format!("{}.p", tile_path(trail, &full));
    for listed in disk.store().list(&dir).unwrap_or_default() {
        let width = listed.name.parse::<u16>().ok().filter(|width| (1..256).contains(width));
        let Some(width) = width else { continue };
        // Wider than the tree as we read it: a running server was quicker.
        let Some(expected) = bytes.get(..TileId { width, ..*tile }.byte_len()) else { continue };
        let path = format!("{dir}/{}", listed.name);
        // It may be removed at any moment, once its tile is full.
        if let Ok(found) = disk.store().read(&path, MAX_TILE_BYTES) {
            compare(&path, Some(&found), expected, report);
        }
    }
}

/// Names the first byte of a tile that differs.
fn compare(path: &str, found: Option<&[u8]>, expected: &[u8], report: &mut Report) {
    let Some(found) = found else {
        return report.problem(path, "the tile is missing");
    };
    if found.len() != expected.len() {
        report.problem(path, format!("the tile has {} bytes, {} are due", found.len(), expected.len()));
    } else if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        report.problem(format!("{path}, byte {at}"), "the tile is not the one that the log gives");
    }
}
