//! The scan between two steps: where it stands, and what it remembers of what it passed.
//!
//! What a place comes to is asked in [`turn`], of the places that [`dull`] leaves.

mod dull;
mod turn;

use self::turn::Turn;
use crate::Entity;
use crate::columns::{BORDERS, Columns};
use crate::find::assign::Value;
use crate::find::database_url::UserInfo;
use crate::find::{Swallowed, Tail};
use crate::text::{Last, Text};

/// What the machine came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A hit starts here.
    Found { entity: Entity, start: usize, rule: &'static str, label: Option<&'static str> },
    /// The hit found last ends here.
    Ended(usize),
    /// All before this place is decided; at the end of a text that is everything.
    Waiting(usize),
}

/// The scan between two steps. Places count from the start of the bytes that it is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// All before is decided.
    at: usize,
    /// The end of the last hit.
    floor: usize,
    /// What the last hit was.
    last: Option<Last>,
    /// A hit that has begun: what more belongs to it, or nothing.
    open: Option<Option<Tail>>,
    /// The user part of the URL that the scan is in.
    user_info: Option<UserInfo>,
    /// The secret that the scan comes to, by what stood before it.
    value: Option<Value>,
    /// Up to here a word behind speaks of a secret.
    spoken: usize,
    /// All runs of base64 before have been decoded.
    decoded: usize,
    /// The table that the scan is in.
    columns: Columns,
}

impl Machine {
    /// The scan of what stood encoded in a text; what is encoded in that is left alone.
    pub(super) fn within() -> Self {
        Self { decoded: usize::MAX, ..Self::default() }
    }

    /// Scans on until something is to be told.
    pub(crate) fn advance(&mut self, text: &mut Text<'_>) -> Step {
        text.set_floor(self.floor, self.last);
        if let Some(tail) = self.open {
            return self.close(text, tail);
        }
        let _ = text.take_starved();
        while self.at < text.len() {
            self.skip_dull(text);
            if self.at == text.len() {
                break;
            }
            let turn = self.turn(text);
            if text.take_starved() {
                break;
            }
            match turn {
                Turn::On(at) => self.at = at,
                Turn::Hit(hit) => {
                    let start = self.at;
                    self.last = Some(Last { entity: hit.entity, told: text.told(start) });
                    self.value = None;
                    self.pass_hit(text, hit.end);
                    self.open = Some(hit.tail);
                    return Step::Found { entity: hit.entity, start, rule: hit.rule, label: hit.label };
                }
            }
        }
        if !text.is_last() {
            self.columns.read(text.bytes(), self.at.min(text.len()));
        }
        Step::Waiting(self.at)
    }

    fn close(&mut self, text: &Text<'_>, tail: Option<Tail>) -> Step {
        match tail.map_or(Swallowed::Ends(self.at), |tail| tail.swallow(text, self.at)) {
            Swallowed::Ends(end) => {
                self.open = None;
                self.pass_hit(text, end);
                self.floor = end;
                text.set_cell(self.columns.cell());
                Step::Ended(end)
            }
            Swallowed::GoesOn(at) => {
                self.pass_hit(text, at);
                Step::Waiting(at)
            }
        }
    }

    /// Goes on to a place in a hit or at its end. A line may end, and a cell begin, within it.
    fn pass_hit(&mut self, text: &Text<'_>, to: usize) {
        if text.slice(self.at, to).iter().any(|b| BORDERS.has(*b)) {
            self.columns.pass_border();
        }
        if self.columns.in_table() || self.columns.may_begin() {
            self.columns.read(text.bytes(), to);
        }
        self.at = to;
    }

    /// Forgets the first `count` bytes, which the next text will lack.
    pub(crate) fn forget(&mut self, count: usize) {
        self.at -= count;
        self.floor = self.floor.saturating_sub(count);
        self.user_info = self.user_info.and_then(|info| info.forget(count));
        self.value = self.value.and_then(|value| value.forget(count));
        self.spoken = self.spoken.saturating_sub(count);
        self.decoded = self.decoded.saturating_sub(count);
        self.columns.forget(count);
    }
}
