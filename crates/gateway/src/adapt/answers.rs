//! Whether a chat asks for an answer and nothing else.

use super::view::View;

/// Members of a chat request that make a provider compute an answer, and neither act nor keep anything. Tools, stored
/// replies, containers, and whatever a provider adds tomorrow are not among them.
const ONLY_ANSWER: [&str; 26] = [
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stop_sequences",
    "stream",
    "stream_options",
    "system",
    "temperature",
    "thinking",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
];

/// Whether a request to a model can have no effect but its answer.
pub(crate) fn only_answers(body: &[u8]) -> bool {
    let view = std::str::from_utf8(body).ok().and_then(|text| View::parse(text).ok());
    view.is_some_and(|request| {
        request.is_object()
            && request.entries().iter().all(|(member, _)| ONLY_ANSWER.contains(&member.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_harmless_is_not() {
        let check =
            |body: &str, expected: bool| assert_eq!(only_answers(body.as_bytes()), expected, "{body}");
        check(r#"{"model":"m","messages":[],"stream":true,"temperature":0}"#, true);
        check(r#"{"model":"m","messages":[],"system":"be brief","max_tokens":9}"#, true);
        check(r#"{"model":"m","messages":[],"tools":[]}"#, false);
        check(r#"{"model":"m","messages":[],"tool\u0073":[]}"#, false);
        check(r#"{"model":"m","messages":[],"functions":[{}]}"#, false);
        check(r#"{"model":"m","messages":[],"mcp_servers":[]}"#, false);
        check(r#"{"model":"m","messages":[],"web_search_options":{}}"#, false);
        check(r#"{"model":"m","messages":[],"store":true}"#, false);
        check(r#"{"model":"m","messages":[],"Store":true}"#, false);
        check("[]", false);
        check("", false);
        check("{", false);
    }

    #[test]
    fn the_list_has_no_member_twice() {
        assert!(ONLY_ANSWER.is_sorted_by(|a, b| a < b));
    }
}
