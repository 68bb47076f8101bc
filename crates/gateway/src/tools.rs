//! What a call to an HTTP tool is: which operation, with which effect, on what, about whom.
//!
//! An OpenAPI document names the operations (`document`, found by `trie`), rules say what it does not (`rule`); without
//! either the path and the method speak for themselves. `read` stands above. Pure: texts in, values out.

mod document;
mod path;
mod rule;
mod trie;
mod yaml;

use greffier_event::{ActionKind, Effect};
use http::Method;
use serde_json::{Map, Value};

use crate::settings::ToolServer;
pub use document::{Document, DocumentError, MAX_DOCUMENT, Operation};
pub use path::{Pattern, PatternError};
pub use rule::{MAX_RULES, Rule};

/// Segments of a path that stand in a tool's name.
const MAX_SEGMENTS: usize = 32;

/// What is known of a tool beside its address.
#[derive(Debug, Default)]
pub struct Api {
    /// Its operations, if a document names them.
    pub document: Option<Document>,
    /// Whether a request that is no operation of the document goes on, named by its path.
    pub unlisted: bool,
    /// What the document does not say, the most specific first.
    rules: Vec<Rule>,
}

impl Api {
    /// An API with these rules, in any order.
    pub fn new(document: Option<Document>, unlisted: bool, mut rules: Vec<Rule>) -> Api {
        // Stable: of equals the one that was written first.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.weight()));
        Api { document, unlisted, rules }
    }

    /// The operations of the document as they would be recorded, for people who look at their configuration.
    pub fn operations(&self) -> impl Iterator<Item = (&Operation, Effect)> {
        self.document.iter().flat_map(Document::operations).map(|operation| {
            let mut rules = self.rules.iter().filter(|rule| rule.may_fit(operation));
            let effect = rules.find_map(|rule| rule.effect);
            (operation, effect.unwrap_or_else(|| effect_of(&operation.method)))
        })
    }

    /// What the document calls parameters of a request: of its path and its query, by name, decoded.
    pub(crate) fn parameters(&self, method: &Method, path: &str, query: Option<&str>) -> Map<String, Value> {
        let mut found = Map::new();
        let Some(operation) = self.document.as_ref().and_then(|document| document.find(method, path)) else {
            return found;
        };
        for (name, value) in
            pairs(query).filter(|(name, _)| operation.query.iter().any(|known| known == name))
        {
            match found.get_mut(&name) {
                Some(Value::Array(values)) => values.push(value.into()),
                Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
                None => drop(found.insert(name, value.into())),
            }
        }
        // Last, so that nothing of the query stands for a part of the path.
        for (name, value) in operation.template.capture(&path::decoded(path)).into_iter().flatten() {
            found.insert(name.to_owned(), value.into());
        }
        found
    }
}

/// A call to a tool, as far as its method and path tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: ActionKind,
    pub(crate) effect: Effect,
    /// URI of what it is done to.
    pub(crate) resource: String,
    pub(crate) classification: Vec<String>,
    /// JSON pointer to who it is about, where that is in its arguments.
    pub(crate) pointer: Option<String>,
    /// Who it is about, where the path or the query says so.
    pub(crate) subject: Option<String>,
}

