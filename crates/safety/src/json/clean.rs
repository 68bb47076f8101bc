//! What was looked through before and held nothing: documents of one kind have the same keys, and many of the same
//! values. Whether a text holds anything depends on it and on what the keys above it say, on nothing else.

use std::collections::HashMap;

use super::context::KnownKeys;
use crate::hints::Hints;

/// Texts that are remembered: some MiB at most, with their places.
const MAX_TEXTS: usize = 8_192;
/// Longer texts are seldom repeated.
const MAX_TEXT_BYTES: usize = 256;
/// Places of one text.
const MAX_PLACES: usize = 8;

/// Keys and values in which one scanner found nothing, from one document to the next: see [`super::inspect_next`]. For
/// one scanner only, and for what may lie in memory as long.
#[derive(Default)]
pub struct Clean {
    pub(super) keys: KnownKeys,
    /// What the keys above them said.
    texts: HashMap<Box<[u8]>, Vec<Hints>>,
}

impl std::fmt::Debug for Clean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clean").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl Clean {
    pub(super) fn has(&self, text: &[u8], place: Hints) -> bool {
        self.texts.get(text).is_some_and(|places| places.contains(&place))
    }

    pub(super) fn note(&mut self, text: &[u8], place: Hints) {
        if let Some(places) = self.texts.get_mut(text) {
            if places.len() < MAX_PLACES {
                places.push(place);
            }
        } else if text.len() <= MAX_TEXT_BYTES && self.texts.len() < MAX_TEXTS {
            self.texts.insert(text.into(), vec![place]);
        }
    }
}
