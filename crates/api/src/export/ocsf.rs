//! OCSF 1.8: events in the common schema of security tools.
//!
//! Calls and decisions are API Activity (6003), accesses to data Datastore Activity (6005), an agent's start and stop
//! Application Lifecycle (6002), errors Application Error (6008). What no attribute has a place for stands under
//! `unmapped`. A time is in milliseconds there; the whole one is `metadata.original_time`.

use greffier_event::{ActionKind, DecisionKind, Effect, Event, EventType, OutcomeStatus};
use serde_json::{Map, Value, json};

/// The version of the schema, which `metadata.version` names.
const VERSION: &str = "1.8.0";
/// Stands where a required name is missing.
const UNKNOWN: &str = "unknown";

/// The class of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lifecycle,
    Api,
    Datastore,
    Error,
}

impl Class {
    fn of(kind: EventType) -> Class {
        match kind {
            EventType::AgentStart | EventType::AgentStop => Class::Lifecycle,
            EventType::DataAccess | EventType::DataModify => Class::Datastore,
            EventType::Error => Class::Error,
            _ => Class::Api,
        }
    }

    fn uid(self) -> u64 {
        match self {
            Class::Lifecycle => 6002,
            Class::Api => 6003,
            Class::Datastore => 6005,
            Class::Error => 6008,
        }
    }
}

/// What was done, as the class counts its activities.
fn activity(event: &Event, class: Class) -> u64 {
    let effect = event.action.as_ref().and_then(|action| action.effect);
    match (class, event.kind, effect) {
        (Class::Lifecycle, EventType::AgentStart, _) => 3,
        (Class::Lifecycle, ..) => 4,
        (Class::Error, ..) => 1,
        (Class::Datastore, _, Some(Effect::Read)) => 1,
        (Class::Datastore, _, Some(Effect::Update)) => 2,
        (Class::Datastore, _, Some(Effect::Create)) => 6,
        (Class::Datastore, _, Some(Effect::Delete)) => 7,
        (Class::Datastore, EventType::DataAccess, _) => 1,
        (Class::Datastore, ..) => 5,
        (Class::Api, _, Some(Effect::Create)) => 1,
        (Class::Api, _, Some(Effect::Read)) => 2,
        (Class::Api, _, Some(Effect::Update)) => 3,
        (Class::Api, _, Some(Effect::Delete)) => 4,
        (Class::Api, ..) => 99,
    }
}

/// Status, severity, and what the control did: action and disposition.
struct Verdict {
    status: u64,
    severity: u64,
    control: Option<(u64, u64)>,
}

fn verdict(event: &Event) -> Verdict {
    use EventType::{
        ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, AgentStart, AgentStop,
        DataAccess, DataModify, Error, PermissionCheck, PermissionDenied, ToolCall, ToolResponse,
    };
    let hidden = event
        .content_safety
        .iter()
        .flat_map(|safety| &safety.redactions)
        .any(|redaction| redaction.action.hides());
    let of = |status, severity, control| Verdict { status, severity, control };
    let verdict = match event.kind {
        AgentStart | AgentStop => of(1, 1, None),
        ActionRequest | ToolCall | PermissionCheck => of(0, 1, Some((3, 17))),
        ActionApproved => of(1, 1, Some((1, 8))),
        ActionDenied => return of(2, 3, Some((2, 2))),
        PermissionDenied => return of(2, 3, Some((2, 26))),
        ActionExecuted | ToolResponse | DataAccess | DataModify => of(1, 1, Some((1, 1))),
        ActionFailed => return of(2, 2, Some((1, 27))),
        Error => return of(2, 3, None),
    };
    // The outcome's word stands over what the type says of it.
    let status = event.outcome.as_ref().map(|outcome| outcome.status);
    match (status, verdict.control) {
        (Some(OutcomeStatus::Denied), control) => of(2, 3, control.map(|_| (2, 2))),
        (Some(OutcomeStatus::Failure | OutcomeStatus::Timeout), control) => {
            of(2, 2, control.map(|(action, _)| (action, 27)))
        }
        (_, Some((1, _))) if hidden => of(verdict.status, 2, Some((4, 11))),
        _ => verdict,
    }
}

