//! Spans and events of `tracing` as audit events: for programs that are instrumented already.
//!
//! Only the target [`TARGET`] (and what lies below it, `audit::tools`) is heard. A span is an action: asked for when it
//! is made, ended when it is closed; it failed if something at the level of an error was said in it, or if its field
//! `error` was recorded. An event outside is an audit event of its own.
//!
//! The fields `action`, `resource`, `user_id`, `session_id`, `call_id`, `result` and `error` mean what they mean in an
//! [`AuditEvent`](crate::AuditEvent), and `event_type` one of the 14; all others are parameters.

use std::fmt;

use greffier_event::EventType;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as Around;
use tracing_subscriber::registry::LookupSpan;

use crate::action::Scope;
use crate::agent::AuditedAgent;

/// What is heard.
pub const TARGET: &str = "audit";

/// Puts spans and events with the target `audit` on record.
///
/// ```
/// use std::time::Duration;
/// use greffier_client::{AuditLayer, AuditLogger, AuditedAgent, FileBackend, Filter};
/// use tracing_subscriber::prelude::*;
///
/// let dir = tempfile::tempdir()?;
/// let logger = AuditLogger::new(FileBackend::open(dir.path().join("audit.jsonl"))?)?;
/// let agent = AuditedAgent::new("agent-001", logger.clone());
/// let subscriber = tracing_subscriber::registry().with(AuditLayer::new(agent));
/// tracing::subscriber::with_default(subscriber, || {
///     let _span = tracing::info_span!(target: "audit", "search", q = "open orders").entered();
///     tracing::info!(target: "audit", event_type = "data.access", resource = "crm://orders", "read");
/// });
/// logger.flush(Duration::from_secs(5))?;
/// let actions: Vec<String> = logger.query(&Filter::new())?.into_iter().map(|event| event.action).collect();
/// assert_eq!(actions, ["search", "read", "search"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuditLayer {
    agent: AuditedAgent,
}

impl AuditLayer {
    /// Puts them on record as acts of this agent.
    pub fn new(agent: AuditedAgent) -> AuditLayer {
        AuditLayer { agent }
    }
}

/// What a span or an event says.
#[derive(Default)]
struct Said(Map<String, Value>);

