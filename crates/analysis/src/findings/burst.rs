//! Bursts: many actions of one agent in a short time.
//!
//! A burst is a run of windows of `least` actions, each from its first to its last action shorter than `window`,
//! where the next window begins before the last one ends. Days count, and so do the last actions of all.

use std::collections::VecDeque;
use std::fmt;

use greffier_event::{EventId, Timestamp};

use super::detector::Out;
use super::{FindingKind, MAX_EVIDENCE, Said, Threshold, Thresholds, count};

/// Actions that are remembered of an agent: those of late by time, so that as many as come out of order are put in
/// their place.
const MAX_KEPT: usize = 64;
/// A step back in time by more than this begins anew: an import of what happened earlier.
const BACK_US: i64 = 60_000_000;

type Action = (i64, EventId);

/// The actions of late, and the burst they belong to.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// Sorted.
    kept: VecDeque<Action>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    finding: u64,
    first: Action,
    last: Action,
    count: u64,
}

impl Burst {
    pub(crate) fn add(&mut self, time: Timestamp, id: EventId, thresholds: &Thresholds, out: &mut Out<'_>) {
        let action = (time.as_micros(), id);
        if self.kept.back().is_some_and(|last| last.0.saturating_sub(action.0) > BACK_US) {
            *self = Burst::default();
        }
        let newest = self.kept.back().is_none_or(|last| *last <= action);
        let at = if newest { self.kept.len() } else { self.kept.partition_point(|kept| *kept <= action) };
        self.kept.insert(at, action);
        if let Some((from, to)) = self.full(at, thresholds) {
            self.found(action, from, to, thresholds, out);
        }
        if self.kept.len() > MAX_KEPT {
            self.kept.pop_front();
        }
    }

    /// The first and the last action of the full windows around the one at this place.
    fn full(&self, at: usize, thresholds: &Thresholds) -> Option<(Action, Action)> {
        let least = thresholds.rapid_actions.clamp(1, MAX_KEPT);
        let mut full = None;
        for first in (at + 1).saturating_sub(least)..=at {
            let Some((from, to)) = self.kept.get(first).zip(self.kept.get(first + least - 1)) else { break };
            if to.0.saturating_sub(from.0) < thresholds.rapid_window_us {
                full = Some((full.map_or(*from, |(from, _)| from), *to));
            }
        }
        full
    }

    fn found(
        &mut self,
        action: Action,
        from: Action,
        to: Action,
        thresholds: &Thresholds,
        out: &mut Out<'_>,
    ) {
        let of = |after: Option<Action>| {
            let inside = move |kept: &&Action| after.is_none_or(|after| **kept > after) && **kept <= to;
            self.kept.iter().filter(move |kept| **kept >= from).filter(inside)
        };
        if let Some(open) = self.open.as_mut().filter(|open| from <= open.last && to >= open.first) {
            let inside = u64::from(action <= open.last);
            open.count += inside + count(of(Some(open.last)).count());
            let joined: Vec<EventId> = of(Some(open.last)).map(|(_, id)| *id).collect();
            (open.first, open.last) = (open.first.min(from), open.last.max(to));
            let (first, last, count) = (open.first.0, open.last.0, open.count);
            out.update(open.finding, |finding| {
                finding.since = finding.since.min(Timestamp::from_micros(first));
                finding.until = Timestamp::from_micros(last);
                finding.count = count;
                let room = MAX_EVIDENCE.saturating_sub(finding.event_ids.len());
                finding.event_ids.extend(joined.into_iter().take(room));
                sentence(count, last - first, thresholds)
            });
            return;
        }
        let actions: Vec<EventId> = of(None).map(|(_, id)| *id).collect();
        let count = count(actions.len());
        let finding = out.raise(Said {
            kind: FindingKind::RapidActions,
            span: (Timestamp::from_micros(from.0), Timestamp::from_micros(to.0)),
            count,
            total: None,
            what: None,
            says: sentence(count, to.0 - from.0, thresholds),
            threshold: Some(Threshold::Rapid {
                actions: thresholds.rapid_actions,
                window_us: thresholds.rapid_window_us,
            }),
            evidence: actions.into_iter().take(MAX_EVIDENCE).collect(),
        });
        self.open = Some(Open { finding, first: from, last: to, count });
    }
}

fn sentence(count: u64, lasts_us: i64, thresholds: &Thresholds) -> String {
    format!(
        "took {count} actions within {}; {} or more in less than {} are unusual.",
        Seconds(lasts_us),
        thresholds.rapid_actions,
        Seconds(thresholds.rapid_window_us)
    )
}

/// Microseconds, as a person reads them.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}
