use proptest::prelude::*;
use serde_json::Value;

use greffier_safety::{json, redact_text};

use super::*;
use crate::sse::{MAX_EVENT, SseError};

const OPENAI: Protocol = Protocol::OpenAiChat;
const ANTHROPIC: Protocol = Protocol::AnthropicMessages;
const RESPONSES: Protocol = Protocol::OpenAiResponses;
const COMPLETIONS: Protocol = Protocol::OpenAiCompletions;
const GEMINI: Protocol = Protocol::GeminiContent;

fn scanner() -> Arc<Scanner> {
    static SCANNER: std::sync::OnceLock<Arc<Scanner>> = std::sync::OnceLock::new();
    Arc::clone(SCANNER.get_or_init(|| Arc::new(Scanner::new())))
}

/// What became of a stream.
struct Governed {
    bytes: String,
    terminal: Option<String>,
    blocked: Option<Entity>,
    error: Option<StreamError>,
    end: StreamEnd,
}

fn govern(protocol: Protocol, rules: &Rules, strip: bool, chunks: &[&[u8]]) -> Governed {
    let mut governor = StreamGovernor::new(protocol, scanner(), rules.clone(), strip);
    let (mut bytes, mut terminal, mut blocked, mut error) = (Vec::new(), None, None, None);
    for chunk in chunks {
        match governor.push(chunk) {
            Ok(output) => {
                bytes.extend(output.bytes);
                terminal = terminal.or(output.terminal);
                blocked = blocked.or(output.blocked);
            }
            Err(found) => error = error.or(Some(found)),
        }
    }
    let end = governor.end();
    bytes.extend(&end.bytes);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Governed { bytes: text(bytes), terminal: terminal.map(text), blocked, error, end }
}

impl Governed {
    fn show(&self) -> String {
        let findings: Vec<String> = self
            .end
            .findings
            .iter()
            .map(|found| format!("{} {} {:?}", found.entity, found.path, found.action))
            .collect();
        format!(
            "{}=== terminal\n{}=== end\ncomplete {} upstream_error {} blocked {:?} error {:?}\n{:?} {:?}\n{}\n{}\n{}",
            self.bytes.replace('\r', "<CR>"),
            self.terminal.as_deref().unwrap_or("none\n"),
            self.end.complete,
            self.end.upstream_error,
            self.blocked.map(Entity::name),
            self.error,
            self.end.facts.model,
            self.end.facts.upstream_id,
            serde_json::to_string(&self.end.facts.usage).unwrap(),
            findings.join("\n"),
            String::from_utf8_lossy(&self.end.completion),
        )
    }
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/{name}.sse", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn redact() -> Rules {
    Rules::new(RedactionAction::Redact)
}

/// Governs a recorded stream in three chunkings, which must agree, and returns what became of it.
fn check(protocol: Protocol, name: &str, rules: &Rules, strip: bool) -> String {
    let stream = read(name);
    let [bytewise, sevens, whole] = [1, 7, stream.len()]
        .map(|size| govern(protocol, rules, strip, &stream.chunks(size).collect::<Vec<_>>()).show());
    assert_eq!(bytewise, whole, "{name}, byte by byte");
    assert_eq!(sevens, whole, "{name}, seven by seven");
    whole
}

