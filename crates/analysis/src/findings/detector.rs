//! The engine: entries in their order, findings out.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use greffier_event::{Event, EventId};

use super::burst::Burst;
use super::days::Days;
use super::habits::Habits;
use super::recent::Recent;
use super::sequence::{Sessions, Steps};
use super::standing::{Muted, Word};
use super::stretch::{Code, Look, Named, Stretch};
use super::{Finding, Said, State, Thresholds, Whose};

/// Agents, and as many users, whose habits are kept: some 5 KB each that works by day, 40 KB at most.
const MAX_SUBJECTS: usize = 4_096;
/// Findings that are kept, the newest.
const MAX_FINDINGS: usize = 10_000;

/// Rows that are taken agent by agent and user by user: 1 MiB, which stays in a processor's cache meanwhile.
const AT_ONCE: usize = 16_384;

/// Looks at the entries of one trail, each once and in their order.
pub struct Detector {
    thresholds: Thresholds,
    next: u64,
    recent: Recent,
    sessions: Sessions,
    agents: Subjects<Agent>,
    users: Subjects<User>,
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

/// What is known of agents, or of users.
struct Subjects<T> {
    slots: HashMap<Box<str>, usize>,
    known: Vec<T>,
}

/// Whose the rows of a stretch are, and their sessions, where they count as steps.
#[derive(Default)]
struct Joined {
    agents: Vec<Option<usize>>,
    users: Vec<Option<usize>>,
    sessions: Vec<Option<u64>>,
}

/// The findings so far.
#[derive(Default)]
pub(crate) struct Found {
    /// By their numbers, which follow from the entries that they were found with.
    findings: BTreeMap<u64, Finding>,
    by_id: HashMap<EventId, u64>,
    /// Those of which no entry is known yet, in their order.
    unrecorded: BTreeMap<u64, EventId>,
    /// The entries that acknowledge some of them: what is unmuted stays acknowledged.
    acknowledged: HashMap<u64, u64>,
    muted: Muted,
}

/// Where a rule puts what it finds, and of whom it is.
pub(crate) struct Out<'a> {
    found: &'a mut Found,
    whose: &'a Whose,
    /// Of the next finding.
    number: u64,
}

/// Findings that one entry can lead to, twice: of its agent, and of its user.
const NUMBERS: u64 = 16;

impl<'a> Out<'a> {
    fn new(found: &'a mut Found, whose: &'a Whose, index: u64) -> Out<'a> {
        let side = if matches!(whose, Whose::Agent(_)) { 0 } else { NUMBERS };
        Out { found, whose, number: index.saturating_mul(2 * NUMBERS).saturating_add(side) }
    }

    /// A new finding; its number.
    pub(crate) fn raise(&mut self, said: Said) -> u64 {
        let mut finding = said.of(self.whose);
        self.found.muted.mark(&mut finding, self.whose);
        let number = self.number;
        self.number += 1;
        self.found.add(number, finding);
        number
    }

    /// More of a finding; what is said of it now.
    pub(crate) fn update(&mut self, number: u64, update: impl FnOnce(&mut Finding) -> String) {
        if let Some(finding) = self.found.findings.get_mut(&number) {
            let says = update(finding);
            finding.description = format!("{} {says}", self.whose.name());
        }
    }
}

impl Agent {
    fn new(name: &str) -> Agent {
        Agent {
            // No agent's id is empty.
            whose: Whose::Agent((!name.is_empty()).then(|| name.to_owned())),
            burst: Burst::default(),
            days: Days::default(),
            habits: Habits::default(),
            steps: Steps::default(),
        }
    }

    fn add(
        &mut self,
        index: u64,
        look: &Look<'_>,
        session: Option<u64>,
        sessions: &mut Sessions,
        thresholds: &Thresholds,
        found: &mut Found,
    ) {
        let mut out = Out::new(found, &self.whose, index);
        if look.news.acted {
            self.burst.add(look.time, look.id, thresholds, &mut out);
        }
        self.days.add(look, thresholds, &mut out);
        let came = self.habits.add(look, thresholds, &mut out);
        if let Some((session, came)) = session.zip(came) {
            sessions.add(session, look, came, &mut self.steps, &mut out);
        }
    }
}

