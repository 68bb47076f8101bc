//! One run of text on its way: what is held back of it, and the scan over it.

use super::Sink;
use crate::Entity;
use crate::hints::Hints;
use crate::scan::{Machine, Step};
use crate::shifts::Shifts;
use crate::text::{LOOK_BEHIND, Text};
use crate::unfold::{Target, Unfold};

/// A text of which a beginning has been released. It is scanned decoded and released raw.
#[derive(Default)]
pub(super) struct Lane {
    /// What is held back, decoded, and before it what finders may still look back at.
    decoded: Vec<u8>,
    /// What is held back, raw.
    raw: String,
    shifts: Shifts,
    unfold: Unfold,
    /// The decoded place up to which everything was released or hidden.
    out: usize,
    machine: Machine,
    hints: Hints,
    /// Whether the hit that the scan is in is hidden.
    hiding: bool,
}

impl Lane {
    /// The beginning of a text at a place of which `hints` are known.
    pub(super) fn new(hints: Hints) -> Self {
        Self { hints, ..Self::default() }
    }

    /// Adds text that stands for itself.
    pub(super) fn feed(&mut self, plain: &str) {
        let behind = self.raw.len() - self.unfold.pending();
        let mut target = Target { decoded: &mut self.decoded, shifts: &mut self.shifts, raw: behind };
        self.unfold.feed(plain, &mut target);
        self.raw.push_str(plain);
    }

    /// Adds a character and the escape that stands for it.
    pub(super) fn feed_escape(&mut self, character: char, raw: &str) {
        let behind = self.raw.len() - self.unfold.pending();
        let mut target = Target { decoded: &mut self.decoded, shifts: &mut self.shifts, raw: behind };
        self.unfold.take(character, raw.len(), &mut target);
        self.raw.push_str(raw);
    }

    pub(super) fn held(&self) -> usize {
        self.raw.len()
    }

    /// Releases what is decided; everything, if this is the `last` of the text. A hidden hit is replaced by
    /// what `mark` gives.
    pub(super) fn drain(&mut self, last: bool, out: &mut Sink<'_>, mut mark: impl FnMut(Entity) -> String) {
        if last {
            let behind = self.raw.len() - self.unfold.pending();
            let mut target = Target { decoded: &mut self.decoded, shifts: &mut self.shifts, raw: behind };
            self.unfold.finish(&mut target);
        }
        let mut released = 0;
        loop {
            let mut text = Text::new(&self.decoded, last, self.hints);
            match self.machine.advance(&mut text) {
                Step::Found { entity, start, .. } => {
                    self.pass(start, &mut released, out);
                    let mark = mark(entity);
                    self.hiding = out.found(entity);
                    if out.is_blocked() {
                        return;
                    }
                    if self.hiding {
                        out.release.text.push_str(&mark);
                    }
                }
                Step::Ended(end) => {
                    self.pass(end, &mut released, out);
                    self.hiding = false;
                }
                Step::Waiting(place) => {
                    self.pass(place, &mut released, out);
                    break;
                }
            }
        }
        self.forget(released);
    }

    /// Releases or hides everything before a decoded place. `released` counts the raw bytes gone.
    fn pass(&mut self, place: usize, released: &mut usize, out: &mut Sink<'_>) {
        let end = self.shifts.raw(place);
        if !self.hiding {
            out.release.text.push_str(self.raw.get(*released..end).unwrap_or_default());
        }
        *released = end;
        self.out = place;
    }

    /// Drops what is neither held back nor looked back at.
    fn forget(&mut self, released: usize) {
        let gone = self.out.saturating_sub(LOOK_BEHIND);
        self.shifts.forget(gone, self.out);
        self.machine.forget(gone);
        self.raw.drain(..released);
        self.decoded.drain(..gone);
        self.out -= gone;
    }
}
