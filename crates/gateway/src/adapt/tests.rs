use proptest::prelude::*;

use super::*;

const OPENAI: Protocol = Protocol::OpenAiChat;
const ANTHROPIC: Protocol = Protocol::AnthropicMessages;

fn check(protocol: Protocol, bodies: &[&str]) -> String {
    let rows: Vec<String> = bodies
        .iter()
        .map(|body| match read_request(protocol, body.as_bytes()) {
            Err(error) => format!("{body}\n  error: {error}"),
            Ok(request) => {
                let sent = prepare(protocol, body.as_bytes().to_vec(), &request);
                let sent = String::from_utf8(sent).unwrap();
                let sent = if sent == *body { "unchanged".to_owned() } else { sent };
                format!("{body}\n  stream {} usage {} -> {sent}", request.stream, request.usage_requested)
            }
        })
        .collect();
    rows.join("\n")
}

#[test]
fn token_counts_are_asked_for_and_nothing_else_changes() {
    insta::assert_snapshot!(check(OPENAI, &[
        r#"{"model":"m","messages":[]}"#,
        r#"{"model":"m","messages":[],"stream":false,"stream_options":null}"#,
        r#"{ "model":"m", "messages":[ ], "stream":true, "zz":1.50e3 }"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":null}"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{ }}"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_obfuscation":false}}"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage": false}}"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":null,"x":1}}"#,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
    ]), @r#"
    {"model":"m","messages":[]}
      stream false usage false -> unchanged
    {"model":"m","messages":[],"stream":false,"stream_options":null}
      stream false usage false -> unchanged
    { "model":"m", "messages":[ ], "stream":true, "zz":1.50e3 }
      stream true usage false -> {"stream_options":{"include_usage":true}, "model":"m", "messages":[ ], "stream":true, "zz":1.50e3 }
    {"model":"m","messages":[],"stream":true,"stream_options":null}
      stream true usage false -> {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}
    {"model":"m","messages":[],"stream":true,"stream_options":{ }}
      stream true usage false -> {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true }}
    {"model":"m","messages":[],"stream":true,"stream_options":{"include_obfuscation":false}}
      stream true usage false -> {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}
    {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage": false}}
      stream true usage false -> {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage": true}}
    {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":null,"x":1}}
      stream true usage false -> {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true,"x":1}}
    {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}
      stream true usage true -> unchanged
    "#);
    insta::assert_snapshot!(check(ANTHROPIC, &[
        r#"{"model":"claude-haiku-4-5","max_tokens":5,"messages":[],"stream":true}"#,
    ]), @r#"
    {"model":"claude-haiku-4-5","max_tokens":5,"messages":[],"stream":true}
      stream true usage true -> unchanged
    "#);
}

#[test]
fn bad_requests_name_the_field_and_no_value() {
    insta::assert_snapshot!(check(OPENAI, &[
        "[]",
        r#"{"model":"m""#,
        r#"{"messages":[]}"#,
        r#"{"model":7,"messages":[]}"#,
        r#"{"model":"","messages":[]}"#,
        r#"{"model":"a b","messages":[]}"#,
        r#"{"model":"m","model":"n","messages":[]}"#,
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":{}}"#,
        r#"{"model":"m","messages":[],"stream":"yes"}"#,
        r#"{"model":"m","messages":[],"stream_options":[]}"#,
        r#"{"model":"m","messages":[],"stream_options":{"include_usage":1}}"#,
        r#"{"model":"m","messages":[],"stream_options":{"include_usage":true,"include_usage":false}}"#,
    ]), @r#"
    []
      error: the body must be a JSON object
    {"model":"m"
      error: the body must be a JSON object
    {"messages":[]}
      error: `model` is missing
    {"model":7,"messages":[]}
      error: `model` must be a name of 1 to 256 visible ASCII characters
    {"model":"","messages":[]}
      error: `model` must be a name of 1 to 256 visible ASCII characters
    {"model":"a b","messages":[]}
      error: `model` must be a name of 1 to 256 visible ASCII characters
    {"model":"m","model":"n","messages":[]}
      error: `model` is given more than once
    {"model":"m"}
      error: `messages` is missing
    {"model":"m","messages":{}}
      error: `messages` must be a list
    {"model":"m","messages":[],"stream":"yes"}
      error: `stream` must be true or false
    {"model":"m","messages":[],"stream_options":[]}
      error: `stream_options` must be an object
    {"model":"m","messages":[],"stream_options":{"include_usage":1}}
      error: `stream_options.include_usage` must be true or false
    {"model":"m","messages":[],"stream_options":{"include_usage":true,"include_usage":false}}
      error: `include_usage` is given more than once
    "#);
    assert_eq!(read_request(OPENAI, b"{\"model\":\"\xff\"}"), Err(BadRequest::NotAnObject));
}

fn facts(protocol: Protocol, body: &str) -> String {
    let facts = read_reply(protocol, body.as_bytes());
    let usage = serde_json::to_string(&facts.usage).unwrap();
    format!("{:?} {:?} {usage}", facts.model, facts.upstream_id)
}

#[test]
fn replies_say_model_and_tokens() {
    insta::assert_snapshot!(facts(OPENAI, r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-08-06",
        "choices":[],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,
        "prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":64}}}"#), @r#"Some("gpt-4o-2024-08-06") Some("chatcmpl-1") {"cache_read_tokens":1024,"input_tokens":1200,"model":"gpt-4o-2024-08-06","output_tokens":80,"provider":"openai","reasoning_tokens":64}"#);
    insta::assert_snapshot!(facts(ANTHROPIC, r#"{"id":"msg_1","type":"message","model":"claude-haiku-4-5-20251001",
        "content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,
        "output_tokens":42}}"#), @r#"Some("claude-haiku-4-5-20251001") Some("msg_1") {"cache_read_tokens":3000,"cache_write_tokens":200,"input_tokens":3210,"model":"claude-haiku-4-5-20251001","output_tokens":42,"provider":"anthropic"}"#);
    insta::assert_snapshot!(facts(ANTHROPIC, r#"{"id":"msg_1","usage":{"input_tokens":-1,"output_tokens":"9"}}"#), @r#"None Some("msg_1") {"provider":"anthropic"}"#);
    insta::assert_snapshot!(facts(OPENAI, "not json"), @r#"None None {"provider":"openai"}"#);
}

#[test]
fn log_probabilities_go_and_nothing_else() {
    let body = r#"{"choices":[ {"logprobs" : {"content":[{"token":"123-"}]},"x":1.0}, {"logprobs":null} ],"logprobs":1}"#;
    let without = |protocol| String::from_utf8(without_echoes(protocol, body.as_bytes().to_vec())).unwrap();
    insta::assert_snapshot!(without(OPENAI), @r#"{"choices":[ {"logprobs" : null,"x":1.0}, {"logprobs":null} ],"logprobs":1}"#);
    assert_eq!(without(ANTHROPIC), body);
    assert_eq!(without_echoes(OPENAI, b"{".to_vec()), b"{");
}

#[test]
fn streamed_counts_are_cumulative() {
    let mut facts = ReplyFacts::new(ANTHROPIC);
    for usage in [
        r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":5,"output_tokens":1}"#,
        r#"{"output_tokens":7}"#,
        r#"{"input_tokens":12,"cache_read_input_tokens":100,"output_tokens":30}"#,
    ] {
        facts.note_usage(ANTHROPIC, Some(View::parse(usage).unwrap()));
    }
    insta::assert_snapshot!(serde_json::to_string(&facts.usage).unwrap(), @r#"{"cache_read_tokens":100,"cache_write_tokens":5,"input_tokens":117,"output_tokens":30,"provider":"anthropic"}"#);
}

proptest! {
    /// Whatever else stands in a request, asking for counts adds that and takes nothing away.
    #[test]
    fn asking_keeps_all_other_members(
        keys in proptest::collection::vec("[a-z]{1,6}", 0..4),
        options in proptest::option::of(proptest::option::of(proptest::option::of(any::<bool>()))),
        space in "[ \\n\\t]{0,3}",
    ) {
        let mut body = serde_json::json!({"model":"m","messages":[],"stream":true});
        for key in keys {
            body["x"][key] = serde_json::json!([1, {"stream_options": null}]);
        }
        match options {
            None => {}
            Some(None) => body["stream_options"] = serde_json::Value::Null,
            Some(Some(None)) => body["stream_options"] = serde_json::json!({"other": 1}),
            Some(Some(Some(on))) => body["stream_options"] = serde_json::json!({"include_usage": on}),
        }
        let text = format!("{space}{}{space}", serde_json::to_string_pretty(&body).unwrap());
        let request = read_request(OPENAI, text.as_bytes()).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&prepare(OPENAI, text.into_bytes(), &request)).unwrap();
        if !body["stream_options"].is_object() {
            body["stream_options"] = serde_json::json!({});
        }
        body["stream_options"]["include_usage"] = true.into();
        prop_assert_eq!(sent, body);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = read_request(OPENAI, &bytes);
        let _ = read_reply(ANTHROPIC, &bytes);
    }
}