impl User {
    fn new(name: &str) -> User {
        User { whose: Whose::User(name.to_owned()), habits: Habits::default() }
    }

    fn add(&mut self, index: u64, look: &Look<'_>, thresholds: &Thresholds, found: &mut Found) {
        self.habits.add(look, thresholds, &mut Out::new(found, &self.whose, index));
    }
}

impl<T> Subjects<T> {
    fn new() -> Subjects<T> {
        Subjects { slots: HashMap::new(), known: Vec::new() }
    }

    /// Where a name's is; `None` where there is no room for another.
    fn slot(&mut self, name: &str, make: impl FnOnce(&str) -> T) -> Option<usize> {
        if let Some(slot) = self.slots.get(name) {
            return Some(*slot);
        }
        if self.known.len() >= MAX_SUBJECTS {
            return None;
        }
        let slot = self.known.len();
        self.known.push(make(name));
        self.slots.insert(name.into(), slot);
        Some(slot)
    }

    /// Each that there is something of, with the places of that, in order.
    fn each<'a>(&'a mut self, places: &'a Places) -> impl Iterator<Item = (&'a mut T, &'a [u32])> {
        self.known
            .iter_mut()
            .enumerate()
            .map(|(slot, known)| (known, places.of(slot)))
            .filter(|(_, of)| !of.is_empty())
    }
}

/// The places of rows, slot by slot.
struct Places {
    places: Vec<u32>,
    /// Where those of a slot end; they begin where those of the slot before it end.
    ends: Vec<usize>,
}

impl Places {
    /// Rows without a slot are left out.
    fn new(slots: &[Option<usize>], count: usize) -> Places {
        let mut next = vec![0; count];
        for slot in slots.iter().flatten() {
            next.get_mut(*slot).into_iter().for_each(|count| *count += 1);
        }
        let mut sum = 0;
        for count in &mut next {
            sum += std::mem::replace(count, sum);
        }
        let mut places = vec![0; sum];
        for (place, slot) in (0..).zip(slots) {
            let Some(next) = slot.and_then(|slot| next.get_mut(slot)) else { continue };
            places.get_mut(*next).into_iter().for_each(|at| *at = place);
            *next += 1;
        }
        Places { places, ends: next }
    }

    fn of(&self, slot: usize) -> &[u32] {
        let start = slot.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(slot)).map(|(start, end)| start..*end);
        range.and_then(|range| self.places.get(range)).unwrap_or_default()
    }
}

/// The slots of the names of one stretch, each looked up once.
struct Slots<'a> {
    names: &'a [Named],
    known: Vec<Option<Option<usize>>>,
}

impl Slots<'_> {
    fn of(names: &[Named]) -> Slots<'_> {
        Slots { names, known: vec![None; names.len()] }
    }

    fn get<T>(
        &mut self,
        subjects: &mut Subjects<T>,
        code: Code,
        make: impl FnOnce(&str) -> T,
    ) -> Option<usize> {
        let (named, known) = (self.names.get(code.at())?, self.known.get_mut(code.at())?);
        *known.get_or_insert_with(|| subjects.slot(&named.text, make))
    }
}

impl Found {
    fn add(&mut self, number: u64, finding: Finding) {
        self.by_id.insert(finding.id, number);
        self.unrecorded.insert(number, finding.id);
        self.findings.insert(number, finding);
    }

    /// Forgets the oldest where there are too many.
    fn settle(&mut self) {
        while self.findings.len() > MAX_FINDINGS
            && let Some((number, oldest)) = self.findings.pop_first()
        {
            self.by_id.remove(&oldest.id);
            self.unrecorded.remove(&number);
            self.acknowledged.remove(&number);
        }
    }

