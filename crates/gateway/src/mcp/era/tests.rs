use proptest::prelude::*;

use super::*;

fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
    rows.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
}

fn check(rows: &[(&'static str, &str)], method: &str, params: &str) -> String {
    match era(&headers(rows), Some(method), Some(params)) {
        Ok(era) => era.protocol().to_owned(),
        Err(mismatch) => format!("{} {mismatch}", mismatch.code()),
    }
}

const META: &str = r#"{"name":"search","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;

#[test]
fn both_eras_are_known() {
    let rows = [
        check(&[], "initialize", r#"{"protocolVersion":"2025-11-25"}"#),
        check(&[], "tools/list", "{}"),
        check(&[(VERSION, "2025-06-18")], "tools/call", r#"{"name":"search"}"#),
        check(&[(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "search")], "tools/call", META),
        check(
            &[(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "=?base64?c2VhcmNo?=")],
            "tools/call",
            META,
        ),
        check(
            &[(VERSION, "2026-07-28"), (METHOD, "notifications/cancelled")],
            "notifications/cancelled",
            "{}",
        ),
        check(
            &[(VERSION, "2025-11-25"), (METHOD, "tools/call"), (NAME, "search")],
            "tools/call",
            r#"{"name":"search"}"#,
        ),
    ];
    insta::assert_snapshot!(rows.join("\n"), @"
    mcp.2025-11-25
    mcp.2025-11-25
    mcp.2025-11-25
    mcp.2026-07-28
    mcp.2026-07-28
    mcp.2026-07-28
    mcp.2025-11-25
    ");
}

#[test]
fn headers_that_say_something_else_are_refused() {
    let full = |name: &'static str, value: &'static str| {
        let mut rows = vec![(VERSION, "2026-07-28"), (METHOD, "tools/call"), (NAME, "search")];
        rows.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            rows.push((name, value));
        }
        check(&rows, "tools/call", META)
    };
    let rows = [
        full(VERSION, ""),
        full(VERSION, "2025-11-25"),
        full(VERSION, "2031-01-01"),
        full(METHOD, ""),
        full(METHOD, "tools/list"),
        full(NAME, ""),
        full(NAME, "drop_table"),
        full(NAME, "=?base64?!!?="),
        full("mcp-param-region", "eu"),
        check(&[(VERSION, "2026-07-28"), (METHOD, "tools/list")], "tools/list", "{}"),
        check(&[(VERSION, "2025-11-25"), (METHOD, "tools/list")], "tools/call", r#"{"name":"search"}"#),
        check(&[(VERSION, "2025-11-25"), (VERSION, "2026-07-28")], "tools/list", "{}"),
        check(&[], "tools/list", r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#),
        check(&[], "tools/list", r#"{"_meta":{},"_META":{}}"#),
    ];
    insta::assert_snapshot!(rows.join("\n"), @"
    -32020 the header mcp-protocol-version does not say what the body says
    -32020 the header mcp-protocol-version does not say what the body says
    -32022 this version of the protocol is not supported
    -32020 the header mcp-method does not say what the body says
    -32020 the header mcp-method does not say what the body says
    -32020 the header mcp-name does not say what the body says
    -32020 the header mcp-name does not say what the body says
    -32020 the header mcp-name does not say what the body says
    -32020 the header Mcp-Param-* does not say what the body says
    -32020 the header mcp-protocol-version does not say what the body says
    -32020 the header mcp-method does not say what the body says
    -32020 the header mcp-protocol-version does not say what the body says
    -32602 the version in `_meta` is not a string, or stands twice
    -32602 the version in `_meta` is not a string, or stands twice
    ");
}

#[test]
fn headers_repeat_arguments() {
    let params = r#"{"name":"q","arguments":{"region":"eu","deep":{"n":42,"b":true}}}"#;
    let check = |value: &str| check(&[("mcp-param-x", value)], "tools/call", params);
    assert_eq!(["eu", "42", "true", "=?base64?ZXU=?="].map(check), ["mcp.2025-11-25"; 4]);
    assert!(check("us").starts_with("-32020 "));
}

proptest! {
    #[test]
    fn whatever_is_encoded_is_decoded(text in "\\PC{0,40}") {
        let encoded = encode(&text);
        prop_assert!(http::HeaderValue::from_str(&encoded).is_ok());
        prop_assert_eq!(decode(&encoded), Some(text));
    }
}
