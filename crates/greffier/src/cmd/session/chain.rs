//! From events to steps: the decision and the outcome of one call are one step, at the place of the first.
//!
//! Events belong together by request and channel: a claim never joins what the gateway enforced.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::fields::plain;
use crate::source::Hit;

/// Characters of a content that a timeline shows; all of it is in the JSON.
const SHOWN: usize = 240;

/// One thing that was done or tried.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// The native fields of its events, those of a later one over those of an earlier one.
    fields: Map<String, Value>,
    /// Name and content of each part that may be shown.
    parts: Vec<(String, String)>,
}

impl Step {
    /// The steps of some events, oldest first.
    pub(super) fn chain(hits: &[Hit]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut calls: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for hit in hits {
            let channel = hit.event.pointer("/source/channel").and_then(Value::as_str);
            let call = hit.event.get("request_id").and_then(Value::as_str).map(|request| (request, channel));
            let at = match call.and_then(|call| calls.get(&call)) {
                Some(&at) => at,
                None => {
                    steps.push(Step::default());
                    steps.len() - 1
                }
            };
            if let Some(call) = call {
                calls.insert(call, at);
            }
            if let Some(step) = steps.get_mut(at) {
                step.add(&hit.event);
            }
        }
        steps
    }

    fn add(&mut self, event: &Value) {
        for (name, value) in event.as_object().into_iter().flatten() {
            match name.as_str() {
                // When it was tried, and by whom, the first event says.
                "time" | "user" | "agent" if self.fields.contains_key(name) => {}
                "content_safety" => self.found(value),
                "parts" => self.parts.extend(value.as_array().into_iter().flatten().filter_map(part)),
                _ => drop(self.fields.insert(name.clone(), value.clone())),
            }
        }
    }

    /// What was found on the way in and on the way out.
    fn found(&mut self, safety: &Value) {
        let of =
            |value: &Value| value.get("redactions").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut all = self.fields.get("content_safety").map(of).unwrap_or_default();
        // The outcome repeats what the decision found.
        let known = all.clone();
        all.extend(of(safety).into_iter().filter(|new| !known.contains(new)));
        self.fields.insert("content_safety".to_owned(), json!({ "redactions": all }));
    }

    fn text(&self, path: &[&str]) -> Option<String> {
        let (first, rest) = path.split_first()?;
        let value = rest.iter().try_fold(self.fields.get(*first)?, |value, name| value.get(name))?;
        Some(plain(value))
    }

    fn duration_ms(&self) -> Option<String> {
        let micros = self.fields.get("outcome")?.get("duration_us")?.as_u64()?;
        Some(format!("{}.{:03}", micros / 1_000, micros % 1_000))
    }

    /// `US_SSN ×2 redact`, by type and what was done.
    fn redactions(&self) -> Vec<String> {
        let found = self.fields.get("content_safety").and_then(|safety| safety.get("redactions")?.as_array());
        let mut counts: Vec<(String, u64)> = Vec::new();
        for redaction in found.into_iter().flatten() {
            let text = |name: &str| redaction.get(name).map(plain).unwrap_or_default();
            let name = format!("{} {}", text("action"), text("type"));
            let count = redaction.get("count").and_then(Value::as_u64).unwrap_or(1);
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => counts.push((name, count)),
            }
        }
        counts.into_iter().map(|(name, count)| format!("{name} ×{count}")).collect()
    }

    /// Its cells.
    pub(super) fn row(&self) -> Value {
        let redactions = self.redactions();
        json!({
            "time": self.text(&["time"]),
            "user": self.text(&["user", "sub"]),
            "agent": self.text(&["agent", "id"]),
            "action": self.action(),
            "resource": self.text(&["resource", "uri"]),
            "link": self.text(&["session_link"]),
            "decision": self.text(&["policy", "decision"]),
            "rule": self.text(&["policy", "rule"]),
            "status": self.text(&["outcome", "status"]),
            "code": self.text(&["outcome", "code"]),
            "duration_ms": self.duration_ms(),
            "redactions": (!redactions.is_empty()).then(|| redactions.join(", ")),
        })
    }

    /// How it is known to be of this session, where nobody declared it.
    fn inferred(&self) -> Option<String> {
        self.text(&["session_link"])?.strip_prefix("inferred:").map(|by| by.replace('_', " "))
    }

    fn who(&self) -> String {
        match (self.text(&["user", "sub"]), self.text(&["agent", "id"])) {
            (Some(user), Some(agent)) => format!("{user} via {agent}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "nobody known".to_owned(),
        }
    }

    fn action(&self) -> Option<String> {
        self.text(&["action", "name"]).or_else(|| self.text(&["type"]))
    }

    /// What people read: who did what, what was decided and by which rule, how it ended.
    pub(super) fn lines(&self, number: usize) -> Vec<String> {
        let mut first =
            vec![self.text(&["time"]).unwrap_or_default(), self.who(), self.action().unwrap_or_default()];
        first.extend(self.text(&["resource", "uri"]));
        let claim = self.text(&["source", "channel"]).filter(|channel| channel != "gateway");
        first.extend(claim.map(|channel| format!("(claimed by {channel})")));
        first.extend(self.inferred().map(|by| format!("(link inferred: {by})")));
        let mut lines = vec![format!("{number:>3}  {}", first.join("  "))];
        let mut add = |what: &str, text: String| lines.push(format!("     {what:<10} {text}"));
        if let Some(decision) = self.text(&["policy", "decision"]) {
            let why: Vec<String> =
                ["rule", "reason"].iter().filter_map(|name| self.text(&["policy", name])).collect();
            let because = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
            add("decision", format!("{decision}{because}"));
        }
        let outcome: Vec<String> = [
            self.text(&["outcome", "status"]),
            self.text(&["outcome", "code"]),
            self.text(&["outcome", "error"]),
            self.duration_ms().map(|ms| format!("in {ms} ms")),
        ]
        .into_iter()
        .flatten()
        .collect();
        match outcome.is_empty() {
            false => add("outcome", outcome.join(" ")),
            true if self.text(&["type"]).as_deref() == Some("action.approved") => {
                add("outcome", "not yet".to_owned())
            }
            true => {}
        }
        let redactions = self.redactions();
        if !redactions.is_empty() {
            add("found", redactions.join(", "));
        }
        for (name, content) in &self.parts {
            add(name, clipped(content));
        }
        lines
    }
}

