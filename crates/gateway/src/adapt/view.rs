//! A JSON text looked at where it stands: values keep their place, so that one can be replaced and every other
//! byte left as it came.
//!
//! A text is checked once, when it is parsed. What lies within it is then found by its brackets and quotes alone.

use std::ops::Range;

use serde_json::value::RawValue;

/// One JSON value: a slice of the text it was parsed from. Accessors answer `None` where the type is another.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(&'a str);

impl<'a> View<'a> {
    /// A whole text, which must be one JSON value.
    pub(crate) fn parse(text: &'a str) -> Result<View<'a>, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(|raw| View(raw.get()))
    }

    /// The value's own text.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    /// The members of an object in order; none for any other type, or where a key is no text.
    pub(crate) fn entries(self) -> Vec<(String, View<'a>)> {
        let mut members = Vec::new();
        let mut inside = Inside::of(self, self.is_object());
        while let Some(key) = inside.next() {
            match (key.string(), inside.next()) {
                (Some(key), Some(value)) => members.push((key, value)),
                _ => return Vec::new(),
            }
        }
        members
    }

    /// The items of an array; none for any other type.
    pub(crate) fn items(self) -> Vec<View<'a>> {
        Inside::of(self, self.is_array()).collect()
    }

    /// The member of that name: the last one, as most parsers would take.
    pub(crate) fn get(self, key: &str) -> Option<View<'a>> {
        self.entries().into_iter().rev().find_map(|(name, value)| (name == key).then_some(value))
    }

    pub(crate) fn string(self) -> Option<String> {
        let written = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if written.contains('\\') { serde_json::from_str(self.0).ok() } else { Some(written.to_owned()) }
    }

    pub(crate) fn integer(self) -> Option<u64> {
        self.0.parse().ok()
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        self.0.parse().ok()
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(crate) fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Where this value stands in `whole`, the text it was parsed from.
    pub(crate) fn span_in(self, whole: &str) -> Range<usize> {
        let start = self.0.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
        start..start + self.0.len()
    }
}

/// Puts other text in the places of values: `edits` in order of place, not overlapping.
pub(crate) fn splice<'e>(text: &str, edits: impl IntoIterator<Item = (Range<usize>, &'e str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, new) in edits {
        out.push_str(text.get(done..range.start).unwrap_or_default());
        out.push_str(new);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// A string as JSON writes it. Serialising a string cannot fail.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// What stands between the brackets of a value, one after the other: items, or keys and values in turn.
struct Inside<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Inside<'a> {
    fn of(view: View<'a>, has_inside: bool) -> Inside<'a> {
        Inside { text: view.0, at: if has_inside { 1 } else { view.0.len() } }
    }
}

impl<'a> Iterator for Inside<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        let start = self.at + rest.iter().position(|byte| !between(byte))?;
        let length = length(self.text.as_bytes().get(start..)?)?;
        self.at = start + length;
        self.text.get(start..self.at).map(View)
    }
}

/// How long the value is that begins here; `None` at a closing bracket.
fn length(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0_usize, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at += string_length(bytes.get(at..)?)?,
            b'{' | b'[' => (at, open) = (at + 1, open + 1),
            b'}' | b']' => (at, open) = (at + 1, open.checked_sub(1)?),
            _ if open > 0 => at += 1,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                return Some(bytes.iter().position(ends).unwrap_or(bytes.len()));
            }
        }
        if open == 0 {
            return Some(at);
        }
    }
}

/// How long the string is that begins here, with its quotes.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_keep_their_place() {
        let text = r#" { "a" : [1, "é"] , "b":{"c": null} , "a":"\u0041"} "#;
        let whole = View::parse(text).unwrap();
        let rows: Vec<String> = whole
            .entries()
            .iter()
            .map(|(key, value)| format!("{key} {:?} {}", value.span_in(text), value.text()))
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        a 9..18 [1, "é"]
        b 25..36 {"c": null}
        a 43..51 "\u0041"
        "#);
        assert_eq!(whole.get("a").and_then(View::string).as_deref(), Some("A"));
        assert_eq!(whole.get("b").unwrap().items().len(), 0);
    }

    /// Some JSON, however deep and however it is spaced.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            r#"-?[1-9][0-9]{0,3}(\.[0-9]{1,2})?(e-?[0-9])?"#,
            "true|null",
            r#"[a-z é\[\]{},:\\"]{0,6}"#.prop_map(|text| quoted(&text)),
        ];
        let spaced = |space: String| move |parts: Vec<String>| parts.join(&format!("{space},{space}"));
        leaf.prop_recursive(4, 32, 4, move |inner| {
            let key = r#"[a-c"\\é]{0,2}"#.prop_map(|key| quoted(&key));
            let items = (proptest::collection::vec(inner.clone(), 0..4), "[ \n\t]{0,2}")
                .prop_map(move |(items, space)| format!("[{space}{}{space}]", spaced(space.clone())(items)));
            let member = (key, inner, "[ \n]{0,1}")
                .prop_map(|(key, value, space)| format!("{key}{space}:{space}{value}"));
            let members = (proptest::collection::vec(member, 0..4), "[ \n\t]{0,2}").prop_map(
                move |(members, space)| format!("{{{space}{}{space}}}", spaced(space.clone())(members)),
            );
            prop_oneof![items, members]
        })
    }

    /// What serde reads of the same text, without looking at brackets.
    fn check(view: View<'_>) {
        let items: Vec<&RawValue> = serde_json::from_str(view.text()).unwrap_or_default();
        assert_eq!(
            view.items().iter().map(|item| item.text()).collect::<Vec<_>>(),
            Vec::from_iter(items.iter().map(|item| item.get()))
        );
        let object = serde_json::from_str::<std::collections::HashMap<String, &RawValue>>(view.text());
        assert_eq!(view.is_object(), object.is_ok());
        for (key, value) in object.unwrap_or_default() {
            assert_eq!(view.get(&key).map(View::text), Some(value.get()));
        }
        view.items().into_iter().for_each(check);
        view.entries().into_iter().for_each(|(_, value)| check(value));
    }

    #[test]
    fn a_key_that_is_no_text_hides_all_members() {
        assert_eq!(View::parse(r#"{"a": 1, "\ud800": 2}"#).unwrap().entries().len(), 0);
    }

    proptest! {
        #[test]
        fn what_lies_within_is_what_serde_reads(text in json()) {
            check(View::parse(&text).unwrap());
        }

        #[test]
        fn every_span_names_its_value(keys in proptest::collection::vec("[a-zé\"]{0,5}", 0..6)) {
            let members: Vec<String> = keys.iter().map(|key| format!("{} : {}", quoted(key), quoted(key))).collect();
            let text = format!(" {{ {} }}", members.join(" , "));
            let whole = View::parse(&text).unwrap();
            for (key, value) in whole.entries() {
                prop_assert_eq!(&text[value.span_in(&text)], quoted(&key));
            }
            let edits: Vec<_> = whole.entries().iter().map(|(_, value)| (value.span_in(&text), value.text())).collect();
            prop_assert_eq!(splice(&text, edits), text);
        }
    }
}
