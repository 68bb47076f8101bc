use datafusion::logical_expr::Expr;
use proptest::prelude::*;

use super::*;
use crate::testing::now;

/// The search as it is understood, or the error.
fn check(text: &str) -> String {
    match Search::parse(text, now()) {
        Ok(search) => search.to_string(),
        Err(error) => format!("{}: {}", error.at, error.message),
    }
}

/// The predicate that a search becomes.
fn lowered(text: &str) -> String {
    let search = Search::parse(text, now()).unwrap();
    told(search.predicate(Contents::Closed))
}

fn told(predicate: Option<Expr>) -> String {
    predicate.map_or_else(|| "everything".to_owned(), |expr| expr.to_string().replace('\u{1f}', "␟"))
}

#[test]
fn reads() {
    insta::assert_snapshot!(check(""), @"");
    insta::assert_snapshot!(check("  user:alice   tool:crm:* "), @"user:alice tool:crm:*");
    insta::assert_snapshot!(check("tool:crm:contacts:search action:chat"), @"tool:crm:contacts:search tool:chat");
    insta::assert_snapshot!(check("decision:deny,redact -type:tool.*"), @"decision:deny,redact -type:tool.*");
    insta::assert_snapshot!(check(r#"user:"alice smith" "card number" -refund* "a \"b\" \\ c" "*""#), @r#"user:"alice smith" "card number" -refund* "a \"b\" \\ c" "*""#);
    insta::assert_snapshot!(check(r#"user:"a,b",c rule:"*",x*"#), @r#"user:"a,b",c rule:"*",x*"#);
    insta::assert_snapshot!(check("has:error,cost -has:user"), @"has:error,cost -has:user");
    insta::assert_snapshot!(check("cost:>0.05 cost:<=$1.5 cost:0.000001..2"), @"cost:>0.05 cost:<=1.5 cost:0.000001..2");
    insta::assert_snapshot!(check("tokens:>=1000 code:-32601 index:10..20 index:10.. index:..20 index:*..5"), @"tokens:>=1000 code:-32601 index:10..20 index:>=10 index:<=20 index:<=5");
    insta::assert_snapshot!(check("duration:>2s duration:1.5s duration:<0.5m duration:90m"), @"duration:>2s duration:1500ms duration:<30s duration:90m");
    insta::assert_snapshot!(check("since:7d until:2026-03-01 recorded:2026-03-01T14:30:00+02:00"), @"time:>=2026-03-01T00:00:00.000000Z time:<=2026-03-01 recorded:2026-03-01T12:30:00.000000Z");
    insta::assert_snapshot!(check("time:2026-03-01..2026-03-07 time:>2026-03-01 time:<30m"), @"time:2026-03-01..2026-03-07 time:>2026-03-01 time:<2026-03-07T23:30:00.000000Z");
    insta::assert_snapshot!(check("on:yesterday on:last-tuesday before:2026-03-01 after:last-month"), @"time:2026-03-07 time:2026-03-03 time:<2026-03-01 time:>2026-02-28T23:59:59.999999Z");
    insta::assert_snapshot!(check("on:2026-03 on:2026-Q1 since:this-week until:2026"), @"time:2026-03-01T00:00:00.000000Z..2026-03-31T23:59:59.999999Z time:2026-01-01T00:00:00.000000Z..2026-03-31T23:59:59.999999Z time:>=2026-03-02T00:00:00.000000Z time:<=2026-12-31T23:59:59.999999Z");
    insta::assert_snapshot!(check(
        "tz:europe/brussels on:yesterday time:2026-03-01..2026-03-02 since:2026-03-01T12:00"
    ), @"tz:Europe/Brussels time:2026-03-06T23:00:00.000000Z..2026-03-07T22:59:59.999999Z time:2026-02-28T23:00:00.000000Z..2026-03-02T22:59:59.999999Z time:>=2026-03-01T11:00:00.000000Z");
    insta::assert_snapshot!(check("since:7d tz:+05:30"), @"tz:+05:30 time:>=2026-03-01T00:00:00.000000Z");
    insta::assert_snapshot!(check(r#"or "OR" "user=x" "'tis" user:"'x" "(x" id:00000000-0000-7000-8000-00000000002A"#), @r#"or "OR" "user=x" "'tis" user:"'x" "(x" id:00000000-0000-7000-8000-00000000002a"#);
    insta::assert_snapshot!(check("duration:0 time:2026-03-05..2026-03 cost:1..1"), @"duration:0h time:2026-03-05T00:00:00.000000Z..2026-03-31T23:59:59.999999Z cost:1..1");
    insta::assert_snapshot!(check("content:\"Card Number\",iban* -content:test"), @r#"content:"card number",iban* -content:test"#);
    insta::assert_snapshot!(check("text:\"Card Number\",iban* -text:test text:a:b"), @r#"text:"Card Number",iban* -text:test text:a:b"#);
    insta::assert_snapshot!(check("verified:true pii:false pii:US_SSN"), @"verified:true pii:false pii:US_SSN");
}

#[test]
fn says_what_is_wrong_and_where() {
    insta::assert_snapshot!(check("link:guessed"), @"5: `guessed` is no link. It is one of declared:header, declared:agent, declared:conversation, declared:token, declared:trace, declared:mcp, inferred:response, inferred:tool_result, inferred:tool_call, inferred:history, inferred:start");
    insta::assert_snapshot!(check("usr:alice"), @"0: there is no field `usr`, did you mean `user`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check("tool:x -decison:deny"), @"8: there is no field `decison`, did you mean `decision`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check("https://example.com"), @"0: there is no field `https`. In quotes the term is looked for as text");
    insta::assert_snapshot!(check("User:alice"), @"0: there is no field `User`, did you mean `user`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check(":x"), @"0: the name of a field must stand before `:`, as in `tool:search`");
    insta::assert_snapshot!(check("tool: x"), @r#"5: a value must stand here; the empty text is """#);
    insta::assert_snapshot!(check("tool:a,,b"), @r#"7: a value must stand here; the empty text is """#);
    insta::assert_snapshot!(check("tool:a\"b\""), @r#"6: quotes must enclose a whole value, as in `tool:"a b"`"#);
    insta::assert_snapshot!(check("tool:\"a\"b"), @"8: a space must stand between two terms");
    insta::assert_snapshot!(check("\"open"), @"0: the closing quote is missing");
    insta::assert_snapshot!(check(r#""a\n""#), @r#"2: in quotes, `\` stands before `"` or `\` only"#);
    insta::assert_snapshot!(check("a - b"), @r#"2: `-` negates the term behind it: write it without a space, or quote it as "-""#);
    insta::assert_snapshot!(check("\"\""), @"0: a text to look for must stand here");
    insta::assert_snapshot!(check("*"), @"0: a text to look for must stand here");
    insta::assert_snapshot!(check("a\u{1}b"), @"0: control characters are in no event");
    insta::assert_snapshot!(check("type:tool.cal"), @"5: `tool.cal` is no type, did you mean `tool.call`? It is one of agent.start, agent.stop, action.request, action.approved, action.denied, action.executed, action.failed, tool.call, tool.response, data.access, data.modify, permission.check, permission.denied, error");
    insta::assert_snapshot!(check("decision:maybe"), @"9: `maybe` is no decision. It is one of allow, deny, redact, pending");
    insta::assert_snapshot!(check("type:nothing*"), @"5: `nothing*` is no type. It is one of agent.start, agent.stop, action.request, action.approved, action.denied, action.executed, action.failed, tool.call, tool.response, data.access, data.modify, permission.check, permission.denied, error");
    insta::assert_snapshot!(check("user:alice OR user:bob"), @"11: alternatives are values of one field, as in `user:alice,bob`. In quotes it is looked for as text");
    insta::assert_snapshot!(check("user:alice AND tool:x"), @"11: all terms must hold, without a word between them. In quotes it is looked for as text");
    insta::assert_snapshot!(check("NOT user:alice"), @"0: `-` before a term negates it, as in `-decision:deny`. In quotes it is looked for as text");
    insta::assert_snapshot!(check("user=alice"), @"0: a field and its value have `:` between them, as in `user:…`. In quotes it is looked for as text");
    insta::assert_snapshot!(check("cost>=0.05"), @"0: a field and its value have `:` between them, as in `cost:…`. In quotes it is looked for as text");
    insta::assert_snapshot!(check("(user:alice)"), @"0: there are no parentheses: values of one field are alternatives, all else must hold");
    insta::assert_snapshot!(check("user:'alice smith'"), @r#"5: quotes are double here, as in `user:"alice smith"`"#);
    insta::assert_snapshot!(check("cost:2..1"), @"5: the range ends before it begins");
    insta::assert_snapshot!(check("time:2026-03-07..2026-03-01"), @"5: the range ends before it begins");
    insta::assert_snapshot!(check("decision:DENY"), @"9: `DENY` is no decision, did you mean `deny`? It is one of allow, deny, redact, pending");
    insta::assert_snapshot!(check("verified:yes"), @"9: `verified` is true or false");
    insta::assert_snapshot!(check("cost:0.0000001"), @"5: `cost` is dollars with six decimals at most, as in 0.05");
    insta::assert_snapshot!(check("cost:>"), @"6: `cost` is dollars with six decimals at most, as in 0.05");
    insta::assert_snapshot!(check("duration:2"), @"9: `duration` is a number with a unit (us, ms, s, m, h), as in 1.5s");
    insta::assert_snapshot!(check("tokens:1.5"), @"7: `tokens` is a whole number");
    insta::assert_snapshot!(check("index:1..x"), @"9: `index` is a whole number");
    insta::assert_snapshot!(check("index:.."), @"6: a range has an end: 10..20, 10.. or ..20");
    insta::assert_snapshot!(check("index:99999999999999999999"), @"6: `index` is a whole number");
    insta::assert_snapshot!(check("since:yesteday"), @"6: did you mean `yesterday`? a time is 2026-03-01, 2026-03, 2026-03-01T14:30:00Z, so long ago (30m, 12h, 7d, 2w, 1y), or a word such as today, yesterday, last-tuesday, this-week, last-month");
    insta::assert_snapshot!(check("since:7"), @"6: a time is 2026-03-01, 2026-03, 2026-03-01T14:30:00Z, so long ago (30m, 12h, 7d, 2w, 1y), or a word such as today, yesterday, last-tuesday, this-week, last-month");
    insta::assert_snapshot!(check("on:7d"), @"3: `on` is a day or longer, as in on:yesterday, on:2026-03-01 or on:2026-03");
    insta::assert_snapshot!(check("on:2026-03-01T14:30"), @"3: `on` is a day or longer, as in on:yesterday, on:2026-03-01 or on:2026-03");
    insta::assert_snapshot!(check("tz:Europe/Brussel on:today"), @"3: there is no time zone `Europe/Brussel`: it is UTC, +01:00, or as in Europe/Brussels");
    insta::assert_snapshot!(check("tz:UTC tz:UTC"), @"7: a search has one time zone");
    insta::assert_snapshot!(check("-tz:UTC"), @"0: a search has one time zone, as in tz:Europe/Brussels");
    insta::assert_snapshot!(check("text:x,\"\""), @"7: a text to look for must stand here");
    insta::assert_snapshot!(check("txt:x"), @"0: there is no field `txt`, did you mean `text`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check("content:a"), @"8: contents are searched for 2 characters at least");
    insta::assert_snapshot!(check("bfore:today"), @"0: there is no field `bfore`, did you mean `before`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check("has:content"), @"4: there is no field `content`, did you mean `part`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check("has:text"), @"4: there is no field `text`. In quotes the term is looked for as text");
    insta::assert_snapshot!(check("has:errors"), @"4: there is no field `errors`, did you mean `error`? In quotes the term is looked for as text");
    insta::assert_snapshot!(check(&"a ".repeat(65)), @"128: a search has 64 terms at most");
    insta::assert_snapshot!(check(&"a".repeat(5_000)), @"4096: a search has 4096 bytes at most");
}

#[test]
fn becomes_a_predicate() {
    insta::assert_snapshot!(lowered(""), @"everything");
    insta::assert_snapshot!(lowered("user:alice"), @r#"user_sub = Utf8("alice")"#);
    insta::assert_snapshot!(lowered("tool:a tool:b,c* action:d"), @r#"action_name IN ([Utf8("a"), Utf8("b"), Utf8("d")]) OR action_name LIKE Utf8("c%")"#);
    insta::assert_snapshot!(lowered("-tool:a,b -tool:c"), @r#"action_name IN ([Utf8("a"), Utf8("b")]) IS NOT TRUE AND action_name = Utf8("c") IS NOT TRUE"#);
    insta::assert_snapshot!(lowered("tool:100%_\\*"), @r#"action_name LIKE Utf8("100\%\_\\%")"#);
    insta::assert_snapshot!(lowered("role:analyst role:a.*:x"), @r#"array_has(user_roles, Utf8("analyst")) OR array_to_string(user_roles, Utf8("␟")) LIKE Utf8("%a.%:x%") AND regexp_like(array_to_string(user_roles, Utf8("␟")), Utf8("(^|␟)a\.[^␟]*:x(␟|$)"))"#);
    insta::assert_snapshot!(lowered("link:declared:m*,inferred:tool_call"), @r#"CAST(entry AS Utf8) LIKE Utf8("%"session\_link":"declared:mcp"%") OR CAST(entry AS Utf8) LIKE Utf8("%"session\_link":"inferred:tool\_call"%")"#);
    insta::assert_snapshot!(lowered("has:link"), @r#"CAST(entry AS Utf8) LIKE Utf8("%"session\_link":%")"#);
    insta::assert_snapshot!(lowered("cost:>0.05 cost:<1"), @"cost_micros > Int64(50000) AND cost_micros < Int64(1000000)");
    insta::assert_snapshot!(lowered("tokens:>5"), @"input_tokens IS NOT NULL AND output_tokens IS NOT NULL AND input_tokens + output_tokens > Int64(5) OR output_tokens IS NULL AND input_tokens > Int64(5) OR input_tokens IS NULL AND output_tokens > Int64(5)");
    insta::assert_snapshot!(lowered("time:2026-03-01 since:1h"), @r#"time >= TimestampMicrosecond(1772924400000000, Some("UTC")) AND time >= TimestampMicrosecond(1772323200000000, Some("UTC")) AND time <= TimestampMicrosecond(1772409599999999, Some("UTC"))"#);
    insta::assert_snapshot!(lowered("content:iban"), @"empty(part_names) IS FALSE");
    insta::assert_snapshot!(lowered("-content:iban"), @"everything");
    insta::assert_snapshot!(lowered("has:user,role has:pii"), @"(user_sub IS NOT NULL OR empty(user_roles) IS FALSE) AND pii_detected = Boolean(true)");
    insta::assert_snapshot!(lowered("verified:false pii:true,EMAIL"), @r#"(user_verified = Boolean(false) OR user_verified IS NULL AND agent_verified = Boolean(false)) AND (pii_detected = Boolean(true) OR array_has(redaction_types, Utf8("EMAIL")))"#);
    let texts = |of: &str| lowered(of).matches(" OR ").count();
    assert_eq!(
        (texts("text:x"), texts("text:x text:y"), texts("x y")),
        (33, 67, 66),
        "alternatives, and both"
    );
    // Contents decide what columns leave open; what they rule out stays out.
    let opened = |text: &str| {
        let predicate = Search::parse(text, now()).unwrap().predicate(Contents::Opened);
        told(predicate).split(" OR id ILIKE").next().unwrap().to_owned()
    };
    insta::assert_snapshot!(opened("x"), @r#"empty(part_names) IS FALSE AND resource_uri LIKE Utf8("audit://%") AND action_name LIKE Utf8("trail:%") IS NOT TRUE"#);
    insta::assert_snapshot!(opened("-content:iban"), @"everything");
    assert_eq!(
        told(Search::parse("-x text:y", now()).unwrap().predicate(Contents::Opened)),
        lowered("-x text:y")
    );
    let anywhere = lowered("x");
    assert_eq!(anywhere.matches("ILIKE").count(), fields::TEXT_COLUMNS.len() + fields::LIST_COLUMNS.len());
}

/// Names are looked for as they are, and under their references.
#[test]
fn refers_to_people_and_subjects() {
    let check = |text: &str| {
        let search = Search::parse(text, now()).unwrap();
        let named = search.named_subject().map(str::to_owned);
        let search =
            search.referring(|kind, name| Some(format!("ref:{kind}-{name}")).filter(|_| name != "bob"));
        format!("{search} | {}", named.as_deref().unwrap_or("-"))
    };
    insta::assert_snapshot!(check("user:a@example.com,bob"), @"user:a@example.com,bob,ref:user-a@example.com | -");
    insta::assert_snapshot!(check("-subject:P-1047 via:robot"), @"-subject:P-1047,ref:subject-P-1047 via:robot,ref:user-robot | P-1047");
    insta::assert_snapshot!(check("user:a* subject:ref:0 agent:bot tool:x has:subject"), @"user:a* subject:ref:0 agent:bot,ref:user-bot tool:x has:subject | -");
}

#[test]
fn every_column_that_a_field_names_is_there() {
    let schema = greffier_ledger::segment::schema();
    for field in fields::FIELDS {
        let search = Search::parse(&format!("has:{}", field.name), now())
            .unwrap()
            .predicate(Contents::Closed)
            .unwrap();
        assert!(!search.column_refs().is_empty());
        for column in search.column_refs() {
            assert!(schema.index_of(&column.name).is_ok(), "{}: {column}", field.name);
        }
    }
    for column in fields::TEXT_COLUMNS.iter().chain(fields::LIST_COLUMNS) {
        assert!(schema.index_of(column).is_ok(), "{column}");
    }
}

/// Text that looks like a search.
fn searchlike() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "user",
        "tool",
        "cost",
        "time",
        "since",
        "on",
        "before",
        "yesterday",
        "last-week",
        "2026-02",
        "tz",
        "+02:00",
        "content",
        "text",
        "has",
        "pii",
        "type",
        ":",
        ":",
        "-",
        "\"",
        "*",
        ",",
        "..",
        ">",
        "<=",
        " ",
        " ",
        "alice",
        "2026-03-01",
        "7d",
        "0.05",
        "\\",
        "é",
        "2s",
        "tool.call",
        "deny",
        "decision",
    ]);
    prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
}

/// A search that parses.
pub(crate) fn terms() -> impl Strategy<Value = String> {
    let term = prop::sample::select(TERMS.to_vec());
    prop::collection::vec((any::<bool>(), term), 0..4).prop_map(|terms| {
        let signed =
            terms.into_iter().map(|(negated, term)| format!("{}{term}", if negated { "-" } else { "" }));
        signed.collect::<Vec<_>>().join(" ")
    })
}

/// Terms that some events of the tests match and others do not.
pub(crate) const TERMS: &[&str] = &[
    "user:alice",
    "user:a_b",
    "user:a%b",
    "user:x\\y",
    "user:\"alice smith\"",
    "user:\"a,b\",bob",
    "user:a*",
    "user:*b",
    "user:a_*",
    "tier:interactive",
    "redactions:>0",
    "attempts:1",
    "input_tokens:>500",
    "output_tokens:<=100",
    "agent:billing",
    "agent:*illing,crm-assistant",
    "session:\"session 3\"",
    "link:declared:header",
    "link:inferred:*",
    "link:inferred:tool_result,declared:trace",
    "has:link",
    "request:req_7",
    "request:req_1*",
    "id:00000000-0000-7000-8000-00000000002a",
    "tool:crm:*",
    "tool:*:search",
    "tool:crm:*:delete",
    "tool:\"a*b\"",
    "tool:a*b",
    "tool:100%",
    "tool:chat",
    "type:tool.call",
    "type:*.call,data.*",
    "kind:tool,llm",
    "effect:read",
    "decision:deny",
    "decision:allow,redact",
    "rule:*may",
    "role:auditor",
    "role:ops:*",
    "role:*read",
    "scope:tool:crm",
    "scope:tool:*:read",
    "resource:crm://contacts/4",
    "resource:crm://contacts/*",
    "class:phi",
    "class:i*",
    "model:gpt-5",
    "provider:openai",
    "status:success",
    "status:failure,timeout",
    "code:200..300",
    "code:>=250",
    "code:<400",
    "error:upstream_timeout",
    "channel:gateway",
    "client:openai*",
    "node:node-1",
    "pii:true",
    "pii:false",
    "pii:US_SSN",
    "redaction:EMAIL",
    "verified:true",
    "verified:false",
    "cost:>0.05",
    "cost:<=0.1",
    "cost:0.004662",
    "tokens:>500",
    "tokens:..300",
    "duration:>2s",
    "duration:<1m",
    "duration:0.08641s..1.5s",
    "time:2026-03-03",
    "time:2026-03-02..2026-03-04",
    "time:>2026-03-05",
    "since:3d",
    "until:2026-03-02",
    "until:5d",
    "on:2026-03-03",
    "on:yesterday",
    "on:last-tuesday",
    "before:2026-03-02",
    "after:3d",
    "before:this-week",
    "recorded:<2026-03-04",
    "index:10..20",
    "index:250..",
    "index:7",
    "has:user",
    "has:error",
    "has:tool",
    "has:cost,status",
    "has:role",
    "has:class",
    "has:tokens",
    "has:pii",
    "has:verified",
    "alice",
    "ÄGNES",
    "ägnes",
    "CRM",
    "\"session 3\"",
    "a%b",
    "a_b",
    "x\\y",
    "crm*search",
    "\"OPS:\"",
    "us_ssn",
    "upstream",
    "8000-00000000001",
    "text:CRM",
    "text:crm*search,ops:",
];

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,40}") {
        let _ = Search::parse(&text, now());
    }

    #[test]
    fn printing_a_search_keeps_it(text in prop_oneof![searchlike(), terms()]) {
        if let Ok(search) = Search::parse(&text, now()) {
            prop_assert_eq!(Search::parse(&search.to_string(), now()), Ok(search));
        }
    }

    #[test]
    fn terms_parse(text in terms()) {
        prop_assert!(Search::parse(&text, now()).is_ok(), "{}", text);
    }

    #[test]
    fn numbers_survive(micros in 0..=(1_i64 << 53)) {
        for units in [value::COUNT, value::DOLLARS, value::SPANS] {
            let text = value::write_number(micros, units);
            prop_assert_eq!(value::read_number(&text, units), Some(micros), "{}", text);
        }
    }

    #[test]
    fn patterns_fit_what_a_glob_would(pattern in "[ab*]{1,6}", text in "[ab]{0,6}") {
        // The textbook definition, by recursion.
        fn glob(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, rest) => rest.is_none(),
                (Some((b'*', behind)), rest) => {
                    glob(behind, text) || rest.is_some_and(|(_, rest)| glob(pattern, rest))
                }
                (Some((c, behind)), Some((d, rest))) => c == d && glob(behind, rest),
                (Some(_), None) => false,
            }
        }
        let fits = Pattern::with_wildcards(&pattern).fits(&text);
        prop_assert_eq!(fits, glob(pattern.as_bytes(), text.as_bytes()));
    }
}
