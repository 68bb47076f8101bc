//! Asking before acting: a Greffier server decides by its policies, puts the question on record, and then answers.
//!
//! It is cooperative, as every hook is: whoever can leave the question out can act without it. The record says so
//! (`source.channel` is `hook`). Whoever does not get an answer does not act.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::apart::{Apart, apart};
use crate::backend::BackendError;
use crate::clock;
use crate::context::Context;
use crate::server::{Answer, Server, ServerOptions};

/// Where agents of their own ask.
const PATH: &str = "/hooks/agent";
/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Asks a Greffier server for decisions.
///
/// ```no_run
/// use greffier_client::{Ask, Guard, GuardError, ServerOptions, Token};
///
/// let guard = Guard::open(ServerOptions::new("https://greffier.example").token(Token::File("token".into())))?;
/// match guard.ask(Ask::new("crm:contacts:search").parameter("q", "open orders")) {
///     Ok(permit) => {
///         // Use what the permit says: it may hold other parameters than were asked for.
///         let found = format!("searched for {}", permit.parameters()["q"]);
///         permit.executed(found)?;
///     }
///     Err(GuardError::Denied { reason, .. }) => println!("not permitted: {reason}"),
///     Err(error) => println!("not done: {error}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guard {
    server: std::sync::Arc<Server>,
}

/// What is to be decided: the use of a tool.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked yet"]
pub struct Ask {
    tool: String,
    parameters: Map<String, Value>,
    session_id: Option<String>,
    call_id: Option<String>,
    traceparent: Option<String>,
}

impl Ask {
    /// May this tool be used? Its name is the one that policies know: `server:tool`. Session and trace are those of the
    /// current context.
    pub fn new(tool: impl Into<String>) -> Ask {
        let context = Context::current();
        let traceparent = context.to_traceparent();
        Ask {
            tool: tool.into(),
            parameters: Map::new(),
            session_id: context.session_id,
            call_id: None,
            traceparent,
        }
    }

    /// With this argument.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Ask {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// With these arguments.
    pub fn parameters(mut self, parameters: Map<String, Value>) -> Ask {
        self.parameters = parameters;
        self
    }

    /// In this session.
    pub fn session(mut self, id: impl Into<String>) -> Ask {
        self.session_id = Some(id.into());
        self
    }

    /// Under this id of the call, which question and outcome share; one is made up otherwise.
    pub fn call(mut self, id: impl Into<String>) -> Ask {
        self.call_id = Some(id.into());
        self
    }
}

/// Why something must not be done.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A policy denies it, or something in the parameters may not go on.
    #[error("denied by Greffier: {reason}")]
    Denied {
        /// Why, for people.
        reason: String,
        /// Joins it with the record.
        request_id: Option<String>,
    },
    /// There is no answer, or none that can be understood.
    #[error("no decision: {0}")]
    NoDecision(String),
}

/// What may be done, and is on record as decided.
#[derive(Debug)]
#[must_use = "say what came of it"]
pub struct Permit {
    server: std::sync::Arc<Server>,
    ask: Ask,
    parameters: Map<String, Value>,
    request_id: Option<String>,
    receipt: Option<String>,
}

/// What came back may be another result than went in: redacted, or withheld.
#[derive(Clone, Debug, PartialEq)]
pub enum Released {
    /// It may be shown as it is.
    AsItIs,
    /// This may be shown in its place.
    Instead(Value),
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
    reason: Option<String>,
    parameters: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Outcome {
    result: Option<Value>,
}

impl Guard {
    /// A guard at this server. Nothing is asked yet.
    ///
    /// # Errors
    /// [`BackendError::Settings`] if the URL or the authorities cannot be used, or a token would travel in clear text.
    pub fn open(server: ServerOptions) -> Result<Guard, BackendError> {
        Ok(Guard { server: std::sync::Arc::new(server.open()?) })
    }

