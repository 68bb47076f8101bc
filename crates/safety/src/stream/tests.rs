//! Streams cut anyhow give what the whole gives.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::{json, redact_text, samples};

/// Each piece that comes out, in brackets.
fn check(mode: Mode, rules: &Rules, pieces: &[&str]) -> String {
    let mut stream = StreamRedactor::new(Arc::new(Scanner::new()), rules.clone(), mode);
    let mut releases: Vec<_> = pieces.iter().map(|piece| stream.push(piece)).collect();
    releases.push(stream.finish());
    releases
        .iter()
        .map(|release| match release.blocked {
            Some(entity) => format!("[{}]!{entity}", release.text),
            None => format!("[{}]", release.text),
        })
        .collect()
}

fn text(pieces: &[&str]) -> String {
    check(Mode::Text, &Rules::always_redact(), pieces)
}

fn fragment(pieces: &[&str]) -> String {
    check(Mode::JsonFragment, &Rules::always_redact(), pieces)
}

#[test]
fn only_what_may_become_a_hit_is_held_back() {
    assert_snapshot!(text(&["Hello ", "wor", "ld, ", "how are", " you?", " Fine."]), @"[Hello ][][world, ][how ][are you?][ ][Fine.]");
    assert_snapshot!(text(&["My number is 123", "-45", "-67", "89", ", thanks"]), @"[My number is ][][][][<US_SSN>, ][thanks]");
    assert_snapshot!(text(&["card 4111 ", "1111 ", "1111 ", "1111 ", "exp 12/27"]), @"[card ][][][][<CREDIT_CARD> exp ][<CARD_EXPIRY>]");
    assert_snapshot!(text(&["mail bob", "@exam", "ple.", "com", ". Bye"]), @"[mail ][][][][<EMAIL_ADDRESS>. ][Bye]");
    assert_snapshot!(text(&["SSN", ": ", "1234", "56789", " ok"]), @"[][SSN: ][][][<US_SSN> ][ok]");
    assert_snapshot!(text(&["a -----BEGIN PRI", "VATE KEY-----\nMI", "IE", "pA\n-----EN", "D PRIVATE", " KEY-----", " b"]), @"[a ][][<PRIVATE_KEY>][][][][ ][b]");
    assert_snapshot!(text(&["eyJhbGciOiJub25lIn0", ".", "e30", ".abc", ". End"]), @"[][][][][<JWT>. ][End]");
}

