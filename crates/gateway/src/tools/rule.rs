//! `[[tool.rule]]`: what an operation does, to what, about whom, where a method and a path do not say it.

use greffier_event::{ActionKind, Effect};
use http::Method;

use super::document::Operation;
use super::path::{Pattern, Segment};

/// Rules of one tool: each call looks through those of its tool.
pub const MAX_RULES: usize = 256;

/// A rule. What it does not name is left to the next one that fits, and last to the tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Which paths; all without it.
    pub path: Option<Pattern>,
    /// Which method; all without it.
    pub method: Option<Method>,
    /// Which operation of the document, by its `operationId`.
    pub operation: Option<String>,
    /// Family of what it does: whether it is about data.
    pub kind: Option<ActionKind>,
    /// What it does.
    pub effect: Option<Effect>,
    /// What it does it to: a template.
    pub resource: Option<String>,
    /// Classes of the data.
    pub classification: Option<Vec<String>>,
    /// Who the data is about: a JSON pointer, or `{name}` of the path or the query.
    pub subject: Option<String>,
}

impl Rule {
    /// How specific it is: an operation by its name before paths; of paths the one with more texts, then the deeper, then
    /// the closed one; with a method before without.
    pub(super) fn weight(&self) -> (bool, usize, usize, bool, bool) {
        let segments = self.path.as_ref().map_or([].as_slice(), |path| path.segments.as_slice());
        let texts = segments.iter().filter(|segment| !matches!(segment, Segment::Name(_))).count();
        let closed = self.path.as_ref().is_some_and(|path| !path.open);
        (self.operation.is_some(), texts, segments.len(), closed, self.method.is_some())
    }

    /// What its path's names stand for, if it is about this request.
    pub(super) fn fit<'a>(
        &'a self,
        method: &Method,
        path: &'a [String],
        operation: Option<&Operation>,
    ) -> Option<Vec<(&'a str, &'a str)>> {
        if !self.takes(method) || !self.names(operation) {
            return None;
        }
        match &self.path {
            Some(pattern) => pattern.capture(path),
            None => Some(Vec::new()),
        }
    }

    /// Whether it may be about a request to this operation.
    pub(super) fn may_fit(&self, operation: &Operation) -> bool {
        self.takes(&operation.method)
            && self.names(Some(operation))
            && self.path.as_ref().is_none_or(|path| path.may_fit(&operation.template))
    }

    fn takes(&self, method: &Method) -> bool {
        // What may be read may be asked for its head.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.method
            .as_ref()
            .is_none_or(|own| own == method || (*own == Method::HEAD && *method == Method::GET))
    }

    fn names(&self, operation: Option<&Operation>) -> bool {
        match &self.operation {
            Some(id) => operation.is_some_and(|operation| operation.id.as_deref() == Some(id)),
            None => true,
        }
    }
}
