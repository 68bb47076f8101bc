//! From a body to its events: one document, an array, or one per line.

use std::fmt;

use greffier_safety::json;
use serde::Deserialize;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::refuse::Refused;

/// Events of one request: their receipts are one answer, and their order is kept in one batch.
pub(crate) const MAX_LINES: usize = 10_000;

/// One event as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its line, or its place in the array, from 1.
    pub(crate) number: usize,
    /// Its JSON text; none where the bytes are not UTF-8.
    pub(crate) text: Option<&'a str>,
}

/// Media types of one event per line.
const BY_LINE: [&str; 4] =
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// Whether a body says that it has one event per line.
pub(crate) fn is_by_line(media: &str) -> bool {
    BY_LINE.contains(&essence(media).as_str())
}

/// Whole lines of a body, of which the first has this number.
pub(crate) fn numbered(body: &[u8], first: usize) -> impl Iterator<Item = Line<'_>> {
    let body = if first == 1 { body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body) } else { body };
    body.split(|&byte| byte == b'\n').enumerate().filter_map(move |(at, line)| {
        let line = line.trim_ascii();
        (!line.is_empty()).then(|| Line { number: first + at, text: std::str::from_utf8(line).ok() })
    })
}

/// Splits a body. What is wrong with one line concerns that line only; what is wrong with an array concerns it
/// whole, as it is one document.
pub(crate) fn split<'a>(media: &str, body: &'a [u8]) -> Result<Vec<Line<'a>>, Refused> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = if is_by_line(media) {
        lines(body)?
    } else if body.trim_ascii_start().starts_with(b"[") {
        array(body)?
    } else if is_lines(body) {
        lines(body)?
    } else {
        vec![Line { number: 1, text: std::str::from_utf8(body).ok() }]
    };
    match lines.as_slice() {
        [] => Err(no_events()),
        [one] if one.text.is_some_and(|text| text.trim().is_empty()) => Err(no_events()),
        _ => Ok(lines),
    }
}

/// The media type without its parameters.
pub(crate) fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a body of no telling type has one event per line: it is no single document, and a later line starts
/// one. (Somebody's pretty-printed event with a mistake in it should be one error, not twenty.)
fn is_lines(body: &[u8]) -> bool {
    let mut later = body.trim_ascii().split(|&byte| byte == b'\n').skip(1);
    later.any(|line| line.starts_with(b"{")) && json::check(body).is_err()
}

fn lines(body: &[u8]) -> Result<Vec<Line<'_>>, Refused> {
    let mut lines = Vec::new();
    for (at, line) in body.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if lines.len() == MAX_LINES {
            return Err(too_many(MAX_LINES));
        }
        lines.push(Line { number: at + 1, text: std::str::from_utf8(line).ok() });
    }
    Ok(lines)
}

fn array(body: &[u8]) -> Result<Vec<Line<'_>>, Refused> {
    let text =
        std::str::from_utf8(body).map_err(|_| Refused::new(400, "invalid_json", "the body is not UTF-8"))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_seq(Items).and_then(|items| reader.end().map(|()| items));
    match read {
        Ok(Some(items)) => Ok(items),
        Ok(None) => Err(too_many(MAX_LINES)),
        // The reader's own words may quote the body.
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(Refused::new(400, "invalid_json", format!("the array is not valid JSON at {place}"))
                .hint("send one event per line, and a broken line loses only itself"))
        }
    }
}

pub(super) fn too_many(most: usize) -> Refused {
    let message = format!("a request takes at most {most} events: send several");
    Refused::new(413, "too_many_events", message).malformed()
}

pub(super) fn no_events() -> Refused {
    Refused::new(400, "no_events", "the body holds no event")
}

/// Reads an array's elements as they stand, no more of them than are taken.
struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Option<Vec<Line<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::new();
        while let Some(item) = seq.next_element::<&'de RawValue>()? {
            if lines.len() == MAX_LINES {
                // The rest is read past, so that a broken end is still called broken.
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            lines.push(Line { number: lines.len() + 1, text: Some(item.get()) });
        }
        Ok(Some(lines))
    }
}

/// A member of an object, as it stands.
pub(crate) type Members<'a> = Vec<(String, &'a RawValue)>;

/// The members of an object in their order, each value as it stands; none if the text is no object.
pub(crate) fn members(text: &str) -> Option<Members<'_>> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Members<'de>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Pairs).ok()?;
    reader.end().ok()?;
    Some(members)
}

