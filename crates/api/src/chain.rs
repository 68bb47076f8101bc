//! The calls of a session as a tree: which call followed from which, and what they come to together.
//!
//! A tree is a reading of the order, and each branch says what it rests on. A tool call hangs below the model's call
//! before it; what another agent does for one of the session's agents, below the latest call of that one. Calls to
//! models stand beside each other, as a conversation goes on.

use std::collections::{BTreeSet, HashMap};

use greffier_event::{DecisionKind, Event, InvalidEvent, OutcomeStatus, SessionLink, Timestamp};
use greffier_query::Row;
use serde::Serialize;

use crate::summary::{Summary, summaries};

/// What a branch rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Because {
    /// The model of this session wished for just this call (`inferred:tool_call`): which of its calls said so, the
    /// order says.
    ToolCall,
    /// Its agent acts for the one of that call (`agent.via`).
    Delegation,
    /// It came next.
    Order,
}

/// Below which call another one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Parent {
    /// The step of that call, counted from 1.
    step: usize,
    because: Because,
}

/// One call with its place in the tree.
#[derive(Serialize)]
struct Step {
    /// Counted from 1, in order.
    step: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    /// How many calls stand above it.
    depth: usize,
    #[serde(flatten)]
    call: Summary,
}

/// What all calls of a session come to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Totals {
    calls: usize,
    events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    users: BTreeSet<String>,
    agents: BTreeSet<String>,
    denied: usize,
    failed: usize,
    redactions: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost_micros: u64,
}

/// The chain of a session.
#[derive(Serialize)]
pub struct Chain {
    /// How many of its calls nobody declared to be of this session.
    inferred: usize,
    totals: Totals,
    calls: Vec<Step>,
}

impl Chain {
    /// Reads the events of one session, in order of time.
    pub fn of(events: &[(u64, Event)]) -> Chain {
        let calls = summaries(events);
        let totals = totals(&calls, events);
        let inferred = calls.iter().filter(|call| call.is_inferred()).count();
        let mut tree = Tree::default();
        let mut steps: Vec<Step> = Vec::with_capacity(calls.len());
        for (at, call) in calls.into_iter().enumerate() {
            let step = at + 1;
            let parent = tree.place(step, &call);
            let above = parent.and_then(|parent| steps.get(parent.step.saturating_sub(1)));
            let depth = above.map_or(0, |above| above.depth + 1);
            steps.push(Step { step, parent, depth, call });
        }
        Chain { inferred, totals, calls: steps }
    }
}

/// Entries by when they happened, as a session is told: what is claimed may be recorded in any order, an outcome before its
/// decision, too. One call stays in the order of the trail, so that no claim can put itself before what is enforced.
///
/// # Errors
/// When an entry is no event.
pub fn in_order_of_time(rows: Vec<Row>) -> Result<Vec<Row>, InvalidEvent> {
    let timed = rows.into_iter().map(|row| Ok((row.event()?.time, row)));
    let mut timed = timed.collect::<Result<Vec<_>, InvalidEvent>>()?;
    timed.sort_by_key(|(time, row)| (*time, row.index));
    Ok(timed.into_iter().map(|(_, row)| row).collect())
}

/// What has been met of a session so far.
#[derive(Default)]
struct Tree {
    /// The latest call to a model of each agent.
    models: HashMap<Option<String>, usize>,
    /// The latest call of each agent.
    calls: HashMap<String, usize>,
}

impl Tree {
    fn place(&mut self, step: usize, call: &Summary) -> Option<Parent> {
        let is_model = call.kind() == Some("llm");
        let of_own = self.models.get(&call.agent).copied().filter(|_| !is_model);
        let by_model = of_own.map(|step| {
            let asked = call.session_link() == Some(SessionLink::ToolCall);
            Parent { step, because: if asked { Because::ToolCall } else { Because::Order } }
        });
        // The nearest of the earlier actors that this session knows.
        let known = call.via.iter().find_map(|actor| self.calls.get(actor)).copied();
        let delegated = known.map(|step| Parent { step, because: Because::Delegation });
        if is_model {
            self.models.insert(call.agent.clone(), step);
        }
        // What a sub-agent does hangs below its own latest model call, not below whoever sent it.
        let parent = by_model.or(delegated);
        if let Some(agent) = &call.agent {
            self.calls.insert(agent.clone(), step);
        }
        parent
    }
}

