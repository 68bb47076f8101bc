//! Which calls go on while nothing can be recorded: chosen by class of action, and never those that matter most.
//!
//! Pure. Whatever is not known to be harmless is refused: a call that writes or may write, data that is classified
//! or about somebody, a request in which anything was found, a caller nobody vouches for.

use std::collections::BTreeSet;

use greffier_event::{Call, DecisionKind, Effect, Place, Target};

use crate::adapt::only_answers;
use crate::decide::Permitted;
use crate::inspect::Redacted;
use crate::route::Route;

/// A class of action, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Calls to models.
    InvokeModel,
    /// Calls to tools.
    CallTool,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 2] = [Class::InvokeModel, Class::CallTool];

    /// Its name, as policies and the configuration have it.
    pub fn name(self) -> &'static str {
        match self {
            Class::InvokeModel => "invoke_model",
            Class::CallTool => "call_tool",
        }
    }

    fn of(target: &Target) -> Class {
        match target {
            Target::Model { .. } => Class::InvokeModel,
            // What an MCP server sends and is sent belongs to the class of its tools.
            Target::Tool { .. } | Target::Resource { .. } | Target::Session { .. } => Class::CallTool,
        }
    }
}

/// The classes whose calls may go on while nothing can be recorded; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continues(BTreeSet<Class>);

/// Why a call may not go unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("its class is refused what cannot be recorded")]
    Class,
    #[error("nobody vouches for its caller")]
    Unverified,
    #[error("it writes, or may")]
    Writes,
    #[error("its data is classified, or about somebody")]
    Classified,
    #[error("something was found in it")]
    Findings,
    #[error("it is not the recorder that fails")]
    NotTheRecorder,
    #[error("it makes no entry")]
    Invalid,
}

impl FromIterator<Class> for Continues {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Continues {
        Continues(classes.into_iter().collect())
    }
}

impl Continues {
    /// Whether no class goes on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The classes.
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        self.0.iter().copied()
    }

    /// Whether a call that comes in here could be one that goes on; what it is shows only later.
    pub(crate) fn may_take(&self, route: &Route) -> bool {
        let class = match route {
            Route::Tool { .. } | Route::Mcp { .. } => Class::CallTool,
            // Its client acts out of our sight: nothing would ever be known of it.
            Route::Hook(_) => return false,
            _ => Class::InvokeModel,
        };
        self.0.contains(&class)
    }

    /// Whether this call may go unrecorded. Everything has to speak for it.
    pub(crate) fn check(&self, permitted: &Permitted<Redacted<Call>>) -> Result<Class, Forbidden> {
        let (verdict, redacted) = (permitted.verdict(), permitted.redacted());
        let call = redacted.call();
        let class = Class::of(&call.target);
        if !self.0.contains(&class) {
            return Err(Forbidden::Class);
        }
        if !verdict.principal.verified {
            return Err(Forbidden::Unverified);
        }
        if !call.resource.classification.is_empty() || !call.resource.subjects.is_empty() {
            return Err(Forbidden::Classified);
        }
        if !redacted.findings().is_empty() || verdict.decision.kind != DecisionKind::Allow {
            return Err(Forbidden::Findings);
        }
        if reads(class, redacted) { Ok(class) } else { Err(Forbidden::Writes) }
    }
}

/// Whether a call is known to change nothing.
fn reads(class: Class, redacted: &Redacted<Call>) -> bool {
    match (class, redacted.call().action.effect) {
        (_, Some(Effect::Read)) => true,
        // A model changes nothing by answering, as long as nobody gave it tools.
        (Class::InvokeModel, Some(Effect::Execute)) => {
            let body = redacted.record().iter().find(|content| content.place == Place::Body);
            body.is_some_and(|body| only_answers(&body.bytes))
        }
        _ => false,
    }
}
