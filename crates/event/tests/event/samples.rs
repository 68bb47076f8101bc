//! One event of each type, and one with every field.

use greffier_event::{
    Action, ActionKind, Actor, Agent, Attempt, ContentSafety, DecisionKind, Effect, Event, EventId,
    EventType, Outcome, OutcomeStatus, PartRef, PolicyRecord, Redaction, RedactionAction, Resource, Source,
    Stage, Tenant, Timestamp, Trace, Usage, User,
};

pub(crate) fn tenant() -> Tenant {
    Tenant::new("org_acme_corp").unwrap()
}

pub(crate) fn id(number: u8) -> EventId {
    EventId(format!("01957000-0000-7000-8000-0000000000{number:02x}").parse().unwrap())
}

pub(crate) fn time() -> Timestamp {
    "2026-03-06T14:32:07.891Z".parse().unwrap()
}

/// A small event of a type, as the gateway would write it.
pub(crate) fn of(kind: EventType) -> Event {
    let number = EventType::ALL.iter().position(|other| *other == kind).unwrap();
    let mut event = Event::new(id(u8::try_from(number).unwrap()), kind, tenant(), time());
    event.source = Some(Source { channel: "gateway".to_owned(), ..Source::default() });
    event.request_id = Some("req_7f8a9b0c".to_owned());
    let decided = |decision, reason: Option<&str>| {
        Some(PolicyRecord {
            decision,
            reason: reason.map(str::to_owned),
            rule: None,
            scopes: Vec::new(),
            version: None,
        })
    };
    let ended =
        |status| Some(Outcome { attempts: Vec::new(), code: None, duration_us: None, error: None, status });
    match kind {
        EventType::ActionRequest => event.policy = decided(DecisionKind::Pending, None),
        EventType::ActionApproved => event.policy = decided(DecisionKind::Allow, None),
        EventType::ActionDenied | EventType::PermissionDenied => {
            event.policy = decided(DecisionKind::Deny, Some("no policy permits it"));
            event.outcome = ended(OutcomeStatus::Denied);
        }
        EventType::ActionExecuted => event.outcome = ended(OutcomeStatus::Success),
        EventType::ActionFailed => event.outcome = ended(OutcomeStatus::Timeout),
        _ => {}
    }
    event
}

/// An event with every field, awkward characters included.
pub(crate) fn full() -> Event {
    let text = |text: &str| Some(text.to_owned());
    Event {
        action: Some(Action {
            call_id: text("call_\"7\"\\"),
            effect: Some(Effect::Read),
            kind: Some(ActionKind::Tool),
            method: text("POST"),
            name: "crm:contacts:search".to_owned(),
        }),
        agent: Some(Agent {
            id: "crm-assistant".to_owned(),
            tier: text("interactive"),
            verified: true,
            version: text("1.4"),
            via: vec![Actor { iss: text("https://idp.example/"), sub: "planner".to_owned() }],
            via_dropped: Some(2),
        }),
        content_safety: Some(ContentSafety {
            pii_detected: true,
            redactions: vec![Redaction {
                action: RedactionAction::Redact,
                count: 1,
                path: text("/body/~1ü/€/😀/\u{fb33}"),
                stage: Stage::Input,
                entity: "US_SSN".to_owned(),
            }],
        }),
        id: id(255),
        outcome: Some(Outcome {
            attempts: vec![
                Attempt { code: Some(529), upstream_request_id: text("req_a") },
                Attempt { code: Some(200), upstream_request_id: text("req_b") },
            ],
            code: Some(-32_601),
            duration_us: Some(9_007_199_254_740_991),
            error: text("upstream_overloaded"),
            status: OutcomeStatus::Success,
        }),
        parts: vec![
            PartRef {
                bytes: 41,
                digest: None,
                media: "application/json".to_owned(),
                name: "parameters".to_owned(),
                truncated: false,
            },
            PartRef {
                bytes: 2_097_152,
                digest: Some("ab".repeat(32)),
                media: "text/plain".to_owned(),
                name: "result".to_owned(),
                truncated: true,
            },
        ],
        parts_root: Some("0123456789abcdef".repeat(4)),
        policy: Some(PolicyRecord {
            decision: DecisionKind::Redact,
            reason: text("masked"),
            rule: text("role:analyst grants tool:crm:read"),
            scopes: vec!["tool:crm:read".to_owned()],
            version: Some(format!("sha256:{}", "0".repeat(64))),
        }),
        recorded_at: Some("2026-03-06T14:32:08.233104Z".parse().unwrap()),
        request_id: text("req_7f8a9b0c"),
        resource: Some(Resource {
            classification: vec!["pii".to_owned()],
            subjects: vec!["ref:1f2e3d".to_owned()],
            uri: text("crm://contacts/%C3%BC"),
        }),
        session_id: text("séance 1"),
        session_link: None,
        source: Some(Source {
            channel: "gateway".to_owned(),
            client: text("openai-python/3.52"),
            digest: Some("0e".repeat(32)),
            ip: text("2001:db8::1"),
            node: text("gw-1"),
            oauth_client: text("console"),
            protocol: text("openai.chat"),
            token: Some("0f".repeat(32)),
            ..Source::default()
        }),
        tenant: tenant(),
        time: time(),
        trace: Some(Trace {
            span_id: text("00f067aa0ba902b7"),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        }),
        kind: EventType::ActionExecuted,
        usage: Some(Usage {
            cache_read_tokens: Some(1_000),
            cache_write_tokens: Some(0),
            cost_micros: Some(6_700),
            input_tokens: Some(1_240),
            model: text("claude-sonnet-4-5-20250929"),
            output_tokens: Some(380),
            provider: text("anthropic"),
            reasoning_tokens: Some(12),
        }),
        user: Some(User {
            iss: text("https://acme.eu.auth0.com/"),
            roles: vec!["analyst".to_owned(), "auditor".to_owned()],
            sub: "auth0|8f3a2b1c9d4e5f6a".to_owned(),
            verified: true,
        }),
        v: 1,
    }
}

/// The full event, and its place among those of its producer.
pub(crate) fn numbered() -> Event {
    let mut event = full();
    if let Some(source) = &mut event.source {
        source.producer = Some("worker-1/7c9e6679".to_owned());
        source.sequence = Some(41);
        source.skew_us = Some(-1_500);
    }
    event
}
