//! A call's arguments as policies see them: named texts (tags of the entity `Parameters`).
//!
//! Every member of the top level has its own name, whatever its type, so that `hasTag("query")` holds however a
//! caller dresses the value up; every scalar below has its JSON pointer. The two cannot collide: a top-level name
//! that starts with `/` is written as a pointer, and so is the empty one.

use std::collections::BTreeMap;

use serde_json::Value;

/// Arguments that policies can look at. Beyond it the call is denied if any policy reads arguments: leaving some
/// out would let a caller push the one that a policy forbids past the bound.
pub(crate) const MAX_PARAMETERS: usize = 256;
/// Nesting that is followed; JSON parsers stop at the same depth.
const MAX_DEPTH: usize = 128;

/// More arguments, or deeper ones, than policies can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Names and texts of the arguments.
pub(crate) fn flatten(arguments: &Value) -> Result<BTreeMap<String, String>, TooMany> {
    let mut tags = BTreeMap::new();
    match arguments {
        Value::Object(members) => {
            for (name, value) in members {
                let pointer = format!("/{}", escape(name));
                let plain = !name.is_empty() && !name.starts_with('/');
                put(&mut tags, if plain { name.clone() } else { pointer.clone() }, text(value))?;
                below(value, &pointer, 1, &mut tags)?;
            }
        }
        other => {
            put(&mut tags, "/".to_owned(), text(other))?;
            below(other, "", 0, &mut tags)?;
        }
    }
    Ok(tags)
}

/// The scalars inside `value`, which stands at `pointer`; the value itself has its tag already.
fn below(
    value: &Value,
    pointer: &str,
    depth: usize,
    tags: &mut BTreeMap<String, String>,
) -> Result<(), TooMany> {
    if depth > MAX_DEPTH {
        return Err(TooMany);
    }
    let mut each = |name: &str, value: &Value| {
        let pointer = format!("{pointer}/{name}");
        match value {
            Value::Object(_) | Value::Array(_) => below(value, &pointer, depth + 1, tags),
            scalar => put(tags, pointer, text(scalar)),
        }
    };
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| each(&escape(name), value)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, value)| each(&index.to_string(), value))
        }
        _ => Ok(()),
    }
}

fn put(tags: &mut BTreeMap<String, String>, name: String, text: String) -> Result<(), TooMany> {
    if tags.len() >= MAX_PARAMETERS {
        return Err(TooMany);
    }
    tags.insert(name, text);
    Ok(())
}

/// Strings as they are, everything else as compact JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 6901.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(arguments: Value) -> String {
        match flatten(&arguments) {
            Ok(tags) => tags.iter().map(|(name, text)| format!("{name} = {text}\n")).collect(),
            Err(TooMany) => "too many".to_owned(),
        }
    }

    #[test]
    fn names() {
        insta::assert_snapshot!(check(json!({
            "query": "pipeline",
            "limit": 20,
            "strict": true,
            "cursor": null,
            "filter": {"owner": "bob", "tags": ["a", {"b/c": "d~e"}]},
            "/filter/owner": "an impostor",
            "": "nameless",
        })), @r#"
            / = nameless
            /filter/owner = bob
            /filter/tags/0 = a
            /filter/tags/1/b~1c = d~e
            /~1filter~1owner = an impostor
            cursor = null
            filter = {"owner":"bob","tags":["a",{"b/c":"d~e"}]}
            limit = 20
            query = pipeline
            strict = true
            "#);
    }

    #[test]
    fn no_object() {
        insta::assert_snapshot!(check(json!(["a", {"b": 1}])), @r#"
            / = ["a",{"b":1}]
            /0 = a
            /1/b = 1
            "#);
        insta::assert_snapshot!(check(json!("just text")), @"/ = just text");
    }

    #[test]
    fn bounds() {
        let many = |n: usize| Value::Object((0..n).map(|i| (format!("a{i}"), json!(i))).collect());
        assert_eq!(flatten(&many(MAX_PARAMETERS)).map(|tags| tags.len()), Ok(MAX_PARAMETERS));
        assert_eq!(flatten(&many(MAX_PARAMETERS + 1)), Err(TooMany));
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(flatten(&deep), Err(TooMany));
    }

    proptest! {
        /// Different arguments never share a tag: as many tags as top-level members and nested scalars.
        #[test]
        fn names_do_not_collide(
            top in prop::collection::btree_map("[a/~]{0,3}", prop::collection::btree_map("[a/~]{0,2}", 0..9_u8, 0..4), 0..4)
        ) {
            let expected: usize = top.values().map(|inner| 1 + inner.len()).sum();
            prop_assert_eq!(flatten(&json!(top)).map(|tags| tags.len()), Ok(expected));
        }
    }
}
