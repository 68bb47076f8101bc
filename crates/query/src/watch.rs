//! The detectors of trails: each looks at what was added since it was last asked, so that a question about a long
//! trail costs what is new on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greffier_analysis::{Detector, Finding, Severity, State};
use greffier_event::{EventId, Tenant, Timestamp};

use crate::{Engine, QueryError};

/// Trails whose detectors are kept, a few megabytes each for some hundred agents and users. Beyond it a trail is
/// looked at from its start with each question.
const MAX_TRAILS: usize = 256;

/// The detectors of all trails. Clones share them.
#[derive(Clone)]
pub struct Watch {
    engine: Engine,
    detectors: Arc<Mutex<HashMap<Tenant, Shared>>>,
}

type Shared = Arc<Mutex<Detector>>;

/// Which findings are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Of this agent only.
    pub agent: Option<String>,
    /// Of this user only.
    pub user: Option<String>,
    /// That went on at this time, or later.
    pub since: Option<Timestamp>,
    /// That began before this time.
    pub until: Option<Timestamp>,
}

impl Asked {
    fn holds(&self, finding: &Finding) -> bool {
        let is = |asked: &Option<String>, name: &Option<String>| asked.is_none() || asked == name;
        is(&self.agent, &finding.agent_id)
            && is(&self.user, &finding.user)
            && self.since.is_none_or(|since| finding.until >= since)
            && self.until.is_none_or(|until| finding.since < until)
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// By time.
    pub findings: Vec<Finding>,
    /// One behind the last entry that was looked at.
    pub looked_at: u64,
    /// Events of which nothing is said: there were too many agents or users.
    pub left_out: u64,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Looks through an engine.
    pub fn new(engine: Engine) -> Watch {
        Watch { engine, detectors: Arc::default() }
    }

    /// What it looks through.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is unusual on a trail, up to its end.
    pub async fn findings(&self, trail: &Tenant, asked: &Asked) -> Result<Looked, QueryError> {
        let detector = self.caught_up(trail).await?;
        let detector = lock(&detector);
        let mut findings = detector.findings();
        findings.retain(|finding| asked.holds(finding));
        Ok(Looked { findings, looked_at: detector.next(), left_out: detector.left_out() })
    }

    /// One finding.
    pub async fn finding(&self, trail: &Tenant, id: EventId) -> Result<Option<Finding>, QueryError> {
        let detector = self.caught_up(trail).await?;
        Ok(lock(&detector).finding(id).cloned())
    }

    /// Findings of which no entry is known, oldest first, `most` at most; and how far the trail was looked at.
    pub async fn unrecorded(&self, trail: &Tenant, most: usize) -> Result<Looked, QueryError> {
        let detector = self.caught_up(trail).await?;
        let detector = lock(&detector);
        let findings = detector.unrecorded(most);
        Ok(Looked { findings, looked_at: detector.next(), left_out: detector.left_out() })
    }

    /// How many findings are on record from an entry on, of this severity or above, and muted by nobody.
    pub async fn untold(&self, trail: &Tenant, next: u64, least: Severity) -> Result<u64, QueryError> {
        let detector = self.caught_up(trail).await?;
        let waits = |finding: &&Finding| {
            let recorded = finding.recorded.is_some_and(|index| index >= next);
            recorded && finding.severity >= least && finding.state != State::Muted
        };
        let waiting = lock(&detector).findings().iter().filter(waits).count();
        Ok(u64::try_from(waiting).unwrap_or(u64::MAX))
    }

    async fn caught_up(&self, trail: &Tenant) -> Result<Shared, QueryError> {
        let detector = {
            let mut detectors = lock(&self.detectors);
            match detectors.get(trail) {
                Some(known) => Arc::clone(known),
                None => {
                    let new = Shared::default();
                    if detectors.len() < MAX_TRAILS {
                        detectors.insert(trail.clone(), Arc::clone(&new));
                    }
                    new
                }
            }
        };
        while self.engine.observe(trail, Arc::clone(&detector)).await? {}
        Ok(detector)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
