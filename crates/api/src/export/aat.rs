//! AAT: records of the IETF draft `draft-sharif-agent-audit-trail`, a hash chain for each session of each agent.
//!
//! The chains are made anew by every export: each begins with a record of its own, and what binds a record to the
//! trail is the leaf hash in `content_fingerprint`. They are not signed: the draft's algorithms are others than the
//! trail's, and what proves an event is the trail's own proof. What the draft demands and the event does not have is
//! named in `action_detail.unmapped`.

use std::collections::HashMap;

use greffier_event::{DecisionKind, Event, EventType, OutcomeStatus, Timestamp};
use greffier_merkle::hash;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::lines::ExportError;

/// Chains and open calls of one export, some 200 bytes each: more than the sessions of a month.
const MAX_KNOWN: usize = 500_000;
/// The version of an agent of which none is known, or none that the draft takes.
const NO_VERSION: &str = "0.0.0";

/// The chains of one export.
#[derive(Default)]
pub(super) struct Chains {
    chains: HashMap<(String, String), Chain>,
    /// Records that a response may name as its call.
    calls: HashMap<String, Uuid>,
}

/// The end of one chain.
struct Chain {
    last: Uuid,
    hash: String,
    time: Timestamp,
    records: u64,
}

/// What a record says beyond what all of them say.
struct Kind {
    action: &'static str,
    phase: &'static str,
    outcome: &'static str,
    detail: Map<String, Value>,
    /// The leaf hash of the event that it stands for; none for the record that a chain begins with.
    leaf: Option<String>,
}

impl Chains {
    /// The records of one event: its own, and the one that its chain begins with.
    pub(super) fn lines(&mut self, out: &mut String, index: u64, event: &Event) -> Result<(), ExportError> {
        if self.chains.len() + self.calls.len() >= MAX_KNOWN {
            return Err(ExportError::TooManySessions);
        }
        let agent = event.agent.as_ref().map_or("unknown", |agent| agent.id.as_str());
        // What names no session is in one of its day.
        let day: String = event.time.to_string().chars().take(10).collect();
        let session = event.session_id.clone().unwrap_or(day);
        let key = (agent.to_owned(), session.clone());
        let leaf = hex::encode(hash::leaf(&event.canonical()?));
        if !self.chains.contains_key(&key) {
            let mut detail = Map::new();
            let begins =
                if index == 0 || event.kind == EventType::AgentStart { "session_start" } else { "resume" };
            detail.insert("event".to_owned(), json!(begins));
            let kind =
                Kind { action: "lifecycle", phase: "concurrent", outcome: "success", detail, leaf: None };
            let id = version_4(&format!("genesis\n{}\n{agent}\n{session}\n{index}", event.tenant));
            self.add(out, &key, id, event, kind)?;
        }
        let id = record_id(event);
        let mut kind = self.kind(event);
        let detail = &mut kind.detail;
        detail.insert("event_id".to_owned(), json!(event.id.to_string()));
        detail.insert("event_type".to_owned(), json!(event.kind.as_str()));
        detail.insert("trail_index".to_owned(), json!(index));
        kind.leaf = Some(leaf);
        if let (Some(request), "pre_execution") = (&event.request_id, kind.phase) {
            self.calls.insert(request.clone(), id);
        }
        self.add(out, &key, id, event, kind)
    }

