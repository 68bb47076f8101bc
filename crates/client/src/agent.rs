//! An agent whose actions are on record: asked for before, and how they ended after.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greffier_event::{ActionKind, Effect, EventType, redact_keys};
use greffier_merkle::hash;
use serde_json::{Map, Value};

use crate::action::Action;
use crate::clock;
use crate::context::Context;
use crate::event::AuditEvent;
use crate::logger::AuditLogger;
use crate::overflow::NotLogged;

/// Characters of a tool's result that are kept, as in the first document.
const RESULT_CHARS: usize = 1_000;
/// What the first document counts as a modification.
const MODIFYING: [&str; 3] = ["write", "delete", "update"];

/// An agent, its session, and where its actions are logged. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use greffier_client::{AuditLogger, AuditedAgent, EventType, FileBackend, Filter};
///
/// let dir = tempfile::tempdir()?;
/// let logger = AuditLogger::new(FileBackend::open(dir.path().join("audit.jsonl"))?)?;
/// let agent = AuditedAgent::new("agent-001", logger.clone());
///
/// let answer = agent.action("process_request").with("user_input", "hello").run(|| {
///     // Agent actions here.
///     Ok::<_, std::io::Error>("processed")
/// })?;
///
/// logger.flush(Duration::from_secs(5))?;
/// let types: Vec<EventType> = logger.query(&Filter::new())?.iter().map(|event| event.event_type).collect();
/// assert_eq!(types, [EventType::ActionRequest, EventType::ActionExecuted]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuditedAgent {
    id: Arc<str>,
    session_id: Arc<str>,
    logger: AuditLogger,
    pub(crate) fail_open: bool,
}

impl AuditedAgent {
    /// An agent in a session of its own.
    pub fn new(id: impl Into<String>, logger: AuditLogger) -> AuditedAgent {
        let (id, session_id) = (id.into().into(), clock::unique());
        AuditedAgent { id, session_id, logger, fail_open: false }
    }

    /// The same agent in another session.
    pub fn session(mut self, id: impl Into<String>) -> AuditedAgent {
        self.session_id = id.into().into();
        self
    }

    /// Lets actions go on whose request could not be logged. Otherwise what is not on record is not done.
    pub fn fail_open(mut self) -> AuditedAgent {
        self.fail_open = true;
        self
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its session, unless the context says another.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Where it logs.
    pub fn logger(&self) -> &AuditLogger {
        &self.logger
    }

    /// An event of this agent, in the current context.
    pub fn event(&self, kind: EventType) -> AuditEvent {
        let mut event = AuditEvent::new(kind);
        Context::current().fill(&mut event);
        event.agent_id = self.id.to_string();
        if event.session_id.is_empty() {
            event.session_id = self.session_id.to_string();
        }
        event
    }

    /// Logs that it starts.
    ///
    /// # Errors
    /// As [`AuditLogger::log`]: the event comes back.
    pub fn start(&self) -> Result<(), NotLogged> {
        self.logger.log(self.event(EventType::AgentStart))
    }

    /// Logs that it stops.
    ///
    /// # Errors
    /// As [`AuditLogger::log`]: the event comes back.
    pub fn stop(&self) -> Result<(), NotLogged> {
        self.logger.log(self.event(EventType::AgentStop))
    }

    /// An action that it is about to take; nothing is logged yet.
    pub fn action(&self, name: impl Into<String>) -> Action {
        Action::new(self.clone(), self.event(EventType::ActionRequest).action(name))
    }

    /// Logs a tool call that is over, `tool.<tool>`, which took so long (recorded to the microsecond). Of a result only
    /// the first 1,000 characters are kept, as in the first document; the metadata of a longer one has its whole length in
    /// characters and the SHA-256 of all of it in UTF-8 (`result_chars`, `result_digest`). What is no text is one as JSON,
    /// without what stands under telling keys.
    ///
    /// # Errors
    /// As [`AuditLogger::log`]: the event comes back.
    pub fn log_tool_call(
        &self,
        tool: &str,
        parameters: Map<String, Value>,
        result: impl Into<Value>,
        took: Duration,
    ) -> Result<(), NotLogged> {
        let mut event =
            self.event(EventType::ToolCall).action(format!("tool.{tool}")).parameters(parameters).took(took);
        event.kind = Some(ActionKind::Tool);
        cut_result(&mut event, result.into());
        self.logger.log(event)
    }

    /// Logs an access to data: `write`, `delete` and `update` as a modification (`data.modify`), as in the first document;
    /// any other operation as `data.access`.
    ///
    /// # Errors
    /// As [`AuditLogger::log`]: the event comes back.
    pub fn log_data_access(
        &self,
        resource: &str,
        operation: &str,
        details: Map<String, Value>,
    ) -> Result<(), NotLogged> {
        let modifies = MODIFYING.contains(&operation);
        let kind = if modifies { EventType::DataModify } else { EventType::DataAccess };
        let mut event = self.event(kind).action(operation).resource(resource).parameters(details);
        event.kind = Some(ActionKind::Data);
        event.effect = match operation {
            "read" => Some(Effect::Read),
            "create" => Some(Effect::Create),
            "write" | "update" => Some(Effect::Update),
            "delete" => Some(Effect::Delete),
            _ => None,
        };
        self.logger.log(event)
    }
}

/// Sets a result as a text of bounded length, and says of a longer one what it was.
fn cut_result(event: &mut AuditEvent, mut result: Value) {
    let text = match result {
        Value::String(text) => text,
        // As a text nobody would look into it for keys any more.
        ref mut other => {
            redact_keys(other);
            other.to_string()
        }
    };
    let Some((end, _)) = text.char_indices().nth(RESULT_CHARS) else {
        event.result = Some(text.into());
        return;
    };
    event.metadata.insert("result_chars".to_owned(), text.chars().count().into());
    event.metadata.insert("result_digest".to_owned(), digest(text.as_bytes()).into());
    event.result = Some(text.get(..end).unwrap_or_default().into());
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in hash::sha256(bytes) {
        // Writing to memory does not fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
    }
    text
}

impl fmt::Debug for AuditedAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditedAgent")
            .field("id", &self.id)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::overflow::Overflow;
    use crate::testing::Memory;

