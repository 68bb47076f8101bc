//! One thing that an agent did, in the first document's fields and a few of ours.
//!
//! The fields are plain data and public. What stands under a telling key (`password`, `api_key`, …) is still here:
//! it gives way whenever an event is written, whatever backend it goes to (`flat.rs`, `native.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{ActionKind, Effect, EventId, EventType, OutcomeStatus, Timestamp, Trace, Usage};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock;

/// One audit event.
///
/// ```
/// use greffier_client::{AuditEvent, EventType};
///
/// let event = AuditEvent::new(EventType::ToolCall)
///     .agent("agent-001")
///     .session("ses-7")
///     .action("tool.search")
///     .parameter("q", "open orders")
///     .parameter("api_key", "sk-12345")
///     .result("3 orders")
///     .duration_ms(12.5);
/// let line = event.to_flat();
/// assert!(line.contains(r#""parameters":{"q":"open orders","api_key":"[REDACTED]"}"#));
/// assert!(line.contains(r#""duration_ms":12.5"#));
/// ```
#[derive(Clone, PartialEq)]
pub struct AuditEvent {
    /// Unique; what makes sending it twice harmless.
    pub event_id: EventId,
    /// When it happened, UTC.
    pub timestamp: Timestamp,
    /// One of the 14.
    pub event_type: EventType,
    /// The agent acting; empty if it is not known.
    pub agent_id: String,
    /// The session it belongs to; empty if there is none.
    pub session_id: String,
    /// The human it is done for.
    pub user_id: Option<String>,
    /// What is done: `tool.search`, `process_request`.
    pub action: String,
    /// What is acted on.
    pub resource: Option<String>,
    /// With which arguments.
    pub parameters: Map<String, Value>,
    /// What came of it: usually a text.
    pub result: Option<Value>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Whatever else there is to say.
    pub metadata: Map<String, Value>,

    /// Joins the request and the outcome of one action.
    pub request_id: Option<String>,
    /// What others call the action: a tool call's id.
    pub call_id: Option<String>,
    /// The family of action.
    pub kind: Option<ActionKind>,
    /// What it does to the resource.
    pub effect: Option<Effect>,
    /// How it ended, where the type does not say it.
    pub status: Option<OutcomeStatus>,
    /// What went wrong, as a word for machines: `panicked`, `cancelled`.
    pub error_code: Option<String>,
    /// W3C trace context.
    pub trace: Option<Trace>,
    /// Model, tokens and cost.
    pub usage: Option<Box<Usage>>,
    /// Its place among the events of its producer; set by the logger.
    pub origin: Option<Origin>,
}

/// The place of an event among those of one producer: what is missing between two of them was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Names one start of one logger.
    pub producer: Arc<str>,
    /// Counts its events from 0.
    pub sequence: u64,
}

impl AuditEvent {
    /// An event of this moment with a new id.
    pub fn new(event_type: EventType) -> AuditEvent {
        AuditEvent {
            event_id: EventId(Uuid::now_v7()),
            timestamp: clock::now(),
            event_type,
            agent_id: String::new(),
            session_id: String::new(),
            user_id: None,
            action: String::new(),
            resource: None,
            parameters: Map::new(),
            result: None,
            error: None,
            duration_ms: None,
            metadata: Map::new(),
            request_id: None,
            call_id: None,
            kind: None,
            effect: None,
            status: None,
            error_code: None,
            trace: None,
            usage: None,
            origin: None,
        }
    }

    /// Sets the agent.
    pub fn agent(mut self, id: impl Into<String>) -> AuditEvent {
        self.agent_id = id.into();
        self
    }

    /// Sets the session.
    pub fn session(mut self, id: impl Into<String>) -> AuditEvent {
        self.session_id = id.into();
        self
    }

    /// Sets the user.
    pub fn user(mut self, id: impl Into<String>) -> AuditEvent {
        self.user_id = Some(id.into());
        self
    }