/// One line above the steps.
pub(super) fn summary(id: &str, steps: &[Step]) -> String {
    let time = |step: Option<&Step>| step.and_then(|step| step.text(&["time"])).unwrap_or_default();
    let count = match steps.len() {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    };
    let inferred = match steps.iter().filter(|step| step.inferred().is_some()).count() {
        0 => String::new(),
        some => format!(", {some} by inference"),
    };
    format!("session {id}: {count}{inferred}, {} to {}", time(steps.first()), time(steps.last()))
}

/// A part's name and content, if it is shown.
fn part(part: &Value) -> Option<(String, String)> {
    let content = part.get("json").or_else(|| part.get("text")).or_else(|| part.get("base64"))?;
    Some((part.get("name")?.as_str()?.to_owned(), plain(content)))
}

fn clipped(content: &str) -> String {
    match content.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", content.get(..end).unwrap_or_default()),
        None => content.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(events: &[Value]) -> String {
        let hits: Vec<Hit> = events
            .iter()
            .enumerate()
            .map(|(at, event)| Hit { index: at as u64, event: event.clone() })
            .collect();
        let steps = Step::chain(&hits);
        let lines = steps.iter().enumerate().flat_map(|(at, step)| step.lines(at + 1));
        std::iter::once(summary("s", &steps)).chain(lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_call_is_one_step() {
        let ssn = json!({"type": "US_SSN", "count": 2, "stage": "input", "action": "redact"});
        let said = check(&[
            json!({
                "time": "t1", "type": "action.approved", "request_id": "r1", "user": {"sub": "alice"}, "agent": {"id": "crm"},
                "session_link": "inferred:tool_call", "action": {"name": "crm:search"}, "resource": {"uri": "crm://contacts"},
                "policy": {"decision": "allow", "rule": "analysts read"},
                "content_safety": {"redactions": [ssn]}, "parts": [{"name": "parameters", "json": {"q": "x"}}],
            }),
            json!({"time": "t2", "type": "permission.denied", "agent": {"id": "crm"}, "policy": {"decision": "deny", "reason": "no scope"}}),
            json!({
                "time": "t3", "type": "action.executed", "request_id": "r1", "user": {"sub": "alice"}, "policy": {"decision": "allow", "rule": "analysts read"},
                "outcome": {"status": "success", "code": 200, "duration_us": 342_010}, "content_safety": {"redactions": [ssn]},
                "parts": [{"name": "result", "text": "y".repeat(300)}, {"name": "email", "bytes": 3}],
            }),
            json!({"time": "t4", "type": "action.approved", "request_id": "r2", "policy": {"decision": "allow"}}),
            json!({
                "time": "t5", "type": "action.executed", "request_id": "r2", "source": {"channel": "sdk"},
                "outcome": {"status": "success"},
            }),
        ]);
        insta::assert_snapshot!(said, @r#"
        session s: 4 steps, 1 by inference, t1 to t5
          1  t1  alice via crm  crm:search  crm://contacts  (link inferred: tool call)
             decision   allow: analysts read
             outcome    success 200 in 342.010 ms
             found      redact US_SSN ×2
             parameters {"q":"x"}
             result     yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
          2  t2  crm  permission.denied
             decision   deny: no scope
          3  t4  nobody known  action.approved
             decision   allow
             outcome    not yet
          4  t5  nobody known  action.executed  (claimed by sdk)
             outcome    success
        "#);
    }
}