#[test]
fn golden_streams() {
    let streams = [
        (OPENAI, "openai/text"),
        (OPENAI, "openai/held"),
        (OPENAI, "openai/tools"),
        (OPENAI, "openai/choices"),
        (OPENAI, "openai/odd"),
        (OPENAI, "openai/error"),
        (OPENAI, "openai/cut"),
        (ANTHROPIC, "anthropic/text"),
        (ANTHROPIC, "anthropic/blocks"),
        (ANTHROPIC, "anthropic/error"),
        (RESPONSES, "responses/text"),
        (RESPONSES, "responses/tools"),
        (RESPONSES, "responses/odd"),
        (RESPONSES, "responses/failed"),
        (RESPONSES, "responses/cut"),
        (COMPLETIONS, "completions/text"),
        (GEMINI, "gemini/text"),
        (GEMINI, "gemini/tools"),
        (GEMINI, "gemini/held"),
        (GEMINI, "gemini/blocked"),
        (GEMINI, "gemini/error"),
        (GEMINI, "gemini/cut"),
    ];
    for (protocol, name) in streams {
        let shown = check(protocol, name, &redact(), true);
        for piece in ["123-45-6789", "4111 1111 1111 1111", "4111111111111111", "lily@foo"] {
            assert!(!shown.contains(piece), "{name} holds {piece}");
        }
        let (folder, file) = name.split_once('/').unwrap();
        insta::with_settings!({
            snapshot_path => format!("../../testdata/{folder}"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(file, shown) });
    }
}

#[test]
fn what_nobody_changes_stays_byte_for_byte() {
    for (protocol, name) in [
        (OPENAI, "openai/plain"),
        (ANTHROPIC, "anthropic/plain"),
        (RESPONSES, "responses/plain"),
        (GEMINI, "gemini/plain"),
    ] {
        let stream = String::from_utf8(read(name)).unwrap();
        let governed = govern(protocol, &redact(), false, &[stream.as_bytes()]);
        let sent = governed.bytes + governed.terminal.as_deref().unwrap_or_default();
        assert_eq!(sent, stream);
        assert!(governed.end.complete && governed.end.findings.is_empty());
    }
}

#[test]
fn token_counts_nobody_asked_for_stay_here() {
    let stream = read("openai/plain");
    let kept = govern(OPENAI, &redact(), false, &[&stream]);
    let stripped = govern(OPENAI, &redact(), true, &[&stream]);
    assert!(kept.bytes.contains("prompt_tokens") && !stripped.bytes.contains("prompt_tokens"));
    assert_eq!(kept.end.facts, stripped.end.facts);
    assert_eq!(stripped.end.facts.usage.input_tokens, Some(1240));
}

#[test]
fn what_the_rules_let_through_is_not_recorded() {
    let stream = read("anthropic/blocks");
    let flag = govern(ANTHROPIC, &Rules::new(RedactionAction::Flag), false, &[&stream]);
    let redact = govern(ANTHROPIC, &redact(), false, &[&stream]);
    let streamed = |text: &str, key: &str| -> String {
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let value =
            |event| serde_json::from_str::<Value>(event).unwrap()["delta"][key].as_str().map(str::to_owned);
        events.filter_map(value).collect()
    };
    assert_eq!(
        streamed(&flag.bytes, "partial_json"),
        r#"{"ssn": "123-45-6789", "cards": ["4111111111111111"]}"#
    );
    assert_eq!(streamed(&flag.bytes, "thinking"), "She gave 123-45-6789.");
    assert!(flag.bytes.contains("her SSN 123-45-6789"));
    assert_eq!(flag.end.completion, redact.end.completion);
    assert_eq!(flag.end.findings.len(), redact.end.findings.len());
}

#[test]
fn a_blocked_value_stops_the_stream_before_it() {
    let rules = redact().with(Entity::CreditCard, RedactionAction::Block);
    let governed = govern(OPENAI, &rules, false, &read("openai/text").chunks(5).collect::<Vec<_>>());
    assert_eq!((governed.blocked, governed.terminal.clone()), (Some(Entity::CreditCard), None));
    assert!(governed.bytes.contains("<US_SSN>") && !governed.bytes.contains("and"));
    assert!(!governed.end.complete && !governed.show().contains("1111"));
    // In a string that comes whole, too.
    let rules = redact().with(Entity::UsSsn, RedactionAction::Block);
    let governed = govern(OPENAI, &rules, false, &[b"data: {\"x\":\"123-45-6789\"}\n\ndata: {\"y\":1}\n\n"]);
    assert_eq!((governed.blocked, governed.bytes.as_str()), (Some(Entity::UsSsn), ""));
    // And where only the end of the text decides.
    let stream = read("openai/held");
    let governed = govern(OPENAI, &rules, false, &[&stream]);
    assert_eq!((governed.blocked, governed.terminal.clone()), (Some(Entity::UsSsn), None));
}

fn delta(content: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices":[{"index":0,"delta":{"content":content}}]}))
}

#[test]
fn streams_that_cannot_be_governed_are_cut() {
    let error = |stream: &str| {
        let governed = govern(OPENAI, &redact(), true, &[stream.as_bytes()]);
        assert!(!governed.end.complete);
        governed.error
    };
    assert_eq!(error("data: {\"choices\":[\n\n"), Some(StreamError::NotJson));
    assert_eq!(error(&format!("data: {}\n\n", "[".repeat(100_000))), Some(StreamError::NotJson));
    assert_eq!(
        error(&format!("data: {}", "x".repeat(MAX_EVENT))),
        Some(StreamError::Sse(SseError::TooLarge))
    );
    let ended =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"123-\"},\"finish_reason\":\"stop\"}]}\n\n";
    let between = "data: {\"choices\":[],\"usage\":{}}\n\n";
    assert_eq!(error(&format!("{ended}{between}{}", delta("45-6789"))), Some(StreamError::AfterEnd));
    let fields: Vec<String> =
        (0..=MAX_CHANNELS).map(|i| format!("{{\"index\":{i},\"delta\":{{\"content\":\"x\"}}}}")).collect();
    assert_eq!(
        error(&format!("data: {{\"choices\":[{}]}}\n\n", fields.join(","))),
        Some(StreamError::TooManyFields)
    );
}

#[test]
fn a_completion_is_bounded_and_stays_json() {
    let piece = "\"quoted\" \u{1} and plain ".repeat(2000);
    let stream: String = (0..40).map(|_| delta(&piece)).collect();
    let end = govern(OPENAI, &redact(), true, &[stream.as_bytes()]).end;
    assert!(end.truncated && end.completion.len() <= completion::MAX_COMPLETION + 200);
    assert!(end.completion.len() > completion::MAX_COMPLETION - 10);
    let reply: Value = serde_json::from_slice(&end.completion).unwrap();
    assert_eq!(reply["truncated"], true);
    assert!(reply["choices"][0]["message"]["content"].as_str().unwrap().starts_with(&piece));
}

/// Cuts a text at the given places, wherever they fall.
fn cut<'t>(text: &'t str, places: &[usize]) -> Vec<&'t str> {
    let mut places: Vec<usize> =
        places.iter().map(|place| place % (text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// A sort of streamed text: the event that carries a piece of it, and what ends it.
#[derive(Clone, Copy, Debug)]
struct Shape {
    protocol: Protocol,
    /// Whether the text is a JSON document in pieces.
    json: bool,
    /// The data of an event, with `@` for the piece, and where in it the piece stands.
    event: &'static str,
    at: &'static str,
    /// The events that end it, with `@` for the text, and where they say it whole.
    end: &'static [&'static str],
    whole: &'static [&'static str],
}

