//! The three forms by example: the founding documents' entries, what is refused, and what a part holds.

use greffier_event::{
    Draft, Event, EventType, Form, InvalidEvent, Outcome, OutcomeStatus, Part, Reading, Trust, Usage, User,
    forms,
};

use crate::samples;

const GOVERNED: &str = include_str!("../../testdata/forms/governed.json");
const FLAT: &str = include_str!("../../testdata/forms/flat.json");

fn read(form: Form, text: &str, trust: Trust) -> Result<Draft, InvalidEvent> {
    let tenant = samples::tenant();
    form.read(text, &Reading { tenant: &tenant, id: samples::id(1), channel: "import", trust })
}

/// The document without white space outside strings, by hand.
fn compact(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .filter(|c| {
            inside ^= *c == '"';
            inside || !c.is_whitespace()
        })
        .collect()
}

/// The event, then each part.
fn show(draft: &Draft) -> String {
    let mut text = serde_json::to_string(&draft.event).unwrap();
    for part in &draft.parts {
        text.push_str(&format!("\n{} {} {}", part.name, part.media, String::from_utf8_lossy(&part.content)));
    }
    text
}

#[test]
fn the_second_document_s_entry() {
    let draft = read(Form::Governed, GOVERNED, Trust::Outside).unwrap();
    insta::assert_snapshot!(show(&draft), @r#"
    {"action":{"kind":"tool","method":"POST","name":"crm:contacts:search"},"content_safety":{"pii_detected":false},"id":"01957000-0000-7000-8000-000000000001","outcome":{"code":200,"duration_us":342000,"status":"success"},"policy":{"decision":"allow","rule":"role:analyst grants tool:crm:read","scopes":["tool:crm:read"]},"request_id":"req_7f8a9b0c","source":{"channel":"import"},"tenant":"org_acme_corp","time":"2026-03-06T14:32:07.891000Z","type":"action.executed","usage":{"cost_micros":6700,"input_tokens":1240,"model":"claude-sonnet-4-5-20250929","output_tokens":380},"user":{"roles":["analyst"],"sub":"auth0|8f3a2b1c9d4e5f6a"},"v":1}
    parameters application/json {"query":"pipeline status this quarter"}
    "#);
    assert_eq!(Form::Governed.write(&draft.event, &draft.parts).unwrap(), compact(GOVERNED));
    // It needs no notes: the form's own rendering says it all.
    assert_eq!(draft.parts.len(), 1);
}

#[test]
fn the_first_document_s_event() {
    let draft = read(Form::Flat, FLAT, Trust::Outside).unwrap();
    insta::assert_snapshot!(show(&draft), @r#"
    {"action":{"name":"process_request"},"agent":{"id":"agent-001"},"id":"5b0e9a52-6c1e-4f0f-9c55-0f6b2d1f7a10","outcome":{"duration_us":12346,"status":"success"},"session_id":"0d9d8f52-1f0c-4f0e-9a6e-3f4f9d1c2b3a","source":{"channel":"import"},"tenant":"org_acme_corp","time":"2026-03-06T14:32:07.891000Z","type":"action.executed","v":1}
    result text/plain success
    metadata application/json {"user_input":"hello","greffier.given":{"form":"flat","changes":[{"at":"/timestamp","was":"2026-03-06T14:32:07.891000Z","is":"2026-03-06T14:32:07.891000"},{"at":"/duration_ms","was":12.346,"is":12.34567}]}}
    "#);
    assert_eq!(Form::Flat.write(&draft.event, &draft.parts).unwrap(), compact(FLAT));
}

#[test]
fn secrets_go_before_anything_is_kept() {
    let text = r#"{"timestamp":"2026-03-06T14:32:07","event_type":"tool.call","parameters":{"api_key":"sk-1","list":[{"password":"p"}]},"metadata":{"userToken":"t"},"unknown":{"clientSecret":"c"},"max_tokens":7}"#;
    let draft = read(Form::Flat, text, Trust::Outside).unwrap();
    insta::assert_snapshot!(show(&draft), @r#"
    {"id":"01957000-0000-7000-8000-000000000001","source":{"channel":"import"},"tenant":"org_acme_corp","time":"2026-03-06T14:32:07.000000Z","type":"tool.call","v":1}
    parameters application/json {"api_key":"[REDACTED]","list":[{"password":"[REDACTED]"}]}
    metadata application/json {"userToken":"[REDACTED]","greffier.given":{"form":"flat","changes":[{"at":"/timestamp","was":"2026-03-06T14:32:07.000000Z","is":"2026-03-06T14:32:07"},{"at":"/unknown","is":{"clientSecret":"[REDACTED]"}},{"at":"/max_tokens","is":7},{"at":"/event_id","was":"01957000-0000-7000-8000-000000000001"},{"at":"/agent_id","was":""},{"at":"/session_id","was":""},{"at":"/user_id","was":null},{"at":"/action","was":""},{"at":"/resource","was":null},{"at":"/result","was":null},{"at":"/error","was":null},{"at":"/duration_ms","was":null}]}}
    "#);
}

/// One field of the founding document replaced.
fn refused(form: Form, from: &str, to: &str) -> String {
    let text = match form {
        Form::Governed => compact(GOVERNED),
        Form::Flat => compact(FLAT),
        Form::Native => read(Form::Flat, FLAT, Trust::Outside)
            .and_then(|mut draft| {
                draft.event.source = None;
                Form::Native.write(&draft.event, &[])
            })
            .unwrap(),
    };
    assert!(text.contains(from), "{from} is not in {text}");
    match read(form, &text.replacen(from, to, 1), Trust::Outside) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The form has neither a decision nor a status.
#[test]
fn a_flat_type_tells_what_was_decided_and_how_it_ended() {
    let check = |kind: &str, error: &str| {
        let text = format!(
            r#"{{"timestamp":"2026-03-06T14:32:07","event_type":"{kind}","agent_id":"a","action":"x","error":{error}}}"#
        );
        let event = read(Form::Flat, &text, Trust::Outside).unwrap().event;
        let decision = event.policy.map_or("-", |policy| policy.decision.as_str());
        format!("{decision} {}", event.outcome.map_or("-", |outcome| outcome.status.as_str()))
    };
    insta::assert_snapshot!(check("action.request", "null"), @"pending -");
    insta::assert_snapshot!(check("action.approved", "null"), @"allow -");
    insta::assert_snapshot!(check("action.denied", "null"), @"deny denied");
    insta::assert_snapshot!(check("permission.denied", "\"no\""), @"deny denied");
    insta::assert_snapshot!(check("permission.check", "null"), @"- -");
    insta::assert_snapshot!(check("tool.call", "\"no\""), @"- failure");
    insta::assert_snapshot!(check("tool.call", "\"\""), @"- -");
}

#[test]
fn flat_refusals_name_the_field() {
    let check = |from: &str, to: &str| refused(Form::Flat, from, to);
    insta::assert_snapshot!(check("5b0e9a52-", "5b0e9a5"), @"event_id: must be a UUID");
    insta::assert_snapshot!(check("2026-03-06T", "yesterday"), @"timestamp: must be RFC 3339, as in 2026-03-06T14:32:07.891Z");
    insta::assert_snapshot!(check("action.executed", "action.exploded"), @"event_type: must be one of the 14 types, as in action.executed");
    insta::assert_snapshot!(check("\"event_type\":\"action.executed\",", ""), @"event_type: is missing");
    insta::assert_snapshot!(check("\"agent-001\"", "7"), @"agent_id: must be a string");
    insta::assert_snapshot!(check("\"agent-001\"", "\"Greffier\""), @"agent_id: is reserved for Greffier's own acts");
    insta::assert_snapshot!(check("agent-001", "agent\\n001"), @"agent_id: must not hold control characters");
    insta::assert_snapshot!(check("agent-001", &"x".repeat(257)), @"agent_id: must have at most 256 characters");
    insta::assert_snapshot!(check("\"resource\":null", "\"resource\":\"AUDIT://trail\""), @"resource: has a scheme reserved for Greffier itself");
    insta::assert_snapshot!(check("\"parameters\":{}", "\"parameters\":[]"), @"parameters: must be an object");
    insta::assert_snapshot!(check("12.34567", "\"12\""), @"duration_ms: must be a number");
    insta::assert_snapshot!(check("\"user_input\"", "\"greffier.given\""), @"metadata: must not have the name `greffier.given`, which is reserved");
    insta::assert_snapshot!(check("\"user_id\"", "\"recorded_at\":\"2026-03-06T14:32:07Z\",\"user_id\""), @"recorded_at: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"user_id\"", "\"source\":{\"channel\":\"gateway\"},\"user_id\""), @"source.channel: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"user_id\"", "\"verified\":true,\"user_id\""), @"verified: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"user_id\":null", "\"action\":null"), @"document: must not have a name twice in one object (at byte 220)");
    insta::assert_snapshot!(check("12.34567", "12.34567."), @"document: must be JSON: a valid number expected (at byte 318)");
    insta::assert_snapshot!(check("{", "[{"), @"document: must be JSON: `,` or `]` expected (at byte 362)");
    insta::assert_snapshot!(check("\"success\"", &"[".repeat(200)), @"document: must be nested at most 128 deep (at byte 408)");
}

#[test]
fn governed_refusals_name_the_field() {
    let check = |from: &str, to: &str| refused(Form::Governed, from, to);
    insta::assert_snapshot!(check("org_acme_corp", "org_other"), @"user.org: must be the tenant that the event is recorded for");
    insta::assert_snapshot!(check("\"allow\"", "\"perhaps\""), @"policy.decision: must be allow, deny, redact or pending");
    insta::assert_snapshot!(check("[\"tool:crm:read\"]", "[7]"), @"policy.scopes: must be a list of strings");
    insta::assert_snapshot!(check("1240", "true"), @"usage.inputTokens: must be a number");
    insta::assert_snapshot!(check("200", "\"fine\""), @"outcome.status: must be an HTTP status, or success, failure, timeout or the like");
    insta::assert_snapshot!(check("\"user\":{", "\"user\":7,\"u\":{"), @"user: must be an object");
    insta::assert_snapshot!(check("\"sub\"", "\"verified\":true,\"sub\""), @"user.verified: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"timestamp\"", "\"recordedAt\":\"2026-03-06T14:32:07Z\",\"timestamp\""), @"recordedAt: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"timestamp\"", "\"agent\":{\"id\":\"greffier\"},\"timestamp\""), @"agent.id: is reserved for Greffier's own acts");
    insta::assert_snapshot!(check("\"timestamp\"", "\"resource\":\"key://org_acme_corp\",\"timestamp\""), @"resource: has a scheme reserved for Greffier itself");
    insta::assert_snapshot!(check("req_7f8a9b0c", "req\\u0000"), @"requestId: must not hold control characters");
    insta::assert_snapshot!(check("analyst", &"x".repeat(300)), @"user.role: must have at most 256 characters");
}

