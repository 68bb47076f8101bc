//! From events to steps: the decision and the outcome of one call are one step, at the place of the first. Where a
//! step stands in the tree, the answer says (`calls`).
//!
//! Events belong together by request and channel: a claim never joins what the gateway enforced.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use greffier_event::Timestamp;

use crate::fields::plain;
use crate::source::Session;

/// Characters of a content that a timeline shows; all of it is in the JSON.
const SHOWN: usize = 240;

/// The member of the metadata that says how a producer wrote an event where we write it in another way.
const GIVEN: &str = "greffier.given";

/// One thing that was done or tried.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Counted from 1.
    number: usize,
    /// What the answer says of the call that it is; nothing of what Greffier did itself.
    call: Value,
    /// The native fields of its events, those of a later one over those of an earlier one.
    fields: Map<String, Value>,
    /// Name and content of each part that may be shown.
    parts: Vec<(String, String)>,
}

impl Step {
    /// The steps of a session, oldest first.
    pub(super) fn chain(session: &Session) -> Vec<Step> {
        let hits = &session.hits;
        let calls = session.chain.get("calls").and_then(Value::as_array).into_iter().flatten();
        let first = |call: &Value| call.pointer("/indexes/0").and_then(Value::as_u64);
        let told: HashMap<u64, &Value> = calls.filter_map(|call| Some((first(call)?, call))).collect();
        let mut steps: Vec<Step> = Vec::new();
        let mut calls: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for hit in hits {
            let channel = hit.event.pointer("/source/channel").and_then(Value::as_str);
            let call = hit.event.get("request_id").and_then(Value::as_str).map(|request| (request, channel));
            let at = match call.and_then(|call| calls.get(&call)) {
                Some(&at) => at,
                None => {
                    let call = told.get(&hit.index).copied().cloned().unwrap_or_default();
                    steps.push(Step { number: steps.len() + 1, call, ..Step::default() });
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

    /// Its number, as the tree has it.
    pub(super) fn number(&self) -> u64 {
        self.told("/step").unwrap_or(self.number as u64)
    }

    fn told(&self, at: &str) -> Option<u64> {
        self.call.pointer(at).and_then(Value::as_u64)
    }

    /// From when to when, in microseconds.
    pub(super) fn span(&self) -> (i64, i64) {
        let time = self.text(&["time"]).and_then(|time| time.parse::<Timestamp>().ok());
        let from = time.map_or(0, Timestamp::as_micros);
        let took = self.told("/duration_us").and_then(|took| i64::try_from(took).ok()).unwrap_or_default();
        (from, from.saturating_add(took))
    }

    /// Who did what, in one line.
    pub(super) fn title(&self) -> String {
        let indent =
            "  ".repeat(usize::try_from(self.told("/depth").unwrap_or_default()).unwrap_or_default());
        let what = [self.action(), self.text(&["resource", "uri"])].into_iter().flatten().collect::<Vec<_>>();
        format!("{indent}{}: {}", self.who(), what.join(" "))
    }

    /// What was decided, how it ended and what it cost, in few words.
    pub(super) fn brief(&self) -> Vec<String> {
        let redactions = self.redactions();
        let found = (!redactions.is_empty()).then(|| redactions.join(", "));
        let decision = self.text(&["policy", "decision"]);
        let took = self.duration_ms().map(|ms| format!("{ms} ms"));
        [decision, self.text(&["outcome", "status"]), took, self.usage(), found]
            .into_iter()
            .flatten()
            .collect()
    }

    /// `gpt-4o: 1240 tokens in, 380 out, $0.0067`.
    fn usage(&self) -> Option<String> {
        let tokens = [("/input_tokens", "in"), ("/output_tokens", "out")];
        let tokens = tokens.iter().filter_map(|(at, way)| Some(format!("{} {way}", self.told(at)?)));
        let mut all: Vec<String> = tokens.collect();
        if let Some(first) = all.first_mut() {
            first.insert_str(first.find(' ').unwrap_or_default(), " tokens");
        }
        all.extend(self.told("/cost_micros").map(dollars));
        let model = self.text(&["usage", "model"]);
        match (all.is_empty(), model) {
            (true, model) => model,
            (false, None) => Some(all.join(", ")),
            (false, Some(model)) => Some(format!("{model}: {}", all.join(", "))),
        }
    }

    /// Its cells.
    pub(super) fn row(&self) -> Value {
        let redactions = self.redactions();
        json!({
            "step": self.number(),
            "parent": self.told("/parent/step"),
            "because": self.call.pointer("/parent/because"),
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
            "input_tokens": self.told("/input_tokens"),
            "output_tokens": self.told("/output_tokens"),
            "cost_micros": self.told("/cost_micros"),
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
    fn lines(&self) -> Vec<String> {
        let mut first =
            vec![self.text(&["time"]).unwrap_or_default(), self.who(), self.action().unwrap_or_default()];
        first.extend(self.text(&["resource", "uri"]));
        let claim = self.text(&["source", "channel"]).filter(|channel| channel != "gateway");
        first.extend(claim.map(|channel| format!("(claimed by {channel})")));
        first.extend(self.inferred().map(|by| format!("(link inferred: {by})")));
        let mut lines = vec![format!("{:>3}  {}", self.number(), first.join("  "))];
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
        if let Some(usage) = self.usage() {
            add("usage", usage);
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

/// The steps as a tree: each below the one that it followed from, with what is known of it beside the branch.
pub(super) fn tree(steps: &[Step]) -> Vec<String> {
    let known: HashMap<u64, usize> = steps.iter().enumerate().map(|(at, step)| (step.number(), at)).collect();
    let parents: Vec<Option<usize>> = steps
        .iter()
        .enumerate()
        // A parent stands before its children, or the tree had no end.
        .map(|(at, step)| known.get(&step.told("/parent/step")?).copied().filter(|parent| *parent < at))
        .collect();
    let mut last_child: HashMap<Option<usize>, usize> = HashMap::new();
    for (at, parent) in parents.iter().enumerate() {
        last_child.insert(*parent, at);
    }
    // Children directly below their parent, in order.
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, parent) in parents.iter().enumerate().rev() {
        children.entry(*parent).or_default().push(at);
    }
    let mut open: Vec<(usize, String)> =
        children.get(&None).into_iter().flatten().map(|at| (*at, String::new())).collect();
    let mut lines = Vec::new();
    while let Some((at, indent)) = open.pop() {
        let Some(step) = steps.get(at) else { continue };
        let parent = parents.get(at).copied().flatten();
        let is_last = last_child.get(&parent) == Some(&at);
        let (branch, below) = match parent {
            None => (String::new(), String::new()),
            Some(_) if is_last => (format!("{indent}└─ "), format!("{indent}   ")),
            Some(_) => (format!("{indent}├─ "), format!("{indent}│  ")),
        };
        let below_it = children.get(&Some(at)).map(Vec::as_slice).unwrap_or_default();
        let beside = if below_it.is_empty() { format!("{below}   ") } else { format!("{below}│  ") };
        for (line, text) in step.lines().into_iter().enumerate() {
            lines.push(if line == 0 {
                format!("{branch}{}", text.trim_start())
            } else {
                format!("{beside}{}", text.trim_start())
            });
        }
        open.extend(below_it.iter().map(|child| (*child, below.clone())));
    }
    lines
}

/// What stands above the steps.
pub(super) fn summary(id: &str, session: &Session, steps: &[Step]) -> Vec<String> {
    let totals = session.chain.get("totals").cloned().unwrap_or_default();
    let time = |name: &str| totals.get(name).map(plain).unwrap_or_default();
    let count = match steps.len() {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    };
    let inferred = match steps.iter().filter(|step| step.inferred().is_some()).count() {
        0 => String::new(),
        some => format!(", {some} by inference"),
    };
    let first = format!("session {id}: {count}{inferred}, {} to {}", time("first"), time("last"));
    let number = |name: &str| totals.get(name).and_then(Value::as_u64).unwrap_or_default();
    let names = |name: &str| {
        let names = totals.get(name).and_then(Value::as_array).into_iter().flatten().map(plain);
        names.collect::<Vec<_>>().join(", ")
    };
    let mut told = Vec::new();
    let mut add = |is_there: bool, text: String| told.extend(is_there.then_some(text));
    add(!names("users").is_empty(), format!("for {}", names("users")));
    add(!names("agents").is_empty(), format!("by {}", names("agents")));
    add(number("denied") > 0, format!("{} denied", number("denied")));
    add(number("failed") > 0, format!("{} failed", number("failed")));
    add(number("redactions") > 0, format!("{} redactions", number("redactions")));
    let tokens = number("input_tokens").saturating_add(number("output_tokens"));
    add(tokens > 0, format!("{tokens} tokens"));
    add(number("cost_micros") > 0, dollars(number("cost_micros")));
    std::iter::once(first).chain((!told.is_empty()).then(|| format!("  {}", told.join(", ")))).collect()
}

/// Millionths of a dollar.
fn dollars(micros: u64) -> String {
    let fraction = format!("{:06}", micros % 1_000_000);
    let kept = fraction.trim_end_matches('0').len().max(2);
    format!("${}.{}", micros / 1_000_000, fraction.get(..kept).unwrap_or_default())
}

/// A part's name and content, if it is shown. How a producer wrote what the event says is nothing for people.
fn part(part: &Value) -> Option<(String, String)> {
    let content = part.get("json").or_else(|| part.get("text")).or_else(|| part.get("base64"))?;
    let mut content = content.clone();
    if let Some(members) = content.as_object_mut()
        && members.remove(GIVEN).is_some()
        && members.is_empty()
    {
        return None;
    }
    Some((part.get("name")?.as_str()?.to_owned(), plain(&content)))
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
    use crate::source::Hit;

    fn session(events: &[Value], calls: Value) -> Session {
        let hits =
            events.iter().enumerate().map(|(at, event)| Hit { index: at as u64, event: event.clone() });
        let time = |event: Option<&Value>| event.map(|event| event["time"].clone());
        let totals = json!({ "first": time(events.first()), "last": time(events.last()) });
        Session { chain: json!({ "calls": calls, "totals": totals }), hits: hits.collect(), left_out: 0 }
    }

    fn check(events: &[Value], calls: Value) -> String {
        let session = session(events, calls);
        let steps = Step::chain(&session);
        summary("s", &session, &steps).into_iter().chain(tree(&steps)).collect::<Vec<_>>().join("\n")
    }

    /// Each below what it followed from, however the calls of several stand between each other.
    #[test]
    fn steps_are_a_tree() {
        let events: Vec<Value> = (1..=6)
            .map(|n| {
                json!({
                    "time": format!("2026-03-06T14:32:0{n}.000000Z"), "type": "tool.call", "action": {"name": format!("call {n}")},
                    "policy": {"decision": "allow"}, "usage": {"model": "m"},
                })
            })
            .collect();
        let below = |step: u64, parent: u64, depth: u64| {
            json!({"step": step, "indexes": [step - 1], "depth": depth, "parent": {"step": parent, "because": "order"},
                "duration_us": 400_000, "input_tokens": 5, "cost_micros": 1_250})
        };
        let top =
            |step: u64| json!({"step": step, "indexes": [step - 1], "depth": 0, "duration_us": 1_500_000});
        let calls = json!([top(1), below(2, 1, 1), below(3, 2, 2), top(4), below(5, 1, 1), below(6, 4, 1)]);
        insta::assert_snapshot!(check(&events, calls.clone()));
        let lines = super::super::timeline::lines(&Step::chain(&session(&events, calls)));
        insta::assert_snapshot!(lines.join("\n"));
        assert_eq!(
            (dollars(1_250), dollars(0), dollars(12_500_000)),
            ("$0.00125".to_owned(), "$0.00".to_owned(), "$12.50".to_owned())
        );
    }

    #[test]
    fn a_call_is_one_step() {
        let ssn = json!({"type": "US_SSN", "count": 2, "stage": "input", "action": "redact"});
        let said = check(
            &[
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
                    "parts": [{"name": "result", "text": "y".repeat(300)}, {"name": "email", "bytes": 3},
                        {"name": "metadata", "json": {"greffier.given": {}}}],
                }),
                json!({"time": "t4", "type": "action.approved", "request_id": "r2", "policy": {"decision": "allow"}}),
                json!({
                    "time": "t5", "type": "action.executed", "request_id": "r2", "source": {"channel": "sdk"},
                    "outcome": {"status": "success"},
                }),
            ],
            json!([]),
        );
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
