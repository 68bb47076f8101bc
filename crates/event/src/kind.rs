//! The vocabulary of event types.

use serde::{Deserialize, Serialize};

use crate::DecisionKind;

/// The 14 types of the first document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum EventType {
    #[serde(rename = "agent.start")]
    AgentStart,
    #[serde(rename = "agent.stop")]
    AgentStop,
    #[serde(rename = "action.request")]
    ActionRequest,
    #[serde(rename = "action.approved")]
    ActionApproved,
    #[serde(rename = "action.denied")]
    ActionDenied,
    #[serde(rename = "action.executed")]
    ActionExecuted,
    #[serde(rename = "action.failed")]
    ActionFailed,
    #[serde(rename = "tool.call")]
    ToolCall,
    #[serde(rename = "tool.response")]
    ToolResponse,
    #[serde(rename = "data.access")]
    DataAccess,
    #[serde(rename = "data.modify")]
    DataModify,
    #[serde(rename = "permission.check")]
    PermissionCheck,
    #[serde(rename = "permission.denied")]
    PermissionDenied,
    #[serde(rename = "error")]
    Error,
}

impl EventType {
    /// All of them, in the first document's order.
    pub const ALL: [EventType; 14] = [
        EventType::AgentStart,
        EventType::AgentStop,
        EventType::ActionRequest,
        EventType::ActionApproved,
        EventType::ActionDenied,
        EventType::ActionExecuted,
        EventType::ActionFailed,
        EventType::ToolCall,
        EventType::ToolResponse,
        EventType::DataAccess,
        EventType::DataModify,
        EventType::PermissionCheck,
        EventType::PermissionDenied,
        EventType::Error,
    ];

    /// Its name, as records carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::AgentStart => "agent.start",
            EventType::AgentStop => "agent.stop",
            EventType::ActionRequest => "action.request",
            EventType::ActionApproved => "action.approved",
            EventType::ActionDenied => "action.denied",
            EventType::ActionExecuted => "action.executed",
            EventType::ActionFailed => "action.failed",
            EventType::ToolCall => "tool.call",
            EventType::ToolResponse => "tool.response",
            EventType::DataAccess => "data.access",
            EventType::DataModify => "data.modify",
            EventType::PermissionCheck => "permission.check",
            EventType::PermissionDenied => "permission.denied",
            EventType::Error => "error",
        }
    }

    /// What was decided, where the type alone says it. Of an `action.approved` the record may say that it was a redaction.
    pub fn decision(self) -> Option<DecisionKind> {
        match self {
            EventType::ActionRequest => Some(DecisionKind::Pending),
            EventType::ActionApproved => Some(DecisionKind::Allow),
            EventType::ActionDenied | EventType::PermissionDenied => Some(DecisionKind::Deny),
            _ => None,
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<EventType> {
        EventType::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