    fn hear(&mut self, index: u64, id: EventId, word: Word) {
        let Some(number) = self.by_id.get(&id).copied() else { return };
        let Some(finding) = self.findings.get_mut(&number) else { return };
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
            Word::Acknowledged => {
                (finding.state, finding.by) = (State::Acknowledged, Some(index));
                self.acknowledged.insert(number, index);
            }
            Word::Muted => {
                (finding.state, finding.by) = (State::Muted, Some(index));
                self.muted.set(kind, whose, index);
            }
            Word::Unmuted => {
                if finding.state == State::Muted {
                    (finding.state, finding.by) = match self.acknowledged.get(&number) {
                        Some(by) => (State::Acknowledged, Some(*by)),
                        None => (State::New, Some(index)),
                    };
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
            agents: Subjects::new(),
            users: Subjects::new(),
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
        let mut stretch = Stretch::default();
        stretch.add(index, event);
        self.look(&mut stretch);
    }

    /// Takes in a stretch of the trail; of what it has looked at already, it leaves alone.
    pub fn look(&mut self, stretch: &mut Stretch) {
        let (words, next) = (std::mem::take(&mut stretch.words), self.next);
        let mut from = stretch.rows.partition_point(|row| stretch.index(row) < next);
        for said in words.iter().filter(|said| said.index >= next) {
            // What is said of a finding counts from there on.
            let to = stretch.rows.partition_point(|row| stretch.index(row) < said.index);
            self.look_at(stretch, from..to);
            self.found.hear(said.index, said.id, said.word);
            from = to;
        }
        let to = stretch.rows.len();
        self.look_at(stretch, from..to);
        self.next = self.next.max(stretch.end);
    }

    /// Who and in which call first, in the order of the trail; then agent by agent and user by user, because none of
    /// them has to do with the others, and what is known of each is in the processor's cache then.
    fn look_at(&mut self, stretch: &mut Stretch, rows: Range<usize>) {
        for from in rows.clone().step_by(AT_ONCE) {
            let some = from..rows.end.min(from + AT_ONCE);
            let joined = self.join(stretch, some.clone());
            let mine = stretch.rows.get(some).unwrap_or_default();
            let at = |place: &u32| {
                let place = usize::try_from(*place).ok()?;
                let row = mine.get(place)?;
                let session = joined.sessions.get(place).copied().flatten();
                Some((stretch.index(row), Look::of(row, &stretch.names), session))
            };
            let places = Places::new(&joined.agents, self.agents.known.len());
            for (agent, places) in self.agents.each(&places) {
                for (index, look, session) in places.iter().filter_map(at) {
                    agent.add(index, &look, session, &mut self.sessions, &self.thresholds, &mut self.found);
                }
            }
            let places = Places::new(&joined.users, self.users.known.len());
            for (user, places) in self.users.each(&places) {
                for (index, look, _) in places.iter().filter_map(at) {
                    user.add(index, &look, &self.thresholds, &mut self.found);
                }
            }
            self.sessions.settle();
            self.found.settle();
        }
    }

    /// Leaves to each row what no earlier one said of its call, and says whose it is.
    fn join(&mut self, stretch: &mut Stretch, some: Range<usize>) -> Joined {
        let Stretch { rows, whereto, names, .. } = stretch;
        let rows = rows.get_mut(some.clone()).unwrap_or_default();
        let (mut agents, mut users) = (Slots::of(names), Slots::of(names));
        let mut joined = Joined::default();
        for (row, whereto) in rows.iter_mut().zip(whereto.get(some).unwrap_or_default()) {
            row.news = self.recent.add(whereto.call, row.news);
            let agent = match whereto.agent {
                Some(code) => agents.get(&mut self.agents, code, Agent::new),
                None => self.agents.slot("", Agent::new),
            };
            let user = whereto.user.map(|code| users.get(&mut self.users, code, User::new));
            self.left_out += u64::from(agent.is_none()) + u64::from(user == Some(None));
            let steps = row.news.acted && row.action.is_some() && agent.is_some();
            let session = whereto.session.filter(|_| steps).map(|session| self.sessions.number(session));
            joined.agents.push(agent);
            joined.users.push(user.flatten());
            joined.sessions.push(session);
        }
        joined
    }

    /// Events of agents or users that there was no room for: of them nothing is said.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// One finding by its id.
    pub fn finding(&self, id: EventId) -> Option<&Finding> {
        self.found.findings.get(self.found.by_id.get(&id)?)
    }

    /// What was found, by time; the newest 10,000.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.found.findings.values().cloned().collect();
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
