//! Making a pack: entries come in the order of the trail, files go out as they are full.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greffier_event::{Event, Tenant, Timestamp};
use greffier_merkle::note::SignedNote;
use greffier_merkle::proof::{run, tile_reader};
use greffier_merkle::tile::TileId;
use greffier_merkle::{Checkpoint, Hash, TrustPolicy};

use super::about::{About, FORMAT, Figures};
use super::gone::Owed;
use super::layout::{
    ABOUT, CHECKPOINT, CHUNK_BYTES, MAX_CHUNKS, MAX_SMALL_BYTES, MAX_SUCCESSIONS, README, REPORT,
    REPORT_PAGE, SUMS, TRUST, chunk_name, succession_name,
};
use super::line::{Line, PartLine};
use super::open::write_sums;
use super::{ZipError, readme};
use crate::erase::Gone;
use crate::keys::KeyRing;
use crate::publish::checkpoint_path;
use crate::read::{Found, PartState, ReadError, Reader, damaged};

/// Entries that are read at once to fill a gap: with their parts they are in memory together.
const FILL: u64 = 256;
/// Leaf hashes that are read at once: those of one tile.
const TILE: u64 = 256;

/// One file of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFile {
    /// Its path in the pack.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Which parts are shown; the others are there as commitments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShownParts {
    /// None.
    #[default]
    None,
    /// Those with these names.
    Named(BTreeSet<String>),
    /// All.
    All,
}

impl ShownParts {
    fn shows(&self, name: &str) -> bool {
        match self {
            ShownParts::None => false,
            ShownParts::Named(names) => names.contains(name),
            ShownParts::All => true,
        }
    }

    /// As a pack says it.
    fn said(&self) -> String {
        match self {
            ShownParts::None => "none".to_owned(),
            ShownParts::Named(names) => names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
            ShownParts::All => "all".to_owned(),
        }
    }
}

/// A pack that is being made.
pub struct Packer {
    reader: Reader,
    trail: Tenant,
    checkpoint: String,
    head: Checkpoint,
    trust: String,
    /// In which the log's keys name each other.
    successions: Vec<(u32, String)>,
    parts: ShownParts,
    /// The entries that the proof of the present run will cover.
    run: Option<Range<u64>>,
    chunk: Vec<u8>,
    chunks: usize,
    full: Vec<PackFile>,
    sums: BTreeMap<String, String>,
    figures: Figures,
    /// Entries that say why parts are gone, to be added where they stand.
    owed: Owed,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer")
            .field("trail", &self.trail)
            .field("figures", &self.figures)
            .finish_non_exhaustive()
    }
}

impl Packer {
    /// Begins a pack of a trail, as of its newest cosigned checkpoint, or where there is none as of its newest.
    /// `trust` goes into the pack; by default what the directory says of this trail.
    pub fn begin(
        reader: &Reader,
        trail: &Tenant,
        trust: Option<String>,
        parts: ShownParts,
    ) -> Result<Packer, ReadError> {
        let none = || ReadError::NotCovered { trail: trail.to_string(), index: 0 };
        let checkpoint = match reader.cosigned(trail)? {
            Some(note) => note,
            None => reader.checkpoint(trail)?.ok_or_else(none)?,
        };
        let parsed = SignedNote::parse(&checkpoint).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        let head = parsed.ok_or_else(|| damaged(&checkpoint_path(trail.as_str()), "it does not parse"))?;
        let trust = match trust {
            Some(trust) => trust,
            None => only_of(&reader.trust()?, &head.origin),
        };
        let mut successions = reader.successions(trail)?;
        successions.retain(|(generation, _)| *generation <= MAX_SUCCESSIONS);
        Ok(Packer {
            reader: reader.clone(),
            trail: trail.clone(),
            checkpoint,
            head,
            trust,
            successions,
            parts,
            run: None,
            chunk: Vec::new(),
            chunks: 0,
            full: Vec::new(),
            sums: BTreeMap::new(),
            figures: Figures::default(),
            owed: Owed::default(),
        })
    }

    /// The first entry that there is: those before it have expired.
    pub fn first(&self) -> Result<u64, ReadError> {
        self.reader.first(&self.trail)
    }

