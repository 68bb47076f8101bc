//! Strings that a caller controls and that stand in a record for good: in the clear, where nothing can be erased.

use crate::urlenc::{self, Form};
use crate::{Scanner, redact_text};

impl Scanner {
    /// A string fit for a leaf: on one line, and whatever is found in it gives way to its placeholder.
    #[must_use]
    pub fn leaf(&self, text: &str) -> String {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let spans = self.scan(&clean);
        if spans.is_empty() { clean } else { redact_text(&clean, &spans, |_| true) }
    }

    /// A URI fit for a leaf: decoded for inspection, so that an escape hides nothing.
    #[must_use]
    pub fn leaf_uri(&self, uri: &str) -> String {
        let decoded = urlenc::decode(uri, Form::Path).0;
        let decoded = String::from_utf8_lossy(&decoded);
        let safe = if self.has_hit(&decoded) { self.leaf(&decoded) } else { self.leaf(uri) };
        safe.replace(|c: char| c.is_whitespace() || matches!(c, '?' | '#'), "_")
    }

    /// Whether a subject is personal by itself, an e-mail address above all: then a leaf holds a keyed reference
    /// in its place.
    #[must_use]
    pub fn is_personal(&self, subject: &str) -> bool {
        subject.contains('@') || self.has_hit(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_hold_no_finding() {
        let scanner = Scanner::new();
        insta::assert_snapshot!(scanner.leaf("order\n42"), @"order 42");
        insta::assert_snapshot!(scanner.leaf("ssn 536-90-4399 of a\tclient"), @"ssn <US_SSN> of a client");
        insta::assert_snapshot!(scanner.leaf_uri("crm://contacts/a%20b"), @"crm://contacts/a%20b");
        insta::assert_snapshot!(scanner.leaf_uri("ehr://patients/536%2D90%2D4399"), @"ehr://patients/<US_SSN>");
        assert!(scanner.is_personal("alice@example.com") && !scanner.is_personal("auth0|8f3a2b1c9d4e5f6a"));
    }
}
