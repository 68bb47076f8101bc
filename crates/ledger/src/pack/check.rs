//! Checking a pack: every entry and every part in it, against the checkpoint that somebody trusted signed.
//!
//! The pack is read once to check it, and once more to say of each event what was found: a run is proved only behind
//! its last entry. Where parts are gone it is read before that for the entries that ordered it. One file of it is in
//! memory at a time.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::Event;
use greffier_merkle::note::SignedNote;
use greffier_merkle::proof::Run;
use greffier_merkle::{Checkpoint, Hash, TrustPolicy, checkpoint, hash};

use super::about::{About, Figures};
use super::gone::Ordered;
use super::line::{Line, PartLine};
use super::open::{Pack, PackError};
use crate::seal::{commitment, parts_root};
use crate::verify::{Problem, Status, VerifyOptions};

/// Problems that are listed.
const MAX_PROBLEMS: usize = 1_000;

/// What a check found.
#[derive(Clone, Debug)]
pub struct PackReport {
    /// What the pack says about itself.
    pub about: About,
    /// What its checkpoint says.
    pub head: Checkpoint,
    /// Whether trust came from outside; otherwise it only agrees with itself.
    pub anchored: bool,
    /// Whether the trusted witnesses cosigned its checkpoint.
    pub vouching: Vouching,
    /// What is in it, as counted.
    pub figures: Figures,
    /// What is wrong: empty means valid.
    pub problems: Vec<Problem>,
    /// Problems beyond those that are listed.
    pub more_problems: u64,
    /// Entries that are not what they should be.
    invalid: BTreeSet<u64>,
    /// Runs that no proof holds.
    unproved: Vec<(u64, u64)>,
}

/// One event of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackEvent {
    /// Its place on the trail.
    pub index: u64,
    /// Whether the search found it.
    pub found: bool,
    /// The entry; none where it is withheld.
    pub entry: Option<String>,
    /// Of the entry itself.
    pub status: Status,
    /// Its parts by name, with the content of those that are shown.
    pub parts: Vec<(String, Status, Option<Vec<u8>>)>,
}

/// What witnesses say of a pack's checkpoint, by the terms of the policy that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouching {
    /// Enough of them cosigned it, the last that was needed at this time, in seconds since 1970.
    Cosigned(u64),
    /// UNANCHORED: why nobody independent speaks for it.
    Unanchored(String),
}

impl Vouching {
    fn of(note: &str, trust: &TrustPolicy) -> Vouching {
        let time = SignedNote::parse(note).ok().and_then(|note| trust.cosigned_at(&note));
        match (time, trust.has_quorum()) {
            (Some(time), _) => Vouching::Cosigned(time),
            (None, false) => Vouching::Unanchored("the trust policy asks for no witnesses".to_owned()),
            (None, true) => {
                Vouching::Unanchored("fewer witnesses cosigned it than the trust policy asks for".to_owned())
            }
        }
    }
}

impl PackReport {
    /// Whether enough of the trusted witnesses cosigned its checkpoint.
    pub fn witnessed(&self) -> bool {
        matches!(self.vouching, Vouching::Cosigned(_))
    }

    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { place: place.into(), what: what.into() });
        } else {
            self.more_problems += 1;
        }
    }

    /// Of an entry.
    fn wrong(&mut self, index: u64, what: impl Into<String>) {
        if self.invalid.len() < MAX_PROBLEMS {
            self.invalid.insert(index);
        }
        self.problem(format!("entry {index}"), what);
    }

    fn status(&self, index: u64) -> Status {
        let unproved = self.unproved.iter().any(|(first, end)| (*first..*end).contains(&index));
        let what = match (unproved, self.invalid.contains(&index)) {
            (true, _) => "no proof holds it on the trail",
            (_, true) => "see the problems",
            // Past the bound nobody knows which ones.
            (false, false) if self.more_problems == 0 => return Status::Valid,
            (false, false) => "the pack has more problems than are listed",
        };
        Status::Invalid { what: what.to_owned() }
    }
}

