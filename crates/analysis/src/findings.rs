//! What is unusual: the three rules of the first document's `detect_anomalies`, per agent.
//!
//! - `rapid_actions`: ten actions or more in less than one second. One finding per burst (`rapid.rs`); the
//!   decision and the outcome of a call are one action, at the time of the first.
//! - `high_failure_rate`: more than 30 % of the actions that ended failed, where at least ten ended. What was
//!   denied or still waits did not end.
//! - `permission_issues`: more than five denials.
//!
//! What Greffier itself does is no agent's behaviour and is left out.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use greffier_event::{Event, EventId, Timestamp};
use serde::Serialize;

use crate::calls::{Call, CallKey, MAX_CALLS};
use crate::meaning::{is_denial, is_failure, is_own};
use crate::rapid::bursts;

/// Events named as evidence: enough to begin with; `since` and `until` find the rest.
const MAX_EVIDENCE: usize = 20;

/// From when on something is unusual. The default is the first document's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// So many actions are rapid…
    pub rapid_actions: usize,
    /// …when the first and the last lie less than this apart, in microseconds.
    pub rapid_window_us: i64,
    /// A failure rate above so many per cent is high…
    pub failure_percent: u64,
    /// …when at least so many actions ended: one failure of one says nothing.
    pub failure_actions: u64,
    /// More denials than this are an issue.
    pub denials: u64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            rapid_actions: 10,
            rapid_window_us: 1_000_000,
            failure_percent: 30,
            failure_actions: 10,
            denials: 5,
        }
    }
}

/// The rules, by the first document's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum FindingKind {
    RapidActions,
    HighFailureRate,
    PermissionIssues,
}

impl FindingKind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::RapidActions => "rapid_actions",
            FindingKind::HighFailureRate => "high_failure_rate",
            FindingKind::PermissionIssues => "permission_issues",
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look: something may be broken or out of hand.
    Medium,
    /// Worth a look now: an agent keeps trying what it may not do.
    High,
}

/// The threshold that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// Of `rapid_actions`.
    Rapid {
        /// So many actions or more…
        actions: usize,
        /// …in less than this.
        window_us: i64,
    },
    /// Of `high_failure_rate`.
    Failures {
        /// More than so many per cent…
        percent: u64,
        /// …of so many actions or more.
        actions: u64,
    },
    /// Of `permission_issues`.
    Denials {
        /// More than so many.
        denials: u64,
    },
}

/// Something unusual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// Whose behaviour; absent for events that name no agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// Time of the first event counted.
    pub since: Timestamp,
    /// Time of the last event counted.
    pub until: Timestamp,
    /// How many actions, failures or denials.
    pub count: u64,
    /// Of how many that ended, for a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// `count` over `total`, rounded to four digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What it is, in a sentence.
    pub description: String,
    /// The threshold passed.
    pub threshold: Threshold,
    /// The first events counted, 20 at most.
    pub event_ids: Vec<EventId>,
}

/// Looks for what is unusual.
pub struct FindingsDetector {
    thresholds: Thresholds,
    agents: HashMap<Option<String>, Deeds>,
    free: usize,
    dropped: u64,
}

/// What one agent did.
#[derive(Default)]
struct Deeds {
    calls: HashMap<CallKey, Call>,
    failures: Evidence,
    denials: Evidence,
}

/// The first events of a kind, and the span of all of them.
#[derive(Default)]
struct Evidence {
    first: BTreeSet<(Timestamp, EventId)>,
    until: Option<Timestamp>,
}

impl Evidence {
    fn add(&mut self, event: &Event) {
        self.first.insert((event.time, event.id));
        if self.first.len() > MAX_EVIDENCE {
            self.first.pop_last();
        }
        self.until = self.until.max(Some(event.time));
    }

    /// From when to when; `None` if there was nothing.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.first.first()?.0, self.until?))
    }

    fn ids(&self) -> Vec<EventId> {
        self.first.iter().map(|(_, id)| *id).collect()
    }
}

impl Default for FindingsDetector {
    fn default() -> FindingsDetector {
        FindingsDetector::new()
    }
}

impl FindingsDetector {
    /// With the default thresholds.
    pub fn new() -> FindingsDetector {
        FindingsDetector::with(Thresholds::default())
    }

    /// With thresholds of one's own.
    pub fn with(thresholds: Thresholds) -> FindingsDetector {
        FindingsDetector { thresholds, agents: HashMap::new(), free: MAX_CALLS, dropped: 0 }
    }

    /// Takes in one event, of any agent.
    pub fn add(&mut self, event: &Event) {
        let (call, key) = (Call::of(event), CallKey::of(event));
        if is_own(event) || !(call.acted || call.ended) {
            return;
        }
        let agent = event.agent.as_ref().map(|agent| agent.id.clone());
        let known = self.agents.get(&agent).is_some_and(|deeds| deeds.calls.contains_key(&key));
        if !known {
            let Some(free) = self.free.checked_sub(1) else {
                self.dropped += 1;
                return;
            };
            self.free = free;
        }
        let deeds = self.agents.entry(agent).or_default();
        deeds.calls.entry(key).and_modify(|known| known.merge(&call)).or_insert(call);
        if is_failure(event) {
            deeds.failures.add(event);
        }
        if is_denial(event) {
            deeds.denials.add(event);
        }
    }

