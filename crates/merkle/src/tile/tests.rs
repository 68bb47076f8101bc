use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Hash, hash};

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| hash::leaf(&n.to_be_bytes())).collect()
}

/// A tile's bytes by the definition: hash i of level L is the root over its 256^L leaves.
fn naive(tile: TileId, leaves: &[Hash]) -> Vec<u8> {
    let span = 256usize.pow(u32::from(tile.level));
    let first = tile.index as usize * 256;
    (first..first + usize::from(tile.width))
        .flat_map(|i| hash::root(&leaves[i * span..(i + 1) * span]))
        .collect()
}

/// Pushes the leaves one by one; at each of `stops` the tiles handed out so far and the right edge must be
/// the tree's tiles, all of them, and as the definition computes them.
fn check(stops: &[u64]) {
    let leaves = leaves(stops.iter().copied().max().unwrap_or(0));
    let mut builder = TileBuilder::new();
    let mut full = BTreeMap::new();
    for size in 0..=leaves.len() {
        full.extend(builder.take_full());
        if stops.contains(&(size as u64)) {
            let mut all = full.clone();
            all.extend(builder.right_edge());
            let expected: BTreeMap<_, _> =
                tiles_for(size as u64).map(|tile| (tile, naive(tile, &leaves))).collect();
            assert_eq!(all.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "size {size}");
            assert!(all == expected, "the bytes of a tile differ at size {size}");
            assert_eq!(builder.size(), size as u64);
            assert_eq!(builder.root(), hash::root(&leaves[..size]));
        }
        if let Some(leaf) = leaves.get(size) {
            builder.push(*leaf);
        }
    }
}

#[test]
fn tiles_are_those_of_the_definition() {
    check(&[0, 1, 2, 255, 256, 257, 511, 512, 513]);
    check(&[65_279, 65_280, 65_535, 65_536, 65_537, 65_793]);
}

#[test]
fn full_tiles_come_bottom_first_and_once() {
    let mut builder = TileBuilder::new();
    builder.extend(leaves(65_536));
    let full = builder.take_full();
    assert_eq!(full.len(), 257);
    assert_eq!(full.last().map(|(tile, _)| tile.path()).as_deref(), Some("tile/1/000"));
    assert!(builder.take_full().is_empty());
    let edge: Vec<_> = builder.right_edge().iter().map(|(tile, _)| tile.path()).collect();
    assert_eq!(edge, ["tile/2/000.p/1"]);
}

#[test]
fn leaves_pushed_again_give_the_same_tree() {
    let leaves = leaves(70_000);
    let (mut one, mut other) = (TileBuilder::new(), TileBuilder::new());
    one.extend(leaves.iter().copied());
    other.extend(leaves.iter().copied());
    assert_eq!(one.right_edge(), other.right_edge());
    assert_eq!(one.frontier(), other.frontier());
    insta::assert_debug_snapshot!(
        one.right_edge().iter().map(|(tile, _)| tile.path()).collect::<Vec<_>>(),
        @r#"
        [
            "tile/0/273.p/112",
            "tile/1/001.p/17",
            "tile/2/000.p/1",
        ]
        "#
    );
}

#[test]
fn paths() {
    let path = |index, width| (TileId { level: 0, index, width }.path(), entries_path(index, width));
    insta::assert_debug_snapshot!(
        [path(0, 256), path(999, 1), path(1000, 255), path(1_234_067, 256), path(u64::MAX, 44)],
        @r#"
        [
            (
                "tile/0/000",
                "tile/entries/000",
            ),
            (
                "tile/0/999.p/1",
                "tile/entries/999.p/1",
            ),
            (
                "tile/0/x001/000.p/255",
                "tile/entries/x001/000.p/255",
            ),
            (
                "tile/0/x001/x234/067",
                "tile/entries/x001/x234/067",
            ),
            (
                "tile/0/x018/x446/x744/x073/x709/x551/615.p/44",
                "tile/entries/x018/x446/x744/x073/x709/x551/615.p/44",
            ),
        ]
        "#
    );
}

#[test]
fn only_the_one_spelling_is_a_path() {
    for good in ["tile/0/000", "tile/63/x001/000.p/255", "tile/7/x018/x446/x744/x073/x709/x551/615"] {
        assert_eq!(TileId::parse(good).map(|tile| tile.path()).as_deref(), Ok(good));
    }
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/64/000",
        "tile/00/000",
        "tile/0/000/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/-1/000",
        "tile/entries/000",
        "tile/0/../000",
        "tile/0/+00",
        "tile/0/000.p/1.p/1",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(TileId::parse(bad), Err(InvalidTilePath), "{bad}");
        let bad = bad.replacen("tile/0", "tile/entries", 1);
        if bad != "tile/entries/000" {
            assert_eq!(parse_entries_path(&bad), Err(InvalidTilePath), "{bad}");
        }
    }
}

proptest! {
    #[test]
    fn a_path_names_its_tile(level in 0..=63u8, index: u64, width in 1..=256u16) {
        let tile = TileId { level, index, width };
        prop_assert_eq!(TileId::parse(&tile.path()), Ok(tile));
        prop_assert_eq!(parse_entries_path(&entries_path(index, width)), Ok((index, width)));
    }

    #[test]
    fn what_parses_formats_back(path in "tile/([0-9]{1,2}|entries)(/x[0-9]{3}){0,3}/[0-9]{3}(\\.p/[0-9]{1,3})?") {
        match (TileId::parse(&path), parse_entries_path(&path)) {
            (Ok(tile), Err(_)) => prop_assert_eq!(tile.path(), path),
            (Err(_), Ok((index, width))) => prop_assert_eq!(entries_path(index, width), path),
            (one, other) => prop_assert!(one.is_err() && other.is_err()),
        }
    }

    #[test]
    fn any_text_is_read_without_panic(path: String) {
        prop_assert!(TileId::parse(&path).is_err() && parse_entries_path(&path).is_err());
    }

    #[test]
    fn a_tile_of_any_tree_has_one_width(level in 0..10u8, index: u64, size: u64) {
        if let Some(tile) = TileId::in_tree(level, index, size) {
            prop_assert!((1..=256).contains(&tile.width));
            prop_assert!((u128::from(index) * 256 + u128::from(tile.width)) << (8 * level) <= u128::from(size));
        }
    }
}

#[test]
fn a_builder_resumes_from_its_tiles() {
    let leaf = |n: u64| hash::leaf(&n.to_be_bytes());
    let check = |size: u64| {
        let mut straight = TileBuilder::new();
        straight.extend((0..size).map(leaf));
        let tiles: BTreeMap<TileId, Vec<u8>> =
            straight.take_full().into_iter().chain(straight.right_edge()).collect();
        let mut resumed = TileBuilder::resume(size, |tile| tiles.get(&tile).cloned()).unwrap();
        assert_eq!((resumed.frontier(), resumed.right_edge()), (straight.frontier(), straight.right_edge()));
        straight.extend((size..size + 600).map(leaf));
        resumed.extend((size..size + 600).map(leaf));
        assert_eq!((resumed.root(), resumed.take_full()), (straight.root(), straight.take_full()), "{size}");
        // Nothing of it can be missing.
        for missing in tiles.keys().filter(|tile| straight.right_edge().iter().any(|(edge, _)| edge == *tile))
        {
            let fetch = |tile: TileId| (tile != *missing).then(|| tiles.get(&tile).cloned()).flatten();
            assert!(TileBuilder::resume(size, fetch).is_none(), "{size} without {missing:?}");
        }
    };
    [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 66_000].into_iter().for_each(check);
}
