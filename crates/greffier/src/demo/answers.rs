//! The questions that an auditor asks, answered from the trail and from nothing else; each with the command that
//! asks the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use greffier_event::{DecisionKind, Event, EventId, RedactionAction, Timestamp};
use greffier_query::{Asked, Watch};
use serde::Serialize;
use serde_json::{Value, json};

use super::ask::{Call, Trail};
use super::people::WARD_ASSISTANT;
use super::script::discharge;
use super::week::{Week, Weekday, date};
use crate::exit::Failure;
use crate::http::Client;

/// A question and its answer.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) question: String,
    #[serde(skip)]
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Value>,
    /// What the rows have in common, or leave out.
    pub(super) remark: String,
    /// What to type behind `greffier` to ask the same.
    pub(super) command: String,
}

/// All answers, in the order in which they are told.
pub(super) async fn all(trail: &Trail<'_>, watch: &Watch, week: Week) -> anyhow::Result<Vec<Answer>> {
    let answers = vec![
        who(trail, week).await?,
        what(trail, week).await?,
        whether(trail, week).await?,
        unusual(trail, watch).await?,
        chain(trail).await?,
        readers(trail).await?,
    ];
    if let Some(empty) = answers.iter().find(|answer| answer.rows.is_empty()) {
        return Err(unkept(format!("the trail has no answer to: {}", empty.question)));
    }
    Ok(answers)
}

/// Something that the demo promises and the trail does not show.
fn unkept(message: impl Into<String>) -> anyhow::Error {
    Failure::new("demo", message).into()
}

/// Which employee accessed patient records through the assistant last Tuesday?
async fn who(trail: &Trail<'_>, week: Week) -> anyhow::Result<Answer> {
    #[derive(Default)]
    struct Access {
        calls: usize,
        opened: BTreeSet<String>,
        patients: BTreeSet<String>,
        request_id: String,
    }
    let tuesday = date(week.at(Weekday::Tuesday, 0));
    let query = format!("agent:{} class:phi type:action.executed time:{tuesday}", WARD_ASSISTANT.id);
    let mut found: BTreeMap<(String, String), Access> = BTreeMap::new();
    for row in trail.search(&query).await? {
        let event = row.event()?;
        let access = found.entry((user(&event), rule(&event))).or_default();
        access.calls += 1;
        access.opened.insert(resource(&event).trim_start_matches("ehr://").to_owned());
        access.patients.extend(event.resource.into_iter().flat_map(|resource| resource.subjects));
        access.request_id = event.request_id.unwrap_or_default();
    }
    let mut rows = Vec::with_capacity(found.len());
    for ((user, rule), access) in found {
        // The trail knows people by their `sub`; the e-mail is sealed beside the decision, for who has the keys.
        let decision = trail.call(&access.request_id).await?;
        let email = trail.part(decision.index, "email").await?;
        rows.push(json!({
            "employee": email.unwrap_or(user),
            "calls": access.calls,
            "patients": access.patients.len(),
            "opened": access.opened.into_iter().collect::<Vec<_>>().join(", "),
            "allowed by": rule,
        }));
    }
    Ok(Answer {
        question: format!(
            "Which employee accessed patient records through the assistant last Tuesday ({tuesday})?"
        ),
        columns: &["employee", "calls", "patients", "opened", "allowed by"],
        rows,
        remark: String::new(),
        command: format!("search '{query}'"),
    })
}

/// What did our assistant access this week?
async fn what(trail: &Trail<'_>, week: Week) -> anyhow::Result<Answer> {
    let agent = WARD_ASSISTANT.id;
    let sql = format!(
        "SELECT resource_uri AS resource, action_effect AS effect, count(*) AS calls, \
         count(DISTINCT user_sub) AS people, count(*) FILTER (WHERE status <> 'success') AS failed FROM events \
         WHERE agent_id = '{agent}' AND status IS NOT NULL AND status <> 'denied' AND time >= '{}' \
         GROUP BY 1, 2 ORDER BY calls DESC, resource, effect",
        date(week.start())
    );
    let rows = trail.sql(&sql).await?.into_iter().map(Value::Object).collect();
    Ok(Answer {
        question: format!("What did our assistant ({agent}) access this week?"),
        columns: &["resource", "effect", "calls", "people", "failed"],
        rows,
        remark: String::new(),
        command: format!("sql \"{sql}\""),
    })
}

