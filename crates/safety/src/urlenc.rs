//! Paths and queries of URLs: inspected decoded, redacted in place.

use std::collections::BTreeSet;

use crate::hints::Hints;
use crate::marks::needs_value;
use crate::shifts::Shifts;
use crate::{Entity, Marks, Rules, Scanner, placeholder};

/// What a percent-encoded text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A path.
    Path,
    /// A query or a form: `name=value` joined by `&`, `+` for a space. Names say what values are.
    Query,
}

/// What inspection found in one text.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The kinds, in the order of the text, one for each hit.
    pub findings: Vec<Entity>,
    hits: Vec<(Entity, usize, usize)>,
}

impl Inspection {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.hits.is_empty()
    }

    /// The kinds found.
    #[must_use]
    pub fn entities(&self) -> BTreeSet<Entity> {
        self.findings.iter().copied().collect()
    }

    /// The text with the chosen hits replaced by encoded placeholders. `raw` is the text that was inspected;
    /// all else stays as it is.
    #[must_use]
    pub fn redact(&self, raw: &str, choose: impl Fn(Entity) -> bool) -> String {
        self.splice(raw, |entity, _| choose(entity).then(|| placeholder(entity)))
    }

    /// The text with hits replaced as the rules say. `form` is that of the inspection.
    #[must_use]
    pub fn replace(&self, raw: &str, form: Form, rules: &Rules, marks: &Marks) -> String {
        self.splice(raw, |entity, written| {
            let action = rules.action(entity);
            if !action.hides() {
                return None;
            }
            let value = || String::from_utf8_lossy(&decode(written, form).0).into_owned();
            let mark = if needs_value(action) { marks.of(action, entity, &value()) } else { None };
            Some(mark.unwrap_or_else(|| placeholder(entity)))
        })
    }

    fn splice(&self, raw: &str, replacement: impl Fn(Entity, &str) -> Option<String>) -> String {
        let mut out = String::with_capacity(raw.len());
        let mut copied = 0;
        for &(entity, start, end) in &self.hits {
            if let Some(text) = replacement(entity, raw.get(start..end).unwrap_or_default()) {
                out.push_str(raw.get(copied..start).unwrap_or_default());
                let sign = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'*'));
                for b in text.bytes() {
                    if sign(b) { out.push_str(&format!("%{b:02X}")) } else { out.push(char::from(b)) }
                }
                copied = end;
            }
        }
        out.push_str(raw.get(copied..).unwrap_or_default());
        out
    }
}

/// Finds what is sensitive in a percent-encoded text.
#[must_use]
pub fn inspect(raw: &str, form: Form, scanner: &Scanner) -> Inspection {
    let mut inspection = Inspection::default();
    match form {
        Form::Path => inspection.add(scanner, raw, 0, form, Hints::default()),
        Form::Query => {
            let mut start = 0;
            for pair in raw.split('&') {
                let (name, value) =
                    pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
                let hits = inspection.hits.len();
                inspection.add(scanner, name, start, form, Hints::default());
                if let Some(value) = value {
                    // A name with a hit is data, and says nothing about its value.
                    let said = if inspection.hits.len() == hits { decode(name, form).0 } else { Vec::new() };
                    let hints = Hints::default().with_key(&said);
                    inspection.add(scanner, value, start + name.len() + 1, form, hints);
                }
                start += pair.len() + 1;
            }
        }
    }
    inspection
}

impl Inspection {
    /// Adds the hits in a piece that starts at `start`.
    fn add(&mut self, scanner: &Scanner, piece: &str, start: usize, form: Form, hints: Hints) {
        let (decoded, shifts) = decode(piece, form);
        for span in scanner.scan_bytes(&decoded, hints) {
            self.findings.push(span.entity);
            self.hits.push((span.entity, start + shifts.raw(span.start), start + shifts.raw(span.end)));
        }
    }
}

/// The bytes that a text stands for. What is no escape stands for itself.
pub(crate) fn decode(raw: &str, form: Form) -> (Vec<u8>, Shifts) {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut shifts = Shifts::default();
    let mut rest = raw.as_bytes();
    while let Some((&b, behind)) = rest.split_first() {
        if let Some(byte) = escaped(rest) {
            decoded.push(byte);
            rest = rest.get(3..).unwrap_or_default();
            shifts.note(decoded.len(), raw.len() - rest.len());
            continue;
        }
        // A `+` before a digit at the start is how careless programs write a telephone number.
        let telephone = decoded.is_empty() && behind.first().is_some_and(u8::is_ascii_digit);
        decoded.push(if b == b'+' && form == Form::Query && !telephone { b' ' } else { b });
        rest = behind;
    }
    (decoded, shifts)
}

/// The byte that `%XX` at the start stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = bytes else { return None };
    let digit = |b| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(form: Form, raw: &str) -> String {
        let inspection = inspect(raw, form, &Scanner::new());
        let redacted = inspection.redact(raw, |_| true);
        assert!(inspect(&redacted, form, &Scanner::new()).is_clean(), "{redacted}");
        assert_eq!(inspection.redact(raw, |_| false), raw);
        redacted
    }

    #[test]
    fn paths_are_inspected_decoded() {
        let check = |raw| check(Form::Path, raw);
        assert_snapshot!(check("/patients/123-45-6789/notes%20a/b%2Fc"), @"/patients/%3CUS_SSN%3E/notes%20a/b%2Fc");
        assert_snapshot!(check("/users/bob%40example.com/%34111%2D1111-1111-1111"), @"/users/%3CEMAIL_ADDRESS%3E/%3CCREDIT_CARD%3E");
        assert_snapshot!(check("/ssn/123456789/100%/%zz/%C3%A9"), @"/ssn/%3CUS_SSN%3E/100%/%zz/%C3%A9");
        assert_snapshot!(check("/orders/123456789/v1.2.3.4"), @"/orders/123456789/v1.2.3.4");
    }

    #[test]
    fn queries_are_inspected_value_by_value() {
        let check = |raw| check(Form::Query, raw);
        assert_snapshot!(check("ssn=123456789&order=123456789&q=a+b"), @"ssn=%3CUS_SSN%3E&order=123456789&q=a+b");
        assert_snapshot!(check("q=my+card+4111+1111+1111+1111&bob%40example.com=1&x"), @"q=my+card+%3CCREDIT_CARD%3E&%3CEMAIL_ADDRESS%3E=1&x");
        assert_snapshot!(check("tel=+12125550123&tel=%2B1+212+555+0123&version=1.2.3.4&ip=10.0.0.1"), @"tel=%3CPHONE_NUMBER%3E&tel=%3CPHONE_NUMBER%3E&version=1.2.3.4&ip=%3CIP_ADDRESS%3E");
        assert_snapshot!(check("&&=&=123-45-6789"), @"&&=&=%3CUS_SSN%3E");
    }
}