const OPENAI_END: &[&str] = &[r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "[DONE]"];
const ANTHROPIC_END: &[&str] = &[r#"{"type":"content_block_stop","index":0}"#, r#"{"type":"message_stop"}"#];
const GEMINI_END: &[&str] = &[r#"{"candidates":[{"index":0,"finishReason":"STOP"}]}"#];

const SHAPES: [Shape; 14] = [
    Shape {
        protocol: OPENAI,
        json: false,
        event: r#"{"choices":[{"index":0,"delta":{"content":@}}]}"#,
        at: "/choices/0/delta/content",
        end: OPENAI_END,
        whole: &[],
    },
    Shape {
        protocol: OPENAI,
        json: false,
        event: r#"{"choices":[{"index":0,"delta":{"reasoning_content":@}}]}"#,
        at: "/choices/0/delta/reasoning_content",
        end: OPENAI_END,
        whole: &[],
    },
    Shape {
        protocol: OPENAI,
        json: true,
        event: r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":@}}]}}]}"#,
        at: "/choices/0/delta/tool_calls/0/function/arguments",
        end: OPENAI_END,
        whole: &[],
    },
    Shape {
        protocol: COMPLETIONS,
        json: false,
        event: r#"{"choices":[{"index":0,"text":@,"finish_reason":null}]}"#,
        at: "/choices/0/text",
        end: OPENAI_END,
        whole: &[],
    },
    Shape {
        protocol: ANTHROPIC,
        json: false,
        event: r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":@}}"#,
        at: "/delta/text",
        end: ANTHROPIC_END,
        whole: &[],
    },
    Shape {
        protocol: ANTHROPIC,
        json: false,
        event: r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":@}}"#,
        at: "/delta/thinking",
        end: ANTHROPIC_END,
        whole: &[],
    },
    Shape {
        protocol: ANTHROPIC,
        json: true,
        event: r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":@}}"#,
        at: "/delta/partial_json",
        end: ANTHROPIC_END,
        whole: &[],
    },
    Shape {
        protocol: RESPONSES,
        json: false,
        event: r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":@}"#,
        at: "/delta",
        end: &[
            r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":@}"#,
            r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":@}}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":@}]}}"#,
            r#"{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":@}]}]}}"#,
        ],
        whole: &["/text", "/part/text", "/item/content/0/text", "/response/output/0/content/0/text"],
    },
    Shape {
        protocol: RESPONSES,
        json: false,
        event: r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":@}"#,
        at: "/delta",
        end: &[
            r#"{"type":"response.reasoning_summary_part.done","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":@}}"#,
            r#"{"type":"response.completed","response":{"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":@}]}]}}"#,
        ],
        whole: &["/part/text", "/response/output/0/summary/0/text"],
    },
    Shape {
        protocol: RESPONSES,
        json: true,
        event: r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":@}"#,
        at: "/delta",
        end: &[
            r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":@}"#,
            r#"{"type":"response.completed","response":{"output":[{"type":"function_call","arguments":@}]}}"#,
        ],
        whole: &["/arguments", "/response/output/0/arguments"],
    },
    Shape {
        protocol: RESPONSES,
        json: true,
        event: r#"{"type":"response.mcp_call_arguments.delta","output_index":0,"delta":@}"#,
        at: "/delta",
        // Some servers say nothing whole but the response.
        end: &[r#"{"type":"response.completed","response":{"output":[{"type":"mcp_call","arguments":@}]}}"#],
        whole: &["/response/output/0/arguments"],
    },
    Shape {
        protocol: RESPONSES,
        json: false,
        event: r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":@}"#,
        at: "/delta",
        end: &[
            r#"{"type":"response.custom_tool_call_input.done","output_index":0,"input":@}"#,
            r#"{"type":"response.completed","response":{"output":[{"type":"custom_tool_call","input":@}]}}"#,
        ],
        whole: &["/input", "/response/output/0/input"],
    },
    Shape {
        protocol: GEMINI,
        json: false,
        event: r#"{"candidates":[{"index":0,"content":{"parts":[{"text":@}]}}]}"#,
        at: "/candidates/0/content/parts/0/text",
        end: GEMINI_END,
        whole: &[],
    },
    Shape {
        protocol: GEMINI,
        json: false,
        event: r#"{"candidates":[{"index":0,"content":{"parts":[{"text":@,"thought":true}]}}]}"#,
        at: "/candidates/0/content/parts/0/text",
        end: GEMINI_END,
        whole: &[],
    },
];

