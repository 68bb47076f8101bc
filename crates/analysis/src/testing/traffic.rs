//! Seeded traffic of an organisation: users with office hours and their habits, agents with tools that follow one
//! another, four weeks to learn from and a month to be judged; and anomalies planted in it, of any strength.

use greffier_event::{
    Action, Agent, DecisionKind, Effect, Event, EventId, EventType, Outcome, OutcomeStatus, PolicyRecord,
    Resource, Source, Tenant, Timestamp, Usage, User,
};

use crate::FindingKind;

/// Monday, 2 March 2026.
const START: i64 = 1_772_409_600;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const LEARN_DAYS: i64 = 28;
const DAYS: i64 = 58;
const USERS: u64 = 24;
const AGENTS: u64 = 6;
const TOOLS: u64 = 8;

/// One anomaly: which, whose, and when.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) kind: FindingKind,
    pub(crate) who: Vec<String>,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// The traffic of one seed.
pub(crate) struct Traffic {
    calls: Vec<Call>,
    pub(crate) planted: Vec<Planted>,
}

/// One governed call; it leaves two events.
#[derive(Clone, Debug)]
struct Call {
    micros: i64,
    user: u64,
    agent: u64,
    tool: u64,
    session: u64,
    end: End,
    tokens: u64,
    cost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    Denied,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        self.next() as f64 / u64::MAX as f64
    }

    /// Log-uniform between two figures.
    fn between(&mut self, low: f64, high: f64) -> u64 {
        (low * (high / low).powf(self.unit())) as u64
    }

    /// Knuth's, for small means.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// How busy an hour of a working day is.
fn profile(hour: i64) -> f64 {
    match hour {
        7 => 0.1,
        8 | 17 => 0.5,
        9..=11 | 13..=16 => 1.0,
        12 => 0.6,
        18 => 0.1,
        _ => 0.0,
    }
}

impl Traffic {
    /// Nothing but habits.
    pub(crate) fn quiet(seed: u64) -> Traffic {
        let mut random = Random(seed);
        let mut calls = Vec::new();
        let mut session = 0;
        for day in 0..DAYS {
            let weekend = day % 7 >= 5;
            for hour in 0..24 {
                for user in 0..USERS {
                    // Some users do ten times as much as others.
                    let busy = 1.5 * 10_f64.powf(user as f64 / USERS as f64);
                    let mean = if weekend { 0.0 } else { busy * profile(hour) };
                    let count = random.poisson(mean);
                    if count == 0 {
                        continue;
                    }
                    session += 1;
                    let agent = (user + random.below(2)) % AGENTS;
                    let begin = START + day * DAY + hour * HOUR;
                    let mut tool = random.below(TOOLS);
                    let mut times: Vec<i64> = (0..count)
                        .map(|_| begin * 1_000_000 + random.below(HOUR as u64 * 1_000_000) as i64)
                        .collect();
                    times.sort_unstable();
                    for micros in times {
                        tool = (tool + random.below(2)) % TOOLS;
                        let end = match random.below(1_000) {
                            0 => End::Denied,
                            1..=15 => End::Failure,
                            _ => End::Success,
                        };
                        let tokens = random.between(200.0, 4_000.0);
                        let cost = tokens * 3;
                        calls.push(Call { micros, user, agent, tool, session, end, tokens, cost });
                    }
                }
            }
        }
        Traffic { calls, planted: Vec::new() }
    }

    /// With anomalies of every kind, four each, in the month after the first four weeks.
    pub(crate) fn planted(seed: u64) -> Traffic {
        let mut traffic = Traffic::quiet(seed);
        let mut random = Random(seed ^ 0xdead_beef);
        for round in 0..4 {
            for (place, kind) in FindingKind::ALL.into_iter().enumerate() {
                let subject = (round * 5 + place as u64) % USERS;
                // A working day of the weeks that are judged, each rule on its own in turn.
                let mut day = LEARN_DAYS + (round as i64 * 7 + place as i64 * 2) % (DAYS - LEARN_DAYS);
                while day % 7 >= 5 {
                    day -= 1;
                }
                traffic.plant(kind, subject, day, &mut random);
            }
        }
        traffic
    }

