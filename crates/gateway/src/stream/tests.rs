use proptest::prelude::*;
use serde_json::Value;

use greffier_safety::redact_text;

use super::*;
use crate::sse::{MAX_EVENT, SseError};

const OPENAI: Protocol = Protocol::OpenAiChat;
const ANTHROPIC: Protocol = Protocol::AnthropicMessages;

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
    for (protocol, name) in [(OPENAI, "openai/plain"), (ANTHROPIC, "anthropic/plain")] {
        let stream = String::from_utf8(read(name)).unwrap();
        let governed = govern(protocol, &redact(), false, &[stream.as_bytes()]);
        let sent = governed.bytes + governed.terminal.as_deref().unwrap();
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
    key: &'static str,
    /// The delta, with `@` for the piece.
    delta: &'static str,
    end: &'static str,
}

const OPENAI_END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const ANTHROPIC_END: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const SHAPES: [Shape; 6] = [
    Shape { protocol: OPENAI, key: "content", delta: r#"{"content":@}"#, end: OPENAI_END },
    Shape {
        protocol: OPENAI,
        key: "reasoning_content",
        delta: r#"{"reasoning_content":@}"#,
        end: OPENAI_END,
    },
    Shape {
        protocol: OPENAI,
        key: "arguments",
        delta: r#"{"tool_calls":[{"index":0,"function":{"arguments":@}}]}"#,
        end: OPENAI_END,
    },
    Shape {
        protocol: ANTHROPIC,
        key: "text",
        delta: r#"{"type":"text_delta","text":@}"#,
        end: ANTHROPIC_END,
    },
    Shape {
        protocol: ANTHROPIC,
        key: "thinking",
        delta: r#"{"type":"thinking_delta","thinking":@}"#,
        end: ANTHROPIC_END,
    },
    Shape {
        protocol: ANTHROPIC,
        key: "partial_json",
        delta: r#"{"type":"input_json_delta","partial_json":@}"#,
        end: ANTHROPIC_END,
    },
];

impl Shape {
    fn event(&self, piece: &str) -> String {
        let delta = self.delta.replace('@', &Value::from(piece).to_string());
        match self.protocol {
            Protocol::OpenAiChat => format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"),
            Protocol::AnthropicMessages => format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{delta}}}\n\n"
            ),
        }
    }

    /// All pieces of the text that a governor lets go, put together.
    fn sent(&self, governor: &mut StreamGovernor, stream: &str, size: usize) -> String {
        let mut bytes = Vec::new();
        for chunk in stream.as_bytes().chunks(size) {
            let output = governor.push(chunk).unwrap();
            bytes.extend(output.bytes);
            bytes.extend(output.terminal.unwrap_or_default());
        }
        let events = String::from_utf8(bytes).unwrap();
        let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
        let piece = |value: &Value| -> Option<String> {
            let delta = match self.protocol {
                Protocol::OpenAiChat => &value["choices"][0]["delta"],
                Protocol::AnthropicMessages => &value["delta"],
            };
            let delta = if self.key == "arguments" { &delta["tool_calls"][0]["function"] } else { delta };
            delta[self.key].as_str().map(str::to_owned)
        };
        data.filter_map(|data| piece(&serde_json::from_str(data).ok()?)).collect()
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
        let json = shape.key == "arguments" || shape.key == "partial_json";
        let text = if json { serde_json::json!({"q": text, "n": [1]}).to_string() } else { text };
        let expected = if json {
            let inspection = json::inspect(text.as_bytes(), &scanner()).unwrap();
            String::from_utf8(inspection.replace(text.as_bytes(), &rules, &marks())).unwrap()
        } else {
            replace_text(&text, &scanner().scan(&text), &rules, &marks())
        };
        let stream: String = cut(&text, &places).into_iter().map(|piece| shape.event(piece)).collect();
        let stream = stream + shape.end;
        let mut governor = StreamGovernor::new(shape.protocol, scanner(), rules, false).marking(marks());
        prop_assert_eq!(shape.sent(&mut governor, &stream, size), expected);
        prop_assert!(governor.end().complete);
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
        let json = shape.key == "arguments" || shape.key == "partial_json";
        let sent = if json { serde_json::json!({"q": text}).to_string() } else { text.clone() };
        let stream: String = cut(&sent, &places).into_iter().map(|piece| shape.event(piece)).collect();
        let stream = stream + shape.end;
        let mut governor = StreamGovernor::new(shape.protocol, scanner(), redact(), false).restoring(vault);
        let got = shape.sent(&mut governor, &stream, size);
        let expected = text.replace("<US_SSN_1>", "123-45-6789").replace("<PASSWORD_1>", "p\"w\\\n");
        if json {
            prop_assert_eq!(&serde_json::from_str::<Value>(&got).unwrap()["q"], &Value::from(expected));
        } else {
            prop_assert_eq!(got, expected);
        }
        let record = String::from_utf8(governor.end().completion).unwrap();
        prop_assert!(!record.contains("123-45") && record.contains("US_SSN_1") == text.contains("<US_SSN_1>"));
    }

    #[test]
    fn chunking_never_matters(
        name in proptest::sample::select(vec!["openai/odd", "openai/choices", "anthropic/blocks"]),
        sizes in proptest::collection::vec(1usize..300, 1..40),
    ) {
        let protocol = if name.starts_with("openai") { OPENAI } else { ANTHROPIC };
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
        for protocol in [OPENAI, ANTHROPIC] {
            let _ = govern(protocol, &redact(), true, &[&bytes, b"\n\n", json.as_bytes(), b"\n\n"]);
        }
    }
}