impl Shape {
    /// The whole stream of a text in pieces.
    fn stream(&self, pieces: &[&str]) -> String {
        let whole = Value::from(pieces.concat()).to_string();
        let deltas = pieces.iter().map(|piece| self.event.replace('@', &Value::from(*piece).to_string()));
        let end = self.end.iter().map(|event| event.replace('@', &whole));
        deltas.chain(end).map(|data| format!("data: {data}\n\n")).collect()
    }

    /// All pieces of the text that a governor lets go, put together. Whatever says it whole must say the same.
    fn sent(&self, mut governor: StreamGovernor, stream: &str, size: usize) -> (String, StreamEnd) {
        let mut bytes = Vec::new();
        for chunk in stream.as_bytes().chunks(size) {
            let output = governor.push(chunk).unwrap();
            bytes.extend(output.bytes);
            bytes.extend(output.terminal.unwrap_or_default());
        }
        let end = governor.end();
        bytes.extend(&end.bytes);
        let events = String::from_utf8(bytes).unwrap();
        let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
        let events: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
        let text =
            |at: &str| events.iter().filter_map(|event| event.pointer(at)?.as_str()).collect::<String>();
        let sent = text(self.at);
        for at in self.whole {
            assert_eq!(text(at), sent, "{at}");
        }
        (sent, end)
    }
}

fn marks() -> Marks {
    let hash = |_: Entity, value: &str| format!("{:016x}", value.len());
    Marks::default().hashing(Arc::new(hash))
}

/// `<US_SSN_1>` and `<PASSWORD_1>`, whose value is awkward.
fn vault() -> Vault {
    let vault = Vault::default();
    let marks = Marks::default().tokens(vault.clone());
    let span =
        |entity| greffier_safety::Span { entity, start: 0, end: 11, score: 1.0, rule: "", label: None };
    let rules = Rules::new(RedactionAction::Tokenise);
    assert_eq!(replace_text("123-45-6789", &[span(Entity::UsSsn)], &rules, &marks), "<US_SSN_1>");
    let password = greffier_safety::Span { end: 5, ..span(Entity::Password) };
    assert_eq!(replace_text("p\"w\\\n", &[password], &rules, &marks), "<PASSWORD_1>");
    vault
}

const TEXT: &str = "(123-45-6789|4111 1111 1111 1111|a@b\\.co|12|-|é|\"|\\\\| |x|\n){0,12}";

