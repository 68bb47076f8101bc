//! Anthropic messages: reading token counts.

use super::ReplyFacts;
use super::view::View;

/// Counts of a `usage` object. Anthropic counts cached input apart; our `input_tokens` counts all of it.
///
/// `message_start` says what went in, `message_delta` repeats (cumulatively) some or all of it: each count that
/// is said replaces its earlier value, each that is not said stands.
pub(super) fn note_usage(facts: &mut ReplyFacts, usage: View<'_>) {
    let to = &mut facts.usage;
    let count = |key| usage.get(key).and_then(View::integer);
    let detail = |group, key| usage.get(group).and_then(|group| group.get(key)).and_then(View::integer);
    let long = detail("cache_creation", "ephemeral_1h_input_tokens");
    facts.long_cache_writes = long.unwrap_or(facts.long_cache_writes);
    to.reasoning_tokens = detail("output_tokens_details", "thinking_tokens").or(to.reasoning_tokens);
    let before = to.input_tokens.map(|all| {
        let cached = to.cache_read_tokens.unwrap_or(0).saturating_add(to.cache_write_tokens.unwrap_or(0));
        all.saturating_sub(cached)
    });
    let fresh = count("input_tokens").or(before);
    to.cache_read_tokens = count("cache_read_input_tokens").or(to.cache_read_tokens);
    to.cache_write_tokens = count("cache_creation_input_tokens").or(to.cache_write_tokens);
    to.output_tokens = count("output_tokens").or(to.output_tokens);
    to.input_tokens = fresh.map(|fresh| {
        fresh
            .saturating_add(to.cache_read_tokens.unwrap_or(0))
            .saturating_add(to.cache_write_tokens.unwrap_or(0))
    });
}
