//! One action of an agent: its request is logged before, and how it ended after, however it ends.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Instant;

use greffier_event::{ActionKind, Effect, EventId, EventType, OutcomeStatus};
use serde_json::Value;
use uuid::Uuid;

use crate::agent::AuditedAgent;
use crate::clock;
use crate::context::{Context, InContext};
use crate::event::AuditEvent;
use crate::overflow::NotLogged;

/// An action that is about to be taken. Nothing is logged until it begins.
#[derive(Debug)]
#[must_use = "nothing is logged until the action begins"]
pub struct Action {
    agent: AuditedAgent,
    event: AuditEvent,
}

impl Action {
    pub(crate) fn new(agent: AuditedAgent, event: AuditEvent) -> Action {
        Action { agent, event }
    }

    /// Adds something there is to say of it.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Action {
        self.event.metadata.insert(name.into(), value.into());
        self
    }

    /// Adds one argument.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Action {
        self.event.parameters.insert(name.into(), value.into());
        self
    }

    /// Sets what is acted on.
    pub fn resource(mut self, uri: impl Into<String>) -> Action {
        self.event.resource = Some(uri.into());
        self
    }

    /// Sets the human it is done for.
    pub fn user(mut self, id: impl Into<String>) -> Action {
        self.event.user_id = Some(id.into());
        self
    }

    /// Sets the session.
    pub fn session(mut self, id: impl Into<String>) -> Action {
        self.event.session_id = id.into();
        self
    }

    /// Sets what others call it: a tool call's id.
    pub fn call(mut self, id: impl Into<String>) -> Action {
        self.event.call_id = Some(id.into());
        self
    }

    /// Sets its family, and what it does to the resource.
    pub fn of_kind(mut self, kind: ActionKind, effect: Option<Effect>) -> Action {
        self.event.kind = Some(kind);
        self.event.effect = effect;
        self
    }

    /// Logs the request.
    ///
    /// # Errors
    /// It could not be logged, and so the action must not be taken. An agent that fails open gets none.
    pub fn begin(self) -> Result<Scope, NotLogged> {
        let Action { agent, mut event } = self;
        // What is done within belongs to this action's span, if there is a trace at all.
        let mut context = Context::current();
        if context.trace.is_some() {
            context = context.span();
            event.trace.clone_from(&context.trace);
        }
        event.request_id.get_or_insert_with(|| format!("req_{}", clock::unique()));
        let logged = agent.logger().log(event.clone());
        if let Err(error) = logged
            && !agent.fail_open
        {
            return Err(error);
        }
        Ok(Scope {
            agent,
            event: Some(event),
            context,
            began: Instant::now(),
            panicking: thread::panicking(),
            dropped: Dropped::Abandoned,
        })
    }

    /// Logs the request, acts, and logs what came of it: an error as a failure, unless it says that something was not
    /// permitted; a panic as one too.
    ///
    /// # Errors
    /// [`NotDone::NotLogged`] if the request could not be logged: nothing was done. [`NotDone::Failed`] with the error of
    /// what was done. That an outcome could not be logged is no error, as what is done is done; it shows in the metrics.
    pub fn run<T, E: Failure>(self, act: impl FnOnce() -> Result<T, E>) -> Result<T, NotDone<E>> {
        let scope = self.begin()?;
        let entered = scope.context.clone().enter();
        let result = act();
        drop(entered);
        scope.ended_as(&result);
        result.map_err(NotDone::Failed)
    }

    /// As [`run`](Action::run), for what is awaited. The request is logged at the first poll. A future that is dropped
    /// before its end has been cancelled, and that is logged.
    pub fn run_async<T, E: Failure, F: Future<Output = Result<T, E>>>(self, act: F) -> Running<F> {
        Running { state: State::Waiting(Box::new(self), Box::pin(act)) }
    }
}

/// Why an action has no result.
#[derive(Debug, thiserror::Error)]
pub enum NotDone<E> {
    /// Its request could not be logged: it was not taken.
    #[error(transparent)]
    NotLogged(#[from] NotLogged),
    /// It was taken, and failed.
    #[error("{0}")]
    Failed(E),
}

/// An error as it is put on record.
pub trait Failure: fmt::Display + Any {
    /// Whether something was not permitted.
    fn is_denied(&self) -> bool;
}

/// What is not permitted: an error that is recorded as a denial, wherever it stands in a chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PermissionDenied(
    /// Why, for people.
    pub String,
);

impl<E: fmt::Display + Any> Failure for E {
    fn is_denied(&self) -> bool {
        let any: &dyn Any = self;
        if let Some(error) = any.downcast_ref::<Box<dyn Error>>() {
            return denies(&**error);
        }
        if let Some(error) = any.downcast_ref::<Box<dyn Error + Send + Sync>>() {
            return denies(&**error);
        }
        any.is::<PermissionDenied>() || any.downcast_ref::<io::Error>().is_some_and(denied_by_system)
    }
}

fn denied_by_system(error: &io::Error) -> bool {
    let inner = || error.get_ref().is_some_and(|inner| inner.is::<PermissionDenied>());
    error.kind() == io::ErrorKind::PermissionDenied || inner()
}

