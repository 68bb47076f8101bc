//! One adapter per protocol: what a call to a model asks for, and what its reply says of model and tokens.
//!
//! Adapters read the few fields the gateway relies on and leave every other byte alone: a field that a provider
//! adds tomorrow passes through today.

mod answers;
mod anthropic;
mod openai;
pub(crate) mod view;

use greffier_event::Usage;

use crate::wire::Wire;
pub(crate) use answers::only_answers;
use view::View;

/// The longest model name or upstream id kept: twice the longest in use (a Bedrock inference profile's ARN).
const MAX_NAME: usize = 256;

/// A wire protocol for calls to models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `OpenAI` chat completions.
    OpenAiChat,
    /// Anthropic messages.
    AnthropicMessages,
}

impl Protocol {
    /// The name events carry: `openai.chat`, `anthropic.messages`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::OpenAiChat => "openai.chat",
            Protocol::AnthropicMessages => "anthropic.messages",
        }
    }

    /// The format its errors are written in.
    pub fn wire(self) -> Wire {
        match self {
            Protocol::OpenAiChat => Wire::OpenAi,
            Protocol::AnthropicMessages => Wire::Anthropic,
        }
    }

    fn provider(self) -> &'static str {
        match self {
            Protocol::OpenAiChat => "openai",
            Protocol::AnthropicMessages => "anthropic",
        }
    }
}

/// What the gateway relies on in a call to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmRequest {
    /// The model asked for.
    pub model: String,
    /// Whether the reply is to be streamed.
    pub stream: bool,
    /// Whether the caller itself wants token counts in the stream.
    pub usage_requested: bool,
}

/// A request the gateway cannot act on. It names the field and never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The body is not one JSON object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field has the wrong type.
    #[error("`{field}` must be {wanted}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A field is there twice, and two readers could each take another one.
    #[error("`{0}` is given more than once")]
    Twice(&'static str),
}

/// What a reply says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens, with provider and model; no cost yet.
    pub usage: Usage,
    /// The provider's id for the reply.
    pub upstream_id: Option<String>,
}

/// Reads a request, checking the types of what is relied on.
///
/// # Errors
/// [`BadRequest`] names the field that is missing, doubled or of the wrong type.
pub fn read_request(protocol: Protocol, body: &[u8]) -> Result<LlmRequest, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|_| BadRequest::NotAnObject)?;
    let fields = Fields::of(View::parse(text).map_err(|_| BadRequest::NotAnObject)?)?;
    let wanted = "a name of 1 to 256 visible ASCII characters";
    let model = fields.one("model")?.ok_or(BadRequest::Missing("model"))?;
    let model = model.string().and_then(name).ok_or(BadRequest::WrongType { field: "model", wanted })?;
    let messages = fields.one("messages")?.ok_or(BadRequest::Missing("messages"))?;
    if !messages.is_array() {
        return Err(BadRequest::WrongType { field: "messages", wanted: "a list" });
    }
    let stream = fields.flag("stream", "stream")?;
    let usage_requested = match protocol {
        Protocol::OpenAiChat => openai::usage_requested(&fields)?,
        Protocol::AnthropicMessages => true,
    };
    Ok(LlmRequest { model, stream, usage_requested })
}

/// The body as it goes upstream: of an `OpenAI` stream token counts are asked for even if the caller did not,
/// everything else stays byte for byte.
pub fn prepare(protocol: Protocol, body: Vec<u8>, request: &LlmRequest) -> Vec<u8> {
    if protocol == Protocol::OpenAiChat && request.stream && !request.usage_requested {
        openai::ask_for_usage(&body).unwrap_or(body)
    } else {
        body
    }
}

/// A whole reply without what spells its text out a second time, token by token, where no inspection of strings
/// finds a value: for a reply whose text held findings. Everything else stays byte for byte.
pub fn without_echoes(protocol: Protocol, body: Vec<u8>) -> Vec<u8> {
    match protocol {
        Protocol::OpenAiChat => openai::without_log_probabilities(&body).unwrap_or(body),
        Protocol::AnthropicMessages => body,
    }
}

/// Reads model, tokens and id out of a whole reply. What is not there, or not as documented, stays `None`.
pub fn read_reply(protocol: Protocol, body: &[u8]) -> ReplyFacts {
    let view = std::str::from_utf8(body).ok().and_then(|text| View::parse(text).ok());
    let mut facts = ReplyFacts::new(protocol);
    let Some(view) = view else { return facts };
    facts.note_reply(view);
    facts.note_usage(protocol, view.get("usage"));
    facts
}

impl ReplyFacts {
    pub(crate) fn new(protocol: Protocol) -> ReplyFacts {
        let usage = Usage { provider: Some(protocol.provider().to_owned()), ..Usage::default() };
        ReplyFacts { usage, ..ReplyFacts::default() }
    }

    /// Takes over `model` and `id` of a reply, a chunk or a message: all three call them so.
    pub(crate) fn note_reply(&mut self, reply: View<'_>) {
        let text = |key| reply.get(key).and_then(View::string).and_then(name);
        if let Some(model) = text("model") {
            self.usage.model = Some(model.clone());
            self.model = Some(model);
        }
        self.upstream_id = text("id").or(self.upstream_id.take());
    }

    /// Takes over the counts of a `usage` object. Later counts replace earlier ones: streams count cumulatively.
    pub(crate) fn note_usage(&mut self, protocol: Protocol, usage: Option<View<'_>>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        match protocol {
            Protocol::OpenAiChat => openai::note_usage(&mut self.usage, usage),
            Protocol::AnthropicMessages => anthropic::note_usage(&mut self.usage, usage),
        }
    }
}

/// A name fit for a record: visible ASCII, bounded.
fn name(text: String) -> Option<String> {
    let fits = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}

/// The members of a request, read so that no two readers can disagree about one.
struct Fields<'a>(Vec<(String, View<'a>)>);

impl<'a> Fields<'a> {
    fn of(object: View<'a>) -> Result<Fields<'a>, BadRequest> {
        if object.is_object() { Ok(Fields(object.entries())) } else { Err(BadRequest::NotAnObject) }
    }

    fn one(&self, field: &'static str) -> Result<Option<View<'a>>, BadRequest> {
        let mut found = self.0.iter().filter(|(name, _)| name == field).map(|(_, value)| *value);
        let first = found.next();
        if found.next().is_some() { Err(BadRequest::Twice(field)) } else { Ok(first) }
    }

    /// A switch: absent and null are off. `path` is how the error calls it.
    fn flag(&self, field: &'static str, path: &'static str) -> Result<bool, BadRequest> {
        match self.one(field)? {
            Some(value) if !value.is_null() => {
                value.boolean().ok_or(BadRequest::WrongType { field: path, wanted: "true or false" })
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests;