/// One event's object, on one line.
pub(super) fn line(trail: &str, index: u64, event: &Event) -> String {
    let class = Class::of(event.kind);
    let activity = activity(event, class);
    let verdict = verdict(event);
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    };
    put("activity_id", json!(activity));
    put("category_uid", json!(6));
    put("class_uid", json!(class.uid()));
    put("type_uid", json!(class.uid() * 100 + activity));
    put("severity_id", json!(verdict.severity));
    put("status_id", json!(verdict.status));
    put("time", json!(millis(event.time)));
    put("metadata", metadata(trail, index, event, class));
    if let Some(outcome) = &event.outcome {
        let code = outcome.error.clone().or_else(|| Some(outcome.code?.to_string()));
        put("status_code", json!(code));
        put("duration", json!(outcome.duration_us.map(|micros| micros / 1_000)));
    }
    let policy = event.policy.as_ref();
    put("status_detail", json!(policy.and_then(|policy| policy.reason.as_deref())));
    put("message", json!(message(event)));
    put("enrichments", found(event));
    match class {
        Class::Lifecycle => put("app", app(event)),
        Class::Error => {}
        Class::Api => {
            put("api", api(event));
            put("resources", resources(event));
        }
        Class::Datastore => {
            let name = uri(event).or_else(|| action_name(event)).unwrap_or(UNKNOWN);
            put("databucket", json!({ "uid": name, "type_id": 99, "type": "resource" }));
        }
    }
    if matches!(class, Class::Api | Class::Datastore) {
        put("actor", actor(event));
        put("src_endpoint", endpoint(event));
        put("ai_model", model(event));
        put("message_context", context(event));
        if class == Class::Api {
            let trace = event.trace.as_ref();
            put("trace", trace.map_or(Value::Null, |trace| json!({ "uid": trace.trace_id })));
        }
    }
    if let Some((action, disposition)) = verdict.control {
        put("action_id", json!(action));
        put("disposition_id", json!(disposition));
        put("is_alert", json!(action == 2));
    }
    put("unmapped", unmapped(event, class));
    Value::Object(object).to_string()
}

fn millis(time: greffier_event::Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000)
}

/// An object without the members that are null; null if none are left.
fn object(members: Value) -> Value {
    match members {
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().filter(|(_, value)| !value.is_null()).collect();
            if members.is_empty() { Value::Null } else { Value::Object(members) }
        }
        other => other,
    }
}

fn metadata(trail: &str, index: u64, event: &Event, class: Class) -> Value {
    let profiles: &[&str] = match class {
        Class::Api => &["ai_operation", "security_control", "trace"],
        Class::Datastore => &["ai_operation", "security_control"],
        Class::Lifecycle | Class::Error => &[],
    };
    object(json!({
        "version": VERSION,
        "uid": event.id.to_string(),
        "event_code": event.kind.as_str(),
        "correlation_uid": event.request_id,
        "sequence": index,
        "log_name": trail,
        "tenant_uid": event.tenant.as_str(),
        "original_time": event.time.to_string(),
        "logged_time": event.recorded_at.map(millis),
        "profiles": if profiles.is_empty() { Value::Null } else { json!(profiles) },
        "product": { "name": "Greffier", "vendor_name": "Greffier", "version": env!("CARGO_PKG_VERSION") },
    }))
}

fn action_name(event: &Event) -> Option<&str> {
    event.action.as_ref().map(|action| action.name.as_str())
}

fn uri(event: &Event) -> Option<&str> {
    event.resource.as_ref()?.uri.as_deref()
}

fn message(event: &Event) -> Option<String> {
    let name = action_name(event)?;
    Some(format!("{} {name}", event.kind.as_str()))
}

fn app(event: &Event) -> Value {
    match &event.agent {
        Some(agent) => object(json!({ "uid": agent.id, "version": agent.version })),
        None => json!({ "name": UNKNOWN }),
    }
}

fn actor(event: &Event) -> Value {
    let user = event.user.as_ref().map(|user| {
        let groups: Vec<Value> =
            user.roles.iter().map(|role| json!({ "name": role, "type": "role" })).collect();
        object(json!({
            "uid": user.sub,
            "type_id": 1,
            "org": { "uid": event.tenant.as_str() },
            "groups": if groups.is_empty() { Value::Null } else { json!(groups) },
        }))
    });
    let issuer = event.user.as_ref().and_then(|user| user.iss.as_deref());
    let session = object(json!({ "uid": event.session_id, "issuer": issuer }));
    let authorizations = event.policy.as_ref().map(|policy| {
        let named = policy.rule.is_some() || policy.version.is_some();
        let rule = object(json!({
            "name": policy.rule,
            "uid": policy.version,
            "is_applied": named.then_some(policy.rule.is_some()),
        }));
        json!([object(json!({ "decision": policy.decision.as_str(), "policy": rule }))])
    });
    let agent = event.agent.as_ref().map_or(UNKNOWN, |agent| agent.id.as_str());
    object(json!({ "app_uid": agent, "user": user, "session": session, "authorizations": authorizations }))
}

fn api(event: &Event) -> Value {
    let operation = action_name(event).unwrap_or(event.kind.as_str());
    let service = operation.split_once(':').map(|(service, _)| json!({ "name": service }));
    let response = event
        .outcome
        .as_ref()
        .map_or(Value::Null, |outcome| object(json!({ "code": outcome.code, "error": outcome.error })));
    let denied = event.policy.as_ref().filter(|policy| policy.decision == DecisionKind::Deny);
    let response = match (response, denied.and_then(|policy| policy.reason.as_deref())) {
        (Value::Object(mut members), Some(reason)) => {
            members.insert("error_message".to_owned(), json!(reason));
            Value::Object(members)
        }
        (response, _) => response,
    };
    object(json!({
        "operation": operation,
        "service": service,
        "request": event.request_id.as_ref().map(|id| json!({ "uid": id })),
        "response": response,
    }))
}

