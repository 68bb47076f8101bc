//! What a client said, whichever client it was: a tool about to be used, one that was, or something else.

use greffier_event::{
    Action, ActionKind, Call, Content, Effect, EventType, OutcomeStatus, Place, Principal, RedactionAction,
    Resource, SessionLink, Source, Target, Timestamp,
};
use greffier_safety::json::JsonError;
use serde_json::{Map, Value};

use crate::decide::{Denied, Permitted};
use crate::hook::Client;
use crate::inspect::Redacted;
use crate::read::{Head, cut, header, traceparent};

/// Longest name of a tool or id of a call that is taken: what policies name must stand in the record whole.
const MAX_NAME: usize = 128;

/// Why an event is not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("the body is not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// The place alone: what stands there is content.
    #[error("this is no hook event of {client}: not of its type, at line {line} column {column}")]
    Shape { client: &'static str, line: usize, column: usize },
    #[error("`{0}` is missing: a tool call needs it")]
    Missing(&'static str),
    #[error("`{0}` is empty, longer than {MAX_NAME} characters or holds control characters")]
    Name(&'static str),
}

impl Unheard {
    pub(crate) fn shape(client: Client, error: &serde_json::Error) -> Unheard {
        Unheard::Shape { client: client.name(), line: error.line(), column: error.column() }
    }
}

/// One event.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The client's own name for it.
    pub(crate) event: String,
    pub(crate) origin: Origin,
    pub(crate) what: What,
}

/// What every event tells of its client.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    pub(crate) session: Option<String>,
    /// Set within a subagent.
    pub(crate) agent_id: Option<String>,
    /// Nobody sits in front of it.
    pub(crate) background: bool,
    /// Where and how it runs: working folder, mode, model.
    pub(crate) circumstances: Map<String, Value>,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum What {
    /// A tool is about to be used.
    Ask(Use),
    /// A tool was used.
    Ended(Use, End),
    /// Anything else.
    Note(Note),
}

/// How something can be replaced by its redacted form on the client's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By another value in the answer.
    Replace,
    /// Not at all.
    No,
}

/// The use of one tool.
#[derive(Debug)]
pub(crate) struct Use {
    /// As policies name it.
    pub(crate) server: String,
    pub(crate) name: String,
    /// Whether it is a tool of an MCP server.
    pub(crate) mcp: bool,
    pub(crate) effect: Effect,
    pub(crate) uri: Option<String>,
    /// The client's id for this use.
    pub(crate) call_id: Option<String>,
    /// Its arguments, as JSON.
    pub(crate) input: Vec<u8>,
    /// Whether the client takes other arguments in their place.
    pub(crate) way: Way,
}

/// How the use of a tool ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: OutcomeStatus,
    /// Of a failure, the short reason.
    pub(crate) code: Option<&'static str>,
    /// `result` or `error`.
    pub(crate) part: &'static str,
    /// What came back, as JSON.
    pub(crate) output: Option<Vec<u8>>,
    /// As the client says.
    pub(crate) duration_us: Option<u64>,
    /// Whether the client shows its model something else in the place of what came back.
    pub(crate) way: Way,
}

/// Something else that happened.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) kind: EventType,
    /// What it is about: `session`, `prompt`.
    pub(crate) name: &'static str,
    pub(crate) status: Option<OutcomeStatus>,
    pub(crate) code: Option<&'static str>,
    /// What a person or the model said: a part's name, and the text.
    pub(crate) said: Option<(&'static str, String)>,
    /// The use of a tool that it is about.
    pub(crate) of: Option<Use>,
    /// No outcome of that use will follow.
    pub(crate) ends_call: bool,
    /// Nothing of this session will follow.
    pub(crate) ends_session: bool,
}

impl What {
    /// The use of a tool that it belongs to.
    pub(crate) fn of(&self) -> Option<&Use> {
        match self {
            What::Ask(used) | What::Ended(used, _) => Some(used),
            What::Note(note) => note.of.as_ref(),
        }
    }
}

impl Origin {
    /// The caller, with the tier that the client's own word gives it: a token's word stands, but for `interactive`, of
    /// which a subagent is not part.
    pub(crate) fn tiered(&self, mut principal: Principal) -> Principal {
        let own = match (&self.agent_id, self.background) {
            (Some(_), _) => "subagent",
            (None, true) => "background",
            (None, false) => "interactive",
        };
        if principal.tier.as_deref().is_none_or(|tier| tier == "interactive") {
            principal.tier = Some(own.to_owned());
        }
        principal
    }

    /// The part about them.
    pub(crate) fn circumstances(&self) -> Option<Vec<u8>> {
        let bytes = || Value::Object(self.circumstances.clone()).to_string().into_bytes();
        (!self.circumstances.is_empty()).then(bytes)
    }

