//! What an event means: one rule for each word that the results use.

use greffier_event::{DecisionKind, Event, EventType, OutcomeStatus, is_reserved_agent};
use serde::{Deserialize, Serialize};

use crate::fact::Fact;

/// What these words look at: an event, or the facts of one.
pub trait Told {
    /// Its type.
    fn kind(&self) -> EventType;
    /// How it ended.
    fn status(&self) -> Option<OutcomeStatus>;
    /// The decision on record.
    fn decided(&self) -> Option<DecisionKind>;
    /// Who acted.
    fn agent(&self) -> Option<&str>;
}

impl Told for Event {
    fn kind(&self) -> EventType {
        self.kind
    }

    fn status(&self) -> Option<OutcomeStatus> {
        self.outcome.as_ref().map(|outcome| outcome.status)
    }

    fn decided(&self) -> Option<DecisionKind> {
        self.policy.as_ref().map(|policy| policy.decision)
    }

    fn agent(&self) -> Option<&str> {
        self.agent.as_ref().map(|agent| agent.id.as_str())
    }
}

impl Told for Fact<'_> {
    fn kind(&self) -> EventType {
        self.kind
    }

    fn status(&self) -> Option<OutcomeStatus> {
        self.status
    }

    fn decided(&self) -> Option<DecisionKind> {
        self.decision
    }

    fn agent(&self) -> Option<&str> {
        self.agent
    }
}

/// An error: it ended in `failure`, `timeout` or `unknown`, or it is of type `error` or `action.failed`.
pub fn is_error(event: &impl Told) -> bool {
    use OutcomeStatus::{Failure, Timeout, Unknown};
    matches!(event.kind(), EventType::Error | EventType::ActionFailed)
        || matches!(event.status(), Some(Failure | Timeout | Unknown))
}

/// A denial: of type `action.denied` or `permission.denied`. No failure: the agent was stopped, nothing broke.
pub fn is_denial(event: &impl Told) -> bool {
    matches!(event.kind(), EventType::ActionDenied | EventType::PermissionDenied)
}

/// An action that came to an end, well or not. What was denied or still waits never began.
pub fn is_end(event: &impl Told) -> bool {
    match event.status() {
        Some(status) => !matches!(status, OutcomeStatus::Denied | OutcomeStatus::Pending),
        None => {
            matches!(event.kind(), EventType::ActionExecuted | EventType::ActionFailed | EventType::Error)
        }
    }
}

/// An action that ended in an error. A reply that was blocked is an error to its caller, but no failure.
pub fn is_failure(event: &impl Told) -> bool {
    is_end(event) && is_error(event)
}

/// Something that an agent did or tried, rather than its start, its stop, a question about a permission, or what
/// came of something. What Greffier does itself (a read of the trail) is no agent's action.
pub fn is_action(event: &impl Told) -> bool {
    use EventType::{
        ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, AgentStart, AgentStop,
        DataAccess, DataModify, Error, PermissionCheck, PermissionDenied, ToolCall, ToolResponse,
    };
    match event.kind() {
        ActionRequest | ActionApproved | ActionDenied | ActionExecuted | ActionFailed => !is_own(event),
        ToolCall | DataAccess | DataModify | PermissionDenied => !is_own(event),
        AgentStart | AgentStop | ToolResponse | PermissionCheck | Error => false,
    }
}

/// What Greffier does itself.
pub fn is_own(event: &impl Told) -> bool {
    event.agent().is_some_and(is_reserved_agent)
}

/// What was decided: as recorded, else as the type tells.
pub fn decision(event: &impl Told) -> Option<DecisionKind> {
    event.decided().or_else(|| event.kind().decision())
}

/// How many calls were decided how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub struct Decisions {
    pub allow: u64,
    pub deny: u64,
    pub redact: u64,
    pub pending: u64,
}

impl Decisions {
    /// Takes in those of another count.
    pub(crate) fn merge(&mut self, other: Decisions) {
        self.allow += other.allow;
        self.deny += other.deny;
        self.redact += other.redact;
        self.pending += other.pending;
    }

    pub(crate) fn add(&mut self, decision: DecisionKind) {
        match decision {
            DecisionKind::Allow => self.allow += 1,
            DecisionKind::Deny => self.deny += 1,
            DecisionKind::Redact => self.redact += 1,
            DecisionKind::Pending => self.pending += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    /// The words that hold for an event.
    fn check(line: &str) -> String {
        let event = event(line);
        let words = [
            ("action", is_action(&event)),
            ("end", is_end(&event)),
            ("error", is_error(&event)),
            ("failure", is_failure(&event)),
            ("denial", is_denial(&event)),
        ];
        let decision = decision(&event).map(DecisionKind::as_str);
        let held = words.iter().filter(|(_, holds)| *holds).map(|(word, _)| *word);
        held.chain(decision).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words() {
        insta::assert_snapshot!(check("0 agent.start"), @"");
        insta::assert_snapshot!(check("0 action.request"), @"action pending");
        insta::assert_snapshot!(check("0 action.request status=pending"), @"action pending");
        insta::assert_snapshot!(check("0 action.approved"), @"action allow");
        insta::assert_snapshot!(check("0 action.approved decision=redact"), @"action redact");
        insta::assert_snapshot!(check("0 action.denied status=denied"), @"action denial deny");
        insta::assert_snapshot!(check("0 permission.denied"), @"action denial deny");
        insta::assert_snapshot!(check("0 action.executed"), @"action end");
        insta::assert_snapshot!(check("0 action.executed status=success decision=allow"), @"action end allow");
        insta::assert_snapshot!(check("0 action.failed"), @"action end error failure");
        insta::assert_snapshot!(check("0 action.failed status=cancelled"), @"action end error failure");
        insta::assert_snapshot!(check("0 action.failed status=denied"), @"action error");
        insta::assert_snapshot!(check("0 tool.call"), @"action");
        insta::assert_snapshot!(check("0 tool.call status=success"), @"action end");
        insta::assert_snapshot!(check("0 tool.response status=timeout"), @"end error failure");
        insta::assert_snapshot!(check("0 data.access status=unknown"), @"action end error failure");
        insta::assert_snapshot!(check("0 permission.check decision=deny"), @"deny");
        insta::assert_snapshot!(check("0 error"), @"end error failure");
        insta::assert_snapshot!(check("0 data.access"), @"action");
        insta::assert_snapshot!(check("0 data.access agent=greffier"), @"");
    }
}
