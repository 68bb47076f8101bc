//! `OpenAI` responses: reading token counts.

use greffier_event::Usage;

use super::view::{View, splice};

/// Counts of a `usage` object; cached and reasoning tokens are parts of the two sums, as in our record.
pub(super) fn note_usage(to: &mut Usage, usage: View<'_>) {
    let count = |key| usage.get(key).and_then(View::integer);
    let detail = |group, key| usage.get(group).and_then(|group| group.get(key)).and_then(View::integer);
    to.input_tokens = count("input_tokens").or(to.input_tokens);
    to.output_tokens = count("output_tokens").or(to.output_tokens);
    to.cache_read_tokens = detail("input_tokens_details", "cached_tokens").or(to.cache_read_tokens);
    to.cache_write_tokens = detail("input_tokens_details", "cache_write_tokens").or(to.cache_write_tokens);
    to.reasoning_tokens = detail("output_tokens_details", "reasoning_tokens").or(to.reasoning_tokens);
}

/// Empties the log probabilities of each text.
pub(super) fn without_log_probabilities(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let output = View::parse(text).ok()?.get("output")?;
    let contents = output.items().into_iter().filter_map(|item| item.get("content"));
    let parts = contents.flat_map(View::items);
    let spans = parts.filter_map(|part| part.get("logprobs")).filter(|member| member.is_array());
    Some(splice(text, spans.map(|member| (member.span_in(text), "[]"))).into_bytes())
}