/// Describes a call. `tool` is missing where none of that name is configured: the call is denied later, and on record.
pub(crate) fn describe(
    tool: Option<&ToolServer>,
    server: &str,
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Described {
    let segments = path::decoded(path);
    let api = tool.map(|tool| &tool.api);
    let operation =
        api.and_then(|api| api.document.as_ref()).and_then(|document| document.find(method, path));
    let rules: Vec<(&Rule, Vec<(&str, &str)>)> = api
        .iter()
        .flat_map(|api| &api.rules)
        .filter_map(|rule| Some((rule, rule.fit(method, &segments, operation)?)))
        .collect();
    // Names of the document before those of the rules: they are what policies see.
    let mut captured: Vec<(&str, &str)> =
        operation.and_then(|operation| operation.template.capture(&segments)).unwrap_or_default();
    captured.extend(rules.iter().flat_map(|(_, captured)| captured));
    let rules = || rules.iter().map(|(rule, _)| *rule);

    let name = match operation {
        Some(operation) => operation.name(server),
        None => folded(server, path),
    };
    let template = rules().find_map(|rule| rule.resource.as_deref());
    let template = template.or(tool.and_then(|tool| tool.resource.as_deref()));
    let resource = resource(template, server, path, &captured);
    let classification = rules().find_map(|rule| rule.classification.clone());
    let classification = classification.or_else(|| Some(tool?.classification.clone())).unwrap_or_default();
    let about = rules().find_map(|rule| rule.subject.as_deref());
    let about = about.or(tool.and_then(|tool| tool.subject.as_deref()));
    let parameter = about.and_then(|about| about.strip_prefix('{')?.strip_suffix('}'));
    let subject = parameter.and_then(|wanted| {
        let in_path = captured.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        in_path.or_else(|| pairs(query).find(|(name, _)| name == wanted).map(|(_, value)| value))
    });
    let kind = rules().find_map(|rule| rule.kind).or(tool.map(|tool| tool.kind));
    Described {
        name,
        kind: kind.unwrap_or(ActionKind::Tool),
        effect: rules().find_map(|rule| rule.effect).unwrap_or_else(|| effect_of(method)),
        resource,
        classification,
        pointer: about.filter(|_| parameter.is_none()).map(str::to_owned),
        subject: subject.filter(|subject| !subject.is_empty()),
    }
}

/// Whether a request may go to the tool at all: one that is no operation of its document may not, unless that is said.
pub(crate) fn is_listed(tool: &ToolServer, method: &Method, path: &str) -> bool {
    match &tool.api.document {
        Some(document) => tool.api.unlisted || document.find(method, path).is_some(),
        None => true,
    }
}

fn resource(template: Option<&str>, server: &str, path: &str, captured: &[(&str, &str)]) -> String {
    let path = path.trim_start_matches('/');
    let Some(template) = template else { return format!("{server}://{path}") };
    // From left to right, so that what is put in is never looked at again.
    let (mut uri, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else { break };
        uri.push_str(before);
        match captured.iter().find(|(known, _)| *known == name) {
            _ if name == "path" => uri.push_str(path),
            Some((_, value)) => uri.extend(percent_encoding::utf8_percent_encode(value, path::ESCAPED)),
            None => uri.push('-'),
        }
        rest = after;
    }
    uri.push_str(rest);
    uri
}

/// The pairs of a query, decoded.
fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let text = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (text(name), text(value))
    })
}

/// `crm`, `/contacts/42/notes` becomes `crm:contacts:{id}:notes`: one name per operation, not per record.
fn folded(server: &str, path: &str) -> String {
    let mut name = server.to_owned();
    for segment in path.split('/').filter(|segment| !segment.is_empty()).take(MAX_SEGMENTS) {
        name.push(':');
        name.push_str(if is_id(segment) { "{id}" } else { segment });
    }
    name
}

/// Whether a path segment names a record rather than an operation: it holds a digit (and is no version such as
/// `v2`), a percent escape or an `@`, or is too long for a word.
pub(crate) fn is_id(segment: &str) -> bool {
    let version = segment.strip_prefix('v').is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 3 && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    });
    let odd = segment.bytes().any(|b| b.is_ascii_digit() || b == b'%' || b == b'@');
    !version && (odd || segment.len() > 48)
}

/// What a method does, where nobody says otherwise.
fn effect_of(method: &Method) -> Effect {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Effect::Read,
        Method::POST => Effect::Create,
        Method::PUT | Method::PATCH => Effect::Update,
        Method::DELETE => Effect::Delete,
        _ => Effect::Execute,
    }
}

#[cfg(test)]
pub(crate) mod tests;
