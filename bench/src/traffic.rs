//! Traffic to record: events of some 530 bytes that differ as those of real agents do, so that what they take on
//! disk means something. Ids are random, sessions last 40 events, few users cause most of the traffic.
#![expect(clippy::indexing_slicing, reason = "choices below a list's length")]

use greffier_event::{
    Action, ActionKind, Agent, DecisionKind, Draft, Event, EventId, EventType, Outcome, OutcomeStatus, Part,
    PolicyRecord, Source, Tenant, Timestamp, User,
};

const SESSION_EVENTS: u64 = 40;
const USERS: u64 = 2_000;
const AGENTS: [&str; 8] = [
    "crm-assistant",
    "billing-helper",
    "code-reviewer",
    "support-triage",
    "data-analyst",
    "mail-drafter",
    "hr-companion",
    "ops-runner",
];
const TOOLS: [&str; 8] = [
    "crm:contacts:search",
    "crm:deals:list",
    "billing:invoices:read",
    "git:diff:show",
    "tickets:search",
    "sql:query:run",
    "mail:draft:create",
    "calendar:slots:list",
];
/// One producer's events, the same ones for the same seed but for the time.
pub struct Traffic {
    random: u64,
    made: u64,
    trail: Tenant,
    session: (String, u64, usize),
    /// Whether each event carries its redacted parameters as an encrypted part.
    with_part: bool,
}

impl Traffic {
    pub fn new(seed: u64, with_part: bool) -> Traffic {
        let trail = Tenant::new("org_acme_corp").unwrap();
        let session = (String::new(), 0, 0);
        Traffic { random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, made: 0, trail, session, with_part }
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

    /// Small numbers are more frequent than large ones.
    fn skewed(&mut self, end: u64) -> u64 {
        let (a, b) = (self.below(end), self.below(end));
        a * b / end
    }

    fn uuid(&mut self, now: Timestamp) -> uuid::Uuid {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random().to_le_bytes());
        bytes[8..].copy_from_slice(&self.random().to_le_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(now.as_micros() as u64 / 1_000, &bytes).into_uuid()
    }

    /// The next event. Its parameters pass the redaction of keys, whether or not they are kept.
    pub fn draft(&mut self) -> Draft {
        let now = now();
        if self.made.is_multiple_of(SESSION_EVENTS) {
            let session = format!("s_{:012x}", self.random() >> 16);
            let agent = self.skewed(AGENTS.len() as u64) as usize;
            self.session = (session, self.skewed(USERS), agent);
        }
        self.made += 1;
        let tool = self.skewed(TOOLS.len() as u64) as usize;
        let mut event =
            Event::new(EventId(self.uuid(now)), EventType::ActionExecuted, self.trail.clone(), now);
        event.recorded_at = Some(Timestamp::from_micros(now.as_micros() + self.skewed(900) as i64));
        event.request_id = Some(format!("req_{:08x}", self.random() as u32));
        let (session, user, agent) = &self.session;
        event.session_id = Some(session.clone());
        event.user =
            Some(User { iss: None, roles: Vec::new(), sub: format!("auth0|{user:08x}"), verified: true });
        event.agent = Some(Agent { id: AGENTS[*agent].to_owned(), verified: true, ..Agent::default() });
        event.action =
            Some(Action { name: TOOLS[tool].to_owned(), kind: Some(ActionKind::Tool), ..Action::default() });
        event.policy = Some(PolicyRecord {
            decision: DecisionKind::Allow,
            reason: None,
            rule: Some("analysts may search".to_owned()),
            scopes: Vec::new(),
            version: None,
        });
        event.outcome = Some(Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: Some(self.skewed(900_000)),
            error: None,
            status: OutcomeStatus::Success,
        });
        event.source = Some(Source {
            channel: "gateway".to_owned(),
            node: Some("gw-1".to_owned()),
            ..Source::default()
        });
        let given = r#"{"query":"open deals","limit":20,"api_key":"sk-0123456789"}"#;
        let (parameters, hidden) = greffier_event::redact_keys_text(given).unwrap();
        assert_eq!(hidden, 1);
        let parameters = Part {
            name: "parameters".to_owned(),
            media: "application/json".to_owned(),
            content: parameters.into_bytes(),
        };
        let parts = if self.with_part { vec![parameters] } else { Vec::new() };
        Draft { event, parts }
    }

    pub fn drafts(&mut self, count: usize) -> Vec<Draft> {
        (0..count).map(|_| self.draft()).collect()
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}
