//! Whom the data is about: a producer names people, the trail holds keyed references.
//!
//! A native event may only carry references, and a producer has not the key to make them. So the names are
//! replaced in the document before it is read as an event; all else in it stays byte for byte.

use greffier_event::Tenant;
use greffier_ledger::KeyRing;

use super::lines::{members, strings};

/// Hex digits of a reference that the key ring makes.
const DIGITS: usize = 32;

/// The document with its `resource.subjects` as keyed references; none where there is nothing to replace.
pub(crate) fn referenced(text: &str, tenant: &Tenant, keys: &KeyRing) -> Option<String> {
    // Most events name nobody: one search of the text spares them the rest.
    if !text.contains("\"subjects\"") {
        return None;
    }
    let document = members(text)?;
    let resource = value(&document, "resource")?;
    let fields = members(resource)?;
    let subjects = strings(value(&fields, "subjects")?)?;
    if subjects.iter().all(|subject| is_reference(subject)) {
        return None;
    }
    let references: Vec<String> = subjects.iter().map(|subject| reference(subject, tenant, keys)).collect();
    let references = serde_json::to_string(&references).ok()?;
    let resource = with(&fields, "subjects", &references);
    Some(with(&document, "resource", &resource))
}

/// A subject as a leaf may carry it. What only looks like a reference (`ref:alice`) is a name.
fn reference(subject: &str, tenant: &Tenant, keys: &KeyRing) -> String {
    if is_reference(subject) { subject.to_owned() } else { keys.reference(tenant, "subject", subject) }
}

/// Whether this is what the key ring writes.
pub(crate) fn is_reference(text: &str) -> bool {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("ref:").is_some_and(|hex| hex.len() == DIGITS && hex.bytes().all(digit))
}

fn value<'a>(members: &super::lines::Members<'a>, name: &str) -> Option<&'a str> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
}

/// The object with another value at `name`, wherever it stands: a name that stands twice stays twice, and is
/// refused by whoever reads the document.
fn with(members: &super::lines::Members<'_>, name: &str, other: &str) -> String {
    let mut out = String::from("{");
    for (at, (key, value)) in members.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        out.push_str(&serde_json::Value::from(key.as_str()).to_string());
        out.push(':');
        out.push_str(if key == name { other } else { value.get() });
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::keys;

    fn check(text: &str) -> Option<String> {
        let tenant = Tenant::new("acme").unwrap();
        referenced(text, &tenant, &keys()).map(|text| {
            let known = keys().reference(&tenant, "subject", "alice");
            text.replace(&known, "<alice>")
        })
    }

    #[test]
    fn names_become_references_and_nothing_else_changes() {
        let own = format!("ref:{}", "0".repeat(32));
        assert_eq!(check(r#"{"time":"subjects"}"#), None);
        assert_eq!(check(&format!(r#"{{"resource":{{"subjects":["{own}"]}}}}"#)), None);
        assert_eq!(
            check(&format!(r#"{{"n":1.50,"resource":{{"uri":"a","subjects":["alice","{own}"]}},"x":"é"}}"#)),
            Some(format!(r#"{{"n":1.50,"resource":{{"uri":"a","subjects":["<alice>","{own}"]}},"x":"é"}}"#))
        );
        // A name in a reference's clothes would stand in the clear.
        assert!(!check(r#"{"resource":{"subjects":["ref:alice@example.com"]}}"#).unwrap().contains("alice@"));
        // Not ours to judge: the reader of events says what is wrong.
        assert_eq!(check(r#"{"resource":{"subjects":"alice"}}"#), None);
        assert_eq!(check(r#"{"resource":{"subjects":["alice"]}"#), None);
        assert_eq!(check(r#"[{"resource":{"subjects":["alice"]}}]"#), None);
    }
}
