//! Gemini: the model and the method stand in the path, and the body must not name another model.

use greffier_event::Usage;

use super::view::{View, splice};
use super::{BadRequest, Fields, LlmRequest, MAX_NAME, Protocol};

/// What a path `/v1beta/models/{model}:{method}` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    /// The model, as the path has it: letters, digits, `.`, `_` and `-` only, so that it needs no decoding.
    pub(crate) model: String,
    /// The version of the API: `v1beta`.
    version: &'static str,
    method: Method,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Generate,
    Stream,
    CountTokens,
    Embed,
    EmbedBatch,
}

const METHODS: [(Method, &str, Protocol); 5] = [
    (Method::Generate, "generateContent", Protocol::GeminiContent),
    (Method::Stream, "streamGenerateContent", Protocol::GeminiContent),
    (Method::CountTokens, "countTokens", Protocol::GeminiCountTokens),
    (Method::Embed, "embedContent", Protocol::GeminiEmbeddings),
    (Method::EmbedBatch, "batchEmbedContents", Protocol::GeminiEmbeddings),
];

/// Versions of the API that name models so.
const VERSIONS: [&str; 3] = ["v1beta", "v1alpha", "v1"];

impl Address {
    /// Reads a path; `None` if it is not one of a model's.
    pub(crate) fn parse(path: &str) -> Option<Address> {
        let (version, rest) = path.strip_prefix('/')?.split_once("/models/")?;
        let version = VERSIONS.into_iter().find(|known| *known == version)?;
        let (model, method) = rest.split_once(':')?;
        let (method, _, protocol) = METHODS.into_iter().find(|(_, name, _)| *name == method)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let named = (1..=MAX_NAME).contains(&model.len()) && model.bytes().all(plain);
        named.then(|| Address { protocol, model: model.to_owned(), version, method })
    }

    /// The path upstream: the same.
    pub(crate) fn path(&self) -> String {
        let name = METHODS.iter().find(|(method, ..)| *method == self.method).map_or("", |(_, name, _)| name);
        format!("/{}/models/{}:{name}", self.version, self.model)
    }

    pub(crate) fn streams(&self) -> bool {
        self.method == Method::Stream
    }
}

/// Reads the body of a request to an address.
pub(crate) fn read(address: &Address, body: &[u8]) -> Result<LlmRequest, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|_| BadRequest::NotAnObject)?;
    let fields = Fields::of(View::parse(text).map_err(|_| BadRequest::NotAnObject)?)?;
    let needed = match address.method {
        Method::Generate | Method::Stream => Some("contents"),
        Method::Embed => Some("content"),
        Method::EmbedBatch => Some("requests"),
        // Contents, or a whole request.
        Method::CountTokens => None,
    };
    if let Some(needed) = needed {
        let value = fields.one(needed)?.ok_or(BadRequest::Missing(needed))?;
        if needed == "requests" && !value.is_array() {
            return Err(BadRequest::WrongType { field: "requests", wanted: "a list" });
        }
    }
    let same = |model: Option<View<'_>>, field| match model {
        Some(model) if model.string().is_none_or(|named| bare(&named) != address.model) => {
            Err(BadRequest::OtherModel(field))
        }
        _ => Ok(()),
    };
    same(fields.one("model")?, "model")?;
    // What each of a batch asks, and what a count counts, has a model of its own.
    for request in fields.one("requests")?.into_iter().flat_map(View::items) {
        same(request.get("model"), "requests.model")?;
    }
    for whole in ["generateContentRequest", "generate_content_request"] {
        if let Some(request) = fields.one(whole)? {
            same(request.get("model"), "generateContentRequest.model")?;
        }
    }
    // With `alt=sse` either method answers in events.
    let (model, stream) = (address.model.clone(), address.protocol == Protocol::GeminiContent);
    Ok(LlmRequest { model, stream, usage_requested: true, previous_response: None })
}

fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// Counts of a `usageMetadata` object. Thoughts are counted beside the answer, and what tools put into the prompt
/// beside the prompt; our sums hold both.
pub(super) fn note_usage(to: &mut Usage, usage: View<'_>) {
    let count = |key| usage.get(key).and_then(View::integer);
    let sum = |of: u64, more: Option<u64>| of.saturating_add(more.unwrap_or(0));
    let (thoughts, tools) = (count("thoughtsTokenCount"), count("toolUsePromptTokenCount"));
    to.input_tokens = count("promptTokenCount").map(|prompt| sum(prompt, tools)).or(to.input_tokens);
    // A model that only thought so far has no answer to count.
    let answer = count("candidatesTokenCount").or(thoughts.map(|_| 0));
    to.output_tokens = answer.map(|answer| sum(answer, thoughts)).or(to.output_tokens);
    to.reasoning_tokens = thoughts.or(to.reasoning_tokens);
    to.cache_read_tokens = count("cachedContentTokenCount").or(to.cache_read_tokens);
}

/// Replaces the log probabilities of each candidate by null.
pub(super) fn without_log_probabilities(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let candidates = View::parse(text).ok()?.get("candidates")?.items();
    let spans = candidates.into_iter().filter_map(|candidate| candidate.get("logprobsResult"));
    Some(splice(text, spans.map(|member| (member.span_in(text), "null"))).into_bytes())
}
