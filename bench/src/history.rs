//! A month of one tenant's trail, the same for the same seed: what the questions of `bench/query.sh` are asked of.
//!
//! Two thousand sessions are open at a time, of some forty events each, so that a session lies within some 80,000
//! entries. A few users, agents and tools make most of the traffic. Calls fail now and then, are denied by one of a
//! few rules, carry redactions, and cost money where they ask a model.
#![expect(clippy::indexing_slicing, reason = "choices below a list's length")]

use greffier_event::{
    Action, ActionKind, Agent, ContentSafety, DecisionKind, Draft, Event, EventId, EventType, Outcome,
    OutcomeStatus, PolicyRecord, Redaction, RedactionAction, Resource, Source, Stage, Tenant, Timestamp,
    Trace, Usage, User,
};

const OPEN_SESSIONS: usize = 2_000;
const SESSION_EVENTS: u64 = 40;
const USERS: u64 = 5_000;
const AGENTS: u64 = 200;
const TOOLS: u64 = 400;
const RULES: [&str; 6] = [
    "role:analyst grants tool:crm:read",
    "role:support grants tool:tickets",
    "role:engineer grants tool:git",
    "agents may use the small models",
    "finance reads invoices",
    "everybody reads the calendar",
];
const FORBIDS: [&str; 3] =
    ["contractors export nothing", "no writes at night", "classified data stays inside"];
const MODELS: [(&str, &str, u64); 4] = [
    ("openai", "gpt-4o-mini", 1),
    ("openai", "gpt-4o", 12),
    ("anthropic", "claude-sonnet-4-5-20250929", 15),
    ("gemini", "gemini-2.5-flash", 2),
];
const SERVERS: [&str; 8] = ["crm", "billing", "git", "tickets", "sql", "mail", "calendar", "files"];
/// Half-open: the month that the events lie in, 2026-10, in microseconds since 1970.
pub const MONTH: (i64, i64) = (1_790_812_800_000_000, 1_793_491_200_000_000);

#[derive(Clone)]
struct Session {
    id: String,
    trace: String,
    user: u64,
    agent: u64,
    left: u64,
}

/// The events, oldest first.
pub struct History {
    random: u64,
    made: u64,
    count: u64,
    trail: Tenant,
    sessions: Vec<Session>,
}

impl History {
    /// `count` events on the trail `trail`.
    pub fn new(seed: u64, count: u64, trail: Tenant) -> History {
        let mut history = History {
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            made: 0,
            count,
            trail,
            sessions: Vec::new(),
        };
        for _ in 0..OPEN_SESSIONS {
            let session = history.session();
            let left = 1 + history.below(SESSION_EVENTS);
            history.sessions.push(Session { left, ..session });
        }
        history
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random() % end
    }

    /// Half of all picks are below the root of `end`.
    fn skewed(&mut self, end: u64) -> u64 {
        let share = self.random() as f64 / u64::MAX as f64;
        ((end as f64).powf(share) as u64 - 1).min(end - 1)
    }

    fn session(&mut self) -> Session {
        let (high, low) = (self.random(), self.random());
        let id = uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid();
        let trace = format!("{:016x}{:016x}", self.random(), self.random());
        let (user, agent) = (self.skewed(USERS), self.skewed(AGENTS));
        let left = SESSION_EVENTS / 2 + self.below(SESSION_EVENTS);
        Session { id: id.to_string(), trace, user, agent, left }
    }

