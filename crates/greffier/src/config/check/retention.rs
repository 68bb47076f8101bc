//! How long entries and contents are kept.

use std::time::Duration;

use greffier_ledger::Retention;

use super::super::raw::{RawRetention, Text};
use super::{Checker, is_name, units};

/// Classes with a time of their own: all of them stand in the name of each expiry.
const MAX_CLASSES: usize = 32;
/// Nothing is kept longer by a rule; without one it is kept for ever.
const LONGEST: Duration = Duration::from_secs(200 * 366 * 86_400);

impl Checker<'_> {
    /// The times, and how much later a shorter one takes effect.
    pub(super) fn retention(&mut self, raw: &RawRetention) -> Option<(Retention, Duration)> {
        let entries = raw.entries.as_ref().map(|text| self.kept(text));
        let parts = raw.parts.as_ref().map(|text| self.kept(text));
        let mut classes = std::collections::BTreeMap::new();
        for (class, text) in &raw.classes {
            if !is_name(class) || classes.len() >= MAX_CLASSES {
                self.problem(
                    text,
                    format!("expected at most {MAX_CLASSES} classes of letters, digits, `.`, `_` and `-`"),
                );
            }
            classes.extend(self.kept(text).map(|time| (class.clone(), time)));
        }
        let delay = self.take(&raw.shorten_after, units::duration(raw.shorten_after.get_ref()))?;
        let [entries, parts] = [entries, parts].map(|time| match time {
            Some(time) => time.map(Some),
            None => Some(None),
        });
        Some((Retention { entries: entries?, parts: parts?, classes }, delay))
    }

    fn kept(&mut self, text: &Text) -> Option<Duration> {
        let time = years(text.get_ref()).and_then(|time| {
            let good = (Duration::from_secs(1)..=LONGEST).contains(&time);
            good.then_some(time).ok_or_else(|| "expected at least 1s and at most 200y".to_owned())
        });
        self.take(text, time)
    }
}

/// `7y`, of 366 days each so that none is too short; or any other duration.
fn years(text: &str) -> Result<Duration, String> {
    let years = text.strip_suffix('y').and_then(|years| years.parse::<u64>().ok());
    match years.and_then(|years| years.checked_mul(366 * 86_400)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => units::duration(text),
    }
}
