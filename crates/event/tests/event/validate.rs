//! Every bound of the table holds, and the error names its field.

use greffier_event::limits::{self, LISTS, TEXTS};
use greffier_event::{DecisionKind, Event, EventType, Outcome, OutcomeStatus};
use serde_json::{Value, json};

use crate::samples;

/// Sets a field of the full event, in the last item of each list on its way; returns the field's whole path and
/// what validation says.
fn with(path: &str, value: impl Fn(&Value) -> Value) -> (String, Result<(), (String, String)>) {
    let mut event = serde_json::to_value(samples::numbered()).unwrap();
    let mut place = &mut event;
    let mut full_path = Vec::new();
    for name in path.split('.') {
        if place.is_array() {
            let last = place.as_array().map_or(0, Vec::len) - 1;
            place = &mut place[last];
            full_path.push(last.to_string());
        }
        place = place.get_mut(name).unwrap_or_else(|| panic!("the full event lacks {path}"));
        full_path.push(name.to_owned());
    }
    *place = value(place);
    let event: Event = serde_json::from_value(event).unwrap();
    let result = event.validate().map_err(|error| (error.field().to_owned(), error.problem().to_owned()));
    (full_path.join("."), result)
}

#[test]
fn every_string_is_bounded() {
    assert_eq!(samples::full().validate(), Ok(()));
    for rule in TEXTS {
        for bad in [String::new(), "a\u{7}".to_owned(), "a\u{85}".to_owned(), "x".repeat(rule.max + 1)] {
            // A list of strings is checked item by item.
            let (path, result) = with(rule.field, |old| match old {
                Value::Array(_) => json!([bad]),
                _ => json!(bad),
            });
            let (field, _) = result.expect_err(rule.field);
            assert_eq!(field.trim_end_matches(".0"), path, "{bad:?}");
        }
    }
}

#[test]
fn every_list_is_bounded() {
    for rule in LISTS {
        let (path, result) = with(rule.field, |old| json!(vec![old[0].clone(); rule.max + 1]));
        let (field, problem) = result.expect_err(rule.field);
        assert_eq!((field, problem), (path, format!("must have at most {} items", rule.max)));
    }
}

#[test]
fn every_integer_is_exact() {
    let counts = [
        "agent.via_dropped",
        "content_safety.redactions.count",
        "outcome.attempts.code",
        "outcome.code",
        "outcome.duration_us",
        "parts.bytes",
        "source.sequence",
        "source.skew_us",
        "usage.cache_read_tokens",
        "usage.cache_write_tokens",
        "usage.cost_micros",
        "usage.input_tokens",
        "usage.output_tokens",
        "usage.reasoning_tokens",
    ];
    for count in counts {
        let (path, result) = with(count, |_| json!(1_u64 << 53));
        assert_eq!(result.expect_err(count).0, path);
        let (_, result) = with(count, |_| json!((1_u64 << 53) - 1));
        assert_eq!(result, Ok(()), "{count}");
    }
}

#[test]
fn grammars() {
    let check = |path: &str, value: &str| match with(path, |_| json!(value)).1 {
        Ok(()) => "accepted".to_owned(),
        Err((field, problem)) => format!("{field}: {problem}"),
    };
    insta::assert_snapshot!(check("resource.uri", "ehr://patients?name=jane"), @"resource.uri: must have no white space, no query and no fragment");
    insta::assert_snapshot!(check("resource.uri", "ehr://patients#jane"), @"resource.uri: must have no white space, no query and no fragment");
    insta::assert_snapshot!(check("resource.uri", "ehr://patients/jane doe"), @"resource.uri: must have no white space, no query and no fragment");
    insta::assert_snapshot!(check("resource.uri", "ehr://patients/<US_SSN>"), @"accepted");
    insta::assert_snapshot!(check("outcome.error", "upstream said: no"), @"outcome.error: must be a word of ASCII letters, digits and `_.:-`, free text is a part");
    insta::assert_snapshot!(check("source.ip", "2001:db8::1"), @"accepted");
    insta::assert_snapshot!(check("source.ip", "ref:1f2e"), @"accepted");
    insta::assert_snapshot!(check("source.ip", "example.org"), @"source.ip: must be an IP address or a keyed reference, `ref:…`");
    insta::assert_snapshot!(check("source.channel", "carrier-pigeon"), @"source.channel: must be one of gateway, hook, sdk, otlp, import");
    insta::assert_snapshot!(check("trace.span_id", "00F067AA0BA902B7"), @"trace.span_id: must be 16 lowercase hex digits, not all zeros");
    insta::assert_snapshot!(check("trace.span_id", "0000000000000000"), @"trace.span_id: must be 16 lowercase hex digits, not all zeros");
    insta::assert_snapshot!(check("content_safety.redactions.type", "us_ssn"), @"content_safety.redactions.0.type: must match [A-Z][A-Z0-9_]*");
    insta::assert_snapshot!(check("parts.name", "Parameters"), @"parts.1.name: must match [a-z][a-z0-9_]*");
    insta::assert_snapshot!(check("user.sub", "josé 😀"), @"accepted");
}

