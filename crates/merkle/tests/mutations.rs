//! Whatever is changed in what a log hands out, somebody who checks it notices: thousands of changed checkpoints,
//! proofs, tiles, bundles, requests and policies, of trees of all shapes, and not one that passes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper that fails fails its test")]

use std::collections::BTreeMap;

use greffier_merkle::note::{Cosigner, Signature, SignedNote, Signer, Verifier};
use greffier_merkle::proof::{self, tile_reader};
use greffier_merkle::tile::{HASH_LEN, TileBuilder, TileId, WIDTH};
use greffier_merkle::witness::{AddCheckpoint, consider};
use greffier_merkle::{Checkpoint, ConsistencyProof, Hash, TlogProof, TrustPolicy, bundle, hash};

/// One leaf; one tile's edge on both sides; three levels.
const SIZES: [u64; 8] = [1, 2, 3, 255, 256, 257, 1_000, 70_000];
const ORIGIN: &str = "log.example/trail";
const TIME: u64 = 1_700_000_000;

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end`, which is left out.
    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }
}

/// Whether these bytes pass.
type Passes<'a> = Box<dyn Fn(&[u8]) -> bool + 'a>;

/// Bytes that pass as they are, and what decides it.
struct Artefact<'a> {
    what: &'static str,
    bytes: Vec<u8>,
    passes: Passes<'a>,
    /// Changes that know what the bytes mean.
    knowing: Vec<Vec<u8>>,
    /// Whether to try changes that do not.
    blindly: bool,
}

impl<'a> Artefact<'a> {
    fn new(
        what: &'static str,
        bytes: impl Into<Vec<u8>>,
        passes: impl Fn(&[u8]) -> bool + 'a,
    ) -> Artefact<'a> {
        Artefact { what, bytes: bytes.into(), passes: Box::new(passes), knowing: Vec::new(), blindly: true }
    }

    /// For bytes that are text.
    fn text(what: &'static str, text: String, passes: impl Fn(&str) -> bool + 'a) -> Artefact<'a> {
        let by_line = line_changes(&text);
        let mut artefact =
            Artefact::new(what, text, move |bytes| std::str::from_utf8(bytes).is_ok_and(&passes));
        artefact.knowing = by_line;
        artefact
    }

    fn knowing(mut self, more: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Artefact<'a> {
        self.knowing.extend(more.into_iter().map(Into::into));
        self
    }

    /// How many changes were refused: all.
    fn check(self, size: u64, dice: &mut Dice) -> usize {
        let Artefact { what, bytes, passes, knowing, blindly } = self;
        assert!(passes(&bytes), "{what} of {size} leaves does not pass unchanged");
        let mut refused = 0;
        let blind = if blindly { byte_changes(&bytes, dice) } else { Vec::new() };
        for changed in blind.into_iter().chain(knowing) {
            if changed != bytes {
                assert!(
                    !passes(&changed),
                    "{what} of {size} leaves: {:?}",
                    String::from_utf8_lossy(&changed)
                );
                refused += 1;
            }
        }
        refused
    }
}

/// Flips, cuts, lost, added and swapped bytes.
fn byte_changes(good: &[u8], dice: &mut Dice) -> Vec<Vec<u8>> {
    const EACH: usize = 24;
    let mut changes = Vec::new();
    for _ in 0..EACH {
        let at = dice.below(good.len());
        let mut flipped = good.to_vec();
        flipped[at] ^= 1 << dice.below(8);
        let mut lost = good.to_vec();
        lost.remove(at);
        let mut added = good.to_vec();
        added.insert(at, b" \n=A0\0\xff"[dice.below(7)]);
        let mut swapped = good.to_vec();
        swapped.swap(at, dice.below(good.len()));
        changes.extend([flipped, lost, added, swapped, good[..at].to_vec(), good[at + 1..].to_vec()]);
    }
    changes.push(Vec::new());
    changes
}

/// Lost, repeated and swapped lines. Signatures may be repeated, and stand in any order.
fn line_changes(good: &str) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let signs = |at: usize| lines[at].starts_with('\u{2014}');
    let mut changes = Vec::new();
    for at in 0..lines.len() {
        let mut change = |change: &dyn Fn(&mut Vec<&str>)| {
            let mut changed = lines.clone();
            change(&mut changed);
            changes.push(changed.concat().into_bytes());
        };
        change(&|lines| {
            lines.remove(at);
        });
        if !signs(at) {
            change(&|lines| lines.insert(at, lines[at]));
        }
        if at > 0 && !(signs(at) && signs(at - 1)) {
            change(&|lines| lines.swap(at, at - 1));
        }
    }
    changes
}

/// A log with its tree, its two witnesses, and an auditor who trusts them together.
struct World {
    size: u64,
    older: u64,
    entries: Vec<String>,
    leaves: Vec<Hash>,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
    /// The tree's head, and an older one's.
    head: Checkpoint,
    old_head: Checkpoint,
    log: Signer,
    witnesses: [Cosigner; 2],
    trust: TrustPolicy,
}

impl World {
    fn new(size: u64) -> World {
        let entries: Vec<String> = (0..size).map(|n| format!("{{\"n\":{n}}}")).collect();
        let leaves: Vec<Hash> = entries.iter().map(|entry| hash::leaf(entry.as_bytes())).collect();
        let mut builder = TileBuilder::new();
        builder.extend(leaves.iter().copied());
        let tiles: BTreeMap<_, _> = builder
            .take_full()
            .into_iter()
            .chain(builder.right_edge())
            .map(|(id, bytes)| ((id.level, id.index), bytes))
            .collect();
        let older = size.div_ceil(2);
        let [head, old_head] = [size, older].map(|size| {
            let fetch = |id: TileId| tiles.get(&(id.level, id.index)).cloned();
            let root = proof::root(size, &mut tile_reader(size, fetch)).unwrap();
            Checkpoint { origin: ORIGIN.into(), size, root }
        });
        let log = Signer::new(ORIGIN, &[1; 32]).unwrap();
        let witnesses = [2, 3].map(|n| Cosigner::new(format!("w{n}.example"), &[n; 32]).unwrap());
        let trust = TrustPolicy::parse(&policy(&log, &witnesses)).unwrap();
        World { size, older, entries, leaves, tiles, head, old_head, log, witnesses, trust }
    }

    /// The tree as its tiles have it.
    fn tree(&self) -> impl FnMut(u8, u64) -> Option<Hash> {
        tile_reader(self.size, |id| self.tiles.get(&(id.level, id.index)).cloned())
    }

    /// Signed by the log and both witnesses.
    fn note(&self, head: &Checkpoint) -> String {
        let text = head.to_text();
        let mut lines = vec![self.log.signature(&text).unwrap()];
        lines.extend(self.witnesses.iter().map(|key| key.cosignature(&text, TIME).unwrap()));
        SignedNote::new(text, lines).unwrap().to_string()
    }

    /// A checkpoint that says something else, or is signed by somebody else.
    fn other_notes(&self) -> Vec<String> {
        let head = &self.head;
        let text = head.to_text();
        let [first, second] = &self.witnesses;
        let by = |signatures: Vec<Signature>| SignedNote::new(&text, signatures).unwrap().to_string();
        let by_log = self.log.signature(&text).unwrap();
        let [one, two] = [first, second].map(|key| key.cosignature(&text, TIME).unwrap());
        // The blob of one key under the name of another.
        let as_named = |line: &Signature, name: &str| {
            Signature::parse(&line.to_string().replace(line.name(), name)).unwrap()
        };
        let renamed = as_named(&one, second.verifier().name());
        let stranger = Cosigner::new(first.verifier().name(), &[9; 32]).unwrap();
        let impostor = Signer::new(ORIGIN, &[9; 32]).unwrap();
        let as_log = Signer::new(first.verifier().name(), &[2; 32]).unwrap();
        let as_witness = Cosigner::new(ORIGIN, &[1; 32]).unwrap();
        let of_another = second.cosignature(&self.old_head.to_text(), TIME + 1).unwrap();
        // The empty tree's is the one checkpoint that says nothing different for the smallest tree.
        let other_text = Checkpoint { root: [7; 32], ..head.clone() }.to_text();
        let forged = first.cosignature(&other_text, TIME).unwrap();
        let mut notes = vec![
            by(vec![by_log.clone(), one.clone(), renamed]),
            by(vec![by_log.clone(), one.clone(), one.clone()]),
            by(vec![by_log.clone(), stranger.cosignature(&text, TIME).unwrap(), two.clone()]),
            by(vec![impostor.signature(&text).unwrap(), one.clone(), two.clone()]),
            by(vec![by_log.clone(), as_log.signature(&text).unwrap(), two.clone()]),
            by(vec![as_witness.cosignature(&text, TIME).unwrap(), one.clone(), two.clone()]),
            by(vec![by_log.clone(), forged, two.clone()]),
            by(vec![one.clone(), two.clone()]),
            // A good line does not outweigh a bad one of the same key.
            by(vec![by_log.clone(), one.clone(), two.clone(), self.log.signature(&other_text).unwrap()]),
            self.note(&Checkpoint { origin: "log.example/other".into(), ..head.clone() }),
        ];
        if self.older != self.size {
            notes.push(by(vec![by_log, one, two, of_another]));
        }
        notes
    }

    /// Checkpoints that are signed as they should be, and do not belong to a proof in this tree.
    fn other_trees(&self) -> Vec<String> {
        let head = self.head.clone();
        let mut heads = vec![
            Checkpoint { root: [7; 32], ..head.clone() },
            // Another size that the same number of hashes would fit.
            Checkpoint { size: head.size + 1, root: hash::node(&head.root, &[1; 32]), ..head },
        ];
        if self.older != self.size {
            heads.push(self.old_head.clone());
        }
        heads.iter().map(|head| self.note(head)).collect()
    }

    fn artefacts(&self, dice: &mut Dice) -> Vec<Artefact<'_>> {
        let index = dice.below(self.size as usize) as u64;
        let mut all = vec![
            self.checkpoint(),
            self.inclusion(index),
            self.inclusion(self.size - 1),
            self.consistency(),
            self.request(),
            self.bundle(index / WIDTH),
            self.policy(),
        ];
        let ids = self.tiles.keys().map(|(level, index)| TileId::in_tree(*level, *index, self.size).unwrap());
        all.extend(
            ids.filter(|id| !id.is_full() || id.index == 0 || dice.below(90) == 0).map(|id| self.tile(id)),
        );
        all
    }

    fn checkpoint(&self) -> Artefact<'_> {
        let note = self.note(&self.head);
        let passes = move |note: &str| self.trust.verify_checkpoint(note).is_ok();
        Artefact::text("a checkpoint", note, passes).knowing(self.other_notes())
    }

    fn inclusion(&self, index: u64) -> Artefact<'_> {
        let hashes = proof::inclusion(index, self.size, &mut self.tree()).unwrap();
        let good = TlogProof { extra: None, index, hashes, checkpoint: self.note(&self.head) };
        let leaf = self.leaves[index as usize];
        let passes = move |text: &str| {
            TlogProof::parse(text).is_ok_and(|proof| proof.verify(&leaf, &self.trust).is_ok())
        };
        let mut changes: Vec<TlogProof> = Vec::new();
        for other in [index + 1, index ^ 1, index ^ 2, self.size, u64::MAX] {
            changes.push(TlogProof { index: other, ..good.clone() });
        }
        for hashes in hash_changes(&good.hashes) {
            changes.push(TlogProof { hashes, ..good.clone() });
        }
        for checkpoint in self.other_notes().into_iter().chain(self.other_trees()) {
            changes.push(TlogProof { checkpoint, ..good.clone() });
        }
        let text = good.to_text();
        Artefact::text("a tlog-proof", text, passes).knowing(changes.iter().map(TlogProof::to_text))
    }

    fn consistency(&self) -> Artefact<'_> {
        let (older, newer) = (self.note(&self.old_head), self.note(&self.head));
        let good = ConsistencyProof::between(&older, &newer, &mut self.tree()).unwrap();
        let passes =
            |text: &str| ConsistencyProof::parse(text).is_ok_and(|proof| proof.verify(&self.trust).is_ok());
        let mut changes = Vec::new();
        for proof in hash_changes(&good.step.proof) {
            changes.push(ConsistencyProof {
                step: AddCheckpoint { proof, ..good.step.clone() },
                ..good.clone()
            });
        }
        for checkpoint in self.other_notes().into_iter().chain(self.other_trees()) {
            // The same checkpoint twice is consistent, whichever it is.
            if checkpoint != good.older {
                let step = AddCheckpoint { checkpoint, ..good.step.clone() };
                changes.push(ConsistencyProof { step, ..good.clone() });
            }
        }
        let rewritten = self.note(&Checkpoint { root: [7; 32], ..self.old_head.clone() });
        changes.push(ConsistencyProof { older: rewritten, ..good.clone() });
        for old in [0, good.step.old + 1, u64::MAX] {
            changes
                .push(ConsistencyProof { step: AddCheckpoint { old, ..good.step.clone() }, ..good.clone() });
        }
        // The older checkpoint needs the log alone, so its witnesses' lines are left out of the changes by line.
        let alone = self.old_head.sign(&self.log).unwrap();
        let text = ConsistencyProof { older: alone, ..good }.to_text();
        Artefact::text("a consistency proof", text, passes)
            .knowing(changes.iter().map(ConsistencyProof::to_text))
    }

    /// What a witness is asked that knows the log and saw its older tree.
    fn request(&self) -> Artefact<'_> {
        let proof = proof::consistency(self.older, self.size, &mut self.tree()).unwrap();
        let good = AddCheckpoint { old: self.older, proof, checkpoint: self.head.sign(&self.log).unwrap() };
        let latest = self.old_head.clone();
        let passes = move |text: &str| {
            let answer = AddCheckpoint::parse(text)
                .and_then(|request| consider([self.log.verifier()], Some(&latest), &request));
            answer.is_ok()
        };
        let mut changes = Vec::new();
        for proof in hash_changes(&good.proof) {
            changes.push(AddCheckpoint { proof, ..good.clone() });
        }
        for old in [0, self.older + 1, self.older.wrapping_sub(1), u64::MAX] {
            changes.push(AddCheckpoint { old, ..good.clone() });
        }
        for checkpoint in self.other_trees() {
            changes.push(AddCheckpoint { checkpoint, ..good.clone() });
        }
        Artefact::text("a request to a witness", good.to_text(), passes)
            .knowing(changes.iter().map(AddCheckpoint::to_text))
    }

    fn bundle(&self, at: u64) -> Artefact<'_> {
        let range = (at * WIDTH) as usize..self.size.min((at + 1) * WIDTH) as usize;
        let framed = |entries: &[&[u8]]| {
            let mut bytes = Vec::new();
            entries.iter().for_each(|entry| bundle::append(&mut bytes, entry).unwrap());
            bytes
        };
        let entries: Vec<&[u8]> = self.entries[range.clone()].iter().map(String::as_bytes).collect();
        let mut changes: Vec<Vec<u8>> = Vec::new();
        let last = entries.len() - 1;
        changes.push(framed(&entries[..last]));
        changes.push(framed(&[&entries[..], &[b"{}"]].concat()));
        changes.push(framed(&[&entries[..], &[entries[last]]].concat()));
        if last > 0 {
            let mut swapped = entries.clone();
            swapped.swap(0, last);
            changes.push(framed(&swapped));
            // One entry made of two.
            let joined = [entries[0], entries[1]].concat();
            changes.push(framed(&[&[joined.as_slice()], &entries[2..]].concat()));
        }
        let leaves = &self.leaves[range];
        let passes = move |bytes: &[u8]| {
            let read = bundle::entries(bytes);
            read.is_ok_and(|entries| entries.into_iter().map(hash::leaf).eq(leaves.iter().copied()))
        };
        Artefact::new("an entry bundle", framed(&entries), passes).knowing(changes)
    }

    /// A tile passes if every proof that reads what differs in it still leads to the root.
    fn tile(&self, id: TileId) -> Artefact<'_> {
        let good = &self.tiles[&(id.level, id.index)];
        let root = self.head.root;
        let passes = move |bytes: &[u8]| {
            if bytes.len() != good.len() {
                return false;
            }
            let fetch = |tile: TileId| {
                let same = (tile.level, tile.index) == (id.level, id.index);
                if same { Some(bytes.to_vec()) } else { self.tiles.get(&(tile.level, tile.index)).cloned() }
            };
            let mut tree = tile_reader(self.size, fetch);
            // Whoever knows the leaf beside a hash, the leaves at the tree's ends, or the whole tree.
            let covers = 1u64 << (8 * u32::from(id.level));
            let differ = |at: &u64| {
                bytes.chunks(HASH_LEN).nth(*at as usize) != good.chunks(HASH_LEN).nth(*at as usize)
            };
            let hashes = (0..u64::from(id.width)).filter(differ).map(|at| id.index * WIDTH + at);
            let beside = hashes.flat_map(|at| [at ^ 1, at]).map(|at| at * covers);
            let mut read = beside.chain([0, self.size - 1]).filter(|leaf| *leaf < self.size);
            let proved = read.all(|leaf| {
                let hashes = proof::inclusion(leaf, self.size, &mut tree).unwrap();
                // From its tile, as for one who has no entries.
                let own = tree(0, leaf).unwrap();
                proof::verify_inclusion(leaf, self.size, &own, &hashes, &root).is_ok()
            });
            proved && proof::root(self.size, &mut tree) == Some(root)
        };
        let same_width = |(place, bytes): &(&(u8, u64), &Vec<u8>)| {
            bytes.len() == good.len() && **place != (id.level, id.index)
        };
        let other = self.tiles.iter().find(same_width);
        Artefact::new("a tile", good.clone(), passes).knowing(other.map(|(_, bytes)| bytes.clone()))
    }

    /// Every key of it matters, and so does its quorum.
    fn policy(&self) -> Artefact<'_> {
        let good = policy(&self.log, &self.witnesses);
        let note = self.note(&self.head);
        let passes = move |text: &str| {
            TrustPolicy::parse(text).is_ok_and(|policy| policy.verify_checkpoint(&note).is_ok())
        };
        let [first, second] = &self.witnesses;
        let stranger = Cosigner::new("w2.example", &[9; 32]).unwrap();
        let impostor = Signer::new(ORIGIN, &[9; 32]).unwrap();
        let swap = |from: &dyn ToString, to: &dyn ToString| good.replace(&from.to_string(), &to.to_string());
        let changes = vec![
            swap(&first.verifier(), &stranger.verifier()),
            swap(&first.verifier(), &second.verifier()),
            swap(&self.log.verifier(), &impostor.verifier()),
            swap(&self.log.verifier(), &first.verifier()),
            swap(&"quorum both", &"quorum"),
            swap(&"quorum both", &"quorum neither"),
            swap(&"group both 2", &"group both 3"),
            swap(&"group both 2", &"group both 0"),
            swap(&"two\nquorum", &"two two\nquorum"),
        ];
        // In keys only: another name or a blank more is another policy that says the same.
        let mut artefact = Artefact::new("a policy", good.clone(), move |bytes| {
            std::str::from_utf8(bytes).is_ok_and(&passes)
        });
        artefact.blindly = false;
        artefact.knowing = changes.into_iter().map(String::into_bytes).collect();
        for key in [self.log.verifier(), first.verifier(), second.verifier()] {
            let (key, start) = (key.to_string(), good.find(&key.to_string()).unwrap());
            for at in start..start + key.len() {
                let mut flipped = good.clone().into_bytes();
                flipped[at] ^= 1;
                artefact.knowing.push(flipped);
            }
        }
        artefact
    }
}

fn policy(log: &Signer, witnesses: &[Cosigner; 2]) -> String {
    let [first, second] = witnesses.each_ref().map(Cosigner::verifier);
    format!(
        "log {}\nwitness one {first}\nwitness two {second}\ngroup both 2 one two\nquorum both\n",
        log.verifier()
    )
}

/// Lost, added, repeated, swapped and changed hashes.
fn hash_changes(good: &[Hash]) -> Vec<Vec<Hash>> {
    let mut changes = vec![[good, &[[0; 32]]].concat(), [&[[0; 32]], good].concat(), good.repeat(2)];
    for at in 0..good.len() {
        let mut changed = good.to_vec();
        changed.remove(at);
        changes.push(changed);
        let mut changed = good.to_vec();
        changed[at][31] ^= 0x80;
        changes.push(changed);
        let mut changed = good.to_vec();
        changed.swap(at, 0);
        changes.push(changed);
    }
    changes.retain(|changed| changed != good);
    changes
}

#[test]
fn every_change_is_refused() {
    let mut dice = Dice(20_261_121);
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for size in SIZES {
        let world = World::new(size);
        for artefact in world.artefacts(&mut dice) {
            let what = artefact.what;
            *refused.entry(what).or_default() += artefact.check(size, &mut dice);
        }
    }
    let scarce: Vec<_> = refused.iter().filter(|(_, count)| **count < 1_000).collect();
    assert!(scarce.is_empty() && refused.len() == 7, "{refused:?}");
}

/// A witness that has seen nothing, asked by keys of all kinds: what it accepts was signed by the log.
#[test]
fn only_the_logs_own_keys_speak_for_it() {
    let log = Signer::new(ORIGIN, &[1; 32]).unwrap();
    let keys: Vec<Verifier> = vec![
        Signer::new(ORIGIN, &[4; 32]).unwrap().verifier().clone(),
        Signer::new("log.example/other", &[1; 32]).unwrap().verifier().clone(),
        Cosigner::new(ORIGIN, &[1; 32]).unwrap().verifier().clone(),
    ];
    let head = Checkpoint { origin: ORIGIN.into(), size: 1, root: [5; 32] };
    let request = AddCheckpoint { old: 0, proof: Vec::new(), checkpoint: head.sign(&log).unwrap() };
    for known in [&keys[..], &keys[1..], &keys[2..]] {
        assert!(consider(known, None, &request).is_err());
    }
    assert_eq!(consider(keys.iter().chain([log.verifier()]), None, &request), Ok(head));
}
