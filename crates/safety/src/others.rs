//! Values that another analyser found in texts: a scanner that knows them finds them as well.

use std::collections::{BTreeSet, HashMap};

use crate::{Entity, Scanner, Span, json};

/// Texts of one call that another analyser is asked about, and bytes of all of them.
const MAX_TEXTS: usize = 4096;

/// Why texts are not asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more texts than another analyser is asked about")]
pub struct TooMany;

/// What another analyser found, by text.
#[derive(Default)]
pub struct Others {
    found: HashMap<Vec<u8>, Vec<Span>>,
}

impl std::fmt::Debug for Others {
    /// The texts are what must not be shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Others({})", self.found.len())
    }
}

impl Others {
    /// Notes a value in a text, by its bytes; what is no place in the text is left out.
    pub fn add(&mut self, text: &str, entity: Entity, start: usize, end: usize, score: f32) {
        if start < end && text.get(start..end).is_some() {
            let span = Span { entity, start, end, score, rule: "another analyser", label: None };
            self.found.entry(text.as_bytes().to_vec()).or_default().push(span);
        }
    }

    /// What was found in a text, joined to what our own scan found: where both found something, ours stands.
    pub(crate) fn join(&self, text: &[u8], spans: Vec<Span>) -> Vec<Span> {
        let Some(more) = self.found.get(text) else { return spans };
        let mut joined = spans;
        for span in more {
            if joined.iter().all(|other| span.end <= other.start || other.end <= span.start) {
                joined.push(*span);
            }
        }
        joined.sort_by_key(|span| span.start);
        joined
    }
}

impl Scanner {
    /// This scanner with what another analyser found: for the texts of one call.
    #[must_use]
    pub fn with_others(&self, others: Others) -> Scanner {
        Scanner { others: Some(std::sync::Arc::new(others)), ..self.clone() }
    }
}

/// The texts in a JSON document, as inspection comes to see them: strings, and those of documents in strings.
///
/// # Errors
/// When there are more than anybody is asked about. What is no document has no texts.
pub fn texts(raw: &str) -> Result<BTreeSet<String>, TooMany> {
    let mut texts = BTreeSet::new();
    let mut documents = vec![(raw.to_owned(), 0)];
    while let Some((document, depth)) = documents.pop() {
        for string in json::strings(&document).unwrap_or_default() {
            let text = string.text();
            let nested = depth < json::MAX_NESTING && text.trim_start().starts_with(['{', '[']);
            if nested && json::check(text.as_bytes()).is_ok() {
                documents.push((text.to_owned(), depth + 1));
            } else if text.chars().any(char::is_alphabetic) {
                texts.insert(text.to_owned());
            }
            if texts.len() > MAX_TEXTS {
                return Err(TooMany);
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact_text;

    #[test]
    fn what_others_find_is_found() {
        let raw = r#"{"a":"Zoé met a@b.co and 12","n":1,"in":"{\"b\":\"Zoé\"}"}"#;
        assert_eq!(
            Vec::from_iter(texts(raw).unwrap()),
            ["Zoé", "Zoé met a@b.co and 12", "a", "b", "in", "n"]
        );
        let mut others = Others::default();
        others.add("Zoé met a@b.co and 12", Entity::Person, 0, 4, 0.8);
        others.add("Zoé met a@b.co and 12", Entity::Person, 9, 30, 0.8);
        others.add("Zoé met a@b.co and 12", Entity::Person, 9, 11, 0.8);
        others.add("Zoé met a@b.co and 12", Entity::Person, 2, 3, 0.8);
        others.add("Zoé", Entity::Person, 0, 4, 0.8);
        assert_eq!(format!("{others:?}"), "Others(2)", "no text is shown");
        let scanner = Scanner::new().with_others(others);
        let redacted = json::inspect(raw.as_bytes(), &scanner).unwrap().redact(raw.as_bytes(), |_| true);
        insta::assert_snapshot!(String::from_utf8(redacted).unwrap(), @r#"{"a":"<PERSON> met <EMAIL_ADDRESS> and 12","n":1,"in":"{\"b\":\"<PERSON>\"}"}"#);
        assert_eq!(redact_text("Zoé", &scanner.scan("Zoé"), |_| true), "<PERSON>");
        let crowded: Vec<String> = (0..5000).map(|n| format!("text {n}")).collect();
        assert_eq!(texts(&serde_json::to_string(&crowded).unwrap()), Err(TooMany));
    }
}
