//! The first document's analyses over one million events, as columns give them: `cargo bench -p greffier-analysis`.

use divan::Bencher;
use greffier_analysis::findings::Stretch;
use greffier_analysis::{ActivityCounter, Channel, Counter, Detector, Fact, Subject};
use greffier_event::{DecisionKind, EventId, EventType, OutcomeStatus, Timestamp};

const EVENTS: usize = 1_000_000;
const SEGMENT: usize = 65_536;
const USERS: u64 = 500;
const AGENTS: u64 = 40;
const TOOLS: u64 = 60;

fn main() {
    divan::main();
}

/// Texts as a column holds them, and which of them each row has.
struct Columns {
    requests: Vec<String>,
    sessions: Vec<String>,
    users: Vec<String>,
    agents: Vec<String>,
    tools: Vec<String>,
    resources: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    id: EventId,
    time: Timestamp,
    kind: EventType,
    user: usize,
    agent: usize,
    tool: usize,
    resource: usize,
    session: usize,
    tokens: u64,
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

/// Calls of two events each, over 30 days, of some users more than of others.
fn columns() -> Columns {
    let names = |what: &str, count: usize| (0..count).map(|n| format!("{what}-{n}")).collect::<Vec<_>>();
    let mut state = 7;
    let mut below = |bound: u64| {
        let (a, b) = (random(&mut state) % bound, random(&mut state) % bound);
        usize::try_from(a.min(b)).unwrap_or(0)
    };
    let step = 30 * 86_400_000_000 / i64::try_from(EVENTS).unwrap_or(i64::MAX);
    let mut rows = Vec::with_capacity(EVENTS);
    for call in 0..EVENTS / 2 {
        let (user, tool) = (below(USERS), below(TOOLS));
        let agent = user % usize::try_from(AGENTS).unwrap_or(1);
        let (resource, session) = (below(20_000), call / 20);
        let tokens = 200 + u64::try_from(below(3_000)).unwrap_or(0);
        for (half, kind) in [EventType::ActionApproved, EventType::ActionExecuted].into_iter().enumerate() {
            let number = call * 2 + half;
            let time = 1_772_409_600_000_000 + step * i64::try_from(number).unwrap_or(0);
            let mut bytes = [0; 16];
            bytes.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(byte, of)| *byte = of);
            let id = EventId(uuid::Uuid::from_bytes(bytes));
            let time = Timestamp::from_micros(time);
            rows.push(Row { id, time, kind, user, agent, tool, resource, session, tokens });
        }
    }
    Columns {
        requests: names("req_0199-7f8a9b0c-4a1d", EVENTS / 2),
        sessions: names("session", EVENTS / 40 + 1),
        users: names("auth0|8f3a2b1c9d4e5f6a", 500),
        agents: names("agent", 40),
        tools: names("crm:contacts:search", 60),
        resources: names("crm://contacts", 20_000),
        rows,
    }
}

impl Columns {
    fn facts(&self) -> impl Iterator<Item = Fact<'_>> {
        self.rows.iter().enumerate().map(|(number, row)| {
            let ended = row.kind == EventType::ActionExecuted;
            Fact {
                id: row.id,
                time: row.time,
                recorded_at: Some(row.time),
                kind: row.kind,
                request_id: self.requests.get(number / 2).map(String::as_str),
                session_id: self.sessions.get(row.session).map(String::as_str),
                agent: self.agents.get(row.agent).map(String::as_str),
                user: self.users.get(row.user).map(String::as_str),
                action: self.tools.get(row.tool).map(String::as_str),
                is_read: true,
                resource: self.resources.get(row.resource).map(String::as_str),
                classified: row.tool % 4 == 0,
                decision: Some(DecisionKind::Allow),
                status: ended.then_some(OutcomeStatus::Success),
                error: None,
                duration_us: ended.then_some(row.tokens * 100),
                input_tokens: ended.then_some(row.tokens),
                output_tokens: ended.then_some(row.tokens / 4),
                cost_micros: ended.then_some(row.tokens * 3),
                channel: Channel::named(Some("gateway")),
            }
        })
    }
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn activity_of_the_tenant(bencher: Bencher<'_, '_>) {
    let columns = columns();
    bencher.bench_local(|| {
        let mut counter = ActivityCounter::new(Subject::Tenant("acme".to_owned()), None, None);
        for fact in columns.facts() {
            counter.add_fact(&fact);
        }
        counter.finish()
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn activity_of_one_agent(bencher: Bencher<'_, '_>) {
    let columns = columns();
    bencher.bench_local(|| {
        let mut counter = ActivityCounter::new(Subject::Agent("agent-3".to_owned()), None, None);
        for fact in columns.facts() {
            counter.add_fact(&fact);
        }
        counter.finish()
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn findings(bencher: Bencher<'_, '_>) {
    let columns = columns();
    bencher.bench_local(|| {
        let mut detector = Detector::new();
        let mut facts = (0..).zip(columns.facts()).peekable();
        while facts.peek().is_some() {
            let mut stretch = Stretch::default();
            facts.by_ref().take(SEGMENT).for_each(|(index, fact)| stretch.add_fact(index, &fact));
            detector.look(&mut stretch);
        }
        detector.findings()
    });
}