#[test]
fn native_refusals_name_the_field() {
    let check = |from: &str, to: &str| refused(Form::Native, from, to);
    let add = |fields: &str| check("\"v\":1", &format!("\"v\":1,{fields}"));
    insta::assert_snapshot!(check("\"v\":1", "\"v\":2"), @"v: must be 1");
    insta::assert_snapshot!(check("action.executed", "action.exploded"), @"type: must be one of `agent.start`, `agent.stop`, `action.request`, `action.approved`, `action.denied`, `action.executed`, `action.failed`, `tool.call`, `tool.response`, `data.access`, `data.modify`, `permission.check`, `permission.denied`, `error`");
    insta::assert_snapshot!(check("\"id\":\"agent-001\"", "\"id\":{\"email\":\"jane@corp.example\"}"), @"agent.id: must be a string");
    insta::assert_snapshot!(check("\"id\":\"agent-001\"", "\"version\":\"1\""), @"agent.id: is missing");
    insta::assert_snapshot!(check("\"id\":\"agent-001\"", "\"id\":\"a\",\"verified\":true"), @"agent.verified: is set by Greffier and cannot be given");
    insta::assert_snapshot!(check("\"id\":\"agent-001\"", "\"id\":\"a\",\"via\":[{\"sub\":\"\"}]"), @"agent.via.0.sub: must not be empty; leave it out instead");
    insta::assert_snapshot!(check("org_acme_corp", "org_other"), @"tenant: must be the tenant that the event is recorded for");
    insta::assert_snapshot!(check("2026-03-06T", "2026-13-06T"), @"time: must be RFC 3339, as in 2026-03-06T14:32:07.891000Z");
    insta::assert_snapshot!(check("\"success\"", "\"failure\""), @"outcome.status: of an action.executed must be success");
    insta::assert_snapshot!(add("\"recorded_at\":\"2026-03-06T14:32:07Z\""), @"recorded_at: is set by Greffier and cannot be given");
    insta::assert_snapshot!(add("\"source\":{\"channel\":\"gateway\"}"), @"source.channel: is set by Greffier and cannot be given");
    insta::assert_snapshot!(add("\"source\":{\"node\":\"gw-1\"}"), @"source.node: is set by Greffier and cannot be given");
    insta::assert_snapshot!(add("\"source\":{\"ip\":\"here\"}"), @"source.ip: must be an IP address or a keyed reference, `ref:…`");
    insta::assert_snapshot!(add("\"resource\":{\"uri\":\"policy://x\"}"), @"resource.uri: has a scheme reserved for Greffier itself");
    insta::assert_snapshot!(add("\"resource\":{\"subjects\":[\"jane@corp.example\"]}"), @"resource.subjects.0: must be a keyed reference, `ref:…`");
    insta::assert_snapshot!(add("\"trace\":{\"trace_id\":\"00000000000000000000000000000000\"}"), @"trace.trace_id: must be 32 lowercase hex digits, not all zeros");
    insta::assert_snapshot!(add("\"parts_root\":\"00\""), @"parts_root: is set by Greffier and cannot be given");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"result\",\"bytes\":4}]"), @"parts.0: must have `name`, `media` and one of `json`, `text`, `base64`, and nothing else");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"result\"}]"), @"parts.0.json: is missing: give the part's content as `json`, `text` or `base64`");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"result\",\"text\":\"a\",\"json\":1}]"), @"parts.0.json: must be the only content of its part");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"r\",\"text\":\"\"},{\"name\":\"r\",\"text\":\"\"}]"), @"parts.1.name: must not name two parts of one event");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"Result\",\"text\":\"a\"}]"), @"parts.0.name: must match [a-z][a-z0-9_]*");
    insta::assert_snapshot!(add("\"parts\":[{\"name\":\"metadata\",\"text\":\"a\"}]"), @"parts.0: of metadata must be a JSON object, `application/json`");
    insta::assert_snapshot!(add("\"user\":{\"sub\":\"alice\",\"roles\":[\"a\",3]}"), @"user.roles.1: must be a string");
    insta::assert_snapshot!(add("\"content_safety\":{\"pii_detected\":false,\"redactions\":[{\"type\":\"US_SSN\",\"count\":1,\"stage\":\"input\",\"action\":\"redact\"}]}"), @"content_safety.pii_detected: must be true where findings are listed");
}