    /// The event as a call in our sense.
    #[expect(clippy::too_many_arguments, reason = "a call is made of all this, here alone")]
    pub(crate) fn call(
        &self,
        event: &str,
        client: Client,
        head: &Head,
        node: &str,
        request_id: &str,
        now: Timestamp,
        target: Target,
        used: Option<&Use>,
    ) -> Call {
        let name = match &target {
            Target::Tool { name, .. } | Target::Session { name, .. } => name.clone(),
            Target::Resource { uri, .. } => uri.clone(),
            Target::Model { .. } => format!("{}:prompt", client.name()),
        };
        let body = |used: &Use| Content {
            place: Place::Body,
            media: "application/json".to_owned(),
            bytes: used.input.clone(),
        };
        Call {
            request_id: request_id.to_owned(),
            time: now,
            action: Action {
                call_id: used.and_then(|used| used.call_id.clone()),
                effect: used.map(|used| used.effect),
                kind: Some(if used.is_some() { ActionKind::Tool } else { ActionKind::Agent }),
                method: Some(event.to_owned()),
                name,
            },
            resource: Resource { uri: used.and_then(|used| used.uri.clone()), ..Resource::default() },
            target,
            session_id: self.session.clone(),
            session_link: self.session.as_ref().map(|_| SessionLink::Agent),
            trace: header(&head.headers, "traceparent").and_then(|text| traceparent(&text)),
            source: Source {
                channel: "hook".to_owned(),
                client: header(&head.headers, "user-agent")
                    .map(|agent| cut(&agent))
                    .filter(|agent| !agent.is_empty()),
                ip: Some(head.peer.to_canonical().to_string()),
                node: Some(node.to_owned()),
                protocol: Some(client.protocol().to_owned()),
                ..Source::default()
            },
            contents: used.map(body).into_iter().collect(),
        }
    }
}

impl Use {
    pub(crate) fn target(&self) -> Target {
        Target::Tool { server: self.server.clone(), name: self.name.clone() }
    }

    /// A permitted use, unless something would have to be redacted in it and cannot be there.
    pub(crate) fn redactable(
        &self,
        permitted: Permitted<Redacted<Call>>,
    ) -> Result<Permitted<Redacted<Call>>, Box<Denied<Redacted<Call>>>> {
        let hidden = permitted.redacted().findings().iter().find(|finding| finding.action.hides());
        match hidden.map(|finding| finding.entity) {
            Some(entity) if self.way == Way::No => {
                let reason = format!("the request contains {entity}, which cannot be redacted here");
                Err(permitted.denied(&format!("content safety redacts {entity}"), reason))
            }
            None if self.way == Way::No
                && permitted.redacted().forward().iter().any(|c| c.bytes != self.input) =>
            {
                let reason = "the request contains the caller's own token".to_owned();
                Err(permitted.denied("a token goes nowhere", reason))
            }
            _ => Ok(permitted),
        }
    }
}

impl Note {
    /// About `name`, with nothing further to say.
    pub(crate) fn new(kind: EventType, name: &'static str) -> Note {
        Note {
            kind,
            name,
            status: None,
            code: None,
            said: None,
            of: None,
            ends_call: false,
            ends_session: false,
        }
    }

    pub(crate) fn status(&self) -> OutcomeStatus {
        self.status.unwrap_or(OutcomeStatus::Unknown)
    }

    /// Whose rules hold: a prompt's are those of models, everything else's those of tools.
    pub(crate) fn target(&self, client: Client) -> Target {
        match &self.of {
            Some(used) => used.target(),
            None if self.name == "prompt" => Target::Model { name: "*".to_owned() },
            None => Target::Tool {
                server: client.name().to_owned(),
                name: format!("{}:{}", client.name(), self.name),
            },
        }
    }

    /// What is inspected and kept: part, media type, text.
    pub(crate) fn contents(&self) -> Vec<(&'static str, &'static str, std::borrow::Cow<'_, str>)> {
        let said = self.said.iter().map(|(name, text)| (*name, "text/plain", text.as_str().into()));
        let used = self
            .of
            .iter()
            .map(|used| ("parameters", "application/json", String::from_utf8_lossy(&used.input)));
        said.chain(used).collect()
    }
}

/// A finding that nothing is done about: it was seen, and is on record without its value.
pub(crate) fn only_flagged(action: RedactionAction) -> RedactionAction {
    if action.hides() { RedactionAction::Flag } else { action }
}

/// A name that has to stand whole, in policies and in the record.
pub(crate) fn name(field: &'static str, text: Option<String>) -> Result<String, Unheard> {
    let text = text.ok_or(Unheard::Missing(field))?;
    let fits = !text.is_empty() && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(Unheard::Name(field)) }
}

/// The same, of one that need not be there.
pub(crate) fn id(field: &'static str, text: Option<String>) -> Result<Option<String>, Unheard> {
    text.filter(|text| !text.is_empty()).map(|text| name(field, Some(text))).transpose()
}

/// The client's name for an event: a word of letters.
pub(crate) fn event(text: String) -> Result<String, Unheard> {
    let fits = !text.is_empty() && text.len() <= 48 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if fits { Ok(text) } else { Err(Unheard::Name("hook_event_name")) }
}

/// Milliseconds, as clients count them, in microseconds.
pub(crate) fn micros(millis: Option<f64>) -> Option<u64> {
    let micros = millis.filter(|millis| millis.is_finite() && *millis >= 0.0)? * 1_000.0;
    // A year; what is beyond is no duration.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between zero and a year")]
    (micros < 3.2e13).then_some(micros as u64)
}