#[test]
fn json_fragments_stay_json() {
    assert_snapshot!(fragment(&["{\"ss", "n\":1234", "56789", ",\"q\":\"a\\", "u0031\\u0032", "3-45-6789\\n", "b\"}"]), @r#"[{"][ssn":][][0,"q":"][][a\u0031\u00323-45-6789\n][b"}][]"#);
    assert_snapshot!(fragment(&["{\"123-45-6789\":[4111111111111111", ",1],\"123-45-6780\":", "\"x\"}"]), @r#"[{"<US_SSN>":[][0,1],"<US_SSN_2>":]["x"}][]"#);
    assert_snapshot!(fragment(&["no json at all, 123-45-6789 \"bob@example.com"]), @r#"[no json at all, 0 "][<EMAIL_ADDRESS>]"#);
    assert_snapshot!(fragment(&["\"\\ud83d", "\\ude00 \\ud83d", "x \\", "q \\u00"]), @r#"["][\ud83d\ude00 ][\ud83dx ][\q ][\u00]"#);
}

#[test]
fn rules_decide_what_passes() {
    let rules = Rules::new(RedactionAction::Flag)
        .with(Entity::EmailAddress, RedactionAction::Redact)
        .with(Entity::CreditCard, RedactionAction::Block);
    let pieces = ["10.0.0.1 a@b.co ", "then 4111111111111111", " never ", "seen"];
    assert_snapshot!(check(Mode::Text, &rules, &pieces), @"[10.0.0.1 <EMAIL_ADDRESS> ][then ][]!CREDIT_CARD[]!CREDIT_CARD[]!CREDIT_CARD");
    let mut stream = StreamRedactor::new(Arc::new(Scanner::new()), rules, Mode::Text);
    assert_eq!(stream.push(pieces[0]).findings, [Entity::IpAddress, Entity::EmailAddress]);
    assert_eq!(stream.push(pieces[1]).findings, []);
    assert_eq!(stream.push(pieces[2]).findings, [Entity::CreditCard]);
    assert_eq!((stream.held(), stream.push("x").blocked), (0, Some(Entity::CreditCard)));
}

#[test]
fn debug_shows_no_text() {
    let mut stream = StreamRedactor::new(Arc::new(Scanner::new()), Rules::always_redact(), Mode::Text);
    stream.push("123-45-67");
    assert!(!format!("{stream:?}").contains("123"));
}

/// However long a hit or a run is, no more is kept than finders look ahead.
#[test]
fn memory_is_bounded() {
    const MOST: usize = 1200;
    let units = [
        "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKC",
        "eyJhbGciOiJub25lIn0.e30",
        "sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7",
        "4111 ",
        "1",
        "a",
        "a.",
        "a@a.",
        "-",
        "eyJ",
        "postgres://a:b",
        "é",
        "1:",
        "\\u0031",
        "\\",
        "\"",
        "{",
        "[{\"a\":",
        "+1 ",
    ];
    for mode in [Mode::Text, Mode::JsonFragment] {
        for unit in units {
            let mut stream = StreamRedactor::new(Arc::new(Scanner::new()), Rules::always_redact(), mode);
            stream.push(unit);
            for _ in 0..300 {
                stream.push(&unit[unit.floor_char_boundary(unit.len() - 1)..].repeat(37));
                assert!(stream.held() < MOST, "{unit:?} {mode:?} holds {}", stream.held());
                stream.push(&unit.repeat(3));
                assert!(stream.held() < MOST, "{unit:?} {mode:?} holds {}", stream.held());
            }
        }
    }
}

/// Pieces of a text, cut at characters.
fn cut<'t>(text: &'t str, cuts: &[prop::sample::Index]) -> Vec<&'t str> {
    let mut places: Vec<_> =
        cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn run(mode: Mode, rules: Rules, pieces: &[&str]) -> (String, Vec<Entity>) {
    let mut stream = StreamRedactor::new(Arc::new(Scanner::new()), rules, mode);
    let mut whole = Release::default();
    for release in
        pieces.iter().map(|piece| stream.push(piece)).collect::<Vec<_>>().into_iter().chain([stream.finish()])
    {
        whole.text.push_str(&release.text);
        whole.findings.extend(release.findings);
    }
    (whole.text, whole.findings)
}

fn every_character(text: &str) -> Vec<&str> {
    text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect()
}

/// Whether a string holds what `inspect` reads as a document, which no stream can know in time.
fn holds_document(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.trim_start().starts_with(['{', '[']),
        Value::Array(items) => items.iter().any(holds_document),
        Value::Object(items) => items.values().any(holds_document),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_cut_text_is_redacted_like_the_whole(text in samples::text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let spans = Scanner::new().scan(&text);
        let whole = redact_text(&text, &spans, |_| true);
        let kinds: Vec<_> = spans.iter().map(|span| span.entity).collect();
        let expected = (whole, kinds);
        prop_assert_eq!(&run(Mode::Text, Rules::always_redact(), &cut(&text, &cuts)), &expected);
        prop_assert_eq!(&run(Mode::Text, Rules::always_redact(), &every_character(&text)), &expected);
        prop_assert_eq!(run(Mode::Text, Rules::new(RedactionAction::Flag), &cut(&text, &cuts)), (text, expected.1));
    }

    #[test]
    fn a_cut_document_is_redacted_like_the_whole(value in samples::json(samples::text()), rarity in 1..40usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        prop_assume!(!holds_document(&value));
        let raw = samples::render(&value, rarity);
        let inspection = json::inspect(raw.as_bytes(), &Scanner::new()).unwrap();
        let whole = String::from_utf8(inspection.redact(raw.as_bytes(), |_| true)).unwrap();
        prop_assert_eq!(&run(Mode::JsonFragment, Rules::always_redact(), &cut(&raw, &cuts)).0, &whole);
        prop_assert_eq!(&run(Mode::JsonFragment, Rules::always_redact(), &every_character(&raw)).0, &whole);
        prop_assert_eq!(&run(Mode::JsonFragment, Rules::new(RedactionAction::Flag), &cut(&raw, &cuts)).0, &raw);
    }

    #[test]
    fn a_broken_document_comes_out_the_same_however_cut(text in samples::text(), more in samples::text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let raw = format!("{{\"a\":\"{text}\",{more}");
        let whole = run(Mode::JsonFragment, Rules::always_redact(), &[&raw]);
        prop_assert_eq!(&run(Mode::JsonFragment, Rules::always_redact(), &cut(&raw, &cuts)), &whole);
        prop_assert_eq!(&run(Mode::JsonFragment, Rules::new(RedactionAction::Flag), &cut(&raw, &cuts)).0, &raw);
    }

    #[test]
    fn redacted_prose_has_nothing_left_to_find(text in samples::prose()) {
        let (redacted, _) = run(Mode::Text, Rules::always_redact(), &[&text]);
        prop_assert_eq!(Scanner::new().scan(&redacted), []);
    }
}