proptest! {
    /// However a model cuts its text into deltas, and the network the deltas into pieces, the caller and the
    /// record read what redaction makes of the whole text.
    #[test]
    fn cutting_does_not_matter(
        text in TEXT,
        places in proptest::collection::vec(any::<usize>(), 0..8),
        size in 1usize..200,
        ended in any::<bool>(),
    ) {
        let mut stream: String = cut(&text, &places).into_iter().map(delta).collect();
        if ended {
            stream.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        }
        let governed = govern(OPENAI, &redact(), false, &stream.as_bytes().chunks(size).collect::<Vec<_>>());
        let sent: String = governed
            .bytes
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str::<Value>(data).unwrap()["choices"][0]["delta"]["content"].clone())
            .filter_map(|content| content.as_str().map(str::to_owned))
            .collect();
        let scanner = scanner();
        let expected = redact_text(&text, &scanner.scan(&text), |_| true);
        prop_assert_eq!(&sent, &expected);
        let record: Value = serde_json::from_slice(&governed.end.completion).unwrap();
        prop_assert_eq!(record["choices"][0]["message"]["content"].as_str().unwrap_or_default(), &expected);
        prop_assert_eq!(governed.end.complete, ended);
    }

    /// Every kind of streamed text, under every action, reads like the whole text would: answers, reasoning and
    /// arguments of tools, of both protocols.
    #[test]
    fn every_delta_is_handled_like_the_whole(
        text in TEXT,
        shape in proptest::sample::select(&SHAPES[..]),
        action in proptest::sample::select(&[RedactionAction::Redact, RedactionAction::Mask, RedactionAction::Hash][..]),
        places in proptest::collection::vec(any::<usize>(), 0..8),
        size in 1usize..8,
    ) {
        let rules = Rules::new(action);
        let text = if shape.json { serde_json::json!({"q": text, "n": [1]}).to_string() } else { text };
        let expected = if shape.json {
            let inspection = json::inspect(text.as_bytes(), &scanner()).unwrap();
            String::from_utf8(inspection.replace(text.as_bytes(), &rules, &marks())).unwrap()
        } else {
            replace_text(&text, &scanner().scan(&text), &rules, &marks())
        };
        let stream = shape.stream(&cut(&text, &places));
        let governor = StreamGovernor::new(shape.protocol, scanner(), rules, false).marking(marks());
        let (sent, end) = shape.sent(governor, &stream, size);
        prop_assert_eq!(sent, expected);
        prop_assert!(end.complete);
    }

    /// What went out as a token comes back as the value, however the stream cuts it, and the record keeps the token.
    #[test]
    fn tokens_come_back_to_the_caller(
        text in "(<US_SSN_1>|<PASSWORD_1>|<US_SSN_2>|<|\"|\\\\|é|x| ){0,10}",
        shape in proptest::sample::select(&SHAPES[..]),
        places in proptest::collection::vec(any::<usize>(), 0..8),
        size in 1usize..8,
    ) {
        let vault = vault();
        let sent = if shape.json { serde_json::json!({"q": text}).to_string() } else { text.clone() };
        let stream = shape.stream(&cut(&sent, &places));
        let governor = StreamGovernor::new(shape.protocol, scanner(), redact(), false).restoring(vault);
        let (got, end) = shape.sent(governor, &stream, size);
        let expected = text.replace("<US_SSN_1>", "123-45-6789").replace("<PASSWORD_1>", "p\"w\\\n");
        if shape.json {
            prop_assert_eq!(&serde_json::from_str::<Value>(&got).unwrap()["q"], &Value::from(expected));
        } else {
            prop_assert_eq!(got, expected);
        }
        let record = String::from_utf8(end.completion).unwrap();
        prop_assert!(!record.contains("123-45") && record.contains("US_SSN_1") == text.contains("<US_SSN_1>"));
    }

    #[test]
    fn chunking_never_matters(
        (protocol, name) in proptest::sample::select(vec![
            (OPENAI, "openai/odd"),
            (OPENAI, "openai/choices"),
            (ANTHROPIC, "anthropic/blocks"),
            (RESPONSES, "responses/tools"),
            (GEMINI, "gemini/text"),
        ]),
        sizes in proptest::collection::vec(1usize..300, 1..40),
    ) {
        let stream = read(name);
        let mut rest = stream.as_slice();
        let mut chunks = Vec::new();
        for size in sizes {
            let (chunk, behind) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = behind;
        }
        chunks.push(rest);
        let whole = govern(protocol, &redact(), true, &[&stream]).show();
        prop_assert_eq!(govern(protocol, &redact(), true, &chunks).show(), whole);
    }

    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        json in "(data: |\\{|\\}|\"choices\":|\\[|\\]|\"delta\":|\"index\":|1|\"content\":|\"x\"|,|\n){0,40}",
    ) {
        for protocol in Protocol::ALL {
            let _ = govern(protocol, &redact(), true, &[&bytes, b"\n\n", json.as_bytes(), b"\n\n"]);
        }
    }
}