#[test]
fn one_s_own_document_says_what_only_greffier_says() {
    let event = samples::full();
    let text = Form::Native.write(&event, &[]).unwrap();
    // Withheld parts have no content, so the document is no draft.
    let error = read(Form::Native, &text, Trust::Own).unwrap_err();
    insta::assert_snapshot!(error, @"parts.0: must have `name`, `media` and one of `json`, `text`, `base64`, and nothing else");
    let mut event = event;
    event.parts.clear();
    event.parts_root = None;
    let text = Form::Native.write(&event, &[]).unwrap();
    assert!(read(Form::Native, &text, Trust::Own).unwrap().event == event);
    assert!(read(Form::Native, &text, Trust::Outside).is_err());
}

/// A call as the gateway records it: decision and outcome.
#[test]
fn two_events_make_one_entry() {
    let mut decision = samples::full();
    decision.kind = EventType::ActionApproved;
    decision.outcome = None;
    decision.usage = None;
    let mut outcome = samples::full();
    outcome.time = "2026-03-06T14:32:08.233104Z".parse().unwrap();
    outcome.outcome = Some(Outcome {
        attempts: Vec::new(),
        code: Some(200),
        duration_us: Some(342_104),
        error: Some("stream_cut".to_owned()),
        status: OutcomeStatus::Failure,
    });
    outcome.kind = EventType::ActionFailed;
    // One finding is repeated from the decision, one is new.
    let found = &mut outcome.content_safety.as_mut().unwrap().redactions;
    let mut new = found[0].clone();
    new.entity = "CREDIT_CARD".to_owned();
    new.stage = greffier_event::Stage::Output;
    found.push(new);
    outcome.usage = Some(Usage { input_tokens: Some(1_240), cost_micros: Some(6_700), ..Usage::default() });
    let part = |name: &str, media: &str, content: &str| Part {
        name: name.to_owned(),
        media: media.to_owned(),
        content: content.as_bytes().to_vec(),
    };
    let asked = [
        part("parameters", "application/json", "{\"query\":\"<US_SSN>\",\"weight\":1.50}"),
        part("email", "text/plain", "alice@corp.example"),
    ];
    let ended = [part("completion", "text/plain", "half of it")];
    let entry = forms::governed::join((&decision, &asked), (&outcome, &ended)).unwrap();
    insta::assert_snapshot!(entry, @r#"{"timestamp":"2026-03-06T14:32:07.891Z","requestId":"req_7f8a9b0c","user":{"sub":"auth0|8f3a2b1c9d4e5f6a","org":"org_acme_corp","roles":["analyst","auditor"],"email":"alice@corp.example"},"action":{"tool":"crm:contacts:search","method":"POST","parameters":{"query":"<US_SSN>","weight":1.50}},"policy":{"decision":"redact","rule":"role:analyst grants tool:crm:read","scopes":["tool:crm:read"],"reason":"masked","version":"sha256:0000000000000000000000000000000000000000000000000000000000000000"},"contentSafety":{"piiDetected":true,"redactions":[{"type":"US_SSN","count":1,"path":"/body/~1ü/€/😀/דּ","stage":"input","action":"redact"},{"type":"CREDIT_CARD","count":1,"path":"/body/~1ü/€/😀/דּ","stage":"output","action":"redact"}]},"usage":{"inputTokens":1240,"estimatedCost":0.0067},"outcome":{"status":"failure","durationMs":342.104,"error":"stream_cut","result":"half of it"}}"#);
    outcome.request_id = None;
    assert!(forms::governed::join((&decision, &asked), (&outcome, &ended)).is_err());
}

#[test]
fn a_native_event_in_the_other_forms() {
    insta::assert_snapshot!(Form::Flat.write(&samples::full(), &[]).unwrap(), @r#"{"event_id":"01957000-0000-7000-8000-0000000000ff","timestamp":"2026-03-06T14:32:07.891000Z","event_type":"action.executed","agent_id":"crm-assistant","session_id":"séance 1","user_id":"auth0|8f3a2b1c9d4e5f6a","action":"crm:contacts:search","resource":"crm://contacts/%C3%BC","parameters":{},"result":null,"error":"upstream_overloaded","duration_ms":9007199254740.991,"metadata":{}}"#);
    insta::assert_snapshot!(Form::Governed.write(&samples::of(EventType::PermissionDenied), &[]).unwrap(), @r#"{"timestamp":"2026-03-06T14:32:07.891Z","requestId":"req_7f8a9b0c","user":{"org":"org_acme_corp"},"policy":{"decision":"deny","scopes":[],"reason":"no policy permits it"},"outcome":{"status":"denied"}}"#);
}

#[test]
fn parts_in_native_form() {
    let mut event = samples::full();
    event.parts.push(greffier_event::PartRef {
        bytes: 2,
        digest: None,
        media: "image/png".to_owned(),
        name: "image".to_owned(),
        truncated: false,
    });
    let part = |name: &str, media: &str, content: &[u8]| Part {
        name: name.to_owned(),
        media: media.to_owned(),
        content: content.to_vec(),
    };
    let parts = [
        part("image", "image/png", &[0xff, 0xfe]),
        part("parameters", "application/json", b"{ \"spaced\": 1.0 }"),
        part("result", "text/plain", b"the first of many"),
    ];
    let text = Form::Native.write(&event, &parts).unwrap();
    let from = text.find("\"parts\"").unwrap();
    let to = text.find(",\"policy\"").unwrap();
    insta::assert_snapshot!(&text[from..to], @r#""parts":[{"name":"parameters","media":"application/json","text":"{ \"spaced\": 1.0 }"},{"name":"result","media":"text/plain","text":"the first of many","bytes":2097152,"truncated":true},{"name":"image","media":"image/png","base64":"//4="}],"parts_root":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef""#);
}

/// What Greffier changes after the reading is not undone by what was kept as given.
#[test]
fn stamps_stand() {
    let text =
        r#"{"timestamp":"2026-03-06T14:32:07.1Z","user":null,"policy":{"decision":"allow","rule":""}}"#;
    let mut draft = read(Form::Governed, text, Trust::Outside).unwrap();
    assert_eq!(Form::Governed.write(&draft.event, &draft.parts).unwrap(), text);
    draft.event.user = Some(User { sub: "ref:1f2e3d".to_owned(), verified: true, ..User::default() });
    draft.event.policy.as_mut().unwrap().rule = Some("a rule".to_owned());
    let written = Form::Governed.write(&draft.event, &draft.parts).unwrap();
    insta::assert_snapshot!(written, @r#"{"timestamp":"2026-03-06T14:32:07.1Z","user":{"sub":"ref:1f2e3d","org":"org_acme_corp"},"policy":{"decision":"allow","rule":"a rule"}}"#);

    let text =
        r#"{"type":"error","time":"2026-03-06T14:32:07","source":null,"user":null,"recorded_at":null}"#;
    let mut draft = read(Form::Native, text, Trust::Outside).unwrap();
    draft.event.user = Some(User { sub: "alice".to_owned(), verified: true, ..User::default() });
    draft.event.recorded_at = Some(draft.event.time);
    insta::assert_snapshot!(Form::Native.write(&draft.event, &draft.parts).unwrap(), @r#"{"id":"01957000-0000-7000-8000-000000000001","recorded_at":"2026-03-06T14:32:07.000000Z","source":{"channel":"import"},"tenant":"org_acme_corp","time":"2026-03-06T14:32:07","type":"error","user":{"sub":"alice","verified":true},"v":1}"#);
}

#[test]
fn forms_are_told_apart() {
    let check = |text: &str| Form::detect(text).map_err(|error| error.to_string());
    assert_eq!(check(GOVERNED), Ok(Form::Governed));
    assert_eq!(check(FLAT), Ok(Form::Flat));
    assert_eq!(
        check(&String::from_utf8(Event::canonical(&samples::full()).unwrap()).unwrap()),
        Ok(Form::Native)
    );
    assert!(check("{}").is_err());
    for form in Form::ALL {
        assert_eq!(Form::parse(form.as_str()), Some(form));
    }
}
