//! Why an event, or a document that should become one, is refused.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with an event: the field, and what to do about it. Never the field's value, which may be
/// personal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidEvent {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl InvalidEvent {
    /// Says what is wrong with a field. `problem` must not repeat the field's value.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> InvalidEvent {
        InvalidEvent { field: field.into(), problem: problem.into() }
    }

    /// The field, by its path (`action.name`, `user.roles.3`); `document` where there is no field yet.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Names the field as the form at hand spells it; `names` pairs ours with the form's.
    pub(crate) fn spelled(self, names: &[(&str, &'static str)]) -> InvalidEvent {
        match names.iter().find(|(ours, _)| *ours == self.field) {
            Some((_, theirs)) => InvalidEvent { field: Cow::Borrowed(theirs), problem: self.problem },
            None => self,
        }
    }
}

/// `at(list, 3)` is `list.3`.
pub(crate) fn at(list: &str, index: impl fmt::Display) -> String {
    format!("{list}.{index}")
}
