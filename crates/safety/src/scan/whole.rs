//! A text that is there as a whole: undone, then scanned to its end.

use std::borrow::Cow;

use super::machine::{Machine, Step};
use crate::hints::Hints;
use crate::shifts::Shifts;
use crate::text::Text;
use crate::unfold::{self, Target, Unfold};
use crate::{Entity, Span};

/// A whole text with what hides values undone.
pub(super) struct Unfolded<'t> {
    pub(super) bytes: Cow<'t, [u8]>,
    pub(super) shifts: Shifts,
}

impl<'t> Unfolded<'t> {
    pub(super) fn of(raw: &'t [u8]) -> Self {
        let mut shifts = Shifts::default();
        if unfold::is_plain(raw) {
            return Self { bytes: Cow::Borrowed(raw), shifts };
        }
        let (mut decoded, mut unfold) = (Vec::with_capacity(raw.len()), Unfold::default());
        let mut target = Target { decoded: &mut decoded, shifts: &mut shifts, raw: 0 };
        match std::str::from_utf8(raw) {
            Ok(text) => unfold.feed(text, &mut target),
            Err(_) => {
                for chunk in raw.utf8_chunks() {
                    unfold.feed(chunk.valid(), &mut target);
                    // What is no text stands for itself.
                    if !chunk.invalid().is_empty() {
                        unfold.finish(&mut target);
                        target.bytes(chunk.invalid());
                    }
                }
            }
        }
        unfold.finish(&mut target);
        Self { bytes: Cow::Owned(decoded), shifts }
    }
}

/// The first kind found in a text that stands encoded in another, and is not searched for further such texts.
pub(crate) fn first_within(bytes: &[u8]) -> Option<Entity> {
    let unfolded = Unfolded::of(bytes);
    match Machine::within().advance(&mut Text::new(&unfolded.bytes, true, Hints::default())) {
        Step::Found { entity, .. } => Some(entity),
        Step::Ended(_) | Step::Waiting(_) => None,
    }
}

/// All hits in a text that is there to its end.
pub(super) fn spans(text: &mut Text<'_>) -> Vec<Span> {
    let mut machine = Machine::default();
    let mut spans = Vec::new();
    let mut found = None;
    loop {
        match machine.advance(text) {
            Step::Found { entity, start, rule, label } => {
                found = Some(Span { entity, start, end: start, score: entity.score(), rule, label });
            }
            Step::Ended(end) => spans.extend(found.take().map(|span| Span { end, ..span })),
            Step::Waiting(_) => return spans,
        }
    }
}