    /// Events left out because there were more calls than are kept. Where it is not zero the period was too long
    /// to be looked at as a whole.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was found, by time.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for (agent, deeds) in &self.agents {
            let mut found = self.thresholds.rapid(deeds);
            found.extend(self.thresholds.failures(deeds));
            found.extend(self.thresholds.denials(deeds));
            findings.extend(found.into_iter().map(|found| found.of(agent.clone())));
        }
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.since, finding.kind);
            key(a).cmp(&key(b)).then_with(|| a.agent_id.cmp(&b.agent_id))
        });
        findings
    }
}

/// A finding before it is told whose it is.
struct Found {
    kind: FindingKind,
    severity: Severity,
    span: (Timestamp, Timestamp),
    count: u64,
    total: Option<u64>,
    /// What follows the agent's name.
    says: String,
    threshold: Threshold,
    evidence: Vec<EventId>,
}

impl Found {
    fn of(self, agent: Option<String>) -> Finding {
        let name = agent.as_deref().unwrap_or("What names no agent");
        Finding {
            description: format!("{name} {}", self.says),
            agent_id: agent,
            kind: self.kind,
            severity: self.severity,
            since: self.span.0,
            until: self.span.1,
            count: self.count,
            total: self.total,
            rate: self.total.map(|total| rate(self.count, total)),
            threshold: self.threshold,
            event_ids: self.evidence,
        }
    }
}

impl Thresholds {
    fn rapid(&self, deeds: &Deeds) -> Vec<Found> {
        let mut actions: Vec<(i64, EventId)> =
            deeds.calls.values().filter(|call| call.acted).map(|call| call.first).collect();
        actions.sort_unstable();
        let times: Vec<i64> = actions.iter().map(|(time, _)| *time).collect();
        let threshold = Threshold::Rapid { actions: self.rapid_actions, window_us: self.rapid_window_us };
        let found = |burst: &[(i64, EventId)]| {
            let (from, to) = (burst.first()?.0, burst.last()?.0);
            Some(Found {
                kind: FindingKind::RapidActions,
                severity: Severity::Medium,
                span: (Timestamp::from_micros(from), Timestamp::from_micros(to)),
                count: count(burst.len()),
                total: None,
                says: format!(
                    "took {} actions within {}; {} or more in less than {} are unusual.",
                    burst.len(),
                    Seconds(to - from),
                    self.rapid_actions,
                    Seconds(self.rapid_window_us)
                ),
                threshold,
                evidence: burst.iter().take(MAX_EVIDENCE).map(|(_, id)| *id).collect(),
            })
        };
        let bursts = bursts(&times, self.rapid_actions, self.rapid_window_us);
        bursts.into_iter().filter_map(|(first, end)| found(actions.get(first..end)?)).collect()
    }

    fn failures(&self, deeds: &Deeds) -> Option<Found> {
        let ended = count(deeds.calls.values().filter(|call| call.ended).count());
        let failed = count(deeds.calls.values().filter(|call| call.failed).count());
        let high = failed.saturating_mul(100) > ended.saturating_mul(self.failure_percent);
        if !high || ended < self.failure_actions {
            return None;
        }
        let percent = rate(failed, ended) * 100.0;
        Some(Found {
            kind: FindingKind::HighFailureRate,
            severity: Severity::Medium,
            span: deeds.failures.span()?,
            count: failed,
            total: Some(ended),
            says: format!(
                "failed in {failed} of {ended} actions that ended, {percent:.1} %; more than {} % is unusual.",
                self.failure_percent
            ),
            threshold: Threshold::Failures { percent: self.failure_percent, actions: self.failure_actions },
            evidence: deeds.failures.ids(),
        })
    }

    fn denials(&self, deeds: &Deeds) -> Option<Found> {
        let denied = count(deeds.calls.values().filter(|call| call.denied).count());
        if denied <= self.denials {
            return None;
        }
        Some(Found {
            kind: FindingKind::PermissionIssues,
            severity: Severity::High,
            span: deeds.denials.span()?,
            count: denied,
            total: None,
            says: format!("was denied {denied} times; more than {} times is unusual.", self.denials),
            threshold: Threshold::Denials { denials: self.denials },
            evidence: deeds.denials.ids(),
        })
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// A part of a whole, rounded to four digits.
fn rate(part: u64, whole: u64) -> f64 {
    let whole = u128::from(whole.max(1));
    let rounded = (u128::from(part) * 10_000 + whole / 2) / whole;
    u32::try_from(rounded).map_or(f64::INFINITY, f64::from) / 10_000.0
}

/// Microseconds, as a person reads them.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests;