    fn add(
        &mut self,
        out: &mut String,
        key: &(String, String),
        id: Uuid,
        event: &Event,
        mut kind: Kind,
    ) -> Result<(), ExportError> {
        let before = self.chains.get(key);
        // Times of a chain never step back; where they would, the event's own stands in the detail.
        let time = before.map_or(event.time, |before| before.time.max(event.time));
        if time != event.time {
            kind.detail.insert("time".to_owned(), json!(event.time.to_string()));
        }
        let ends = kind.detail.get("event").is_some_and(|event| event == "session_end");
        if let Some(before) = before.filter(|_| ends) {
            kind.detail.insert("session_hash".to_owned(), json!(before.hash));
            kind.detail.insert("record_count".to_owned(), json!(before.records));
        }
        let agent = event.agent.as_ref();
        let (version, mut unmapped) = version(agent.and_then(|agent| agent.version.as_deref()));
        if agent.is_none() {
            unmapped.push("agent_id");
        }
        if event.session_id.is_none() {
            unmapped.push("session_id");
        }
        if kind.detail.get("parent_call_id").is_some_and(Value::is_null) {
            unmapped.push("parent_call_id");
        }
        if !unmapped.is_empty() {
            kind.detail.insert("unmapped".to_owned(), json!(unmapped));
        }
        let mut record = json!({
            "record_id": id.to_string(),
            "timestamp": time.to_string(),
            "agent_id": agent_uri(&key.0),
            "agent_version": version,
            "session_id": session_id(&key.1).to_string(),
            "action_type": kind.action,
            "action_detail": kind.detail,
            "outcome": kind.outcome,
            "trust_level": if agent.is_some_and(|agent| agent.verified) { "L1" } else { "L0" },
            "parent_record_id": before.map(|before| before.last.to_string()),
            "prev_hash": before.map(|before| before.hash.clone()),
            "record_phase": kind.phase,
            "recording_component": format!("urn:greffier:node:{}", node(event)),
        });
        if let Some(members) = record.as_object_mut() {
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    members.insert(name.to_owned(), value);
                }
            };
            put("model_id", event.usage.as_ref().and_then(|usage| Some(json!(usage.model.as_ref()?))));
            let micros = event.outcome.as_ref().and_then(|outcome| outcome.duration_us);
            put("latency_ms", micros.map(|micros| json!(micros / 1_000)));
            let reason = event.outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
            put("deny_reasons", reason.and_then(deny_reason).map(|code| json!([code])));
            put("content_fingerprint", kind.leaf.map(|leaf| json!(format!("sha256:{leaf}"))));
        }
        // RFC 8785: names sorted, no numbers but integers.
        record.sort_all_objects();
        let text = record.to_string();
        let records = before.map_or(0, |before| before.records) + 1;
        let hash = hex::encode(hash::sha256(text.as_bytes()));
        self.chains.insert(key.clone(), Chain { last: id, hash, time, records });
        out.push_str(&text);
        out.push('\n');
        Ok(())
    }

    fn kind(&mut self, event: &Event) -> Kind {
        use EventType::{
            ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, AgentStart, AgentStop,
            DataAccess, DataModify, Error, PermissionCheck, PermissionDenied, ToolCall, ToolResponse,
        };
        let status = event.outcome.as_ref().map(|outcome| outcome.status);
        let pending = event.policy.as_ref().is_some_and(|policy| policy.decision == DecisionKind::Pending);
        let name = event.action.as_ref().map_or(event.kind.as_str(), |action| action.name.as_str());
        let mut detail = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                detail.insert(name.to_owned(), value);
            }
        };
        let (action, phase) = match event.kind {
            AgentStart => ("lifecycle", "concurrent"),
            AgentStop => ("lifecycle", "post_execution"),
            ActionRequest if pending => ("escalation", "pre_execution"),
            ActionRequest | ToolCall => ("tool_call", "pre_execution"),
            ActionApproved | PermissionCheck | ActionDenied | PermissionDenied => {
                ("decision", "pre_execution")
            }
            ActionExecuted | ActionFailed | ToolResponse | DataAccess | DataModify => {
                ("tool_response", "post_execution")
            }
            Error => ("error", "post_execution"),
        };
        let outcome = match (event.kind, status) {
            (ActionDenied | PermissionDenied, _) | (_, Some(OutcomeStatus::Denied)) => "denied",
            (ActionRequest, _) if pending => "escalated",
            (_, Some(OutcomeStatus::Timeout)) => "timeout",
            (ActionFailed | Error, _)
            | (_, Some(OutcomeStatus::Failure | OutcomeStatus::Cancelled | OutcomeStatus::Unknown)) => {
                "failure"
            }
            _ => "success",
        };
        // The root over the salted commitments of its contents: it binds them, and tells nobody what they are.
        let contents = event.parts_root.clone().unwrap_or_else(|| hex::encode(hash::sha256(b"")));
        match action {
            "lifecycle" => {
                let event = if event.kind == AgentStart { "session_start" } else { "session_end" };
                put("event", Some(json!(event)));
            }
            "tool_call" => {
                put("tool_name", Some(json!(name)));
                put("parameters_hash", Some(json!(contents)));
            }
            "tool_response" => {
                let call = event.request_id.as_ref().and_then(|request| self.calls.remove(request));
                put("tool_name", Some(json!(name)));
                put("response_hash", Some(json!(contents)));
                put("parent_call_id", Some(json!(call.map(|call| call.to_string()))));
            }
            "decision" => {
                put(
                    "decision_type",
                    Some(json!(if event.kind == PermissionCheck { "permission" } else { "policy" })),
                );
                put("tool_name", Some(json!(name)));
            }
            "escalation" => {
                put("escalation_reason", Some(json!("approval")));
                put("escalation_target", Some(json!("approver")));
                put("tool_name", Some(json!(name)));
            }
            _ => {
                let code = event.outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
                put("error_code", Some(json!(code.unwrap_or("error"))));
                put("error_message", Some(json!(name)));
                put("error_category", Some(json!("internal")));
                put("recoverable", Some(json!(false)));
            }
        }
        let policy = event.policy.as_ref();
        put("reason", policy.and_then(|policy| policy.reason.as_ref()).map(|reason| json!(reason)));
        put("rule", policy.and_then(|policy| policy.rule.as_ref()).map(|rule| json!(rule)));
        put("request_id", event.request_id.as_ref().map(|request| json!(request)));
        put("resource", event.resource.as_ref().and_then(|resource| Some(json!(resource.uri.as_ref()?))));
        put("user", event.user.as_ref().map(|user| json!(user.sub)));
        put("channel", event.source.as_ref().map(|source| json!(source.channel)));
        Kind { action, phase, outcome, detail, leaf: None }
    }
}