#[test]
fn what_types_and_channels_promise() {
    let check = |kind: EventType, change: fn(&mut Event)| {
        let mut event = samples::of(kind);
        change(&mut event);
        event.validate().map_or_else(|error| error.to_string(), |()| "valid".to_owned())
    };
    fn decide(event: &mut Event, decision: DecisionKind) {
        event.policy.as_mut().unwrap().decision = decision;
    }
    fn end(event: &mut Event, status: OutcomeStatus) {
        event.outcome =
            Some(Outcome { attempts: Vec::new(), code: None, duration_us: None, error: None, status });
    }
    fn channel(event: &mut Event, channel: &str) {
        event.source.as_mut().unwrap().channel = channel.to_owned();
    }
    use EventType::*;
    insta::assert_snapshot!(check(ActionRequest, |e| decide(e, DecisionKind::Allow)), @"policy.decision: of an action.request must be pending");
    insta::assert_snapshot!(check(ActionApproved, |e| decide(e, DecisionKind::Redact)), @"valid");
    insta::assert_snapshot!(check(ActionApproved, |e| decide(e, DecisionKind::Deny)), @"policy.decision: of an action.approved must be allow or redact");
    insta::assert_snapshot!(check(ActionApproved, |e| end(e, OutcomeStatus::Success)), @"outcome.status: of an action.approved must be pending");
    insta::assert_snapshot!(check(ActionApproved, |e| e.policy = None), @"policy: is missing: the event records a decision");
    insta::assert_snapshot!(check(ActionApproved, |e| e.request_id = None), @"request_id: is missing: it joins the events of a call");
    insta::assert_snapshot!(check(ActionDenied, |e| decide(e, DecisionKind::Allow)), @"policy.decision: of a denial must be deny");
    insta::assert_snapshot!(check(ActionDenied, |e| end(e, OutcomeStatus::Success)), @"outcome.status: of a denial must be denied");
    insta::assert_snapshot!(check(ActionDenied, |e| e.policy.as_mut().unwrap().reason = None), @"policy.reason: is missing: a denial gives its reason");
    insta::assert_snapshot!(check(PermissionDenied, |e| e.policy = None), @"policy: is missing: the event records a decision");
    insta::assert_snapshot!(check(ActionExecuted, |e| e.outcome = None), @"outcome: is missing: the event records an outcome");
    insta::assert_snapshot!(check(ActionExecuted, |e| end(e, OutcomeStatus::Failure)), @"outcome.status: of an action.executed must be success");
    insta::assert_snapshot!(check(ActionFailed, |e| end(e, OutcomeStatus::Success)), @"outcome.status: of an action.failed must not be success");
    insta::assert_snapshot!(check(ActionFailed, |e| end(e, OutcomeStatus::Unknown)), @"valid");
    insta::assert_snapshot!(check(ToolResponse, |e| {
        e.policy = samples::of(ActionDenied).policy;
        end(e, OutcomeStatus::Success);
    }), @"outcome.status: must not be success where the policy denied");
    // A claim is less complete, and never Greffier's.
    insta::assert_snapshot!(check(ActionExecuted, |e| { channel(e, "sdk"); e.outcome = None; e.request_id = None; }), @"valid");
    insta::assert_snapshot!(check(DataAccess, |e| {
        channel(e, "otlp");
        e.agent = Some(greffier_event::Agent { id: "GREFFIER".to_owned(), ..Default::default() });
    }), @"agent.id: is reserved for Greffier's own acts");
    insta::assert_snapshot!(check(DataAccess, |e| {
        channel(e, "hook");
        e.resource = Some(greffier_event::Resource { uri: Some("Key://x".to_owned()), ..Default::default() });
    }), @"resource.uri: has a scheme reserved for Greffier itself");
    insta::assert_snapshot!(check(DataAccess, |e| e.parts_root = Some("ab".repeat(32))), @"parts_root: must be there exactly when there are parts");
    insta::assert_snapshot!(check(DataAccess, |e| e.v = 0), @"v: must be 1");
}

#[test]
fn parts_are_told_apart_by_name() {
    let mut event = samples::full();
    event.parts[1].name = "parameters".to_owned();
    insta::assert_snapshot!(event.validate().unwrap_err(), @"parts.1.name: must not name two parts of one event");
    event.parts[1].name = "result".to_owned();
    event.parts[1].truncated = false;
    insta::assert_snapshot!(event.validate().unwrap_err(), @"parts.1.digest: must be there exactly when the part is truncated");
}

proptest::proptest! {
    #[test]
    fn control_characters_are_refused(text in "([ -~]|\\PC|[\u{0}-\u{1f}\u{7f}-\u{9f}]){1,12}") {
        let refused = limits::SESSION_ID.check(&text).is_err_and(|error| error.problem().contains("control"));
        proptest::prop_assert_eq!(refused, text.chars().any(char::is_control));
    }
}
