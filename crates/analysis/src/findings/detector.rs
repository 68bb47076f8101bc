//! The engine: entries in their order, findings out.

use std::collections::{BTreeMap, HashMap, VecDeque};

use greffier_event::{Event, EventId};

use super::burst::Burst;
use super::days::Days;
use super::habits::Habits;
use super::recent::Recent;
use super::sequence::{Sessions, Steps};
use super::standing::{Muted, Word, word};
use super::{Finding, Said, State, Thresholds, Whose};
use crate::fact::Fact;
use crate::meaning::is_own;

/// Agents, and as many users, whose habits are kept: some 5 KB each that works by day, 40 KB at most.
const MAX_SUBJECTS: usize = 4_096;
/// Findings that are kept, the newest.
const MAX_FINDINGS: usize = 10_000;

/// Looks at the entries of one trail, each once and in their order.
pub struct Detector {
    thresholds: Thresholds,
    next: u64,
    recent: Recent,
    sessions: Sessions,
    agents: HashMap<Box<str>, Agent>,
    users: HashMap<Box<str>, User>,
    left_out: u64,
    found: Found,
}

struct Agent {
    whose: Whose,
    burst: Burst,
    days: Days,
    habits: Habits,
    steps: Steps,
}

struct User {
    whose: Whose,
    habits: Habits,
}

/// The findings so far.
#[derive(Default)]
pub(crate) struct Found {
    /// Numbered from `first` on.
    findings: VecDeque<Finding>,
    first: u64,
    by_id: HashMap<EventId, u64>,
    /// Those of which no entry is known yet, in their order.
    unrecorded: BTreeMap<u64, EventId>,
    muted: Muted,
}

/// Where a rule puts what it finds, and of whom it is.
pub(crate) struct Out<'a> {
    found: &'a mut Found,
    whose: &'a Whose,
}

impl Out<'_> {
    /// A new finding; its number.
    pub(crate) fn raise(&mut self, said: Said) -> u64 {
        let mut finding = said.of(self.whose);
        self.found.muted.mark(&mut finding, self.whose);
        self.found.add(finding)
    }

    /// More of a finding; what is said of it now.
    pub(crate) fn update(&mut self, number: u64, update: impl FnOnce(&mut Finding) -> String) {
        if let Some(finding) = self.found.get_mut(number) {
            let says = update(finding);
            finding.description = format!("{} {says}", self.whose.name());
        }
    }
}