fn node(event: &Event) -> String {
    let node = event.source.as_ref().and_then(|source| source.node.as_deref()).unwrap_or("unknown");
    crate::lookup::encoded(node)
}

/// The draft's version 4: the event's own id, or one that is made of it.
fn record_id(event: &Event) -> Uuid {
    let id = event.id.0;
    if id.get_version_num() == 4 { id } else { version_4(&format!("record\n{id}")) }
}

fn session_id(session: &str) -> Uuid {
    match Uuid::parse_str(session) {
        Ok(id) if id.get_version_num() == 4 => id,
        _ => version_4(&format!("session\n{session}")),
    }
}

/// The same text has the same id.
fn version_4(text: &str) -> Uuid {
    let digest = hash::sha256(format!("greffier aat\n{text}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[0; 16]));
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn agent_uri(id: &str) -> String {
    let scheme = id.split_once(':').is_some_and(|(scheme, rest)| {
        let word = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        word && !rest.is_empty() && id.bytes().all(|b| b.is_ascii_graphic())
    });
    if scheme { id.to_owned() } else { format!("urn:greffier:agent:{}", crate::lookup::encoded(id)) }
}

/// A version as SemVer has it, and what it cannot say.
fn version(given: Option<&str>) -> (&str, Vec<&'static str>) {
    let number = |text: &str| {
        let zero = text.len() > 1 && text.starts_with('0');
        !text.is_empty() && !zero && text.bytes().all(|b| b.is_ascii_digit())
    };
    let fits = |version: &&str| {
        let core = version.split(['-', '+']).next().unwrap_or_default();
        core.split('.').count() == 3 && core.split('.').all(number)
    };
    match given.filter(fits) {
        Some(version) => (version, Vec::new()),
        None => (NO_VERSION, vec!["agent_version"]),
    }
}

/// The draft's word for a reason of ours, where it has one.
fn deny_reason(ours: &str) -> Option<&'static str> {
    Some(match ours {
        "policy" | "scope_missing" | "role_missing" | "no_rule" | "tool_not_granted" => {
            "CAPABILITY_NOT_GRANTED"
        }
        "tool_unknown" | "no_destination" => "ACTION_UNKNOWN",
        "token_expired" => "TIMESTAMP_STALE",
        "jti_replayed" => "REPLAY_DETECTED",
        "agent_revoked" => "AGENT_REVOKED",
        "unverified_identity" => "INSUFFICIENT_TRUST_LEVEL",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use greffier_event::limits;
    use proptest::prelude::*;

    use super::super::testing::{check_golden, events};
    use super::*;

    /// Checks every rule of a chain that can be checked without the event; the ids of the sessions.
    fn check(text: &str) -> usize {
        let mut heads: HashMap<(String, String), (String, String, String)> = HashMap::new();
        let mut ids = std::collections::HashSet::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            assert!(ids.insert(word("record_id")), "{line}");
            assert_eq!(Uuid::parse_str(&word("record_id")).unwrap().get_version_num(), 4);
            assert_eq!(Uuid::parse_str(&word("session_id")).unwrap().get_version_num(), 4);
            assert!(word("agent_id").contains(':'), "{line}");
            assert!(!record["action_detail"].as_object().unwrap().is_empty());
            let key = (word("agent_id"), word("session_id"));
            match heads.get(&key) {
                None => {
                    assert_eq!(word("record_phase"), "concurrent", "{line}");
                    assert!(record["prev_hash"].is_null() && record["parent_record_id"].is_null(), "{line}");
                }
                Some((id, hash, time)) => {
                    assert_eq!((&word("parent_record_id"), &word("prev_hash")), (id, hash));
                    assert!(word("timestamp") >= *time, "{line}");
                }
            }
            if word("outcome") == "denied" && word("action_type") == "decision" {
                assert_eq!(word("record_phase"), "pre_execution");
            }
            let hash = hex::encode(hash::sha256(line.as_bytes()));
            heads.insert(key, (word("record_id"), hash, word("timestamp")));
        }
        heads.len()
    }

    fn written(events: &[Event]) -> String {
        let (mut chains, mut out) = (Chains::default(), String::new());
        for (index, event) in events.iter().enumerate() {
            chains.lines(&mut out, index as u64, event).unwrap();
        }
        out
    }

    #[test]
    fn golden() {
        let mut chains = Chains::default();
        check_golden("aat.jsonl", |index, event| {
            let mut out = String::new();
            chains.lines(&mut out, index, event).unwrap();
            out.trim_end().to_owned()
        });
        check(&written(&events()));
    }

    #[test]
    fn versions() {
        assert_eq!(version(Some("1.4.0-rc.1")).0, "1.4.0-rc.1");
        for bad in [None, Some("1.4"), Some("v1.2.3"), Some("01.2.3"), Some("1.2.3.4"), Some("")] {
            assert_eq!(version(bad), (NO_VERSION, vec!["agent_version"]), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever happens in which session at which time, each chain holds and every event is in one.
        #[test]
        fn chains_hold(
            what in prop::collection::vec((0..14_usize, 0..3_u8, 0..3_u8, 0..50_i64, prop::bool::ANY), 1..40)
        ) {
            let samples = events();
            let made: Vec<Event> = what.iter().enumerate().map(|(at, (kind, agent, session, time, request))| {
                let mut event = samples[*kind].clone();
                event.id = greffier_event::EventId(Uuid::from_u128(at as u128));
                event.agent = (*agent > 0).then(|| greffier_event::Agent {
                    id: format!("agent {agent}"),
                    ..Default::default()
                });
                event.session_id = (*session > 0).then(|| format!("s{session}"));
                event.time = Timestamp::from_micros(event.time.as_micros() + time);
                event.request_id = request.then(|| format!("req_{}", at % 5));
                event.source = Some(greffier_event::Source { channel: "sdk".to_owned(), ..Default::default() });
                event
            }).collect();
            let text = written(&made);
            let chains = check(&text);
            prop_assert_eq!(text.lines().count(), made.len() + chains);
            prop_assert!(text.lines().all(|line| line.len() < limits::ENTRY_BYTES * 4));
        }
    }
}
