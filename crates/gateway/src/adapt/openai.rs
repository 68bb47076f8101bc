//! `OpenAI` chat completions, and what has their shape: asking for token counts, and reading them.

use greffier_event::Usage;

use super::view::{View, splice};
use super::{BadRequest, Fields};

/// The model that a moderation asks if it names none.
pub(super) const MODERATION_MODEL: &str = "omni-moderation-latest";

const INCLUDE_USAGE: &str = r#""include_usage":true"#;

/// Whether `stream_options.include_usage` is on.
pub(super) fn usage_requested(fields: &Fields<'_>) -> Result<bool, BadRequest> {
    match fields.one("stream_options")? {
        Some(options) if options.is_object() => {
            Fields::of(options)?.flag("include_usage", "stream_options.include_usage")
        }
        Some(options) if !options.is_null() => {
            Err(BadRequest::WrongType { field: "stream_options", wanted: "an object" })
        }
        _ => Ok(false),
    }
}

/// Splices `stream_options.include_usage: true` into a request that [`usage_requested`] found without it.
pub(super) fn ask_for_usage(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let request = View::parse(text).ok()?;
    let (span, new) = match request.get("stream_options") {
        Some(options) if options.is_object() => match options.get("include_usage") {
            Some(flag) => (flag.span_in(text), "true".to_owned()),
            None => first_member(text, options, INCLUDE_USAGE.to_owned()),
        },
        Some(null) => (null.span_in(text), format!("{{{INCLUDE_USAGE}}}")),
        None => first_member(text, request, format!(r#""stream_options":{{{INCLUDE_USAGE}}}"#)),
    };
    Some(splice(text, [(span, new.as_str())]).into_bytes())
}

/// Replaces the log probabilities of each choice by null.
pub(super) fn without_log_probabilities(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let reply = View::parse(text).ok()?.entries();
    let choices = reply.iter().filter(|(key, _)| key == "choices").flat_map(|(_, choices)| choices.items());
    let members = choices.flat_map(View::entries).filter(|(key, _)| key == "logprobs");
    Some(splice(text, members.map(|(_, value)| (value.span_in(text), "null"))).into_bytes())
}

/// The edit that puts a member first in an object.
fn first_member(text: &str, object: View<'_>, mut member: String) -> (std::ops::Range<usize>, String) {
    if !object.entries().is_empty() {
        member.push(',');
    }
    let behind_brace = object.span_in(text).start + 1;
    (behind_brace..behind_brace, member)
}

/// Counts of a `usage` object; cached and reasoning tokens are parts of the two sums, as in our record.
pub(super) fn note_usage(to: &mut Usage, usage: View<'_>) {
    let count = |key| usage.get(key).and_then(View::integer);
    let detail = |group, key| usage.get(group).and_then(|group| group.get(key)).and_then(View::integer);
    to.input_tokens = count("prompt_tokens").or(to.input_tokens);
    to.output_tokens = count("completion_tokens").or(to.output_tokens);
    to.cache_read_tokens = detail("prompt_tokens_details", "cached_tokens").or(to.cache_read_tokens);
    to.cache_write_tokens = detail("prompt_tokens_details", "cache_write_tokens").or(to.cache_write_tokens);
    to.reasoning_tokens = detail("completion_tokens_details", "reasoning_tokens").or(to.reasoning_tokens);
}
