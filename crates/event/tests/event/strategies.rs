//! Arbitrary valid events, and arbitrary documents as text.

use greffier_event::{
    Action, ActionKind, Actor, Agent, Attempt, ContentSafety, DecisionKind, Effect, Event, EventId,
    EventType, Outcome, OutcomeStatus, PartRef, PolicyRecord, Redaction, RedactionAction, Resource,
    SessionLink, Source, Stage, Tenant, Timestamp, Trace, Usage, User,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

const INTEGER: u64 = (1 << 53) - 1;

/// One line of any text; now and then with characters that want escapes.
pub(crate) fn line() -> BoxedStrategy<String> {
    prop_oneof!["[a-z:_-]{1,12}", "[ -~]{1,20}", "\\PC{1,20}", "[\"\\\\/é€😀\u{2028}]{1,6}"]
        .prop_filter("reserved", |text| !text.trim().eq_ignore_ascii_case("greffier"))
        .boxed()
}

fn uri() -> impl Strategy<Value = String> {
    "[a-z]{1,3}://[a-zé%/{}<>.]{0,20}".prop_filter("reserved", |uri| !uri.starts_with("key:"))
}

fn hex(digits: usize) -> impl Strategy<Value = String> {
    vec(select(b"123456789abcdef".to_vec()), digits).prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_000_u64, 0..=INTEGER]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..4_102_444_800_000_000_i64, any::<i64>()].prop_map(Timestamp::from_micros)
}

fn action() -> impl Strategy<Value = Action> {
    let effect = select(vec![Effect::Read, Effect::Create, Effect::Update, Effect::Delete, Effect::Execute]);
    let kind = select(vec![
        ActionKind::Tool,
        ActionKind::Llm,
        ActionKind::Data,
        ActionKind::Agent,
        ActionKind::Admin,
    ]);
    (of(line()), of(effect), of(kind), of(line()), line())
        .prop_map(|(call_id, effect, kind, method, name)| Action { call_id, effect, kind, method, name })
}

fn agent() -> impl Strategy<Value = Agent> {
    let via = vec((of(uri()), line()).prop_map(|(iss, sub)| Actor { iss, sub }), 0..3);
    (line(), of(line()), any::<bool>(), of(line()), via, of(1..=INTEGER)).prop_map(
        |(id, tier, verified, version, via, via_dropped)| Agent {
            id,
            tier,
            verified,
            version,
            via,
            via_dropped,
        },
    )
}

fn content_safety() -> impl Strategy<Value = ContentSafety> {
    let action = select(RedactionAction::ALL.to_vec());
    let stage = select(vec![Stage::Input, Stage::Output]);
    let redaction = (action, 1..=INTEGER, of(line()), stage, "[A-Z][A-Z0-9_]{0,12}")
        .prop_map(|(action, count, path, stage, entity)| Redaction { action, count, path, stage, entity });
    (any::<bool>(), vec(redaction, 0..4)).prop_map(|(detected, redactions)| ContentSafety {
        pii_detected: detected || !redactions.is_empty(),
        redactions,
    })
}

fn outcome(status: impl Strategy<Value = OutcomeStatus>) -> impl Strategy<Value = Outcome> {
    let limit = INTEGER.cast_signed();
    let attempt = (of(-limit..=limit), of(line()))
        .prop_map(|(code, upstream_request_id)| Attempt { code, upstream_request_id });
    (vec(attempt, 0..3), of(-limit..=limit), of(count()), of("[a-z][a-z0-9_.]{0,12}"), status).prop_map(
        |(attempts, code, duration_us, error, status)| Outcome { attempts, code, duration_us, error, status },
    )
}

fn policy(decision: impl Strategy<Value = DecisionKind>) -> impl Strategy<Value = PolicyRecord> {
    (decision, line(), of(line()), vec(line(), 0..3), of(line())).prop_map(
        |(decision, reason, rule, scopes, version)| PolicyRecord {
            decision,
            reason: Some(reason),
            rule,
            scopes,
            version,
        },
    )
}