/// Checks a pack. Without trust in `options` the pack's own policy stands in, and nothing is anchored. What cannot be
/// read at all is an error, and is not valid either.
pub fn check_pack(pack: &mut Pack, options: &VerifyOptions) -> Result<PackReport, PackError> {
    let note = pack.checkpoint()?;
    let own = TrustPolicy::parse(&pack.trust()?).ok();
    let parsed = SignedNote::parse(&note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
    let head = parsed.ok_or(PackError::Malformed(super::layout::CHECKPOINT.to_owned()))?;
    let mut report = PackReport {
        about: pack.about().clone(),
        head: head.clone(),
        anchored: false,
        vouching: Vouching::Unanchored("no signature holds".to_owned()),
        figures: Figures::default(),
        problems: Vec::new(),
        more_problems: 0,
        invalid: BTreeSet::new(),
        unproved: Vec::new(),
    };
    let successions = pack.successions()?;
    check_signatures(&note, &head, options, own.as_ref(), &successions, &mut report);
    check_about(&head, &mut report);
    let mut walk = Walk::new(options, &head, report);
    // Orders stand behind what they make go: they are gathered before anything is held against them.
    if pack.about().figures.parts_gone > 0 {
        for number in 1..=pack.chunks() {
            let chunk = pack.chunk(number)?;
            lines(&chunk, number)?.iter().for_each(|line| walk.gather(line));
        }
    }
    for number in 1..=pack.chunks() {
        let chunk = pack.chunk(number)?;
        for line in lines(&chunk, number)? {
            walk.line(line);
        }
    }
    // Read for the sake of their digests.
    pack.readme()?;
    Ok(walk.finish())
}

impl Pack {
    /// Shows every event of a pack that was checked, in the order of the trail.
    pub fn events(&mut self, report: &PackReport, mut show: impl FnMut(PackEvent)) -> Result<(), PackError> {
        for number in 1..=self.chunks() {
            let chunk = self.chunk(number)?;
            for line in lines(&chunk, number)? {
                match line {
                    Line::Entry { index, found, entry, parts } => {
                        let status = report.status(index);
                        let parts = parts.into_iter().map(|part| part.told(&status)).collect();
                        show(PackEvent { index, found, entry: Some(entry), status, parts });
                    }
                    Line::Leaf { index, .. } => {
                        let status = match report.status(index) {
                            Status::Valid => Status::Withheld,
                            wrong => wrong,
                        };
                        show(PackEvent { index, found: false, entry: None, status, parts: Vec::new() });
                    }
                    Line::Run { .. } => {}
                }
            }
        }
        Ok(())
    }
}

impl PartLine {
    fn told(self, entry: &Status) -> (String, Status, Option<Vec<u8>>) {
        let open = |status| if entry.is_invalid() { entry.clone() } else { status };
        match self {
            PartLine::Shown { name, content, .. } => (name, open(Status::Valid), Some(content)),
            PartLine::Closed { name, gone, .. } => {
                (name, open(gone.map_or(Status::Withheld, Status::from)), None)
            }
        }
    }
}

/// The lines of a file of events; it ends with the end of one.
fn lines(chunk: &str, number: usize) -> Result<Vec<Line>, PackError> {
    let body = chunk.strip_suffix('\n');
    let lines = body.and_then(|body| body.split('\n').map(Line::read).collect());
    lines.ok_or_else(|| PackError::Malformed(super::layout::chunk_name(number)))
}

fn check_signatures(
    note: &str,
    head: &Checkpoint,
    options: &VerifyOptions,
    own: Option<&TrustPolicy>,
    successions: &[String],
    report: &mut PackReport,
) {
    let place = super::layout::CHECKPOINT;
    match options.trust.as_ref().or(own) {
        None => report.problem(super::layout::TRUST, "the file is not a trust policy"),
        Some(trust) => {
            let mut trust = trust.clone();
            for succession in successions {
                if let Err(error) = trust.follow(succession) {
                    let what = format!("a key succession does not hold: {error}");
                    report.problem(super::layout::SUCCESSIONS, what);
                }
            }
            match checkpoint::open(note, trust.verifiers()) {
                Ok(_) => report.vouching = Vouching::of(note, &trust),
                Err(error) => report.problem(place, format!("the checkpoint does not hold: {error}")),
            }
        }
    }
    // A policy that asks for witnesses vouches for nothing that these did not cosign.
    report.anchored = options.trust.as_ref().is_some_and(|trust| !trust.has_quorum() || report.witnessed());
    if let (true, Vouching::Unanchored(reason)) =
        (options.require_witnessed && report.is_ok(), &report.vouching)
    {
        let what = format!("the checkpoint is not witnessed: {reason}");
        report.problem(place, what);
    }
    for kept in &options.from {
        let parsed = SignedNote::parse(kept).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        match parsed {
            None => report.problem("a checkpoint that was kept", "it does not parse"),
            Some(kept) if kept.origin == head.origin && kept.size == head.size => {
                if kept.root == head.root {
                    report.anchored = true;
                } else {
                    report
                        .problem(place, "the trail is another one than that of the checkpoint that was kept");
                }
            }
            // Between two sizes only the trail itself can show that one grew from the other.
            Some(_) => {}
        }
    }
}

fn check_about(head: &Checkpoint, report: &mut PackReport) {
    let About { trail, origin, size, .. } = &report.about;
    let trail_is_origins = head.origin.rsplit('/').next() == Some(trail.as_str());
    if (origin, *size) != (&head.origin, head.size) || !trail_is_origins {
        report.problem(super::layout::ABOUT, "it speaks of another trail or another checkpoint");
    }
}

/// One way through the lines of a pack.
struct Walk {
    trail: String,
    head: Checkpoint,
    report: PackReport,
    run: Option<Run>,
    /// One behind the last run.
    end: u64,
    /// Whether one run holds all of the range that the pack says is complete.
    complete: bool,
    /// The entries of the pack that make parts gone.
    ordered: Ordered,
    receipts: BTreeMap<u64, Vec<Hash>>,
}

impl Walk {
    fn new(options: &VerifyOptions, head: &Checkpoint, report: PackReport) -> Walk {
        let trail = head.origin.rsplit('/').next().unwrap_or_default().to_owned();
        let mut receipts: BTreeMap<u64, Vec<Hash>> = BTreeMap::new();
        for kept in options.receipts.iter().filter(|kept| kept.trail == trail || kept.trail == head.origin) {
            receipts.entry(kept.index).or_default().push(kept.leaf_hash);
        }
        Walk {
            trail,
            head: head.clone(),
            report,
            run: None,
            end: 0,
            complete: false,
            ordered: Ordered::default(),
            receipts,
        }
    }

    fn gather(&mut self, line: &Line) {
        if let Line::Entry { index, entry, .. } = line {
            self.ordered.note(&self.trail, *index, entry);
        }
    }

    fn line(&mut self, line: Line) {
        match line {
            Line::Entry { index, found, entry, parts } => {
                self.leaf(index, hash::leaf(entry.as_bytes()));
                match found {
                    true => self.report.figures.found += 1,
                    false => self.report.figures.beside += 1,
                }
                self.entry(index, &entry, &parts);
            }
            Line::Leaf { index, leaf } => {
                self.leaf(index, leaf);
                self.report.figures.withheld += 1;
            }
            Line::Run { first, end, proof } => self.proved(first, end, &proof),
        }
    }

    fn leaf(&mut self, index: u64, leaf: Hash) {
        if let Some(kept) = self.receipts.get(&index) {
            if kept.iter().all(|kept| *kept == leaf) {
                self.report.anchored = true;
            } else {
                self.report.wrong(index, "the entry is another one than the receipt's");
            }
        }
        let run = self.run.get_or_insert_with(|| Run::new(index));
        if run.end() != index {
            let due = run.end();
            self.report.wrong(index, format!("entry {due} is due here, or the proof of those before"));
        }
        run.push(leaf);
    }

    fn entry(&mut self, index: u64, entry: &str, parts: &[PartLine]) {
        let event = match Event::from_canonical(entry.as_bytes()) {
            Ok(event) if event.tenant.as_str() == self.trail => event,
            Ok(event) => return self.report.wrong(index, format!("the event belongs to `{}`", event.tenant)),
            Err(error) => {
                return self.report.wrong(index, format!("the entry is not a valid event: {error}"));
            }
        };
        for part in parts {
            let figures = &mut self.report.figures;
            match part {
                PartLine::Shown { .. } => figures.parts_shown += 1,
                PartLine::Closed { gone: None, .. } => figures.parts_withheld += 1,
                PartLine::Closed { name, gone: Some(gone), .. } => {
                    figures.parts_gone += 1;
                    if !self.ordered.explain(index, &event, name, *gone) {
                        let what =
                            format!("part `{name}` is not {gone}: that is not here, or does not say so");
                        self.report.wrong(index, what);
                    }
                }
            }
        }
        if let Err(what) = check_parts(&event, parts) {
            self.report.wrong(index, what);
        }
    }

    fn proved(&mut self, first: u64, end: u64, proof: &[Hash]) {
        self.report.figures.runs += 1;
        let run = self.run.take();
        let is_it = |run: &Run| (run.first(), run.end()) == (first, end);
        let held = match run.filter(is_it) {
            None => Err("the proof is not that of the entries above it".to_owned()),
            Some(run) => run
                .verify(self.head.size, proof, &self.head.root)
                .map_err(|error| format!("the entries are not shown to be on the trail: {error}")),
        };
        if let Err(what) = held {
            if self.report.unproved.len() < MAX_PROBLEMS {
                self.report.unproved.push((first, end));
            }
            self.report.problem(format!("entries {first} to {}", end.saturating_sub(1)), what);
        }
        // In the order of the trail, each entry once.
        if first < self.end {
            self.report.problem(format!("entry {first}"), "the entries are not in the order of the trail");
        }
        self.end = end;
        let told = self.report.about.complete;
        self.complete |= told.is_some_and(|(from, to)| first <= from && from < to && to <= end);
    }

    fn finish(mut self) -> PackReport {
        if let Some(run) = &self.run {
            let (first, end) = (run.first(), run.end());
            self.report.unproved.push((first, end));
            let what = "their proof is missing";
            self.report.problem(format!("entries {first} to {}", end.saturating_sub(1)), what);
        }
        let about = &self.report.about;
        let (counted, told) = (self.report.figures, about.figures);
        let complete = about.complete.is_none() || self.complete;
        if counted != told {
            self.report.problem(super::layout::ABOUT, "its figures are not what is in the pack");
        }
        if !complete {
            self.report.problem(super::layout::ABOUT, "the pack is not complete for the range that it names");
        }
        self.report
    }
}

/// Holds parts against the root that the entry binds. Where none is spoken of, nothing is claimed.
fn check_parts(event: &Event, parts: &[PartLine]) -> Result<(), String> {
    if parts.is_empty() {
        return Ok(());
    }
    let named = parts.iter().map(PartLine::name).eq(event.parts.iter().map(|part| part.name.as_str()));
    if !named {
        return Err("its parts are not those that the entry names".to_owned());
    }
    let commitments = parts.iter().map(|part| match part {
        PartLine::Shown { name, salt, content } => Some(commitment(salt, &event.id, name, content)),
        PartLine::Closed { commitment, .. } => *commitment,
    });
    match commitments.collect::<Option<Vec<Hash>>>() {
        Some(commitments) if event.parts_root.as_deref() == Some(parts_root(&commitments).as_str()) => Ok(()),
        Some(_) => Err("its parts are not those that the entry binds".to_owned()),
        // Without all commitments no part can be held against the entry: then none may be shown.
        None if parts.iter().any(|part| matches!(part, PartLine::Shown { .. })) => {
            Err("a part is shown that cannot be held against the entry".to_owned())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