/// A list of strings, if that is what the text is.
pub(crate) fn strings(text: &str) -> Option<Vec<String>> {
    Vec::<String>::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(media: &str, body: &str) -> String {
        match split(media, body.as_bytes()) {
            Ok(lines) => {
                let shown = lines.iter().map(|line| format!("{} {}", line.number, line.text.unwrap_or("?")));
                shown.collect::<Vec<_>>().join("\n")
            }
            Err(refused) => format!("{} {}: {}", refused.status, refused.code, refused.message),
        }
    }

    #[test]
    fn one_many_or_lines() {
        insta::assert_snapshot!(check("application/json", r#"{"a":1}"#), @r#"1 {"a":1}"#);
        insta::assert_snapshot!(check("", "{\n  \"a\": {\n  }\n}"), @r#"
        1 {
          "a": {
          }
        }
        "#);
        insta::assert_snapshot!(check("application/json", r#" [{"a":1}, {"a": 2}]"#), @r#"
        1 {"a":1}
        2 {"a": 2}
        "#);
        insta::assert_snapshot!(check("application/x-ndjson; charset=utf-8", "{\"a\":1}\r\n\n{\"a\":2}\n"), @r#"
        1 {"a":1}
        3 {"a":2}
        "#);
        insta::assert_snapshot!(check("application/json", "{\"a\":1}\nnonsense\n{\"a\":2}"), @r#"
        1 {"a":1}
        2 nonsense
        3 {"a":2}
        "#);
        insta::assert_snapshot!(check("", "{\n  \"a\": tru\n}"), @r#"
        1 {
          "a": tru
        }
        "#);
        insta::assert_snapshot!(check("", "[{},"), @"400 invalid_json: the array is not valid JSON at line 1, column 4");
        insta::assert_snapshot!(check("", "[] {}"), @"400 invalid_json: the array is not valid JSON at line 1, column 4");
        insta::assert_snapshot!(check("", "[]"), @"400 no_events: the body holds no event");
        insta::assert_snapshot!(check("application/jsonl", " \n\n"), @"400 no_events: the body holds no event");
        insta::assert_snapshot!(check("", ""), @"400 no_events: the body holds no event");
    }

    #[test]
    fn no_more_than_the_bound() {
        let all = vec!["{}"; MAX_LINES];
        assert_eq!(split("", format!("[{}]", all.join(",")).as_bytes()).unwrap().len(), MAX_LINES);
        assert_eq!(split("application/jsonl", all.join("\n").as_bytes()).unwrap().len(), MAX_LINES);
        assert_eq!(split("", format!("[{},{{}}]", all.join(",")).as_bytes()).unwrap_err().status, 413);
        assert_eq!(
            split("application/jsonl", format!("{}\n{{}}", all.join("\n")).as_bytes()).unwrap_err().status,
            413
        );
    }

    #[test]
    fn a_line_that_is_not_text_loses_only_itself() {
        let lines = split("application/jsonl", b"{}\n\xff\n{}").unwrap();
        assert_eq!(lines.iter().map(|line| line.text).collect::<Vec<_>>(), [Some("{}"), None, Some("{}")]);
    }

    proptest! {
        #[test]
        fn events_come_back_from_every_frame(values in prop::collection::vec("[ -~]{0,20}", 1..20)) {
            let events: Vec<String> =
                values.iter().map(|value| serde_json::json!({ "a": value }).to_string()).collect();
            let array = format!("[{}]", events.join(" , "));
            let ndjson = events.join("\n");
            for (media, body) in [("application/json", &array), ("application/jsonl", &ndjson), ("", &ndjson)] {
                let lines = split(media, body.as_bytes()).unwrap();
                let texts: Vec<&str> = lines.iter().filter_map(|line| line.text).collect();
                prop_assert_eq!(&texts, &events);
                prop_assert!(lines.iter().enumerate().all(|(at, line)| line.number == at + 1));
            }
        }

        #[test]
        fn any_bytes_are_split_without_panic(
            media in "(application/(json|jsonl))?", body: Vec<u8>, text in r#"[\[\]{},":a\n ]{0,40}"#,
        ) {
            drop(split(&media, &body));
            drop(split(&media, text.as_bytes()));
        }
    }
}