fn resources(event: &Event) -> Value {
    let Some(resource) = &event.resource else { return Value::Null };
    let Some(uri) = &resource.uri else { return Value::Null };
    let labels = (!resource.classification.is_empty()).then_some(&resource.classification);
    json!([object(json!({ "name": uri, "role_id": 1, "labels": labels }))])
}

/// Where it came from. An address that is a keyed reference is an id, no address.
fn endpoint(event: &Event) -> Value {
    let source = event.source.as_ref();
    let ip = source.and_then(|source| source.ip.as_deref());
    match ip {
        Some(ip) if ip.parse::<std::net::IpAddr>().is_ok() => json!({ "ip": ip }),
        Some(reference) => json!({ "uid": reference }),
        None => json!({ "name": source.and_then(|source| source.client.as_deref()).unwrap_or(UNKNOWN) }),
    }
}

fn model(event: &Event) -> Value {
    let Some(usage) = &event.usage else { return Value::Null };
    let Some(model) = &usage.model else { return Value::Null };
    json!({ "name": model, "ai_provider": usage.provider.as_deref().unwrap_or(UNKNOWN) })
}

/// Only what concerns a model has one.
fn context(event: &Event) -> Value {
    let kind = event.action.as_ref().and_then(|action| action.kind);
    if kind != Some(ActionKind::Llm) && event.usage.is_none() {
        return Value::Null;
    }
    let role = match (kind, event.kind) {
        (Some(ActionKind::Tool), _) => 3,
        (Some(ActionKind::Agent), _) => 4,
        (_, EventType::ActionExecuted) => 2,
        _ => 1,
    };
    let usage = event.usage.as_ref();
    let (input, output) =
        (usage.and_then(|usage| usage.input_tokens), usage.and_then(|usage| usage.output_tokens));
    let total = input.zip(output).map(|(input, output)| input.saturating_add(output));
    object(json!({
        "uid": event.session_id,
        "ai_role_id": role,
        "application": { "name": event.agent.as_ref().map_or(UNKNOWN, |agent| agent.id.as_str()) },
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": total,
    }))
}

/// What inspection found.
fn found(event: &Event) -> Value {
    let Some(safety) = event.content_safety.as_ref().filter(|safety| !safety.redactions.is_empty()) else {
        return Value::Null;
    };
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for redaction in &safety.redactions {
        let count = counts.entry(&redaction.entity).or_default();
        *count = count.saturating_add(redaction.count);
    }
    let value: Vec<String> = counts.iter().map(|(entity, count)| format!("{entity}:{count}")).collect();
    json!([{
        "name": "content_safety",
        "value": value.join(" "),
        "type": "dlp",
        "data": { "redactions": safety.redactions },
    }])
}

/// What stands nowhere else.
fn unmapped(event: &Event, class: Class) -> Value {
    let source = event.source.as_ref();
    let bare = matches!(class, Class::Lifecycle | Class::Error);
    let usage = event.usage.as_ref();
    object(json!({
        "channel": source.map(|source| source.channel.as_str()),
        "node": source.and_then(|source| source.node.as_deref()),
        "protocol": source.and_then(|source| source.protocol.as_deref()),
        "user_verified": event.user.as_ref().map(|user| user.verified),
        "agent_verified": event.agent.as_ref().map(|agent| agent.verified),
        "action": bare.then(|| action_name(event)),
        "agent": bare.then(|| event.agent.as_ref().map(|agent| agent.id.as_str())),
        "user": bare.then(|| event.user.as_ref().map(|user| user.sub.as_str())),
        "session": bare.then_some(event.session_id.as_deref()),
        "resource": (bare || class == Class::Datastore).then(|| uri(event)),
        "subjects": event.resource.as_ref().filter(|resource| !resource.subjects.is_empty())
            .map(|resource| &resource.subjects),
        "scopes": event.policy.as_ref().filter(|policy| !policy.scopes.is_empty()).map(|policy| &policy.scopes),
        "cost_micros": usage.and_then(|usage| usage.cost_micros),
        "parts_root": event.parts_root,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::testing::{check_golden, events};
    use super::*;

    #[test]
    fn golden() {
        check_golden("ocsf.jsonl", |index, event| line("acme", index, event));
    }

    /// What the schema's validators do not see.
    #[test]
    fn the_type_is_the_class_and_the_activity() {
        for (index, event) in events().iter().enumerate() {
            let object: Value = serde_json::from_str(&line("acme", index as u64, event)).unwrap();
            let number = |name: &str| object[name].as_u64().unwrap();
            assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
            assert_eq!(object["metadata"]["sequence"], index);
        }
    }
}
