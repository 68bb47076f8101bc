//! Where a value was written: line and column of the file, or an environment variable.
//!
//! Overrides have no place in the file. Each gets one behind its end, so that every value has a span and a span
//! always tells where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// `file:line:column`, or an environment variable.
    pub(crate) place: String,
    /// What is wrong, and what to do about it.
    pub(crate) message: String,
    /// Where it stands among the others.
    #[serde(skip)]
    order: usize,
}

impl Problem {
    /// A problem with a place of its own.
    pub(crate) fn new(place: String, message: String) -> Problem {
        Problem { place, message, order: 0 }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong with the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    pub(crate) fn extend(&mut self, more: Problems) {
        self.0.extend(more.0);
    }

    pub(crate) fn with(mut self, more: Problems) -> Problems {
        self.extend(more);
        self
    }

    /// In the order of the file, the environment last.
    pub(crate) fn sorted(mut self) -> Problems {
        self.0.sort_by_key(|problem| problem.order);
        self
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Tells where a span lies.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    file: &'a str,
    text: &'a str,
    variables: Vec<&'a str>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str, overrides: &'a BTreeMap<String, String>) -> Places<'a> {
        Places { file, text, variables: overrides.keys().map(String::as_str).collect() }
    }

    /// The span that stands for a variable.
    pub(crate) fn variable(&self, name: &str) -> Range<usize> {
        let at = self.variables.iter().position(|known| *known == name).unwrap_or(0);
        let start = self.text.len() + 1 + at;
        start..start
    }

    /// Where a span lies.
    pub(crate) fn place(&self, span: &Range<usize>) -> String {
        let behind = span.start.checked_sub(self.text.len() + 1);
        if let Some(variable) = behind.and_then(|at| self.variables.get(at)) {
            return format!("environment variable {variable}");
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.file)
    }

    /// A problem at a span.
    pub(crate) fn problem(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        Problem { place: self.place(span), message: message.into(), order: span.start }
    }

    /// What the TOML reader found.
    pub(crate) fn toml(&self, error: &toml::de::Error) -> Problems {
        let message = without_value(error.message());
        Problems(vec![self.problem(&error.span().unwrap_or(0..0), message)])
    }
}

/// A value of the wrong type may be a secret in the wrong place: its type is said, never the value itself.
fn without_value(message: &str) -> String {
    let told = message.strip_prefix("invalid type: ").and_then(|rest| {
        let (found, expected) = rest.rsplit_once(", expected ")?;
        let (kind, _) = found.split_once([' ', '`']).unwrap_or((found, ""));
        let expected = if expected.starts_with("struct ") { "a section" } else { expected };
        Some(format!("expected {expected}, found {kind}"))
    });
    told.unwrap_or_else(|| message.replace('\n', ", "))
}