    /// Entries that the pack can prove: those before this one.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The index that the next entry has at least.
    pub fn next(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.end)
    }

    /// Adds an entry, and before it those that say why parts of earlier ones are gone; `keys` open its parts.
    pub fn entry(
        &mut self,
        found: &Found,
        is_match: bool,
        keys: Option<&KeyRing>,
    ) -> Result<(), PackingError> {
        self.explain(found.index, keys)?;
        self.add(found, is_match, keys)
    }

    fn add(&mut self, found: &Found, is_match: bool, keys: Option<&KeyRing>) -> Result<(), PackingError> {
        self.owed.paid(found.index);
        let entry = String::from_utf8(found.entry.clone())
            .map_err(|_| damaged(self.trail.as_str(), "an entry is not text"))?;
        let parts = self.parts_of(found, is_match, keys)?;
        match is_match {
            true => self.figures.found += 1,
            false => self.figures.beside += 1,
        }
        self.line(found.index, &Line::Entry { index: found.index, found: is_match, entry, parts })
    }

    /// Adds what lies before `end` and is not in the pack, so that nothing is left out: in full, or as leaf hashes.
    pub fn fill(&mut self, end: u64, in_full: bool, keys: Option<&KeyRing>) -> Result<(), PackingError> {
        while self.next() < end {
            let from = self.next();
            if in_full {
                let indexes: Vec<u64> = (from..end.min(from + FILL)).collect();
                let found = self.reader.entries(&self.trail, &indexes)?;
                if found.len() != indexes.len() {
                    return Err(damaged(self.trail.as_str(), "entries are missing").into());
                }
                for found in &found {
                    self.add(found, false, keys)?;
                }
            } else if self.owed.first().is_some_and(|first| first <= from) {
                self.explain(from + 1, keys)?;
            } else {
                let until = end.min((from / TILE + 1) * TILE).min(self.owed.first().unwrap_or(end));
                for (index, leaf) in (from..until).zip(self.leaves(from..until)?) {
                    self.figures.withheld += 1;
                    self.line(index, &Line::Leaf { index, leaf })?;
                }
            }
        }
        Ok(())
    }

    /// Adds the entries before `end` that say why parts are gone, and are not in the pack yet.
    pub fn explain(&mut self, end: u64, keys: Option<&KeyRing>) -> Result<(), PackingError> {
        while let Some(index) = self.owed.first().filter(|index| *index < end) {
            let found = self.reader.entry(&self.trail, index)?;
            let missing = || ReadError::NoEntry { trail: self.trail.to_string(), index };
            self.add(&found.ok_or_else(missing)?, false, keys)?;
        }
        Ok(())
    }

    /// Begins at this entry: what is before it is not asked for.
    pub fn skip_to(&mut self, index: u64) -> Result<(), PackingError> {
        self.close_run()?;
        self.run = Some(index..index);
        Ok(())
    }

    /// Puts a report in: its data, and the page for people.
    pub fn report(&mut self, data: Vec<u8>, page: Vec<u8>) -> Result<(), PackingError> {
        if data.len().max(page.len()) as u64 > MAX_SMALL_BYTES {
            return Err(ZipError::TooLarge.into());
        }
        self.file(REPORT, data);
        self.file(REPORT_PAGE, page);
        Ok(())
    }

    /// The files that are full, to be written away.
    pub fn take(&mut self) -> Vec<PackFile> {
        std::mem::take(&mut self.full)
    }

    /// The last files. `search` is what was asked; of the range `complete` every entry was added.
    pub fn finish(
        mut self,
        search: &str,
        made: Timestamp,
        complete: Option<Range<u64>>,
    ) -> Result<(Vec<PackFile>, About), PackingError> {
        self.explain(self.head.size, None)?;
        self.close_run()?;
        self.close_chunk()?;
        let complete = complete.filter(|range| !range.is_empty()).map(|range| (range.start, range.end));
        let about = About {
            format: FORMAT.to_owned(),
            made,
            made_by: concat!("greffier ", env!("CARGO_PKG_VERSION")).to_owned(),
            trail: self.trail.to_string(),
            origin: self.head.origin.clone(),
            size: self.head.size,
            search: search.to_owned(),
            parts: self.parts.said(),
            figures: self.figures,
            complete,
        };
        let (checkpoint, trust) = (std::mem::take(&mut self.checkpoint), std::mem::take(&mut self.trust));
        self.file(CHECKPOINT, checkpoint.into_bytes());
        self.file(TRUST, trust.into_bytes());
        for (generation, note) in std::mem::take(&mut self.successions) {
            self.file(&succession_name(generation), note.into_bytes());
        }
        self.file(ABOUT, about.write()?.into_bytes());
        self.file(README, readme::text(&about).into_bytes());
        let sums = write_sums(&self.sums).into_bytes();
        self.full.push(PackFile { name: SUMS.to_owned(), content: sums });
        Ok((self.full, about))
    }

    /// What is shown of an entry's parts. Without keys only what is gone is spoken of, and what stands beside it.
    fn parts_of(
        &mut self,
        found: &Found,
        is_match: bool,
        keys: Option<&KeyRing>,
    ) -> Result<Vec<PartLine>, PackingError> {
        let lines = match keys.map(|keys| found.parts(keys)) {
            Some(Ok(states)) => {
                let event = found.event()?;
                states.into_iter().map(|state| self.part(&event, is_match, state)).collect()
            }
            Some(Err(ReadError::NoKey(_))) => self.named(found)?,
            Some(Err(error)) => return Err(error.into()),
            None => Some(self.named(found)?)
                .filter(|lines| lines.iter().any(PartLine::is_gone))
                .unwrap_or_default(),
        };
        for line in &lines {
            match line {
                PartLine::Shown { .. } => self.figures.parts_shown += 1,
                PartLine::Closed { gone: None, .. } => self.figures.parts_withheld += 1,
                PartLine::Closed { gone: Some(Gone::Erased { by } | Gone::Expired { by }), .. } => {
                    self.figures.parts_gone += 1;
                    if *by > found.index && !self.owed.owe(*by) {
                        return Err(PackingError::Orders);
                    }
                }
            }
        }
        Ok(lines)
    }

    fn part(&self, event: &Event, is_match: bool, state: PartState) -> PartLine {
        match state {
            PartState::Open(part) if is_match && self.parts.shows(&part.name) => {
                PartLine::Shown { name: part.name, salt: part.salt, content: part.content }
            }
            PartState::Open(part) => {
                let commitment = Some(part.commitment(&event.id));
                PartLine::Closed { name: part.name, commitment, gone: None }
            }
            PartState::Gone { name, why, commitment } => {
                PartLine::Closed { name, commitment, gone: self.provable(why) }
            }
        }
    }

    /// Parts whose key is not here, by name alone: nothing can be shown beside them.
    fn named(&self, found: &Found) -> Result<Vec<PartLine>, ReadError> {
        let named = found.gone()?.into_iter();
        let line = |(name, why): (String, Option<Gone>)| PartLine::Closed {
            name,
            commitment: None,
            gone: why.and_then(|why| self.provable(why)),
        };
        Ok(named.map(line).collect())
    }

    /// What was ordered since the checkpoint is nothing that this pack can prove: such a part is withheld.
    fn provable(&self, why: Gone) -> Option<Gone> {
        let (Gone::Erased { by } | Gone::Expired { by }) = why;
        (by < self.head.size).then_some(why)
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<Hash>, ReadError> {
        let missing = || damaged(&checkpoint_path(self.trail.as_str()), "its tiles are missing");
        let tile = TileId::in_tree(0, range.start / TILE, self.head.size).ok_or_else(missing)?;
        let bytes = self.reader.tile(&self.trail, tile)?.ok_or_else(missing)?;
        let hashes = bytes.chunks_exact(32).map(|hash| hash.try_into().ok());
        let wanted = hashes.skip((range.start % TILE) as usize).take((range.end - range.start) as usize);
        let leaves: Vec<Hash> = wanted.collect::<Option<_>>().ok_or_else(missing)?;
        if leaves.len() as u64 == range.end - range.start { Ok(leaves) } else { Err(missing()) }
    }

    /// Adds a line about an entry, and the proof of the run before it where it does not go on.
    fn line(&mut self, index: u64, line: &Line) -> Result<(), PackingError> {
        if index >= self.head.size || index < self.next() {
            return Err(PackingError::Order(index));
        }
        if self.run.as_ref().is_none_or(|run| run.end != index) {
            self.close_run()?;
            self.run = Some(index..index);
        }
        self.write(line)?;
        if let Some(run) = &mut self.run {
            run.end = index + 1;
        }
        Ok(())
    }

    fn close_run(&mut self) -> Result<(), PackingError> {
        let Some(range) = self.run.clone().filter(|run| !run.is_empty()) else { return Ok(()) };
        let fetch = |tile| self.reader.tile(&self.trail, tile).ok().flatten();
        let proof = run(range.start, range.end, self.head.size, &mut tile_reader(self.head.size, fetch));
        let missing = || damaged(&checkpoint_path(self.trail.as_str()), "its tiles are missing");
        let proof = proof.ok_or_else(missing)?;
        self.figures.runs += 1;
        self.run = Some(range.end..range.end);
        self.write(&Line::Run { first: range.start, end: range.end, proof })
    }

    fn write(&mut self, line: &Line) -> Result<(), PackingError> {
        self.chunk.extend_from_slice(line.write()?.as_bytes());
        if self.chunk.len() > CHUNK_BYTES { self.close_chunk() } else { Ok(()) }
    }

    fn close_chunk(&mut self) -> Result<(), PackingError> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        if self.chunks == MAX_CHUNKS {
            return Err(ZipError::TooLarge.into());
        }
        self.chunks += 1;
        let content = std::mem::take(&mut self.chunk);
        self.file(&chunk_name(self.chunks), content);
        Ok(())
    }

    fn file(&mut self, name: &str, content: Vec<u8>) {
        self.sums.insert(name.to_owned(), hex::encode(greffier_merkle::hash::sha256(&content)));
        self.full.push(PackFile { name: name.to_owned(), content });
    }
}

/// Why a pack cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackingError {
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is too large.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A line cannot be written.
    #[error("a line of the pack cannot be written: {0}")]
    Line(#[from] serde_json::Error),
    /// More orders than are followed.
    #[error("its parts are gone by more than {} entries: choose a narrower search", super::gone::MAX_ORDERS)]
    Orders,
    /// Entries come in the order of the trail, and the checkpoint covers them.
    #[error("entry {0} is not due here, or no checkpoint covers it")]
    Order(u64),
}

/// A policy without the other trails of the node: whose trails there are is nobody's business.
fn only_of(trust: &str, origin: &str) -> String {
    let Ok(policy) = TrustPolicy::parse(trust) else { return trust.to_owned() };
    let other = |line: &&str| {
        let vkey = line.strip_prefix("log ");
        vkey.is_some_and(|vkey| vkey.split('+').next() != Some(origin))
    };
    policy.to_string().lines().filter(|line| !other(line)).map(|line| format!("{line}\n")).collect()
}
