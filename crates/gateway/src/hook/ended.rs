//! The end of a hook call: what came back, inspected; and its outcome, on record.

use greffier_event::{
    Call, Content, Draft, Event, EventType, Finding, Outcome, OutcomeStatus, Part, Place, Principal, Stage,
    Timestamp, limits,
};
use greffier_ledger::AppendError;
use greffier_merkle::Receipt;
use serde_json::Value;

use crate::handling::Handling;
use crate::hook::heard::{End, Note, Way, only_flagged};
use crate::inspect::{Inspector, Uninspectable, summary, without_token};
use crate::record::{Recorder, part};
use crate::settings::Secret;

/// Members of a result that say what it is, not what it says: a client looks at them to show it.
const LABELS: [&str; 4] = ["type", "role", "mimeType", "media_type"];

/// What came back.
pub(crate) struct Output {
    pub(crate) findings: Vec<Finding>,
    /// What the model is to see in its place; absent where it may see all.
    pub(crate) shown: Option<Vec<u8>>,
    /// Why the model is to see nothing of it, where that is so.
    pub(crate) withheld: Option<String>,
    record: Vec<u8>,
}

/// Inspects what came back, if anything did.
pub(crate) fn inspected(
    inspector: &Inspector,
    end: &End,
    handling: &Handling,
    token: &Secret,
) -> Result<Option<Output>, Uninspectable> {
    let Some(output) = &end.output else { return Ok(None) };
    let media = "application/json".to_owned();
    let content = Content { place: Place::Body, media, bytes: output.clone() };
    let inspected = inspector.content(&content, handling, Stage::Output)?;
    let blocks = |found: &&Finding| found.action == greffier_event::RedactionAction::Block;
    let can = end.way == Way::Replace;
    let blocked = inspected.findings.iter().find(blocks).map(|found| found.entity).filter(|_| can);
    let forward = without_token(inspected.forward, token);
    let why = blocked.map(|entity| format!("it contains {entity}"));
    let shown = match &why {
        Some(why) => Some(withheld(&forward, why)),
        None => (can && forward != *output).then_some(forward),
    };
    let record = without_token(inspected.record, token);
    // What could not be kept from the model was not redacted, whatever the rules say.
    let findings = if can { inspected.findings } else { only_seen(inspected.findings) };
    Ok(Some(Output { findings, shown, withheld: why, record }))
}

/// What came back and cannot be recorded: the client would show it to its model whatever status says so.
pub(crate) fn unrecorded(end: &End) -> Option<Output> {
    let output = end.output.as_ref().filter(|_| end.way == Way::Replace)?;
    let why = "its outcome cannot be recorded (outcome_unrecorded)".to_owned();
    let shown = Some(withheld(output, &why));
    Some(Output { findings: Vec::new(), shown, withheld: Some(why), record: Vec::new() })
}

/// Findings that were seen, with nothing done about them.
pub(crate) fn only_seen(findings: Vec<Finding>) -> Vec<Finding> {
    let seen = |finding: Finding| Finding { action: only_flagged(finding.action), ..finding };
    findings.into_iter().map(seen).collect()
}

/// A result of the same form that says nothing.
fn withheld(output: &[u8], why: &str) -> Vec<u8> {
    fn hide(value: &mut Value, notice: &str) {
        match value {
            Value::String(text) if !text.is_empty() => notice.clone_into(text),
            Value::Number(number) => *number = 0.into(),
            Value::Array(items) => items.iter_mut().for_each(|item| hide(item, notice)),
            Value::Object(members) => {
                let said = |(key, _): &(&String, &mut Value)| !LABELS.contains(&key.as_str());
                members.iter_mut().filter(said).for_each(|(_, member)| hide(member, notice));
            }
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(output).unwrap_or(Value::Null);
    hide(&mut value, &format!("[withheld by Greffier: {why}]"));
    value.to_string().into_bytes()
}

impl Recorder {
    /// Makes the outcome of a use durable: the small fields of its decision, or those that the event itself tells.
    pub(crate) async fn hook_ended(
        &self,
        decision: Option<&Event>,
        call: &Call,
        principal: &Principal,
        end: &End,
        output: &Option<Output>,
        mut parts: Vec<Part>,
    ) -> Result<(), AppendError> {
        let mut event = match decision {
            Some(decision) => self.after(decision, call.time),
            None => self.of_call(call, principal, EventType::ActionExecuted),
        };
        let denied = output.as_ref().is_some_and(|output| output.withheld.is_some());
        let (status, code) =
            if denied { (OutcomeStatus::Denied, Some("reply_blocked")) } else { (end.status, end.code) };
        event.kind = ended_as(status);
        if let (Some(action), Some(ended)) = (&mut event.action, &call.action.method) {
            action.method = Some(ended.clone());
        }
        let waited = decision.and_then(|decision| {
            u64::try_from(call.time.as_micros().saturating_sub(decision.time.as_micros())).ok()
        });
        event.outcome = Some(Outcome {
            duration_us: end.duration_us.or(waited).map(|micros| micros.min(limits::INTEGER)),
            ..outcome(status, code)
        });
        event.content_safety = output.as_ref().map(|output| summary(&output.findings));
        if let Some(output) = output {
            let bytes = output.record.clone();
            let media = "application/json".to_owned();
            parts.push(part(end.part, &Content { place: Place::Body, media, bytes }));
        }
        self.append(Draft { event, parts }).await.map(drop)
    }

    /// Closes a use of which no outcome came, or none will.
    pub(crate) async fn hook_closed(
        &self,
        decision: &Event,
        status: OutcomeStatus,
        code: Option<&'static str>,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        let mut event = self.after(decision, now);
        event.kind = ended_as(status);
        event.outcome = Some(outcome(status, code));
        self.append(Draft { event, parts: Vec::new() }).await.map(drop)
    }

    /// Makes any other event of a client durable.
    pub(crate) async fn hook_noted(
        &self,
        call: &Call,
        principal: &Principal,
        note: &Note,
        findings: &[Finding],
        parts: Vec<Part>,
    ) -> Result<Receipt, AppendError> {
        let mut event = self.of_call(call, principal, note.kind);
        event.outcome = note.status.map(|status| outcome(status, note.code));
        event.content_safety = note.contents().first().map(|_| summary(findings));
        self.append(Draft { event, parts }).await
    }

    fn after(&self, decision: &Event, now: Timestamp) -> Event {
        let mut event = decision.clone();
        event.id = self.clock.event_id();
        event.time = now;
        event.parts = Vec::new();
        event.parts_root = None;
        event.content_safety = None;
        event
    }
}

fn ended_as(status: OutcomeStatus) -> EventType {
    match status {
        OutcomeStatus::Success => EventType::ActionExecuted,
        _ => EventType::ActionFailed,
    }
}

fn outcome(status: OutcomeStatus, code: Option<&str>) -> Outcome {
    Outcome { attempts: Vec::new(), code: None, duration_us: None, error: code.map(str::to_owned), status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_withheld_keeps_its_form() {
        let check =
            |output: &str| String::from_utf8(withheld(output.as_bytes(), "it contains US_SSN")).unwrap();
        insta::assert_snapshot!(
            check(r#"{"stdout":"536-90-4399","stderr":"","lines":3,"interrupted":false}"#),
            @r#"{"stdout":"[withheld by Greffier: it contains US_SSN]","stderr":"","lines":0,"interrupted":false}"#
        );
        insta::assert_snapshot!(
            check(r#"[{"type":"text","text":"536-90-4399"}]"#),
            @r#"[{"type":"text","text":"[withheld by Greffier: it contains US_SSN]"}]"#
        );
    }
}