impl Said {
    fn take(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// An action under way, as its span carries it.
struct Open {
    scope: Scope,
    error: Option<String>,
}

fn is_heard(metadata: &Metadata<'_>) -> bool {
    metadata.target().strip_prefix(TARGET).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AuditLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, around: Around<'_, S>) {
        let Some(span) = around.span(id).filter(|span| is_heard(span.metadata())) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let name = said.take("action").unwrap_or_else(|| span.name().to_owned());
        let mut action = self.agent.action(name);
        if let Some(uri) = said.take("resource") {
            action = action.resource(uri);
        }
        if let Some(user) = said.take("user_id") {
            action = action.user(user);
        }
        if let Some(session) = said.take("session_id") {
            action = action.session(session);
        }
        if let Some(call) = said.take("call_id") {
            action = action.call(call);
        }
        let error = said.take("error");
        for (name, value) in said.0 {
            action = action.parameter(name, value);
        }
        // A span cannot be refused: what could not be logged shows in the logger's metrics.
        if let Ok(scope) = action.begin() {
            span.extensions_mut().insert(Open { scope, error });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, around: Around<'_, S>) {
        let Some(span) = around.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        let mut said = Said::default();
        values.record(&mut said);
        if let Some(error) = said.take("error") {
            open.error = Some(error);
        }
        if let Some(result) = said.take("result") {
            open.scope.result(result);
        }
        for (name, value) in said.0 {
            open.scope.with(name, value);
        }
    }

    fn on_event(&self, event: &Event<'_>, around: Around<'_, S>) {
        let mut said = Said::default();
        if *event.metadata().level() == Level::ERROR {
            event.record(&mut said);
            let text = said.take("error").or_else(|| said.take("message"));
            for span in around.event_scope(event).into_iter().flatten() {
                if let Some(open) = span.extensions_mut().get_mut::<Open>() {
                    open.error.get_or_insert_with(|| text.clone().unwrap_or_else(|| "an error".to_owned()));
                    break;
                }
            }
        }
        if !is_heard(event.metadata()) {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let usual =
            if *event.metadata().level() == Level::ERROR { EventType::Error } else { EventType::ToolCall };
        let kind = said.take("event_type").and_then(|name| EventType::parse(&name)).unwrap_or(usual);
        let mut audit = self.agent.event(kind);
        let message = said.take("message");
        audit.action = said.take("action").or(message).unwrap_or_default();
        audit.resource = said.take("resource");
        audit.user_id = said.take("user_id").or(audit.user_id);
        audit.session_id = said.take("session_id").unwrap_or(audit.session_id);
        audit.call_id = said.take("call_id");
        audit.result = said.take("result").map(Value::String);
        audit.error = said.take("error");
        audit.parameters = said.0;
        let _ = self.agent.logger().log(audit);
    }

    fn on_close(&self, id: Id, around: Around<'_, S>) {
        let Some(span) = around.span(&id) else { return };
        let open = span.extensions_mut().remove::<Open>();
        let Some(Open { scope, error }) = open else { return };
        // While its thread panics, dropping the scope says so.
        if std::thread::panicking() {
            return;
        }
        let _ = match error {
            Some(error) => scope.failed(error),
            None => scope.executed(),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::logger::AuditLogger;
    use crate::overflow::Overflow;
    use crate::testing::Memory;

    fn check(act: impl FnOnce()) -> (String, Memory) {
        let memory = Memory::default();
        let logger = AuditLogger::options().overflow(Overflow::WriteThrough).start(memory.clone()).unwrap();
        let layer = AuditLayer::new(AuditedAgent::new("agent-001", logger));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        (memory.told(), memory)
    }

    #[test]
    fn spans_are_actions_and_events_are_events() {
        let (told, memory) = check(|| {
            let span = tracing::info_span!(target: "audit::tools", "search", q = "x", n = 3, user_id = "alice", result = tracing::field::Empty);
            let entered = span.enter();
            tracing::info!(target: "audit", event_type = "data.access", resource = "crm://orders", "read");
            tracing::info!("said to others");
            span.record("result", "found");
            drop(entered);
        });
        insta::assert_snapshot!(told, @"
    action.request search - -
    data.access read - -
    action.executed search success -
    ");
        let events = memory.events();
        assert_eq!(serde_json::to_string(&events[0].parameters).unwrap(), r#"{"q":"x","n":3}"#);
        assert_eq!(
            (events[0].user_id.as_deref(), events[2].result.clone()),
            (Some("alice"), Some("found".into()))
        );
        assert_eq!(events[1].resource.as_deref(), Some("crm://orders"));
    }

    #[test]
    fn what_is_said_of_an_error_fails_the_span_around_it() {
        insta::assert_snapshot!(check(|| {
            let _span = tracing::info_span!(target: "audit", "search").entered();
            tracing::error!("it broke");
        }).0, @"
    action.request search - -
    action.failed search failure it broke
    ");
        insta::assert_snapshot!(check(|| {
            let _span = tracing::info_span!(target: "elsewhere", "search").entered();
            tracing::error!(target: "audit", code = 7, "it broke");
        }).0, @"error it broke failure -");
    }

    #[test]
    fn a_span_that_is_left_by_a_panic_has_failed() {
        insta::assert_snapshot!(check(|| {
            let panics = || {
                let _span = tracing::info_span!(target: "audit", "search").entered();
                std::panic::resume_unwind(Box::new(()));
            };
            drop(std::panic::catch_unwind(panics).unwrap_err());
        }).0, @"
    action.request search - -
    action.failed search failure panicked
    ");
    }
}