    fn agent() -> (AuditedAgent, Memory) {
        let memory = Memory::default();
        let logger = AuditLogger::options().overflow(Overflow::WriteThrough).start(memory.clone()).unwrap();
        (AuditedAgent::new("agent-001", logger).session("ses-1"), memory)
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn tool_calls() {
        let (agent, memory) = agent();
        let took = Duration::from_micros(12_500);
        agent.log_tool_call("search", object(json!({"q": "x"})), "short", took).unwrap();
        agent.log_tool_call("search", Map::new(), "é".repeat(1_001), took).unwrap();
        agent.log_tool_call("search", Map::new(), json!({"n": 1, "token": "t"}), took).unwrap();
        let events = memory.events();
        let said = |event: &AuditEvent| {
            let result = event.result.as_ref().unwrap().as_str().unwrap();
            let chars = result.chars().count();
            let shown = if chars > 40 { format!("{chars} chars") } else { result.to_owned() };
            format!(
                "{} {} {:?} {shown} {:?}",
                event.event_type, event.action, event.duration_ms, event.metadata
            )
        };
        insta::assert_snapshot!(events.iter().map(said).collect::<Vec<_>>().join("\n"), @r#"
        tool.call tool.search Some(12.5) short {}
        tool.call tool.search Some(12.5) 1000 chars {"result_chars": Number(1001), "result_digest": String("sha256:8095095994e57c6a686d6d14fd5ef8832d0c2aa62277e357cf2c643af84f5905")}
        tool.call tool.search Some(12.5) {"n":1,"token":"[REDACTED]"} {}
        "#);
        assert!(events.iter().all(|event| event.agent_id == "agent-001" && event.session_id == "ses-1"));
    }

    #[test]
    fn data_accesses() {
        let (agent, memory) = agent();
        for operation in ["read", "write", "delete", "update", "create", "list"] {
            agent.log_data_access("db://orders", operation, Map::new()).unwrap();
        }
        let said = |event: AuditEvent| {
            format!("{} {} {:?}", event.action, event.event_type, event.effect.map(Effect::as_str))
        };
        insta::assert_snapshot!(memory.events().into_iter().map(said).collect::<Vec<_>>().join("\n"), @r#"
        read data.access Some("read")
        write data.modify Some("update")
        delete data.modify Some("delete")
        update data.modify Some("update")
        create data.access Some("create")
        list data.access None
        "#);
    }

    #[test]
    fn the_context_says_for_whom() {
        let (agent, memory) = agent();
        let context = Context::default().user("alice").session("other").span();
        let trace = context.trace.clone();
        {
            let _entered = context.enter();
            agent.start().unwrap();
        }
        agent.stop().unwrap();
        let events = memory.events();
        let said: Vec<_> =
            events.iter().map(|event| (event.user_id.as_deref(), event.session_id.as_str())).collect();
        assert_eq!(said, [(Some("alice"), "other"), (None, "ses-1")]);
        assert_eq!((&events[0].trace, &events[1].trace), (&trace, &None));
    }
}