    /// Asks, and waits for the decision, which is on record by then.
    ///
    /// # Errors
    /// It is denied, or there is no decision. In both cases it must not be done.
    pub fn ask(&self, mut ask: Ask) -> Result<Permit, GuardError> {
        ask.call_id.get_or_insert_with(|| clock::unique().to_string());
        let answer = post(&self.server, &ask, "PreToolUse", Map::new())?;
        let header = |name: &str| Some(answer.headers.get(name)?.to_str().ok()?.to_owned());
        let (request_id, receipt) = (header("greffier-request-id"), header("greffier-receipt"));
        let decision: Decision = serde_json::from_slice(&answer.body)
            .map_err(|_| GuardError::NoDecision("the server's answer is no decision".to_owned()))?;
        match decision.decision.as_str() {
            "allow" => {
                let parameters = decision.parameters.unwrap_or_else(|| ask.parameters.clone());
                Ok(Permit { server: self.server.clone(), ask, parameters, request_id, receipt })
            }
            "deny" => Err(GuardError::Denied { reason: decision.reason.unwrap_or_default(), request_id }),
            other => Err(GuardError::NoDecision(format!("the server decided `{}`", other.escape_debug()))),
        }
    }
}

impl Guard {
    /// [`ask`](Guard::ask) for who must not wait: on a thread of its own.
    pub fn ask_async(&self, ask: Ask) -> Apart<Result<Permit, GuardError>> {
        let guard = self.clone();
        apart(move || guard.ask(ask))
    }
}

impl Permit {
    /// The parameters to act with.
    pub fn parameters(&self) -> &Map<String, Value> {
        &self.parameters
    }

    /// Joins it with the record.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The decision's receipt: trail, index, leaf hash.
    pub fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    /// Says that it was done, and what came of it; learns what of that may be shown to a model.
    ///
    /// # Errors
    /// The server did not take the outcome: show nothing. It is done all the same, and its decision on record.
    pub fn executed(self, result: impl Into<Value>) -> Result<Released, GuardError> {
        let more = Map::from_iter([("tool_response".to_owned(), result.into())]);
        let answer = post(&self.server, &self.ask, "PostToolUse", more)?;
        let outcome: Outcome = serde_json::from_slice(&answer.body)
            .map_err(|_| GuardError::NoDecision("the server's answer is none".to_owned()))?;
        Ok(outcome.result.map_or(Released::AsItIs, Released::Instead))
    }

    /// [`executed`](Permit::executed) for who must not wait: on a thread of its own.
    pub fn executed_async(self, result: impl Into<Value>) -> Apart<Result<Released, GuardError>> {
        let result = result.into();
        apart(move || self.executed(result))
    }

    /// Says that it failed.
    ///
    /// # Errors
    /// The server did not take the outcome; the decision is on record.
    pub fn failed(self, error: impl std::fmt::Display) -> Result<(), GuardError> {
        let more = Map::from_iter([("error".to_owned(), error.to_string().into())]);
        post(&self.server, &self.ask, "PostToolUseFailure", more).map(drop)
    }
}

/// Tells the server of an event; only an answer of its own counts.
fn post(server: &Server, ask: &Ask, event: &str, more: Map<String, Value>) -> Result<Answer, GuardError> {
    let mut body = json!({
        "hook_event_name": event,
        "session_id": ask.session_id,
        "tool_name": ask.tool,
        "tool_input": ask.parameters,
        "tool_use_id": ask.call_id,
    });
    if let Some(members) = body.as_object_mut() {
        members.extend(more);
    }
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let traceparent = ask.traceparent.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    headers.extend(traceparent.map(|value| (TRACEPARENT, value)));
    let answer = server
        .send(Method::POST, PATH, &headers, Bytes::from(body.to_string()))
        .map_err(GuardError::NoDecision)?;
    if answer.status == StatusCode::OK {
        Ok(answer)
    } else {
        Err(GuardError::NoDecision(format!("the server answered {}", answer.said())))
    }
}

#[cfg(test)]
mod tests;