/// Do different users have different access?
async fn whether(trail: &Trail<'_>, week: Week) -> anyhow::Result<Answer> {
    let tuesday = date(week.at(Weekday::Tuesday, 0));
    let query = format!("tool:ehr:labs type:action.approved,action.denied time:{tuesday}");
    let mut subjects: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut rows = Vec::new();
    let mut kinds = BTreeSet::new();
    for row in trail.search(&query).await? {
        let event = row.event()?;
        let decision = event.policy.as_ref().map(|policy| policy.decision.as_str()).unwrap_or_default();
        kinds.insert(decision.to_owned());
        rows.push(json!({
            "time": clock_time(event.time),
            "employee": user(&event),
            "role": event.user.as_ref().map(|user| user.roles.join(", ")),
            "asked for": resource(&event),
            "decision": decision,
            "because": rule(&event),
        }));
        subjects.insert(event.resource.map(|resource| resource.subjects).unwrap_or_default());
    }
    // The keyed reference is the same exactly when the patient is.
    let patient = subjects.first().and_then(|subjects| subjects.first()).cloned().unwrap_or_default();
    if kinds.len() < 2 || subjects.len() != 1 {
        return Err(unkept(
            "the trail does not show one request allowed to one person and denied to another",
        ));
    }
    Ok(Answer {
        question: "Do different users have different access? The same request, two people:".to_owned(),
        columns: &["time", "employee", "role", "asked for", "decision", "because"],
        rows,
        remark: format!("both about the same patient, {patient}"),
        command: format!("search '{query}'"),
    })
}

/// Was anything unusual, and is that on record?
async fn unusual(trail: &Trail<'_>, watch: &Watch) -> anyhow::Result<Answer> {
    let found = watch.findings(&trail.tenant, &Asked::default()).await?.findings;
    let mut rows = Vec::with_capacity(found.len());
    for finding in found {
        let entry = finding.recorded.ok_or_else(|| unkept("a finding is not on record"))?;
        rows.push(json!({
            "finding": finding.kind.as_str(),
            "severity": finding.severity.as_str(),
            "who": finding.agent_id.or(finding.user),
            "count": finding.count,
            "since": format!("{} {}", date(finding.since), clock_time(finding.since)),
            "until": clock_time(finding.until),
            "on record": format!("entry {entry}"),
        }));
    }
    Ok(Answer {
        question: "Do you detect and log unusual use? What was unusual, and where it is on record:"
            .to_owned(),
        columns: &["finding", "severity", "who", "count", "since", "until", "on record"],
        rows,
        remark: "looked for as events arrive; webhooks tell others, `greffier findings acknowledge` takes a \
                 person's word"
            .to_owned(),
        command: "findings --since 8d".to_owned(),
    })
}

/// What happened, call by call, for one request of one user?
async fn chain(trail: &Trail<'_>) -> anyhow::Result<Answer> {
    let calls = trail.session(discharge::SESSION).await?;
    let rows: Vec<Value> = calls.iter().zip(1..).map(|(call, number)| link(call, number)).collect();
    let users: BTreeSet<String> = calls.iter().map(|call| user(&call.decision)).collect();
    let traces: BTreeSet<Option<&str>> =
        calls.iter().map(|call| call.decision.trace.as_ref().map(|trace| trace.trace_id.as_str())).collect();
    let in_order = calls.is_sorted_by_key(|call| call.decision.time);
    let open = calls.iter().filter(|call| call.outcome.is_none()).count();
    let (Some(user), Some(Some(trace)), 1, 1) = (users.first(), traces.first(), users.len(), traces.len())
    else {
        return Err(unkept("the calls of the session have no user, or no trace, in common"));
    };
    if calls.len() != discharge::CALLS || !in_order || open > 0 {
        return Err(unkept(format!(
            "of the session's {} calls the trail has {}, {open} of them without an end",
            discharge::CALLS,
            calls.len()
        )));
    }
    let cost: u64 = calls.iter().filter_map(|call| call.outcome.as_ref()?.usage.as_ref()?.cost_micros).sum();
    Ok(Answer {
        question: format!("What happened for one request of one user? {} calls, in order:", calls.len()),
        columns: &["#", "time", "call", "on", "decision", "outcome", "redacted"],
        remark: format!(
            "for {user}, through {}, trace {trace}, ${}.{:04} for models",
            WARD_ASSISTANT.id,
            cost / 1_000_000,
            cost % 1_000_000 / 100
        ),
        rows,
        command: format!("session {}", discharge::SESSION),
    })
}

