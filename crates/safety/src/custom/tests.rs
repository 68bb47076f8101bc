//! What may be defined, and that it is found everywhere.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{Marks, Mode, Rules, Scanner, StreamRedactor, json, redact_text};

fn badge() -> Definition {
    Definition {
        name: "BADGE_ID".to_owned(),
        class: Class::Personal,
        pattern: r"\bB-\d{4,6}\b".to_owned(),
        context: Vec::new(),
        validator: None,
        finds: vec!["his badge B-1234.".to_owned()],
        ignores: vec!["AB-1234 B-12 B-1234567".to_owned()],
    }
}

fn scanner(definitions: &[Definition]) -> Scanner {
    Scanner::knowing(definitions).unwrap()
}

fn check(scanner: &Scanner, text: &str) -> String {
    redact_text(text, &scanner.scan(text), |_| true)
}

#[test]
fn own_kinds_are_found_everywhere() {
    let scanner = scanner(&[badge()]);
    insta::assert_snapshot!(check(&scanner, "B-1234, xB-1234 B-12345é and a@b.co: \\nB-123456"), @"<BADGE_ID>, xB-1234 <BADGE_ID>é and <EMAIL_ADDRESS>: \\n<BADGE_ID>");
    let raw = br#"{"B-1234":["B-\u0031234"],"in":"{\"a\":\"B-1234\"}"}"#;
    let redacted = json::inspect(raw, &scanner).unwrap().redact(raw, |_| true);
    insta::assert_snapshot!(String::from_utf8(redacted).unwrap(), @r#"{"<BADGE_ID>":["<BADGE_ID>"],"in":"{\"a\":\"<BADGE_ID>\"}"}"#);
    let entity = scanner.entity("BADGE_ID").unwrap();
    assert_eq!((entity.name(), entity.class()), ("BADGE_ID", Class::Personal));
    assert_eq!(serde_json::to_value(entity).unwrap(), "BADGE_ID");
    let once = "<BADGE_ID>, <BADGE_ID_1> and <BADGE_ID:9f2c51d0a8b3e477>";
    assert_eq!(check(&scanner, once), once);
}

#[test]
fn a_word_must_stand_beside_it_where_words_are_given() {
    let badge = Definition {
        context: vec!["badge".to_owned(), "employee".to_owned()],
        pattern: "[0-9]{6}".to_owned(),
        finds: vec!["Badge no. 123456".to_owned()],
        ignores: vec!["order 123456".to_owned(), "badge one two three four five six 123456".to_owned()],
        ..badge()
    };
    let scanner = scanner(&[badge]);
    let spans = scanner.scan("employee: 123456");
    assert_eq!(spans.first().map(|span| (span.rule, span.label)), Some(("own pattern", Some("employee"))));
    let raw = br#"{"badgeNumber":123456,"order":"123456","employee":{"id":"123456"}}"#;
    let found = json::inspect(raw, &scanner).unwrap().findings;
    let found: Vec<&str> = found.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(found, ["/badgeNumber"]);
}

#[test]
fn a_checksum_decides() {
    let account = Definition {
        name: "ACCOUNT".to_owned(),
        pattern: "A[0-9]{8,12}".to_owned(),
        validator: Some(Validator::Luhn),
        finds: vec!["A79927398713".to_owned()],
        ignores: vec!["A79927398714".to_owned()],
        ..badge()
    };
    assert_eq!(
        check(&scanner(&[badge(), account]), "A79927398713 A79927398710 B-1234"),
        "<ACCOUNT> A79927398710 <BADGE_ID>"
    );
}

#[test]
fn what_cannot_come_into_force_says_why() {
    let pattern = |pattern: &str| Definition { pattern: pattern.to_owned(), ..badge() };
    let bad = [
        Definition { name: "badge".to_owned(), ..badge() },
        Definition { name: "US_SSN".to_owned(), ..badge() },
        pattern("(a"),
        pattern("[0-9]+"),
        pattern("[0-9]{1,999}"),
        pattern("a?"),
        pattern("x[^0-9]{3}"),
        pattern("^abc"),
        pattern("a\\bbcd"),
        pattern("(?:(?:[ab]{0,9}a[ab]{12}){3}){3}"),
        pattern(&"a".repeat(600)),
        Definition { context: vec!["two words".to_owned()], ..badge() },
        Definition { finds: vec!["B-1".to_owned()], ..badge() },
        Definition { ignores: vec!["".to_owned(), "B-1234".to_owned()], ..badge() },
        badge(),
        badge(),
    ];
    let errors = Scanner::knowing(&bad).unwrap_err();
    let lines: Vec<String> =
        errors.iter().map(|(at, error)| format!("{at} {:?}: {error}", error.line())).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    0 Name: expected 3 to 40 capital letters, digits and `_` that begin with a letter, as in EMPLOYEE_ID
    1 Name: this type is built in: choose another name
    2 Pattern: not a regular expression: unclosed group
    3 Pattern: it has no longest match: write `{1,20}` in place of `+` and `*`
    4 Pattern: it finds up to 999 bytes: at most 256 can be held back
    5 Pattern: it finds as little as 0 bytes: expected 3 at least
    6 Pattern: say which characters may stand there, as in `[A-Z0-9 -]`; `(?u:.)` is any one
    7 Pattern: leave out `^`, `$` and `\b`: a value stands alone in any case
    8 Pattern: leave out `^`, `$` and `\b`: a value stands alone in any case
    9 Pattern: it is too large: use classes like `[0-9]`, and fewer or shorter repetitions
    10 Pattern: expected at most 512 bytes
    11 Context: expected at most 32 words of 2 to 32 letters and digits
    12 Finds(0): nothing of this type is found in this text
    13 Ignores(1): this type is found in this text
    15 Name: this name stands twice
    ");
    let many: Vec<Definition> = (0..=MAX_CUSTOM)
        .map(|n| Definition { name: format!("KIND_{n}A"), finds: Vec::new(), ..badge() })
        .collect();
    assert_eq!(Scanner::knowing(&many).unwrap_err(), [(MAX_CUSTOM, BadDefinition::TooMany)]);
}

proptest! {
    #[test]
    fn a_cut_text_is_redacted_like_the_whole(
        text in "(B-[0-9]{2,7}|B-|badge |employee: |[0-9]{5,7}|é| |x|\n|a@b\\.co|<BADGE_ID>){0,12}",
        size in 1..8usize,
    ) {
        let number = Definition {
            name: "BADGE_NUMBER".to_owned(),
            pattern: "[0-9]{6}".to_owned(),
            context: vec!["badge".to_owned()],
            finds: Vec::new(),
            ignores: Vec::new(),
            ..badge()
        };
        let scanner = Arc::new(scanner(&[badge(), number]));
        let whole = check(&scanner, &text);
        let mut stream = StreamRedactor::new(scanner, Rules::always_redact(), Mode::Text).marking(Marks::default());
        let (mut out, mut rest) = (String::new(), text.as_str());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
            out += &stream.push(piece).text;
            rest = behind;
        }
        prop_assert_eq!(out + &stream.finish().text, whole);
    }
}