    /// Sets what is done.
    pub fn action(mut self, name: impl Into<String>) -> AuditEvent {
        self.action = name.into();
        self
    }

    /// Sets what is acted on.
    pub fn resource(mut self, uri: impl Into<String>) -> AuditEvent {
        self.resource = Some(uri.into());
        self
    }

    /// Adds one argument.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> AuditEvent {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Sets all arguments.
    pub fn parameters(mut self, parameters: Map<String, Value>) -> AuditEvent {
        self.parameters = parameters;
        self
    }

    /// Sets what came of it.
    pub fn result(mut self, result: impl Into<Value>) -> AuditEvent {
        self.result = Some(result.into());
        self
    }

    /// Sets what went wrong.
    pub fn error(mut self, text: impl Into<String>) -> AuditEvent {
        self.error = Some(text.into());
        self
    }

    /// Sets how long it took, in milliseconds.
    pub fn duration_ms(mut self, milliseconds: f64) -> AuditEvent {
        self.duration_ms = Some(milliseconds);
        self
    }

    /// Sets how long it took, to the microsecond.
    pub fn took(self, time: Duration) -> AuditEvent {
        self.duration_ms(time.as_micros() as f64 / 1_000.0)
    }

    /// Adds something else there is to say.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> AuditEvent {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets what joins it with the other events of its action.
    pub fn request(mut self, id: impl Into<String>) -> AuditEvent {
        self.request_id = Some(id.into());
        self
    }

    /// Sets the trace context.
    pub fn trace(mut self, trace: Trace) -> AuditEvent {
        self.trace = Some(trace);
        self
    }

    /// Sets what others call the action: a tool call's id.
    pub fn call(mut self, id: impl Into<String>) -> AuditEvent {
        self.call_id = Some(id.into());
        self
    }

    /// Sets the family of action, and what it does to the resource.
    pub fn of_kind(mut self, kind: ActionKind, effect: Option<Effect>) -> AuditEvent {
        self.kind = Some(kind);
        self.effect = effect;
        self
    }

    /// Sets how it ended, where the type does not say it.
    pub fn status(mut self, status: OutcomeStatus) -> AuditEvent {
        self.status = Some(status);
        self
    }

    /// Sets model, tokens and cost.
    pub fn usage(mut self, usage: Usage) -> AuditEvent {
        self.usage = Some(Box::new(usage));
        self
    }

    /// How it ended: what is set, if the type allows it; else what the type says, else whether there was an error.
    pub(crate) fn ended(&self) -> Option<OutcomeStatus> {
        use EventType::{
            ActionApproved, ActionDenied, ActionExecuted, ActionFailed, ActionRequest, Error,
            PermissionDenied,
        };
        let failed = self.error.is_some() || self.error_code.is_some();
        let told = failed || self.result.is_some() || self.duration_ms.is_some() || self.status.is_some();
        match self.event_type {
            ActionExecuted => Some(OutcomeStatus::Success),
            ActionFailed => {
                let other = self.status.filter(|status| *status != OutcomeStatus::Success);
                Some(other.unwrap_or(OutcomeStatus::Failure))
            }
            ActionDenied | PermissionDenied => Some(OutcomeStatus::Denied),
            Error => Some(self.status.unwrap_or(OutcomeStatus::Failure)),
            ActionRequest | ActionApproved => told.then_some(OutcomeStatus::Pending),
            _ => {
                let usual = if failed { OutcomeStatus::Failure } else { OutcomeStatus::Success };
                told.then(|| self.status.unwrap_or(usual))
            }
        }
    }
}

impl fmt::Debug for AuditEvent {
    /// Contents are personal, and secrets may still stand in them: only what they are is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEvent")
            .field("event_id", &self.event_id.to_string())
            .field("timestamp", &self.timestamp.to_string())
            .field("event_type", &self.event_type)
            .field("agent_id", &self.agent_id)
            .field("session_id", &self.session_id)
            .field("action", &self.action)
            .field("request_id", &self.request_id)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
