//! One adapter per protocol: what a call to a model asks for, and what its reply says of model and tokens.
//!
//! Adapters read the few fields the gateway relies on and leave every other byte alone: a field that a provider
//! adds tomorrow passes through today.

mod answers;
mod anthropic;
pub(crate) mod gemini;
mod openai;
mod responses;
pub(crate) mod view;

use greffier_event::Usage;

use crate::settings::UpstreamKind;
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
    /// `OpenAI` responses.
    OpenAiResponses,
    /// `OpenAI`: how many tokens a response's input has.
    OpenAiInputTokens,
    /// `OpenAI`: a conversation made shorter.
    OpenAiCompaction,
    /// `OpenAI` completions, the older form without roles.
    OpenAiCompletions,
    /// `OpenAI` embeddings.
    OpenAiEmbeddings,
    /// `OpenAI` moderations.
    OpenAiModerations,
    /// Anthropic messages.
    AnthropicMessages,
    /// Anthropic: how many tokens a message has.
    AnthropicCountTokens,
    /// Gemini `generateContent` and `streamGenerateContent`.
    GeminiContent,
    /// Gemini `countTokens`.
    GeminiCountTokens,
    /// Gemini `embedContent` and `batchEmbedContents`.
    GeminiEmbeddings,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 12] = [
        Protocol::OpenAiChat,
        Protocol::OpenAiResponses,
        Protocol::OpenAiInputTokens,
        Protocol::OpenAiCompaction,
        Protocol::OpenAiCompletions,
        Protocol::OpenAiEmbeddings,
        Protocol::OpenAiModerations,
        Protocol::AnthropicMessages,
        Protocol::AnthropicCountTokens,
        Protocol::GeminiContent,
        Protocol::GeminiCountTokens,
        Protocol::GeminiEmbeddings,
    ];

    /// The name events carry: `openai.chat`, `anthropic.messages`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::OpenAiChat => "openai.chat",
            Protocol::OpenAiResponses => "openai.responses",
            Protocol::OpenAiInputTokens => "openai.input_tokens",
            Protocol::OpenAiCompaction => "openai.compaction",
            Protocol::OpenAiCompletions => "openai.completions",
            Protocol::OpenAiEmbeddings => "openai.embeddings",
            Protocol::OpenAiModerations => "openai.moderations",
            Protocol::AnthropicMessages => "anthropic.messages",
            Protocol::AnthropicCountTokens => "anthropic.count_tokens",
            Protocol::GeminiContent => "gemini.content",
            Protocol::GeminiCountTokens => "gemini.count_tokens",
            Protocol::GeminiEmbeddings => "gemini.embeddings",
        }
    }

    /// What a call does, as events name the action.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Protocol::OpenAiChat
            | Protocol::OpenAiResponses
            | Protocol::AnthropicMessages
            | Protocol::GeminiContent => "chat",
            Protocol::OpenAiCompletions => "complete",
            Protocol::OpenAiEmbeddings | Protocol::GeminiEmbeddings => "embed",
            Protocol::OpenAiModerations => "moderate",
            Protocol::OpenAiCompaction => "compact",
            Protocol::OpenAiInputTokens | Protocol::AnthropicCountTokens | Protocol::GeminiCountTokens => {
                "tokens:count"
            }
        }
    }

    /// The API it belongs to.
    pub fn kind(self) -> UpstreamKind {
        match self {
            Protocol::OpenAiChat
            | Protocol::OpenAiResponses
            | Protocol::OpenAiInputTokens
            | Protocol::OpenAiCompaction
            | Protocol::OpenAiCompletions
            | Protocol::OpenAiEmbeddings
            | Protocol::OpenAiModerations => UpstreamKind::OpenAi,
            Protocol::AnthropicMessages | Protocol::AnthropicCountTokens => UpstreamKind::Anthropic,
            Protocol::GeminiContent | Protocol::GeminiCountTokens | Protocol::GeminiEmbeddings => {
                UpstreamKind::Gemini
            }
        }
    }

    /// The format its errors are written in.
    pub fn wire(self) -> Wire {
        self.kind().wire()
    }

    /// Where it is asked, below an upstream's base URL; Gemini's paths name the model, see [`gemini::Address`].
    pub(crate) fn path(self) -> &'static str {
        match self {
            Protocol::OpenAiChat => "/chat/completions",
            Protocol::OpenAiResponses => "/responses",
            Protocol::OpenAiInputTokens => "/responses/input_tokens",
            Protocol::OpenAiCompaction => "/responses/compact",
            Protocol::OpenAiCompletions => "/completions",
            Protocol::OpenAiEmbeddings => "/embeddings",
            Protocol::OpenAiModerations => "/moderations",
            Protocol::AnthropicMessages => "/v1/messages",
            Protocol::AnthropicCountTokens => "/v1/messages/count_tokens",
            Protocol::GeminiContent | Protocol::GeminiCountTokens | Protocol::GeminiEmbeddings => "",
        }
    }

    /// Whether it speaks of responses, which go on from one another.
    fn is_about_responses(self) -> bool {
        matches!(self, Protocol::OpenAiResponses | Protocol::OpenAiInputTokens | Protocol::OpenAiCompaction)
    }

    /// Whether its streams count tokens only where `stream_options.include_usage` asks for it.
    fn counts_on_demand(self) -> bool {
        matches!(self, Protocol::OpenAiChat | Protocol::OpenAiCompletions)
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
    /// The stored response that this one goes on from.
    pub previous_response: Option<String>,
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
    /// The body asks another model than the path.
    #[error("`{0}` names another model than the path")]
    OtherModel(&'static str),
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
    /// Of the input written to the provider's cache, what is kept there for an hour: it has a price of its own.
    pub long_cache_writes: u64,
    /// Whether the reply itself says that the model failed.
    pub failed: bool,
}

/// Reads a request, checking the types of what is relied on.
///
/// # Errors
/// [`BadRequest`] names the field that is missing, doubled or of the wrong type.
pub fn read_request(protocol: Protocol, body: &[u8]) -> Result<LlmRequest, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|_| BadRequest::NotAnObject)?;
    let fields = Fields::of(View::parse(text).map_err(|_| BadRequest::NotAnObject)?)?;
    let wanted = "a name of 1 to 256 visible ASCII characters";
    let model = match fields.one("model")? {
        None if protocol == Protocol::OpenAiModerations => openai::MODERATION_MODEL.to_owned(),
        None => return Err(BadRequest::Missing("model")),
        Some(model) => {
            model.string().and_then(name).ok_or(BadRequest::WrongType { field: "model", wanted })?
        }
    };
    let streams = match protocol {
        Protocol::OpenAiChat | Protocol::AnthropicMessages | Protocol::AnthropicCountTokens => {
            let messages = fields.one("messages")?.ok_or(BadRequest::Missing("messages"))?;
            if !messages.is_array() {
                return Err(BadRequest::WrongType { field: "messages", wanted: "a list" });
            }
            protocol != Protocol::AnthropicCountTokens
        }
        _ if protocol.is_about_responses() => {
            // A stored prompt may be all there is to say.
            let input = fields.one("input")?.filter(|input| !input.is_null());
            if input.is_some_and(|input| !input.is_array() && input.string().is_none()) {
                return Err(BadRequest::WrongType { field: "input", wanted: "a text or a list" });
            }
            protocol == Protocol::OpenAiResponses
        }
        Protocol::OpenAiCompletions => true,
        _ => {
            fields.one("input")?.ok_or(BadRequest::Missing("input"))?;
            false
        }
    };
    let stream = streams && fields.flag("stream", "stream")?;
    let usage_requested = !protocol.counts_on_demand() || openai::usage_requested(&fields)?;
    let previous = if protocol.is_about_responses() { fields.one("previous_response_id")? } else { None };
    let previous_response = previous.and_then(View::string);
    Ok(LlmRequest { model, stream, usage_requested, previous_response })
}

