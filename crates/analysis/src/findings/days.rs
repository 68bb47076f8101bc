//! What is counted by days (UTC): actions that failed, and denials.

use greffier_event::{EventId, Timestamp};

use super::detector::Out;
use super::stretch::Look;
use super::{FindingKind, MAX_EVIDENCE, Said, Threshold, Thresholds, rate};

/// Days of an agent that are counted at once: today's, and those to which something is added late. The one that
/// nothing was added to for the longest gives way.
const MAX_DAYS: usize = 16;
const DAY_US: i64 = 86_400_000_000;

/// The days of one agent, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct Days(Vec<Day>);

#[derive(Debug, Default)]
struct Day {
    day: i64,
    ended: u64,
    failed: Counted,
    denied: Counted,
}

/// How many, the first of them, and the finding they became.
#[derive(Debug, Default)]
struct Counted {
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
    evidence: Vec<EventId>,
    finding: Option<u64>,
}

impl Counted {
    fn add(&mut self, look: &Look<'_>) {
        self.count += 1;
        let (since, until) = self.span.unwrap_or((look.time, look.time));
        self.span = Some((since.min(look.time), until.max(look.time)));
        if self.finding.is_none() && self.evidence.len() < MAX_EVIDENCE {
            self.evidence.push(look.id);
        }
    }

    /// Raises what is counted, or adds the event to what was raised before.
    fn tell(&mut self, look: &Look<'_>, said: impl FnOnce(&Counted) -> Said, out: &mut Out<'_>) {
        let told = said(self);
        match self.finding {
            None => {
                self.evidence = Vec::new();
                self.finding = Some(out.raise(told));
            }
            Some(finding) => out.update(finding, |finding| {
                (finding.since, finding.until) = told.span;
                (finding.count, finding.total) = (told.count, told.total);
                finding.rate = told.total.map(|total| rate(told.count, total));
                if finding.event_ids.len() < MAX_EVIDENCE {
                    finding.event_ids.push(look.id);
                }
                told.says
            }),
        }
    }
}

impl Days {
    pub(crate) fn add(&mut self, look: &Look<'_>, thresholds: &Thresholds, out: &mut Out<'_>) {
        let news = look.news;
        if !(news.ended || news.failed || news.denied) {
            return;
        }
        let Some(day) = self.day(look.time.as_micros().div_euclid(DAY_US)) else { return };
        day.ended += u64::from(news.ended);
        if news.failed {
            day.failed.add(look);
        }
        if news.denied {
            day.denied.add(look);
        }
        let (ended, failed) = (day.ended, day.failed.count);
        let high = failed.saturating_mul(100) > ended.saturating_mul(thresholds.failure_percent);
        // The tenth action may end well, and only then tell that four of ten failed.
        if high && ended >= thresholds.failure_actions && (news.failed || day.failed.finding.is_none()) {
            day.failed.tell(look, |counted| failures(counted, ended, thresholds), out);
        }
        if news.denied && day.denied.count > thresholds.denials {
            day.denied.tell(look, |counted| denials(counted, thresholds), out);
        }
    }

    /// A day, at the end from now on.
    fn day(&mut self, day: i64) -> Option<&mut Day> {
        if self.0.last().is_none_or(|last| last.day != day) {
            let known = self.0.iter().rposition(|known| known.day == day).map(|at| self.0.remove(at));
            if known.is_none() && self.0.len() >= MAX_DAYS {
                self.0.remove(0);
            }
            self.0.push(known.unwrap_or_else(|| Day { day, ..Day::default() }));
        }
        self.0.last_mut()
    }
}

fn failures(counted: &Counted, ended: u64, thresholds: &Thresholds) -> Said {
    let (failed, allowed) = (counted.count, thresholds.failure_percent);
    let percent = rate(failed, ended) * 100.0;
    Said {
        kind: FindingKind::HighFailureRate,
        span: counted.span.unwrap_or((Timestamp::from_micros(0), Timestamp::from_micros(0))),
        count: failed,
        total: Some(ended),
        what: None,
        says: format!(
            "failed in {failed} of {ended} actions that ended, {percent:.1} %; more than {allowed} % is unusual."
        ),
        threshold: Some(Threshold::Failures { percent: allowed, actions: thresholds.failure_actions }),
        evidence: counted.evidence.clone(),
    }
}

fn denials(counted: &Counted, thresholds: &Thresholds) -> Said {
    let (denied, allowed) = (counted.count, thresholds.denials);
    Said {
        kind: FindingKind::PermissionIssues,
        span: counted.span.unwrap_or((Timestamp::from_micros(0), Timestamp::from_micros(0))),
        count: denied,
        total: None,
        what: None,
        says: format!("was denied {denied} times; more than {allowed} times is unusual."),
        threshold: Some(Threshold::Denials { denials: allowed }),
        evidence: counted.evidence.clone(),
    }
}