fn totals(calls: &[Summary], events: &[(u64, Event)]) -> Totals {
    let mut totals = Totals { calls: calls.len(), ..Totals::default() };
    for call in calls {
        totals.events += call.events();
        totals.users.extend(call.user.clone());
        totals.agents.extend(call.agent.clone());
        totals.denied += usize::from(call.decision() == Some(DecisionKind::Deny));
        totals.failed += usize::from(matches!(
            call.status(),
            Some(
                OutcomeStatus::Failure
                    | OutcomeStatus::Timeout
                    | OutcomeStatus::Cancelled
                    | OutcomeStatus::Unknown
            )
        ));
        totals.redactions += call.redactions();
        let (input, output, cost) = call.usage();
        totals.input_tokens += input;
        totals.output_tokens += output;
        totals.cost_micros += cost;
    }
    let times = events.iter().map(|(_, event)| event.time);
    (totals.first, totals.last) = (times.clone().min(), times.max());
    totals
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// One line per step: its depth, its parent and why, what it did.
    fn check(events: &[Value]) -> String {
        let events: Vec<(u64, Event)> = events
            .iter()
            .enumerate()
            .map(|(index, fields)| {
                let mut event = json!({
                    "v": 1, "id": format!("00000000-0000-7000-8000-{index:012}"), "tenant": "acme",
                    "time": format!("2026-03-06T14:32:{index:02}.000000Z"), "type": "action.executed",
                });
                event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
                (index as u64, serde_json::from_value(event).unwrap())
            })
            .collect();
        let told = serde_json::to_value(Chain::of(&events)).unwrap();
        let line = |call: &Value| {
            let parent = call.get("parent").map_or_else(String::new, |parent| {
                format!(" below {} by {}", parent["step"], parent["because"].as_str().unwrap())
            });
            let depth = usize::try_from(call["depth"].as_u64().unwrap()).unwrap();
            format!("{}{} {}{parent}", "  ".repeat(depth), call["step"], call["action"].as_str().unwrap())
        };
        let calls = told["calls"].as_array().unwrap().iter().map(line);
        calls.chain([told["totals"].to_string()]).collect::<Vec<_>>().join("\n")
    }

    fn call(agent: &str, name: &str, kind: &str, more: Value) -> Value {
        let mut event = json!({
            "agent": {"id": agent}, "user": {"sub": "alice"}, "action": {"name": name, "kind": kind},
            "source": {"channel": "gateway"},
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }

    #[test]
    fn tools_hang_below_the_model_and_helpers_below_whoever_sent_them() {
        let told = check(&[
            call("crm", "lookup", "tool", json!({})),
            call(
                "crm",
                "chat",
                "llm",
                json!({"usage": {"input_tokens": 10, "output_tokens": 2, "cost_micros": 40}}),
            ),
            call("crm", "weather", "tool", json!({"session_link": "inferred:tool_call"})),
            call("crm", "delete", "tool", json!({"policy": {"decision": "deny"}})),
            json!({
                "agent": {"id": "helper", "via": [{"sub": "unknown"}, {"sub": "crm"}]}, "user": {"sub": "alice"},
                "action": {"name": "chat", "kind": "llm"}, "source": {"channel": "gateway"},
                "usage": {"cost_micros": 2},
            }),
            call("helper", "read", "data", json!({"outcome": {"status": "timeout"}})),
            call("crm", "chat", "llm", json!({})),
        ]);
        insta::assert_snapshot!(told);
    }

    #[test]
    fn an_empty_session_comes_to_nothing() {
        insta::assert_snapshot!(check(&[]), @r#"{"calls":0,"events":0,"users":[],"agents":[],"denied":0,"failed":0,"redactions":0,"input_tokens":0,"output_tokens":0,"cost_micros":0}"#);
    }
}