/// One call of the chain.
fn link(call: &Call, number: usize) -> Value {
    let outcome = call.outcome.as_ref().and_then(|event| event.outcome.as_ref());
    let redacted: BTreeSet<&str> = [Some(&call.decision), call.outcome.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|event| event.content_safety.as_ref())
        .flat_map(|safety| &safety.redactions)
        .filter(|redaction| redaction.action == RedactionAction::Redact)
        .map(|redaction| redaction.entity.as_str())
        .collect();
    json!({
        "#": number,
        "time": clock_time(call.decision.time),
        "call": action(&call.decision),
        "on": resource(&call.decision),
        "decision": call.decision.policy.as_ref().map(|policy| policy.decision.as_str()),
        "outcome": outcome.map(|outcome| match outcome.code {
            Some(code) => format!("{} {code}", outcome.status.as_str()),
            None => outcome.status.as_str().to_owned(),
        }),
        "redacted": redacted.into_iter().collect::<Vec<_>>().join(", "),
    })
}

/// The auditor asks the gateway itself, over HTTP and with a token of hers.
pub(super) async fn auditor_asks(gateway: &str, token_file: &Path) -> anyhow::Result<()> {
    let client = Client::new(gateway, Some(token_file))?;
    let answer = client.get("/api/v1/events", &[("q", "decision:deny"), ("limit", "5")]).await?;
    let events = answer.get("events").and_then(Value::as_array).map_or(0, Vec::len);
    if events == 0 { Err(unkept("the read API does not show the week's denials")) } else { Ok(()) }
}

/// Who has been reading the trail?
async fn readers(trail: &Trail<'_>) -> anyhow::Result<Answer> {
    let query = "type:data.access resource:audit://*";
    let mut rows = Vec::new();
    for row in trail.search(query).await? {
        let event = row.event()?;
        rows.push(json!({
            "time": clock_time(event.time),
            "reader": user(&event),
            "did": action(&event),
            "allowed by": rule(&event),
        }));
    }
    Ok(Answer {
        question: "And who has been reading the trail? Reading it over HTTP is an event too:".to_owned(),
        columns: &["time", "reader", "did", "allowed by"],
        rows,
        remark: String::new(),
        command: format!("search '{query}'"),
    })
}

/// The record of a denial: what somebody would have a reason to change.
pub(super) async fn a_denial(trail: &Trail<'_>) -> anyhow::Result<EventId> {
    let found = trail.search("type:action.denied").await?;
    let row = found.first().ok_or_else(|| unkept("the trail has no denial"))?;
    Ok(row.event()?.id)
}

/// What a model saw of a prompt that held something it must not see, as the trail has it.
pub(super) async fn seen_by_the_model(trail: &Trail<'_>, models_saw: &[String]) -> anyhow::Result<String> {
    let calls = trail.session(discharge::SESSION).await?;
    let redacted = |call: &&Call| {
        call.decision.policy.as_ref().is_some_and(|policy| policy.decision == DecisionKind::Redact)
    };
    let call = calls.iter().find(redacted).ok_or_else(|| unkept("no prompt of the session was redacted"))?;
    let prompt = trail.part(call.index, "prompt").await?.unwrap_or_default();
    // The record says what the model saw; the model's side must agree, word for word.
    if !models_saw.contains(&prompt) {
        return Err(unkept("the recorded prompt is not the one that the model received"));
    }
    let prompt: Value = serde_json::from_str(&prompt)?;
    let text = prompt.pointer("/messages/0/content").and_then(Value::as_str).unwrap_or_default();
    if !text.contains("<US_SSN>") {
        return Err(unkept("the model saw a number that it must not see"));
    }
    Ok(text.to_owned())
}

fn user(event: &Event) -> String {
    event.user.as_ref().map(|user| user.sub.clone()).unwrap_or_default()
}

fn rule(event: &Event) -> String {
    event.policy.as_ref().and_then(|policy| policy.rule.clone()).unwrap_or_default()
}

fn resource(event: &Event) -> String {
    event.resource.as_ref().and_then(|resource| resource.uri.clone()).unwrap_or_default()
}

fn action(event: &Event) -> String {
    event.action.as_ref().map(|action| action.name.clone()).unwrap_or_default()
}

/// `10:14:07` of a time stamp.
fn clock_time(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(8).collect()
}
