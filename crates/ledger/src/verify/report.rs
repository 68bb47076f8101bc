//! What a check says: how far it has come, what there is, and what is wrong with it.

use super::absent::{Absent, PartsFound};

/// Problems that are listed; a ruined directory would have one for every entry.
pub const MAX_PROBLEMS: usize = 1_000;

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Segments and files of the log that were checked.
    pub files: u64,
    /// How many there are.
    pub of: u64,
    /// Entries so far.
    pub entries: u64,
    /// How many there are at least: those that were signed for.
    pub of_entries: u64,
}

/// Something that is not as it was signed, or as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File, with byte or entry where that is known.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// One trail as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailReport {
    /// Its name.
    pub name: String,
    /// Entries that were recorded, those that expired included.
    pub entries: u64,
    /// How many of them expired, and the entry that ordered it; 0 where none did.
    pub expired: (u64, u64),
    /// Entries that its checkpoint covers; `None` without a checkpoint.
    pub covered: Option<u64>,
    /// Entries that a checkpoint covers which enough witnesses cosigned.
    pub witnessed: Option<u64>,
    /// What from outside speaks for it; nothing, and it only agrees with itself.
    pub anchored: Vec<String>,
    /// Root over all its entries.
    pub root: greffier_merkle::Hash,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the directory was left by a clean stop.
    pub clean: bool,
    /// Whether something from outside speaks for every trail; otherwise the directory only agrees with itself.
    pub anchored: bool,
    /// The trails.
    pub trails: Vec<TrailReport>,
    /// Parts that were decrypted and held against their entry.
    pub parts_opened: u64,
    /// Parts that were not, because no keys were given.
    pub parts_unopened: u64,
    /// Parts that are erased or expired, as entries of their trails say.
    pub absent: Absent,
    /// Time stamps that are of the checkpoint beside them; who signed them is not checked here.
    pub timestamps: u64,
    /// What is wrong: empty means verified.
    pub problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    pub more_problems: u64,
    /// Bytes behind the last acknowledged group of a log that was not closed: expected after a kill.
    pub torn_tails: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { place: place.into(), what: what.into() });
        } else {
            self.more_problems += 1;
        }
    }

    /// Counts the parts of an entry.
    pub(super) fn parts(&mut self, trail: &str, found: &PartsFound) {
        self.parts_opened += found.opened;
        self.parts_unopened += found.unopened;
        for why in &found.gone {
            *self.absent.entry((trail.to_owned(), *why)).or_default() += 1;
        }
    }

    /// Adds what was found elsewhere in the directory.
    pub(super) fn add(&mut self, other: Report) {
        self.parts_opened += other.parts_opened;
        self.parts_unopened += other.parts_unopened;
        for (why, count) in other.absent {
            *self.absent.entry(why).or_default() += count;
        }
        self.more_problems += other.more_problems;
        other.problems.into_iter().for_each(|problem| self.problem(problem.place, problem.what));
    }
}
