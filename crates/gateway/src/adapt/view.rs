//! A JSON text looked at where it stands: values keep their place, so that one can be replaced and every other
//! byte left as it came.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
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

    /// The members of an object in order; none for any other type.
    pub(crate) fn entries(self) -> Vec<(String, View<'a>)> {
        serde_json::from_str::<Members<'a>>(self.0).map(|members| members.0).unwrap_or_default()
    }

    /// The items of an array; none for any other type.
    pub(crate) fn items(self) -> Vec<View<'a>> {
        let raws = serde_json::from_str::<Vec<&'a RawValue>>(self.0).unwrap_or_default();
        raws.into_iter().map(|raw| View(raw.get())).collect()
    }

    /// The member of that name: the last one, as most parsers would take.
    pub(crate) fn get(self, key: &str) -> Option<View<'a>> {
        self.entries().into_iter().rev().find_map(|(name, value)| (name == key).then_some(value))
    }

    pub(crate) fn string(self) -> Option<String> {
        if self.0.starts_with('"') { serde_json::from_str(self.0).ok() } else { None }
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

struct Members<'a>(Vec<(String, View<'a>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, View(value.get())));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
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

    proptest! {
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
