//! What is asked and answered: prose as an agent writes it, with the numbers, names and times that prose has.

/// A paragraph, repeated until the wanted size is there.
const PROSE: &str = "Please look at order 48213377 for Maria Keller, which left the warehouse on 2026-03-04 at 09:30. \
    The customer wrote twice (maria.keller@example.com) and asks why two of the five items are missing; the invoice \
    says 1,249.50 EUR and the tracking page stops at step 3 of 7. Summarise what happened in plain words, name the \
    open questions, and propose what to answer. Keep the tone friendly, do not promise a date that the carrier has \
    not confirmed, and mention that a replacement takes four to six working days. ";

/// Words of one event of a stream.
const PIECE: usize = 3;
/// Events of a stream that carry text.
const PIECES: usize = 40;

fn prose(bytes: usize) -> String {
    PROSE.chars().cycle().take(bytes).collect()
}

/// A request whose body has about so many bytes.
pub(crate) fn request(model: &str, bytes: usize, stream: bool) -> String {
    serde_json::json!({
        "model": model,
        "stream": stream,
        "messages": [
            {"role": "system", "content": "You help the people of a customer service."},
            {"role": "user", "content": prose(bytes.saturating_sub(170))},
        ],
    })
    .to_string()
}

/// A reply whose body has about so many bytes.
pub(crate) fn reply(bytes: usize) -> String {
    serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_772_807_527, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": prose(bytes.saturating_sub(300))}}],
        "usage": {"prompt_tokens": 240, "completion_tokens": 230, "total_tokens": 470},
    })
    .to_string()
}

/// A streamed reply, an event a line.
pub(crate) fn stream() -> Vec<String> {
    let chunk = |delta: serde_json::Value, end: serde_json::Value| {
        let chunk = serde_json::json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_772_807_527, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": delta, "finish_reason": end}],
        });
        format!("data: {chunk}\n\n")
    };
    let words: Vec<&str> = PROSE.split_inclusive(' ').cycle().take(PIECE * PIECES).collect();
    let texts = words
        .chunks(PIECE)
        .map(|words| chunk(serde_json::json!({"content": words.concat()}), serde_json::Value::Null));
    let first = chunk(serde_json::json!({"role": "assistant", "content": ""}), serde_json::Value::Null);
    let last = chunk(serde_json::json!({}), "stop".into());
    [first].into_iter().chain(texts).chain([last, "data: [DONE]\n\n".to_owned()]).collect()
}