    fn plant(&mut self, kind: FindingKind, user: u64, day: i64, random: &mut Random) {
        let agent = user % AGENTS;
        let hour = if kind == FindingKind::UnusualHours { 2 } else { 10 };
        let begin = (START + day * DAY + hour * HOUR) * 1_000_000;
        let plain = Call {
            micros: begin,
            user,
            agent,
            tool: 1,
            session: 1_000_000 + user,
            end: End::Success,
            tokens: 1_000,
            cost: 3_000,
        };
        // Strengths go from what is close to usual to what nobody overlooks.
        let (count, lasts): (u64, u64) = match kind {
            FindingKind::RapidActions => (random.between(8.0, 40.0), 800_000),
            FindingKind::HighFailureRate => (random.between(20.0, 300.0), 3_000_000_000),
            FindingKind::PermissionIssues => (random.between(4.0, 9.0), 3_000_000_000),
            FindingKind::UnusualRate => (random.between(80.0, 1_000.0), 3_000_000_000),
            FindingKind::UnusualVolume | FindingKind::UnusualCost => (20, 3_000_000_000),
            FindingKind::UnusualDenials => (random.between(8.0, 60.0), 3_000_000_000),
            FindingKind::UnusualHours => (random.between(3.0, 20.0), 3_000_000_000),
            FindingKind::BulkReads => (random.between(80.0, 1_500.0), 3_000_000_000),
            FindingKind::FirstUse => (1, 1),
            FindingKind::UnusualSequence => (random.between(3.0, 10.0), 900_000_000),
        };
        let each = match kind {
            FindingKind::UnusualVolume => random.between(20_000.0, 400_000.0),
            FindingKind::UnusualCost => random.between(200_000.0, 5_000_000.0),
            _ => 0,
        };
        for n in 0..count {
            let mut call = Call { micros: begin + (lasts / count * n) as i64, ..plain.clone() };
            match kind {
                FindingKind::HighFailureRate => call.end = End::Failure,
                FindingKind::PermissionIssues | FindingKind::UnusualDenials => call.end = End::Denied,
                FindingKind::UnusualVolume => call.tokens = each,
                FindingKind::UnusualCost => call.cost = each,
                // What is classified: see `event`.
                FindingKind::BulkReads => call.tool = 0,
                FindingKind::FirstUse => call.tool = 100 + user,
                // Each step goes two or three tools on; habits go one at most.
                FindingKind::UnusualSequence => call.tool = (n * 2 + n / 4) % TOOLS,
                _ => {}
            }
            self.calls.push(call);
        }
        // An hour, or the rest of the day for what is counted by days.
        let long =
            if matches!(kind, FindingKind::HighFailureRate | FindingKind::PermissionIssues) { 14 } else { 1 };
        self.planted.push(Planted {
            kind,
            who: vec![user_name(user), agent_name(agent)],
            since: Timestamp::from_micros(begin),
            until: Timestamp::from_micros(begin + long * HOUR * 1_000_000),
        });
    }

    /// The events of all calls, in order of time.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events: Vec<Event> =
            (0..).zip(&self.calls).flat_map(|(number, call)| call.events(number)).collect();
        events.sort_by_key(|event| (event.time, event.id));
        events
    }
}

fn user_name(user: u64) -> String {
    format!("user-{user:02}")
}

fn agent_name(agent: u64) -> String {
    format!("agent-{agent}")
}

impl Call {
    fn events(&self, number: u64) -> Vec<Event> {
        let (denied, failed) = (self.end == End::Denied, self.end == End::Failure);
        let decision = if denied { EventType::ActionDenied } else { EventType::ActionApproved };
        let mut before = self.event(number, 0, decision, self.micros);
        let kind = if denied { DecisionKind::Deny } else { DecisionKind::Allow };
        before.policy = Some(PolicyRecord {
            decision: kind,
            reason: None,
            rule: None,
            scopes: Vec::new(),
            version: None,
        });
        if denied {
            return vec![before];
        }
        let outcome = if failed { EventType::ActionFailed } else { EventType::ActionExecuted };
        let mut after = self.event(number, 1, outcome, self.micros + 200_000);
        let status = if failed { OutcomeStatus::Failure } else { OutcomeStatus::Success };
        after.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: Some(200_000),
            error: None,
            status,
        });
        after.usage = Some(Usage {
            input_tokens: Some(self.tokens),
            output_tokens: Some(self.tokens / 10),
            cost_micros: Some(self.cost),
            ..Usage::default()
        });
        vec![before, after]
    }

    fn event(&self, number: u64, half: u64, kind: EventType, micros: i64) -> Event {
        let id = EventId(format!("00000000-0000-7000-8000-{:012x}", number * 2 + half).parse().unwrap());
        let time = Timestamp::from_micros(micros);
        let mut event = Event::new(id, kind, Tenant::new("acme").unwrap(), time);
        event.request_id = Some(format!("req_{number}"));
        event.session_id = Some(format!("session-{}", self.session));
        event.user = Some(User { sub: user_name(self.user), ..User::default() });
        event.agent = Some(Agent { id: agent_name(self.agent), ..Agent::default() });
        event.action = Some(Action {
            name: format!("tool:{}", self.tool),
            effect: Some(Effect::Read),
            ..Action::default()
        });
        // A quarter of the tools reads what is classified.
        let classification = if self.tool.is_multiple_of(4) { vec!["pii".to_owned()] } else { Vec::new() };
        let uri = Some(format!("crm://place-{}/{number}", self.tool % 3));
        event.resource = Some(Resource { uri, classification, ..Resource::default() });
        event.source = Some(Source { channel: "gateway".to_owned(), ..Source::default() });
        event
    }
}
