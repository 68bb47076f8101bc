//! Documents in, faults, findings and redacted documents out.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::samples;

/// The redacted document, and behind it what was found where; or the fault.
fn check_redacted(raw: &str) -> String {
    let inspection = match inspect(raw.as_bytes(), &Scanner::new()) {
        Ok(inspection) => inspection,
        Err(error) => return error.to_string(),
    };
    let redacted = String::from_utf8(inspection.redact(raw.as_bytes(), |_| true)).unwrap();
    super::check(redacted.as_bytes()).unwrap();
    let mut shown = redacted;
    for finding in &inspection.findings {
        shown.push_str(&format!("\n{} {} at {:?}", finding.count, finding.entity, finding.pointer));
    }
    shown
}

fn fault(raw: impl AsRef<[u8]>) -> String {
    super::check(raw.as_ref()).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
}

#[test]
fn strings_are_redacted_in_place() {
    let check = check_redacted;
    assert_snapshot!(check(r#" {"q" : "ssn 123-45-6789 and bob@example.com", "n":[1.50, "x"] } "#), @r#"
         {"q" : "ssn <US_SSN> and <EMAIL_ADDRESS>", "n":[1.50, "x"] } 
        1 US_SSN at "/q"
        1 EMAIL_ADDRESS at "/q"
    "#);
    assert_snapshot!(check(r#"{"a":"\u0031\u00323-45-6789\u000a\/\ud83d\ude00 bob\u0040example.com\n"}"#), @r#"
        {"a":"<US_SSN>\u000a\/\ud83d\ude00 <EMAIL_ADDRESS>\n"}
        1 US_SSN at "/a"
        1 EMAIL_ADDRESS at "/a"
    "#);
    assert_snapshot!(check(r#"["no hit", {"deep":{"er":["10.0.0.1","10.0.0.2",{"x":"10.0.0.3 10.0.0.4"}]}}]"#), @r#"
        ["no hit", {"deep":{"er":["<IP_ADDRESS>","<IP_ADDRESS>",{"x":"<IP_ADDRESS> <IP_ADDRESS>"}]}}]
        1 IP_ADDRESS at "/1/deep/er/0"
        1 IP_ADDRESS at "/1/deep/er/1"
        2 IP_ADDRESS at "/1/deep/er/2/x"
    "#);
    assert_snapshot!(check(r#""123-45-6789""#), @r#"
        "<US_SSN>"
        1 US_SSN at ""
    "#);
    assert_snapshot!(check("{\"key\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\",\"next\":\"kept\"}"), @r#"
        {"key":"<PRIVATE_KEY>","next":"kept"}
        1 PRIVATE_KEY at "/key"
    "#);
}

#[test]
fn keys_above_say_what_a_value_is() {
    let check = check_redacted;
    assert_snapshot!(check(r#"{"ssn":123456789,"order":123456789,"patient":{"ssn":["123456789",{"v":"123456789"}]}}"#), @r#"
        {"ssn":0,"order":123456789,"patient":{"ssn":["<US_SSN>",{"v":"<US_SSN>"}]}}
        1 US_SSN at "/ssn"
        1 US_SSN at "/patient/ssn/0"
        1 US_SSN at "/patient/ssn/1/v"
    "#);
    assert_snapshot!(check(r#"{"version":"1.2.3.4","host":"1.2.3.4","version_of":{"host":"1.2.3.4"}}"#), @r#"
        {"version":"1.2.3.4","host":"<IP_ADDRESS>","version_of":{"host":"<IP_ADDRESS>"}}
        1 IP_ADDRESS at "/host"
        1 IP_ADDRESS at "/version_of/host"
    "#);
    assert_snapshot!(check(r#"{"patient":{"mrn":"00482913","dob":"1980-01-02","order_id":"536904399"},"npi":1234567893,"account":{"number":"12345678901"}}"#), @r#"
        {"patient":{"mrn":"<MEDICAL_RECORD_NUMBER>","dob":"<DATE_OF_BIRTH>","order_id":"536904399"},"npi":0,"account":{"number":"<US_BANK_NUMBER>"}}
        1 MEDICAL_RECORD_NUMBER at "/patient/mrn"
        1 DATE_OF_BIRTH at "/patient/dob"
        1 US_NPI at "/npi"
        1 US_BANK_NUMBER at "/account/number"
    "#);
    assert_snapshot!(check(r#"{"password":"hunter2","apiKey":"Bearer 9f8Kd72hLq0ZxV3bNm5PtR7y","token_type":"bearer","password_policy":"strong1","secretName":"prod/db"}"#), @r#"
        {"password":"<PASSWORD>","apiKey":"Bearer <GENERIC_SECRET>","token_type":"bearer","password_policy":"strong1","secretName":"prod/db"}
        1 PASSWORD at "/password"
        1 GENERIC_SECRET at "/apiKey"
    "#);
    assert_snapshot!(check(r#"{"\u0073sn":123456789}"#), @r#"
        {"\u0073sn":0}
        1 US_SSN at "/ssn"
    "#);
}

#[test]
fn numbers_become_zero() {
    assert_snapshot!(check_redacted(r#"[4111111111111111,-4111111111111111,4111111111111111.0,4111111111111111e0,0.4111111111111111]"#), @r#"
        [0,-0,0.0,4111111111111111e0,0.4111111111111111]
        1 CREDIT_CARD at "/0"
        1 CREDIT_CARD at "/1"
        1 CREDIT_CARD at "/2"
    "#);
}

#[test]
fn keys_are_redacted_and_stay_apart() {
    let check = check_redacted;
    assert_snapshot!(check(r#"{"123-45-6789":{"x":"a@b.co"},"id 123-45-6780":1,"234-56-7890":2}"#), @r#"
        {"<US_SSN>":{"x":"<EMAIL_ADDRESS>"},"id <US_SSN_2>":1,"<US_SSN_3>":2}
        2 US_SSN at "/<US_SSN>"
        1 EMAIL_ADDRESS at "/<US_SSN>/x"
        1 US_SSN at "/id <US_SSN>"
    "#);
    assert_snapshot!(check(r#"{"<US_SSN>":0,"123-45-6789":1,"<US_SSN_2>":2,"234-56-7890":3,"<US_SSN_3>":4}"#), @r#"
        {"<US_SSN>":0,"<US_SSN_4>":1,"<US_SSN_2>":2,"<US_SSN_5>":3,"<US_SSN_3>":4}
        2 US_SSN at "/<US_SSN>"
    "#);
    assert_snapshot!(check(r#"{"<US_SSN_2> 123-45-6789":1,"234-56-7890 <US_SSN>":2}"#), @r#"
        {"<US_SSN_2> <US_SSN>":1,"<US_SSN_3> <US_SSN>":2}
        1 US_SSN at "/<US_SSN_2> <US_SSN>"
        1 US_SSN at "/<US_SSN> <US_SSN>"
    "#);
}

#[test]
fn json_within_strings_stays_json() {
    let check = check_redacted;
    assert_snapshot!(check(r#"{"arguments":"{\"ssn\":123456789,\"q\":\"a\\nbob@example.com \\u0031\\u00323-45-6789\"}"}"#), @r#"
        {"arguments":"{\"ssn\":0,\"q\":\"a\\n<EMAIL_ADDRESS> <US_SSN>\"}"}
        2 US_SSN at "/arguments"
        1 EMAIL_ADDRESS at "/arguments"
    "#);
    assert_snapshot!(check(r#"{"arguments":" [\"[\\\"123-45-6789\\\",4111111111111111]\"] "}"#), @r#"
        {"arguments":" [\"[\\\"<US_SSN>\\\",0]\"] "}
        1 US_SSN at "/arguments"
        1 CREDIT_CARD at "/arguments"
    "#);
    assert_snapshot!(check(r#"{"arguments":"{not json: 123-45-6789"}"#), @r#"
        {"arguments":"{not json: <US_SSN>"}
        1 US_SSN at "/arguments"
    "#);
}

#[test]
fn places_are_bounded() {
    let rows: Vec<_> = (0..1000).map(|_| "10.0.0.1").collect();
    let raw = serde_json::to_vec(&rows).unwrap();
    let inspection = inspect(&raw, &Scanner::new()).unwrap();
    assert_eq!(inspection.findings.len(), MAX_PLACES + 1);
    let rest = inspection.findings.last().unwrap();
    assert_eq!((rest.pointer.as_str(), rest.count), ("…", 1000 - MAX_PLACES as u64));
    assert!(inspect(&inspection.redact(&raw, |_| true), &Scanner::new()).unwrap().is_clean());

    let mut deep = "10.0.0.1".to_owned();
    deep = (0..100).fold(format!("\"{deep}\""), |inner, _| format!("{{\"{}\":{inner}}}", "k".repeat(90)));
    let inspection = inspect(deep.as_bytes(), &Scanner::new()).unwrap();
    assert!(inspection.findings[0].pointer.len() <= MAX_POINTER);
    assert!(inspection.findings[0].pointer.ends_with('…'));
}

#[test]
fn faults_are_named_with_their_place_and_without_values() {
    let faults = [
        r#"{"a":1}"#,
        "",
        "  ",
        "{",
        "[1,",
        "\"abc",
        "{\"a\"",
        "{\"a\":",
        "[1,]",
        "{,}",
        "{\"a\":1,}",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "[1}",
        "]",
        "tru",
        "truth",
        "nul",
        "01",
        "1.",
        "1e",
        "-",
        "+1",
        ".5",
        "0x1",
        "NaN",
        "1 2",
        "{}{}",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\u12g4\"",
        "\"a\tb\"",
        "\n\n [\"é\", x]",
        r#"{"a":1,"b":{"a":2},"a":3}"#,
        r#"{"a":1,"\u0061":2}"#,
        "\u{feff}{}",
        "'a'",
        "[1]// comment",
        "/**/1",
    ];
    let shown: String = faults.iter().map(|raw| format!("{raw:?} {}\n", fault(raw))).collect();
    assert_snapshot!(shown, @r#"
        "{\"a\":1}" fine
        "" invalid JSON at line 1, column 1: unexpected end
        "  " invalid JSON at line 1, column 3: unexpected end
        "{" invalid JSON at line 1, column 2: unexpected end
        "[1," invalid JSON at line 1, column 4: unexpected end
        "\"abc" invalid JSON at line 1, column 5: unexpected end
        "{\"a\"" invalid JSON at line 1, column 5: unexpected end
        "{\"a\":" invalid JSON at line 1, column 6: unexpected end
        "[1,]" invalid JSON at line 1, column 4: unexpected character
        "{,}" invalid JSON at line 1, column 2: unexpected character
        "{\"a\":1,}" invalid JSON at line 1, column 8: unexpected character
        "[1 2]" invalid JSON at line 1, column 4: unexpected character
        "{\"a\" 1}" invalid JSON at line 1, column 6: unexpected character
        "{a:1}" invalid JSON at line 1, column 2: unexpected character
        "[1}" invalid JSON at line 1, column 3: unexpected character
        "]" invalid JSON at line 1, column 1: unexpected character
        "tru" invalid JSON at line 1, column 4: unexpected end
        "truth" invalid JSON at line 1, column 4: unexpected character
        "nul" invalid JSON at line 1, column 4: unexpected end
        "01" invalid JSON at line 1, column 3: invalid number
        "1." invalid JSON at line 1, column 3: invalid number
        "1e" invalid JSON at line 1, column 3: invalid number
        "-" invalid JSON at line 1, column 2: invalid number
        "+1" invalid JSON at line 1, column 1: unexpected character
        ".5" invalid JSON at line 1, column 1: unexpected character
        "0x1" invalid JSON at line 1, column 2: unexpected text behind the document
        "NaN" invalid JSON at line 1, column 1: unexpected character
        "1 2" invalid JSON at line 1, column 3: unexpected text behind the document
        "{}{}" invalid JSON at line 1, column 3: unexpected text behind the document
        "\"\\x\"" invalid JSON at line 1, column 2: invalid escape
        "\"\\ud800\"" invalid JSON at line 1, column 2: invalid escape
        "\"\\u12g4\"" invalid JSON at line 1, column 2: invalid escape
        "\"a\tb\"" invalid JSON at line 1, column 3: control character in a string
        "\n\n [\"é\", x]" invalid JSON at line 3, column 8: unexpected character
        "{\"a\":1,\"b\":{\"a\":2},\"a\":3}" invalid JSON at line 1, column 20: duplicate key
        "{\"a\":1,\"\\u0061\":2}" invalid JSON at line 1, column 8: duplicate key
        "\u{feff}{}" invalid JSON at line 1, column 1: unexpected character
        "'a'" invalid JSON at line 1, column 1: unexpected character
        "[1]// comment" invalid JSON at line 1, column 4: unexpected text behind the document
        "/**/1" invalid JSON at line 1, column 1: unexpected character
    "#);
    assert_snapshot!(fault(b"[\"a\xff\"]"), @"invalid JSON at line 1, column 4: not UTF-8");
    assert_snapshot!(fault("[".repeat(128) + &"]".repeat(128)), @"fine");
    assert_snapshot!(fault("[".repeat(129)), @"invalid JSON at line 1, column 129: nested deeper than 128 levels");
    assert_snapshot!(fault("[".repeat(1_000_000)), @"invalid JSON at line 1, column 129: nested deeper than 128 levels");
}

/// Nothing but what was found has changed: keys, order, numbers and strings stand where they stood.
fn same_shape(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((k, a), (l, b))| (k == l || l.contains('<')) && same_shape(a, b))
        }
        (Value::String(a), Value::String(b)) => a == b || b.contains('<'),
        (Value::Number(_), Value::Number(b)) => before == after || b.as_f64() == Some(0.0),
        _ => before == after,
    }
}

proptest! {
    #[test]
    fn any_document_is_accepted_and_redacted_to_a_document(value in samples::json(samples::text()), rarity in 1..40usize) {
        let raw = samples::render(&value, rarity);
        prop_assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), value.clone());
        let inspection = inspect(raw.as_bytes(), &Scanner::new()).unwrap();
        prop_assert_eq!(inspection.redact(raw.as_bytes(), |_| false), raw.as_bytes());
        let redacted = inspection.redact(raw.as_bytes(), |_| true);
        prop_assert!(super::check(&redacted).is_ok());
        prop_assert!(same_shape(&value, &serde_json::from_slice(&redacted).unwrap()));
    }

    #[test]
    fn a_redacted_document_has_nothing_left_to_find(value in samples::json(samples::prose()), rarity in 1..40usize) {
        let raw = samples::render(&value, rarity);
        let redacted = inspect(raw.as_bytes(), &Scanner::new()).unwrap().redact(raw.as_bytes(), |_| true);
        let again = inspect(&redacted, &Scanner::new()).unwrap();
        prop_assert!(again.is_clean(), "{:?} in {}", again.findings, String::from_utf8_lossy(&redacted));
        let text = String::from_utf8(redacted).unwrap();
        for entity in samples::ENTITIES.iter().filter(|entity| !entity.starts_with("SSN")) {
            prop_assert!(!text.contains(entity), "{entity}");
        }
    }

    #[test]
    fn a_document_in_a_string_is_redacted_to_a_document(value in samples::json(samples::prose())) {
        prop_assume!(value.is_array() || value.is_object());
        let raw = serde_json::json!({ "arguments": samples::render(&value, 9) }).to_string();
        let redacted = inspect(raw.as_bytes(), &Scanner::new()).unwrap().redact(raw.as_bytes(), |_| true);
        let outer: Value = serde_json::from_slice(&redacted).unwrap();
        let inner: Value = serde_json::from_str(outer["arguments"].as_str().unwrap()).unwrap();
        prop_assert!(same_shape(&value, &inner));
    }

    #[test]
    fn bytes_are_judged_as_another_parser_judges_them(mut raw in samples::json(samples::text()).prop_map(|v| v.to_string().into_bytes()), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let place = at.index(raw.len());
        raw[place] = byte;
        let ours = super::check(&raw);
        let theirs = serde_json::from_slice::<Value>(&raw);
        // They keep the last of two equal keys, and refuse numbers that no float holds.
        let lenient = matches!(ours, Err(JsonError { fault: JsonFault::DuplicateKey, .. }));
        let ranged = theirs.as_ref().is_err_and(|e| e.to_string().contains("out of range"));
        prop_assert!(lenient || ranged || ours.is_ok() == theirs.is_ok(), "{ours:?} {theirs:?} {}", String::from_utf8_lossy(&raw));
    }
}

proptest! {
    /// What was read before changes nothing about what is found.
    #[test]
    fn documents_that_come_after_another(
        documents in prop::collection::vec(
            prop::collection::vec(
                (
                    prop::sample::select(vec!["q", "ssn", "note", "card number", "bob@example.com", "version", "phone"]),
                    prop::sample::select(vec![
                        r#""123-45-6789""#, r#""open orders""#, "123456789", "4111111111111111", r#""4111 1111 1111 1111""#,
                        r#"["+1 415 555 2671", 25]"#, r#"{"ssn": 536904399, "q": "Maria Keller"}"#, r#""{\"ssn\":\"536904399\"}""#,
                        "null", "tru",
                    ]),
                ),
                0..5,
            ),
            1..6,
        ),
    ) {
        let scanner = Scanner::new();
        let mut clean = Clean::default();
        for members in documents {
            let members: Vec<String> = members.iter().enumerate()
                .map(|(at, (key, value))| format!("{:?}: {value}", format!("{key}{}", "s".repeat(at / 3)))).collect();
            let raw = format!("{{{}}}", members.join(","));
            let (alone, after) = (inspect(raw.as_bytes(), &scanner), inspect_next(raw.as_bytes(), &scanner, &mut clean));
            match (alone, after) {
                (Ok(alone), Ok(after)) => {
                    prop_assert_eq!(&alone.findings, &after.findings, "{}", raw);
                    prop_assert_eq!(alone.redact(raw.as_bytes(), |_| true), after.redact(raw.as_bytes(), |_| true));
                }
                (alone, after) => prop_assert_eq!(alone.err(), after.err()),
            }
        }
    }
}
