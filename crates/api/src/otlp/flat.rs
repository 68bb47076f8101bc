//! Messages spelt out one attribute per field, `llm.input_messages.0.message.content`, put together again.

use serde_json::{Map, Value};

use super::told::Told;

/// Deepest path that is put together. Tool calls within messages go six deep.
const MAX_PATH: usize = 16;

/// What lies below a prefix, as the value that was taken apart; none if nothing does.
pub(super) fn below(told: Told<'_>, prefix: &str) -> Option<Value> {
    let mut tree = Map::new();
    for (name, value) in told.attributes {
        let Some(path) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else { continue };
        if path.split('.').count() <= MAX_PATH {
            put(&mut tree, path.split('.'), value);
        }
    }
    (!tree.is_empty()).then(|| listed(Value::Object(tree)))
}

/// These attributes that are there, and behind them what lies below a prefix, each under its name.
pub(super) fn content(told: Told<'_>, names: &[&str], prefix: &str) -> Vec<(String, String)> {
    let mut contents = told.contents(names);
    if let Some(value) = below(told, prefix) {
        contents.retain(|(name, _)| name != prefix);
        contents.push((prefix.to_owned(), value.to_string()));
    }
    contents
}

/// Puts a value at the end of a path. Of a field and what lies below it, the latter stands.
fn put<'a>(members: &mut Map<String, Value>, path: impl Iterator<Item = &'a str>, value: &Value) {
    let mut path = path.peekable();
    let Some(name) = path.next() else { return };
    let empty = || Value::Object(Map::new());
    let slot = members.entry(name).or_insert_with(empty);
    if path.peek().is_none() {
        if slot.as_object().is_some_and(Map::is_empty) {
            *slot = value.clone();
        }
        return;
    }
    if !slot.is_object() {
        *slot = empty();
    }
    if let Value::Object(inner) = slot {
        // As a trait object: the type of a path behind a path has no end.
        put(inner, &mut path as &mut dyn Iterator<Item = &str>, value);
    }
}

/// Objects of which every name is a number are lists.
fn listed(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let places: Option<Vec<usize>> = members.keys().map(|name| name.parse().ok()).collect();
    let listed_members = members.into_iter().map(|(name, value)| (name, listed(value)));
    match places {
        Some(places) if !places.is_empty() => {
            let mut items: Vec<(usize, Value)> =
                places.into_iter().zip(listed_members.map(|(_, value)| value)).collect();
            items.sort_by_key(|(place, _)| *place);
            Value::Array(items.into_iter().map(|(_, value)| value).collect())
        }
        _ => Value::Object(listed_members.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::model::{Attributes, Origin};

    fn check(pairs: &[(&str, &str)]) -> String {
        let attributes: Attributes =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let origin = Origin::default();
        let told = Told { attributes: &attributes, origin: &origin };
        below(told, "m").map_or_else(|| "-".to_owned(), |value| value.to_string())
    }

    #[test]
    fn messages_are_put_together() {
        insta::assert_snapshot!(check(&[
            ("m.10.message.role", "last"),
            ("m.0.message.role", "user"),
            ("m.0.message.content", "hi"),
            ("m.1.message.tool_calls.0.tool_call.function.name", "search"),
            ("m.1.message.tool_calls.0.tool_call.id", "c1"),
            ("mm.0", "other"),
            ("m", "itself"),
        ]), @r#"[{"message":{"role":"user","content":"hi"}},{"message":{"tool_calls":[{"tool_call":{"function":{"name":"search"},"id":"c1"}}]}},{"message":{"role":"last"}}]"#);
        insta::assert_snapshot!(check(&[("n.0", "x")]), @"-");
        insta::assert_snapshot!(check(&[("m.a", "x"), ("m.0", "y")]), @r#"{"a":"x","0":"y"}"#);
        // A field and what lies below it: the tree stands.
        insta::assert_snapshot!(check(&[("m.0", "x"), ("m.0.b", "y")]), @r#"[{"b":"y"}]"#);
    }
}