impl Found {
    fn add(&mut self, finding: Finding) -> u64 {
        let number = self.first + super::count(self.findings.len());
        self.by_id.insert(finding.id, number);
        self.unrecorded.insert(number, finding.id);
        self.findings.push_back(finding);
        if self.findings.len() > MAX_FINDINGS
            && let Some(oldest) = self.findings.pop_front()
        {
            self.by_id.remove(&oldest.id);
            self.unrecorded.remove(&self.first);
            self.first += 1;
        }
        number
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Finding> {
        self.findings.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn hear(&mut self, index: u64, id: EventId, word: Word) {
        let Some(number) = self.by_id.get(&id).copied() else { return };
        let Some(finding) = self.get_mut(number) else { return };
        let kind = finding.kind;
        let whose = match &finding.user {
            Some(user) => Whose::User(user.clone()),
            None => Whose::Agent(finding.agent_id.clone()),
        };
        match word {
            Word::Raised => {
                finding.recorded.get_or_insert(index);
                self.unrecorded.remove(&number);
            }
            Word::Acknowledged => (finding.state, finding.by) = (State::Acknowledged, Some(index)),
            Word::Muted => {
                (finding.state, finding.by) = (State::Muted, Some(index));
                self.muted.set(kind, whose, index);
            }
            Word::Unmuted => {
                if finding.state == State::Muted {
                    (finding.state, finding.by) = (State::New, Some(index));
                }
                self.muted.end(kind, whose);
            }
        }
    }
}

impl Default for Detector {
    fn default() -> Detector {
        Detector::new()
    }
}

impl Detector {
    /// With the default thresholds.
    pub fn new() -> Detector {
        Detector::with(Thresholds::default())
    }

    /// With thresholds of one's own.
    pub fn with(thresholds: Thresholds) -> Detector {
        Detector {
            thresholds,
            next: 0,
            recent: Recent::default(),
            sessions: Sessions::default(),
            agents: HashMap::new(),
            users: HashMap::new(),
            left_out: 0,
            found: Found::default(),
        }
    }

    /// The entry that it waits for: one behind the last it looked at.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes in the event of an entry. What it has looked at already, it leaves alone.
    pub fn add(&mut self, index: u64, event: &Event) {
        self.add_fact(index, &Fact::of(event));
    }

    /// Takes in the facts of an entry; see [`Detector::add`].
    pub fn add_fact(&mut self, index: u64, fact: &Fact<'_>) {
        if index < self.next {
            return;
        }
        self.next = index.saturating_add(1);
        if is_own(fact) {
            if let Some((id, word)) = word(fact) {
                self.found.hear(index, id, word);
            }
            return;
        }
        let news = self.recent.add(fact);
        self.add_to_agent(fact, news);
        if let Some(name) = fact.user {
            let make = || User { whose: Whose::User(name.to_owned()), habits: Habits::default() };
            match bounded(&mut self.users, name, make) {
                Some(user) => {
                    let mut out = Out { found: &mut self.found, whose: &user.whose };
                    user.habits.add(fact, news, &self.thresholds, &mut out);
                }
                None => self.left_out += 1,
            }
        }
    }

    fn add_to_agent(&mut self, fact: &Fact<'_>, news: super::recent::News) {
        let make = || Agent {
            whose: Whose::Agent(fact.agent.map(str::to_owned)),
            burst: Burst::default(),
            days: Days::default(),
            habits: Habits::default(),
            steps: Steps::default(),
        };
        // No agent's id is empty.
        let Some(agent) = bounded(&mut self.agents, fact.agent.unwrap_or_default(), make) else {
            self.left_out += 1;
            return;
        };
        let mut out = Out { found: &mut self.found, whose: &agent.whose };
        if news.acted {
            agent.burst.add(fact.time, fact.id, &self.thresholds, &mut out);
        }
        agent.days.add(fact, news, &self.thresholds, &mut out);
        if let Some(came) = agent.habits.add(fact, news, &self.thresholds, &mut out) {
            self.sessions.add(fact, came, &mut agent.steps, &mut out);
        }
    }

    /// Events of agents or users that there was no room for: of them nothing is said.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// One finding by its id.
    pub fn finding(&self, id: EventId) -> Option<&Finding> {
        let at = self.found.by_id.get(&id)?.checked_sub(self.found.first)?;
        self.found.findings.get(usize::try_from(at).ok()?)
    }

    /// What was found, by time; the newest 10,000.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.found.findings.iter().cloned().collect();
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.since, finding.kind);
            key(a)
                .cmp(&key(b))
                .then_with(|| (&a.agent_id, &a.user, &a.what).cmp(&(&b.agent_id, &b.user, &b.what)))
        });
        findings
    }

    /// The findings of which no entry is known yet, in the order in which they were found, `most` at most.
    pub fn unrecorded(&self, most: usize) -> Vec<Finding> {
        self.found.unrecorded.values().take(most).filter_map(|id| self.finding(*id).cloned()).collect()
    }
}

fn bounded<'a, T>(
    known: &'a mut HashMap<Box<str>, T>,
    name: &str,
    make: impl FnOnce() -> T,
) -> Option<&'a mut T> {
    if !known.contains_key(name) {
        if known.len() >= MAX_SUBJECTS {
            return None;
        }
        known.insert(name.into(), make());
    }
    known.get_mut(name)
}