    fn id(&mut self, time: i64) -> EventId {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random().to_le_bytes());
        bytes[8..].copy_from_slice(&self.random().to_le_bytes()[..2]);
        EventId(uuid::Builder::from_unix_timestamp_millis(time as u64 / 1_000, &bytes).into_uuid())
    }

    fn event(&mut self) -> Event {
        let (start, end) = MONTH;
        let step = (end - start) / i64::try_from(self.count.max(1)).unwrap_or(i64::MAX);
        let time = start
            + i64::try_from(self.made).unwrap_or(i64::MAX) * step
            + self.below(step.max(1) as u64) as i64;
        self.made += 1;
        let place = self.below(OPEN_SESSIONS as u64) as usize;
        self.sessions[place].left -= 1;
        let session = self.sessions[place].clone();
        if session.left == 0 {
            self.sessions[place] = self.session();
        }
        let recorded = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let (what, fails, found) = (self.below(100), self.below(50), self.below(12));
        let mut event = Event::new(
            self.id(time),
            EventType::ActionExecuted,
            self.trail.clone(),
            Timestamp::from_micros(time),
        );
        event.recorded_at = Some(Timestamp::from_micros(recorded.as_micros() as i64));
        event.request_id = Some(format!("req_{:016x}", self.random()));
        event.session_id = Some(session.id);
        event.trace =
            Some(Trace { span_id: Some(format!("{:016x}", self.random())), trace_id: session.trace });
        event.user = Some(User {
            iss: Some("https://idp.example".to_owned()),
            roles: vec!["analyst".to_owned()],
            sub: format!("auth0|{:08x}", session.user.wrapping_mul(0x9E37_79B9) as u32),
            verified: true,
        });
        event.agent =
            Some(Agent { id: format!("agent-{:03}", session.agent), verified: true, ..Agent::default() });
        event.source = Some(Source {
            channel: "gateway".to_owned(),
            node: Some("gw-1".to_owned()),
            ..Source::default()
        });
        let rule = RULES[self.below(RULES.len() as u64) as usize];
        event.policy = Some(PolicyRecord {
            decision: DecisionKind::Allow,
            reason: None,
            rule: Some(rule.to_owned()),
            scopes: Vec::new(),
            version: None,
        });
        let status = if fails == 0 { OutcomeStatus::Failure } else { OutcomeStatus::Success };
        let error = (fails == 0).then(|| "upstream_timeout".to_owned());
        let duration = 1_000 + self.skewed(30_000_000);
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: Some(if fails == 0 { 504 } else { 200 }),
            duration_us: Some(duration),
            error,
            status,
        });
        if fails == 0 {
            event.kind = EventType::ActionFailed;
        }
        if what < 30 {
            let (provider, model, price) = MODELS[self.skewed(MODELS.len() as u64) as usize];
            let (input, output) = (100 + self.skewed(20_000), 10 + self.skewed(4_000));
            event.action = Some(Action {
                name: "chat".to_owned(),
                kind: Some(ActionKind::Llm),
                method: Some("POST".to_owned()),
                ..Action::default()
            });
            event.usage = Some(Usage {
                provider: Some(provider.to_owned()),
                model: Some(model.to_owned()),
                input_tokens: Some(input),
                output_tokens: Some(output),
                cost_micros: Some((input + 4 * output) * price / 10),
                ..Usage::default()
            });
        } else {
            let tool = self.skewed(TOOLS);
            let server = SERVERS[(tool % 8) as usize];
            event.action = Some(Action {
                name: format!("{server}:tool{tool:03}:call"),
                kind: Some(ActionKind::Tool),
                method: Some("tools/call".to_owned()),
                ..Action::default()
            });
            event.resource = Some(Resource {
                uri: Some(format!("{server}://records/{:05x}", self.skewed(1 << 20))),
                ..Resource::default()
            });
        }
        if what == 99 {
            let forbid = FORBIDS[self.below(FORBIDS.len() as u64) as usize];
            event.kind = EventType::PermissionDenied;
            event.outcome = None;
            event.usage = None;
            event.policy = Some(PolicyRecord {
                decision: DecisionKind::Deny,
                reason: Some("a policy forbids it".to_owned()),
                rule: Some(forbid.to_owned()),
                scopes: Vec::new(),
                version: None,
            });
        }
        let redactions = match found {
            0 => vec![Redaction {
                action: RedactionAction::Redact,
                count: 1 + self.below(3),
                path: Some("/query".to_owned()),
                stage: Stage::Input,
                entity: "EMAIL_ADDRESS".to_owned(),
            }],
            _ => Vec::new(),
        };
        event.content_safety = Some(ContentSafety { pii_detected: found == 0, redactions });
        event
    }
}

impl Iterator for History {
    type Item = Draft;

    fn next(&mut self) -> Option<Draft> {
        (self.made < self.count).then(|| Draft { event: self.event(), parts: Vec::new() })
    }
}