fn parts() -> impl Strategy<Value = Vec<PartRef>> {
    vec((count(), of(hex(64)), line()), 0..4).prop_map(|parts| {
        let part = |(index, (bytes, digest, media)): (usize, (u64, Option<String>, String))| PartRef {
            bytes,
            truncated: digest.is_some(),
            digest,
            media,
            name: format!("part_{index}"),
        };
        parts.into_iter().enumerate().map(part).collect()
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    (vec(line(), 0..3), vec("ref:[!-~]{1,20}", 0..3), of(uri()))
        .prop_map(|(classification, subjects, uri)| Resource { classification, subjects, uri })
}

fn source() -> impl Strategy<Value = Source> {
    let ip = prop_oneof![any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()), "ref:[a-f0-9]{8}"];
    let channel = select(vec!["gateway", "hook", "sdk", "otlp", "import"]);
    let numbered = of((line(), of(count())));
    let named = (channel, of(line()), of(hex(64)), of(ip), of(line()), of(line()), of(line()), of(hex(64)));
    (named, numbered, of(-(1_i64 << 53) + 1..1 << 53)).prop_map(
        |((channel, client, digest, ip, node, oauth_client, protocol, token), numbered, skew_us)| {
            let (producer, sequence) = numbered.map_or((None, None), |(name, at)| (Some(name), at));
            Source {
                channel: channel.to_owned(),
                client,
                digest,
                ip,
                node,
                oauth_client,
                producer,
                protocol,
                sequence,
                skew_us,
                token,
            }
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    (of(count()), of(count()), of(count()), of(count()), of(line()), of(count()), of(line()), of(count()))
        .prop_map(
            |(
                cache_read_tokens,
                cache_write_tokens,
                cost_micros,
                input_tokens,
                model,
                output_tokens,
                provider,
                reasoning_tokens,
            )| {
                Usage {
                    cache_read_tokens,
                    cache_write_tokens,
                    cost_micros,
                    input_tokens,
                    model,
                    output_tokens,
                    provider,
                    reasoning_tokens,
                }
            },
        )
}

fn user() -> impl Strategy<Value = User> {
    (of(uri()), vec(line(), 0..3), line(), any::<bool>()).prop_map(|(iss, roles, sub, verified)| User {
        iss,
        roles,
        sub,
        verified,
    })
}

/// Any valid event, of any type and channel.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    select(EventType::ALL.to_vec()).prop_flat_map(event_of)
}

fn event_of(kind: EventType) -> BoxedStrategy<Event> {
    use DecisionKind::{Allow, Deny, Pending, Redact};
    let (decisions, statuses) = match kind {
        EventType::ActionRequest => (vec![Pending], vec![OutcomeStatus::Pending]),
        EventType::ActionApproved => (vec![Allow, Redact], vec![OutcomeStatus::Pending]),
        EventType::ActionDenied | EventType::PermissionDenied => (vec![Deny], vec![OutcomeStatus::Denied]),
        EventType::ActionExecuted => (vec![Allow, Redact], vec![OutcomeStatus::Success]),
        EventType::ActionFailed => {
            (DecisionKind::ALL.to_vec(), vec![OutcomeStatus::Failure, OutcomeStatus::Unknown])
        }
        _ => (vec![Allow], OutcomeStatus::ALL.to_vec()),
    };
    // Boxed: a tree of this size by value is too much for a test's stack.
    let what = (
        of(action()).boxed(),
        of(agent()).boxed(),
        of(content_safety()).boxed(),
        outcome(select(statuses)).boxed(),
        parts().boxed(),
    );
    let why = (
        policy(select(decisions)).boxed(),
        of(time()),
        line().boxed(),
        of(resource()).boxed(),
        of((line(), of(select(SessionLink::ALL.to_vec())))).boxed(),
        of(source()).boxed(),
    );
    let who = (any::<u128>(), "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", time(), of((of(hex(16)), hex(32))).boxed());
    (what.boxed(), why.boxed(), who.boxed(), of(usage()).boxed(), of(user()).boxed(), hex(64))
        .prop_map(move |(what, why, who, usage, user, root)| {
            let (action, agent, content_safety, outcome, parts) = what;
            let (policy, recorded_at, request_id, resource, session, source) = why;
            let (session_id, session_link) = session.map_or((None, None), |(id, link)| (Some(id), link));
            let (id, tenant, time, trace) = who;
            Event {
                action,
                agent,
                content_safety,
                id: EventId(uuid::Uuid::from_u128(id)),
                outcome: Some(outcome),
                parts_root: (!parts.is_empty()).then_some(root),
                parts,
                policy: Some(policy),
                recorded_at,
                request_id: Some(request_id),
                resource,
                session_id,
                session_link,
                source,
                tenant: Tenant::new(tenant).unwrap(),
                time,
                trace: trace.map(|(span_id, trace_id)| Trace { span_id, trace_id }),
                kind,
                usage,
                user,
                v: 1,
            }
        })
        .boxed()
}

/// JSON text of a string.
pub(crate) fn quoted(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    text.prop_map(|text| serde_json::to_string(&text).unwrap())
}

/// JSON text of a number, in every spelling that JSON knows.
pub(crate) fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "(0|[1-9][0-9]{0,5})",
        "(0|[1-9][0-9]{0,5})\\.[0-9]{1,8}",
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// A name that no form knows and that tells of no secret.
fn name() -> impl Strategy<Value = String> {
    "x[a-h/~ Bäé\"]{0,6}"
}

/// Compact JSON text of any value.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        number(),
        quoted(any::<String>())
    ];
    leaf.prop_recursive(4, 24, 5, |inside| {
        prop_oneof![
            vec(inside.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members(inside).prop_map(object)
        ]
    })
}

/// Unknown members, each name once.
fn members(of: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::hash_map(name(), of, 0..4).prop_map(|members| members.into_iter().collect())
}

/// Unknown members with any values.
pub(crate) fn unknown() -> impl Strategy<Value = Vec<(String, String)>> {
    members(value())
}

/// Compact JSON text of an object of any content.
pub(crate) fn any_object() -> impl Strategy<Value = String> {
    unknown().prop_map(object)
}

pub(crate) fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", serde_json::to_string(&name).unwrap()))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A field that may be missing or null.
pub(crate) fn field(
    name: &'static str,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Option<(String, String)>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some("null".to_owned())),
        6 => value.prop_map(Some)
    ]
    .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    .boxed()
}

/// A field that must be there.
pub(crate) fn must(
    name: &'static str,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Option<(String, String)>> {
    value.prop_map(move |value| Some((name.to_owned(), value))).boxed()
}

/// An object of these fields and unknown ones, in any order.
pub(crate) fn shuffled(fields: Vec<BoxedStrategy<Option<(String, String)>>>) -> BoxedStrategy<String> {
    (fields, unknown())
        .prop_map(|(fields, unknown)| fields.into_iter().flatten().chain(unknown).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(object)
        .boxed()
}

/// JSON text of a time in every precision, with and without an offset.
pub(crate) fn time_text() -> impl Strategy<Value = String> {
    let offset = select(vec!["", "Z", "+00:00", "-03:30", "+02:00"]);
    ("20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?", offset)
        .prop_map(|(time, offset)| format!("\"{time}{offset}\""))
}

/// JSON text of a UUID in every spelling.
pub(crate) fn uuid_text() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(uuid::Uuid::from_u128).prop_flat_map(|id| {
        select(vec![
            format!("\"{id}\""),
            format!("\"{id:X}\""),
            format!("\"{}\"", id.simple()),
            format!("\"{}\"", id.braced()),
        ])
    })
}
