//! Events for tests, one a line: `<seconds> <type> key=value …`.

pub(crate) mod traffic;

use greffier_event::{
    Action, Agent, ContentSafety, DecisionKind, Event, EventId, EventType, Outcome, OutcomeStatus,
    PolicyRecord, Redaction, RedactionAction, Resource, Source, Stage, Tenant, Timestamp, Usage, User,
};

/// The instant from which seconds are counted.
pub(crate) fn at(seconds: &str) -> Timestamp {
    let start: Timestamp = "2026-03-06T00:00:00Z".parse().unwrap();
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let micros: i64 = format!("{whole}{fraction:0<6}").parse().unwrap();
    Timestamp::from_micros(start.as_micros() + micros)
}

/// The events of all lines that are not empty, with ids 1, 2, 3…
pub(crate) fn events(lines: &str) -> Vec<Event> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(index, line)| numbered(line, index + 1)).collect()
}

/// The event of one line.
pub(crate) fn event(line: &str) -> Event {
    numbered(line, 1)
}

fn numbered(line: &str, number: usize) -> Event {
    let mut words = line.split_whitespace();
    let time = at(words.next().unwrap());
    let kind = EventType::parse(words.next().unwrap()).unwrap_or_else(|| panic!("no type in `{line}`"));
    let id = EventId(format!("00000000-0000-7000-8000-{number:012}").parse().unwrap());
    let mut event = Event::new(id, kind, Tenant::new("acme").unwrap(), time);
    event.agent = agent("crm-assistant");
    event.action = Some(Action { name: "search".to_owned(), ..Action::default() });
    event.source = Some(Source { channel: "gateway".to_owned(), ..Source::default() });
    words.for_each(|word| set(&mut event, word));
    event
}

fn agent(id: &str) -> Option<Agent> {
    (id != "-").then(|| Agent { id: id.to_owned(), ..Agent::default() })
}

fn set(event: &mut Event, word: &str) {
    let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("no value in `{word}`"));
    let text = || value.to_owned();
    let outcome = |event: &mut Event| {
        let empty = Outcome {
            attempts: Vec::new(),
            code: None,
            duration_us: None,
            error: None,
            status: OutcomeStatus::Success,
        };
        event.outcome.take().unwrap_or(empty)
    };
    match key {
        "request" => event.request_id = Some(text()),
        "channel" => {
            event.source = (value != "-").then(|| Source { channel: text(), ..Source::default() });
        }
        "agent" => event.agent = agent(value),
        "user" => event.user = Some(User { sub: text(), ..User::default() }),
        "action" => event.action = Some(Action { name: text(), ..Action::default() }),
        "resource" => event.resource = Some(Resource { uri: Some(text()), ..Resource::default() }),
        "recorded" => event.recorded_at = Some(at(value)),
        "decision" => {
            let decision = DecisionKind::ALL.into_iter().find(|kind| kind.as_str() == value).unwrap();
            let none = PolicyRecord { decision, reason: None, rule: None, scopes: Vec::new(), version: None };
            event.policy = Some(none);
        }
        "status" => {
            let status = OutcomeStatus::ALL.into_iter().find(|status| status.as_str() == value).unwrap();
            event.outcome = Some(Outcome { status, ..outcome(event) });
        }
        "error" => event.outcome = Some(Outcome { error: Some(text()), ..outcome(event) }),
        "us" => {
            event.outcome = Some(Outcome { duration_us: Some(value.parse().unwrap()), ..outcome(event) });
        }
        "tokens" => {
            let (input, output) = value.split_once('/').unwrap();
            event.usage = Some(Usage {
                input_tokens: Some(input.parse().unwrap()),
                output_tokens: Some(output.parse().unwrap()),
                cost_micros: Some(10),
                ..Usage::default()
            });
        }
        "found" => {
            let redaction = Redaction {
                action: RedactionAction::Redact,
                count: 2,
                path: None,
                stage: Stage::Input,
                entity: text(),
            };
            event.content_safety = Some(ContentSafety { pii_detected: true, redactions: vec![redaction] });
        }
        _ => panic!("no key `{key}`"),
    }
}

/// Short lists of events that often share a request, a channel or an instant.
pub(crate) fn any_events() -> impl proptest::strategy::Strategy<Value = Vec<Event>> {
    use proptest::prelude::*;
    use proptest::sample::select;
    let kind = select(EventType::ALL.to_vec());
    let channel = select(vec!["gateway", "sdk", "-"]);
    let request = select(vec!["", "request=a", "request=b"]);
    let status = select(vec!["", "status=success", "status=failure", "status=denied"]);
    let word = select(vec!["", "us=0", "us=1500", "tokens=3/4", "found=EMAIL", "decision=deny"]);
    let line = (0..5_u8, kind, channel, request, status, word).prop_map(
        |(second, kind, channel, request, status, word)| {
            format!("{second} {kind} action={channel} channel={channel} {request} {status} {word}")
        },
    );
    proptest::collection::vec(line, 0..20).prop_map(|lines| events(&lines.join("\n")))
}