/// The body as it goes upstream: of an `OpenAI` stream token counts are asked for even if the caller did not,
/// everything else stays byte for byte.
pub fn prepare(protocol: Protocol, body: Vec<u8>, request: &LlmRequest) -> Vec<u8> {
    if protocol.counts_on_demand() && request.stream && !request.usage_requested {
        openai::ask_for_usage(&body).unwrap_or(body)
    } else {
        body
    }
}

/// A whole reply without what spells its text out a second time, token by token, where no inspection of strings
/// finds a value: for a reply whose text held findings. Everything else stays byte for byte.
pub fn without_echoes(protocol: Protocol, body: Vec<u8>) -> Vec<u8> {
    let without = match protocol {
        Protocol::OpenAiChat | Protocol::OpenAiCompletions => openai::without_log_probabilities(&body),
        Protocol::OpenAiResponses => responses::without_log_probabilities(&body),
        Protocol::GeminiContent => gemini::without_log_probabilities(&body),
        _ => None,
    };
    without.unwrap_or(body)
}

/// Reads model, tokens and id out of a whole reply. What is not there, or not as documented, stays `None`.
pub fn read_reply(protocol: Protocol, body: &[u8]) -> ReplyFacts {
    let view = std::str::from_utf8(body).ok().and_then(|text| View::parse(text).ok());
    let mut facts = ReplyFacts::new(protocol);
    let Some(view) = view else { return facts };
    facts.note_reply(protocol, view);
    facts.note_usage(protocol, view.get(usage_member(protocol)));
    facts
}

/// How a protocol calls its counts.
pub(crate) fn usage_member(protocol: Protocol) -> &'static str {
    if protocol.kind() == UpstreamKind::Gemini { "usageMetadata" } else { "usage" }
}

impl ReplyFacts {
    pub(crate) fn new(protocol: Protocol) -> ReplyFacts {
        let usage = Usage { provider: Some(protocol.kind().provider().to_owned()), ..Usage::default() };
        ReplyFacts { usage, ..ReplyFacts::default() }
    }

    /// Takes over model and id of a reply, a chunk or a message.
    pub(crate) fn note_reply(&mut self, protocol: Protocol, reply: View<'_>) {
        let (model, id) = match protocol.kind() {
            UpstreamKind::Gemini => ("modelVersion", "responseId"),
            UpstreamKind::OpenAi | UpstreamKind::Anthropic => ("model", "id"),
        };
        let text = |key| reply.get(key).and_then(View::string).and_then(name);
        if let Some(model) = text(model) {
            self.usage.model = Some(model.clone());
            self.model = Some(model);
        }
        self.upstream_id = text(id).or(self.upstream_id.take());
        if protocol == Protocol::OpenAiResponses {
            self.failed |= reply.get("status").and_then(View::string).as_deref() == Some("failed");
        }
    }

    /// Takes over the counts of a `usage` object. Later counts replace earlier ones: streams count cumulatively.
    pub(crate) fn note_usage(&mut self, protocol: Protocol, usage: Option<View<'_>>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        match protocol {
            _ if protocol.is_about_responses() => responses::note_usage(&mut self.usage, usage),
            _ => match protocol.kind() {
                UpstreamKind::OpenAi => openai::note_usage(&mut self.usage, usage),
                UpstreamKind::Anthropic => anthropic::note_usage(self, usage),
                UpstreamKind::Gemini => gemini::note_usage(&mut self.usage, usage),
            },
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