/// Whether an error, or one that it comes from, says that something was not permitted.
fn denies(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        error.is::<PermissionDenied>() || error.downcast_ref::<io::Error>().is_some_and(denied_by_system)
    })
}

/// What it means when a scope is dropped without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Abandoned,
    Cancelled,
}

/// An action under way. How it ended is logged once: by one of the words below, or when this is dropped. A scope that
/// is dropped while its thread panics has failed (`panicked`); any other that says nothing was left without an outcome
/// (`abandoned`, status unknown).
#[derive(Debug)]
pub struct Scope {
    agent: AuditedAgent,
    /// The request, which the outcome repeats; none once that is logged.
    event: Option<AuditEvent>,
    context: Context,
    began: Instant,
    /// Whether its thread was panicking when it began.
    panicking: bool,
    dropped: Dropped,
}

impl Scope {
    /// What joins the request and the outcome.
    pub fn request_id(&self) -> &str {
        self.event.as_ref().and_then(|event| event.request_id.as_deref()).unwrap_or_default()
    }

    /// The context for what is done within: it has this action's span.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Adds something that the outcome will say.
    pub fn with(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        if let Some(event) = &mut self.event {
            event.metadata.insert(name.into(), value.into());
        }
    }

    /// Sets what came of it; `success` otherwise.
    pub fn result(&mut self, result: impl Into<Value>) {
        if let Some(event) = &mut self.event {
            event.result = Some(result.into());
        }
    }

    /// It was done. Its duration is what passed since it began.
    ///
    /// # Errors
    /// The outcome could not be logged, and comes back.
    pub fn executed(mut self) -> Result<(), NotLogged> {
        self.end(EventType::ActionExecuted, |event| {
            event.result.get_or_insert_with(|| "success".into());
        })
    }

    /// It failed, for this reason.
    ///
    /// # Errors
    /// The outcome could not be logged, and comes back.
    pub fn failed(mut self, error: impl fmt::Display) -> Result<(), NotLogged> {
        self.end(EventType::ActionFailed, |event| event.error = Some(error.to_string()))
    }

    /// It was not permitted, for this reason.
    ///
    /// # Errors
    /// The outcome could not be logged, and comes back.
    pub fn denied(mut self, reason: impl fmt::Display) -> Result<(), NotLogged> {
        self.end(EventType::PermissionDenied, |event| event.error = Some(reason.to_string()))
    }

    /// It ended like this. That it could not be logged shows in the logger's metrics: what is done is done.
    fn ended_as<T, E: Failure>(self, result: &Result<T, E>) {
        let _ = match result {
            Ok(_) => self.executed(),
            Err(error) if error.is_denied() => self.denied(error),
            Err(error) => self.failed(error),
        };
    }

    fn end(&mut self, kind: EventType, say: impl FnOnce(&mut AuditEvent)) -> Result<(), NotLogged> {
        let Some(mut event) = self.event.take() else { return Ok(()) };
        event.event_id = EventId(Uuid::now_v7());
        event.timestamp = clock::now();
        event.event_type = kind;
        say(&mut event);
        self.agent.logger().log(event.took(self.began.elapsed()))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let (error, code, status) = match self.dropped {
            _ if thread::panicking() && !self.panicking => {
                ("it panicked", "panicked", OutcomeStatus::Failure)
            }
            Dropped::Cancelled => ("it was cancelled", "cancelled", OutcomeStatus::Cancelled),
            Dropped::Abandoned => ("how it ended was not said", "abandoned", OutcomeStatus::Unknown),
        };
        // There is nobody to tell; the logger's metrics count it.
        let _ = self.end(EventType::ActionFailed, |event| {
            event.error = Some(error.to_owned());
            event.error_code = Some(code.to_owned());
            event.status = Some(status);
        });
    }
}

/// An action that is awaited.
#[derive(Debug)]
#[must_use = "nothing is done until it is awaited"]
pub struct Running<F> {
    state: State<F>,
}

#[derive(Debug)]
enum State<F> {
    Waiting(Box<Action>, Pin<Box<F>>),
    Under(Box<Scope>, InContext<Pin<Box<F>>>),
    Over,
}

impl<T, E: Failure, F: Future<Output = Result<T, E>>> Future for Running<F> {
    type Output = Result<T, NotDone<E>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let (scope, mut act) = match std::mem::replace(&mut self.state, State::Over) {
            State::Waiting(action, act) => {
                let mut scope = Box::new(action.begin()?);
                scope.dropped = Dropped::Cancelled;
                let act = scope.context.clone().scope(act);
                (scope, act)
            }
            State::Under(scope, act) => (scope, act),
            // As the standard library's own futures say it.
            State::Over => return Poll::Pending,
        };
        match Pin::new(&mut act).poll(task) {
            Poll::Pending => {
                self.state = State::Under(scope, act);
                Poll::Pending
            }
            Poll::Ready(result) => {
                scope.ended_as(&result);
                Poll::Ready(result.map_err(NotDone::Failed))
            }
        }
    }
}

#[cfg(test)]
mod tests;
