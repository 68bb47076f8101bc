//! `reach = { … }`, `[tls]`, and what is said of a tool's operations.

use std::path::PathBuf;

use greffier_event::Effect;
use greffier_gateway::tools::{MAX_RULES, Pattern, Rule};
use greffier_gateway::{Host, MAX_RETRIES, Terms, TlsFiles};
use http::Method;

use super::super::raw::{RawReach, RawTls, RawTool, RawToolRule, Text};
use super::{Checker, is_name, units};

/// Calls under way at once, and waiting, at one destination.
const MAX_PLACES: usize = 100_000;
/// Longest name of an operation.
const MAX_OPERATION: usize = 200;

/// How a destination is reached, and which files that takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReachConfig {
    pub(crate) terms: Terms,
    /// The only roots to trust.
    pub(crate) ca: Option<PathBuf>,
    /// Our own certificate there, and its key.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

/// What is known of a tool's operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiConfig {
    pub(crate) document: Option<PathBuf>,
    pub(crate) unlisted: bool,
    pub(crate) rules: Vec<Rule>,
    /// Whether the document says where the tool is.
    pub(crate) placed_by_document: bool,
}

impl Checker<'_> {
    pub(super) fn tls(&mut self, raw: &RawTls) -> TlsFiles {
        TlsFiles { cert: self.path(&raw.cert), key: self.path(&raw.key) }
    }

    pub(super) fn reach(&mut self, owner: &Text, raw: &RawReach, host: Host) -> Option<ReachConfig> {
        let mut terms = Terms {
            retries: *raw.retries.get_ref(),
            fallback: *raw.fallback.get_ref(),
            concurrent: *raw.concurrent.get_ref(),
            queue: *raw.queue.get_ref(),
            queue_time: self.take(&raw.queue_time, units::timeout(raw.queue_time.get_ref()))?,
            open_after: *raw.open_after.get_ref(),
            open_for: self.take(&raw.open_for, units::timeout(raw.open_for.get_ref()))?,
            retry_after: None,
            host,
        };
        if terms.retries > MAX_RETRIES {
            self.problem(&raw.retries, format!("expected 0 to {MAX_RETRIES}"));
        }
        for (written, least) in [(&raw.concurrent, 1), (&raw.queue, 0)] {
            if !(least..=MAX_PLACES).contains(written.get_ref()) {
                self.problem(written, format!("expected {least} to {MAX_PLACES}"));
            }
        }
        if terms.open_after == 0 {
            self.problem(&raw.open_after, "expected how many failures in a row, at least 1");
        }
        if let Some(longest) = &raw.retry_after {
            terms.retry_after = Some(self.take(longest, units::timeout(longest.get_ref()))?);
        }
        let own = match (&raw.cert_file, &raw.key_file) {
            (Some(cert), Some(key)) => Some((self.path(cert), self.path(key))),
            (None, None) => None,
            _ => {
                self.problem(owner, "`cert_file` and `key_file` go together");
                None
            }
        };
        let ca = raw.ca_file.as_ref().map(|file| self.path(file));
        Some(ReachConfig { terms, ca, own })
    }

    /// Of what has nobody to take its place.
    pub(super) fn reach_alone(&mut self, owner: &Text, raw: &RawReach, host: Host) -> Option<ReachConfig> {
        if *raw.fallback.get_ref() {
            self.problem(&raw.fallback, "only an upstream has others that serve the same model");
        }
        self.reach(owner, raw, host)
    }

    pub(super) fn api(&mut self, raw: &RawTool) -> ApiConfig {
        let document = raw.openapi.as_ref().map(|file| self.path(file));
        if let Some(unlisted) = &raw.unlisted {
            self.one_of(unlisted, &["refuse", "allow"]);
            if document.is_none() {
                self.problem(unlisted, "without `openapi` nothing is listed");
            }
        }
        if raw.rule.len() > MAX_RULES {
            self.problem(&raw.name, format!("more than {MAX_RULES} rules"));
        }
        if document.is_none() && raw.base_url.is_none() {
            self.problem(&raw.name, "where is it? add `base_url`");
        }
        ApiConfig {
            unlisted: raw.unlisted.as_ref().is_some_and(|unlisted| unlisted.get_ref() == "allow"),
            rules: raw.rule.iter().map(|rule| self.tool_rule(raw, rule)).collect(),
            placed_by_document: raw.base_url.is_none(),
            document,
        }
    }

    fn tool_rule(&mut self, tool: &RawTool, raw: &RawToolRule) -> Rule {
        let path = raw.path.as_ref().and_then(|path| self.take(path, Pattern::parse(path.get_ref())));
        if let Some(operation) = &raw.operation {
            if tool.openapi.is_none() {
                self.problem(operation, "an `operationId` is of a document: add `openapi`, or name a `path`");
            } else if operation.get_ref().is_empty() || operation.get_ref().len() > MAX_OPERATION {
                self.problem(operation, "expected an `operationId`");
            }
        }
        let method = raw.method.as_ref().and_then(|method| {
            const TAKEN: [Method; 6] =
                [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            let found = TAKEN.into_iter().find(|known| known.as_str() == method.get_ref());
            self.take(method, found.ok_or("expected GET, HEAD, POST, PUT, PATCH or DELETE"))
        });
        let effect = raw.effect.as_ref().and_then(|effect| {
            const KNOWN: [Effect; 5] =
                [Effect::Read, Effect::Create, Effect::Update, Effect::Delete, Effect::Execute];
            let found = KNOWN.into_iter().find(|known| known.as_str() == effect.get_ref());
            self.take(effect, found.ok_or("expected read, create, update, delete or execute"))
        });
        if let Some(resource) = &raw.resource {
            self.resource_template(resource);
        }
        for class in raw.classification.iter().flatten().filter(|class| !is_name(class.get_ref())) {
            self.name(class);
        }
        if let Some(subject) = &raw.subject {
            self.subject(subject, path.as_ref(), tool.openapi.is_some() || raw.path.is_none());
        }
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.get_ref().clone());
        Rule {
            path,
            method,
            operation: text(&raw.operation),
            kind: raw.kind.as_ref().and_then(|kind| self.action_kind(kind)),
            effect,
            resource: text(&raw.resource),
            classification: raw
                .classification
                .as_ref()
                .map(|classes| classes.iter().map(|class| class.get_ref().clone()).collect()),
            subject: text(&raw.subject),
        }
    }

    /// A JSON pointer, or `{name}`. `elsewhere`: something other than this path may give the name.
    pub(super) fn subject(&mut self, subject: &Text, path: Option<&Pattern>, elsewhere: bool) {
        let text = subject.get_ref();
        let Some(braced) = text.strip_prefix('{') else { return drop(self.pointer(subject)) };
        match braced.strip_suffix('}').filter(|name| !name.is_empty() && !name.contains(['{', '}'])) {
            None => self.problem(subject, "expected a JSON pointer, or one name in braces, as in \"{id}\""),
            Some(name) if !elsewhere && !path.is_some_and(|path| path.has(name)) => {
                self.problem(subject, format!("the path of this rule has no `{{{name}}}`"));
            }
            Some(_) => {}
        }
    }
}
