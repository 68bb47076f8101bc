//! The three forms of an event outside: native, and those of the two founding documents.
//!
//! Reading turns one JSON document into a [`Draft`]: the event, and its content as parts. What the event cannot
//! hold as it came (unknown fields, a time without an offset, a fraction of a microsecond) is kept beside it, so
//! that writing the same form gives the document back: every value, the text of every number and the order of
//! the names. Only white space and the choice of string escapes are not kept. Secrets under telling keys are
//! the exception: they are redacted before anything else happens.

pub mod flat;
pub mod governed;
pub mod native;

mod fields;
mod given;
mod join;

pub use join::Half;

use crate::json::Json;
use crate::{Draft, Event, EventId, InvalidEvent, Part, Tenant};

/// The form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Our own: an event's canonical fields, with content in `parts`.
    Native,
    /// The first document's `to_dict`.
    Flat,
    /// The second document's entry.
    Governed,
}

/// Where a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// From a producer: what only Greffier may say is refused.
    Outside,
    /// Written by Greffier itself, as far as the caller knows.
    Own,
}

/// What a producer says: a document that was read, and what tells whether it says the same again.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The form of the document.
    pub form: Form,
    /// What was read.
    pub draft: Draft,
    /// The event as the producer gave it, in native form without its channel: the same for the same claim, whichever way
    /// it comes. It holds the contents, so it is for digests only.
    pub said: String,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("form", &self.form).field("draft", &self.draft).finish_non_exhaustive()
    }
}

impl Claim {
    /// Reads one document from outside, of whichever form it is. `id` makes the id of a document that has none.
    pub fn read(
        text: &str,
        tenant: &Tenant,
        channel: &str,
        id: impl FnOnce() -> EventId,
    ) -> Result<Claim, InvalidEvent> {
        if let Some((draft, said)) = native::claim(text, tenant, channel) {
            return Ok(Claim { form: Form::Native, draft, said });
        }
        let reading = Reading { tenant, id: id(), channel, trust: Trust::Outside };
        let (form, draft) = Form::read_any(text, &reading)?;
        let said = Claim::said(&draft)?;
        Ok(Claim { form, draft, said })
    }

    /// What a draft says that was read before anything was added to it.
    pub fn said(draft: &Draft) -> Result<String, InvalidEvent> {
        let mut event = draft.event.clone();
        if let Some(source) = &mut event.source {
            source.channel.clear();
        }
        Form::Native.write(&event, &draft.parts)
    }
}

/// What a reading needs to know that the document does not say.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Whose trail the event is for. A document that names another tenant is refused.
    pub tenant: &'a Tenant,
    /// The id of a document that has none.
    pub id: EventId,
    /// How the document reached us: `sdk`, `otlp`, `import`, `hook`. One's own document may name its own.
    pub channel: &'a str,
    /// Whether it may say what only Greffier may say.
    pub trust: Trust,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 3] = [Form::Native, Form::Flat, Form::Governed];

    /// Its name, as the command line has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Native => "native",
            Form::Flat => "flat",
            Form::Governed => "governed",
        }
    }

    /// The form of that name.
    pub fn parse(name: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| form.as_str() == name)
    }

    /// The form of a document, by the fields that only this form has.
    pub fn detect(text: &str) -> Result<Form, InvalidEvent> {
        Form::of(&Json::parse(text)?)
    }

    fn of(document: &Json) -> Result<Form, InvalidEvent> {
        let has = |name| document.get(name).is_some();
        if has("event_type") || has("event_id") {
            Ok(Form::Flat)
        } else if has("type") && has("time") {
            Ok(Form::Native)
        } else if has("timestamp") {
            Ok(Form::Governed)
        } else {
            Err(InvalidEvent::new(
                "document",
                "must be an event: `time` and `type`, or `timestamp` and `event_type`, or `timestamp` and `requestId`",
            ))
        }
    }

    /// Reads one document of this form.
    pub fn read(self, text: &str, reading: &Reading<'_>) -> Result<Draft, InvalidEvent> {
        match self {
            Form::Native => native::read(text, reading),
            Form::Flat => flat::read(text, reading),
            Form::Governed => governed::read(text, reading),
        }
    }

    /// Reads one document of whichever form it is.
    pub fn read_any(text: &str, reading: &Reading<'_>) -> Result<(Form, Draft), InvalidEvent> {
        let document = Json::parse(text)?;
        let form = Form::of(&document)?;
        let draft = match form {
            Form::Native => native::take(document, reading),
            Form::Flat => flat::take(document, reading),
            Form::Governed => governed::take(document, reading),
        };
        Ok((form, draft?))
    }

    /// Gives what was read another id than its document has, where that is taken. Writing this form gives the
    /// document's own id back.
    pub fn renamed(self, mut draft: Draft, id: EventId) -> Result<Draft, InvalidEvent> {
        let name = match self {
            Form::Native => "id",
            Form::Flat => "event_id",
            // Has no id of its own.
            Form::Governed => {
                draft.event.id = id;
                return Ok(draft);
            }
        };
        given::renamed(&mut draft.parts, self, name, (draft.event.id, id))?;
        draft.event.id = id;
        Ok(draft)
    }

    /// Writes an event with those of its parts that may be shown, on one line.
    pub fn write(self, event: &Event, parts: &[Part]) -> Result<String, InvalidEvent> {
        match self {
            Form::Native => native::write(event, parts),
            Form::Flat => flat::write(event, parts),
            Form::Governed => governed::write(event, parts),
        }
    }

    /// Writes the two events of one call as one entry, on one line. The native form has no such entry.
    pub fn join(self, decision: Half<'_>, outcome: Half<'_>) -> Result<String, InvalidEvent> {
        match self {
            Form::Native => Err(InvalidEvent::new("document", "of a call is two events in native form")),
            Form::Flat => flat::join(decision, outcome),
            Form::Governed => governed::join(decision, outcome),
        }
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
