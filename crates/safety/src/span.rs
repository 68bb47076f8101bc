//! Where a hit stands in a text, and the text with hits replaced.

use crate::Entity;

/// One hit: its kind and its place, never its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// What it is.
    pub entity: Entity,
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// How sure we are, 0 to 1.
    pub score: f32,
    /// What decided: a checksum, a form, a numbering plan.
    pub rule: &'static str,
    /// The word or key beside it that said what it is, where the value alone does not.
    pub label: Option<&'static str>,
}

/// What stands in place of a redacted value: `<US_SSN>`.
///
/// It needs no escaping in JSON, and it is not itself found by a scan.
#[must_use]
pub fn placeholder(entity: Entity) -> String {
    format!("<{}>", entity.name())
}

/// The text with each chosen hit replaced by its placeholder. `spans` is what a scan of this text gave.
#[must_use]
pub fn redact_text(text: &str, spans: &[Span], choose: impl Fn(Entity) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for span in spans.iter().filter(|span| choose(span.entity)) {
        out.push_str(text.get(copied..span.start).unwrap_or_default());
        out.push_str(&placeholder(span.entity));
        copied = span.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chosen_hits_are_replaced() {
        let text = "a@b.co and 123-45-6789.";
        let spans = crate::Scanner::new().scan(text);
        assert_eq!(redact_text(text, &spans, |_| true), "<EMAIL_ADDRESS> and <US_SSN>.");
        assert_eq!(redact_text(text, &spans, |e| e == Entity::UsSsn), "a@b.co and <US_SSN>.");
        assert_eq!(redact_text(text, &spans, |_| false), text);
    }
}
