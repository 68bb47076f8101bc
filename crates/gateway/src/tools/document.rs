//! An OpenAPI document (3.0, 3.1): which operations a tool has. Everything else in it is left alone.

use http::Method;
use serde_json::{Map, Value};

use super::path::{Pattern, PatternError, decoded};
use super::trie::Trie;
use super::yaml;

/// Largest document, in bytes: the largest that are public have some 12 MiB, most a tenth of one.
pub const MAX_DOCUMENT: usize = 16 * 1024 * 1024;
/// Operations of one document.
const MAX_OPERATIONS: usize = 10_000;
/// Parameters of one operation.
const MAX_PARAMETERS: usize = 256;
/// Longest name of an operation, as an event holds it.
const MAX_NAME: usize = 200;
/// References that lead to references.
const MAX_REFERENCES: usize = 8;

/// The operations of a tool.
#[derive(Debug)]
pub struct Document {
    operations: Vec<Operation>,
    trie: Trie,
    /// Where it says that it is served, if that is a URL of its own.
    pub server: Option<String>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path as the document writes it.
    pub path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// Names of its query's parameters.
    pub query: Vec<String>,
    pub(super) template: Pattern,
}

impl Operation {
    /// `ehr:patients:{patientId}:notes`: its path's segments, joined.
    pub fn name(&self, server: &str) -> String {
        let mut name = server.to_owned();
        for segment in self.path.split('/').filter(|segment| !segment.is_empty()) {
            name.push(':');
            name.push_str(segment);
        }
        name
    }
}

/// What is wrong with a document, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct DocumentError {
    /// A JSON pointer, or a line and a column.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl DocumentError {
    fn at(place: &str, message: impl Into<String>) -> DocumentError {
        let place = if place.is_empty() { "/" } else { place };
        DocumentError { place: place.to_owned(), message: message.into() }
    }
}

impl Document {
    /// Reads a document, as JSON or as YAML.
    ///
    /// # Errors
    /// When it is none, or one that says what cannot be held.
    pub fn parse(text: &[u8]) -> Result<Document, DocumentError> {
        if text.len() > MAX_DOCUMENT {
            return Err(DocumentError::at("", format!("larger than {} MiB", MAX_DOCUMENT >> 20)));
        }
        let text = std::str::from_utf8(text).map_err(|_| DocumentError::at("", "not UTF-8"))?;
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let place = format!("line {}, column {}", error.line(), error.column());
                DocumentError { place, message: error.to_string() }
            })?
        } else {
            yaml::parse(text)?
        };
        Document::read(&root)
    }

    fn read(root: &Value) -> Result<Document, DocumentError> {
        match root.get("openapi").and_then(Value::as_str) {
            Some(version) if version.starts_with("3.0") || version.starts_with("3.1") => {}
            Some(version) => {
                return Err(DocumentError::at(
                    "/openapi",
                    format!("version `{version}`: expected 3.0 or 3.1"),
                ));
            }
            None => {
                return Err(DocumentError::at("/openapi", "expected a version: is it an OpenAPI document?"));
            }
        }
        let paths = match root.get("paths") {
            Some(Value::Object(paths)) if !paths.is_empty() => paths,
            _ => return Err(DocumentError::at("/paths", "expected paths")),
        };
        let mut operations = Vec::new();
        for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
            read_item(root, path, item, &mut operations)?;
        }
        check_ids(&operations)?;
        let templates: Vec<&Pattern> = operations.iter().map(|operation| &operation.template).collect();
        let trie = Trie::build(&templates)
            .map_err(|_| DocumentError::at("/paths", "its paths overlap too much to be told apart"))?;
        Ok(Document { operations, trie, server: server(root) })
    }

    /// The operation that a request is, if it is one; `HEAD` where there is none of its own is `GET`.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<&Operation> {
        let fitting = self.trie.find(&decoded(path));
        let of = |method: &Method| {
            let mut fitting = fitting.iter().filter_map(|&at| self.operations.get(at));
            fitting.find(|operation| operation.method == *method)
        };
        of(method).or_else(|| of(&Method::GET).filter(|_| *method == Method::HEAD))
    }

    /// All of them, in the document's order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }
}

fn read_item(
    root: &Value,
    path: &str,
    item: &Value,
    operations: &mut Vec<Operation>,
) -> Result<(), DocumentError> {
    let place = format!("/paths/{}", path.replace('~', "~0").replace('/', "~1"));
    let template = Pattern::template(path)
        .map_err(|error: PatternError| DocumentError::at(&place, error.to_string()))?;
    if path.len() > MAX_NAME {
        return Err(DocumentError::at(&place, format!("longer than {MAX_NAME} bytes")));
    }
    let item = resolve(root, item, &place)?;
    let shared = query_names(root, item, &place)?;
    for (key, method) in [
        ("get", Method::GET),
        ("head", Method::HEAD),
        ("post", Method::POST),
        ("put", Method::PUT),
        ("patch", Method::PATCH),
        ("delete", Method::DELETE),
    ] {
        let Some(operation) = item.get(key) else { continue };
        let place = format!("{place}/{key}");
        let operation =
            operation.as_object().ok_or_else(|| DocumentError::at(&place, "expected an operation"))?;
        let mut query = query_names(root, operation, &place)?;
        query.extend(shared.iter().cloned());
        query.sort_unstable();
        query.dedup();
        if operations.len() == MAX_OPERATIONS {
            return Err(DocumentError::at("/paths", format!("more than {MAX_OPERATIONS} operations")));
        }
        let id = operation.get("operationId").and_then(Value::as_str).map(str::to_owned);
        let (path, template) = (path.to_owned(), template.clone());
        operations.push(Operation { method, path, id, query, template });
    }
    Ok(())
}

fn query_names(root: &Value, of: &Map<String, Value>, place: &str) -> Result<Vec<String>, DocumentError> {
    let place = format!("{place}/parameters");
    let parameters = match of.get("parameters") {
        None => return Ok(Vec::new()),
        Some(Value::Array(parameters)) if parameters.len() <= MAX_PARAMETERS => parameters,
        Some(Value::Array(_)) => {
            return Err(DocumentError::at(&place, format!("more than {MAX_PARAMETERS} parameters")));
        }
        Some(_) => return Err(DocumentError::at(&place, "expected a list")),
    };
    let mut names = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let place = format!("{place}/{at}");
        let parameter = resolve(root, parameter, &place)?;
        match (parameter.get("name").and_then(Value::as_str), parameter.get("in").and_then(Value::as_str)) {
            (Some(name), Some("query")) => names.push(name.to_owned()),
            (Some(_), Some(_)) => {}
            _ => return Err(DocumentError::at(&place, "expected a `name` and an `in`")),
        }
    }
    Ok(names)
}

/// The object itself, or what its `$ref` leads to: within the document only.
fn resolve<'a>(
    root: &'a Value,
    value: &'a Value,
    place: &str,
) -> Result<&'a Map<String, Value>, DocumentError> {
    let mut value = value;
    for _ in 0..MAX_REFERENCES {
        let object = value.as_object().ok_or_else(|| DocumentError::at(place, "expected an object"))?;
        let Some(reference) = object.get("$ref").and_then(Value::as_str) else { return Ok(object) };
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        value = target.ok_or_else(|| {
            DocumentError::at(place, format!("`{reference}` leads nowhere within this document"))
        })?;
    }
    Err(DocumentError::at(place, "references lead to references without end"))
}

/// Two operations of one id cannot be told apart by a rule.
fn check_ids(operations: &[Operation]) -> Result<(), DocumentError> {
    let mut ids: Vec<&str> = operations.iter().filter_map(|operation| operation.id.as_deref()).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
        Some(pair) => {
            let id = pair.first().copied().unwrap_or_default();
            Err(DocumentError::at("/paths", format!("the operationId `{id}` stands twice")))
        }
        None => Ok(()),
    }
}

/// The first server, its variables at their defaults.
fn server(root: &Value) -> Option<String> {
    let server = root.get("servers")?.get(0)?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str)?;
        url = url.replace(&format!("{{{name}}}"), default);
    }
    url.contains("://").then_some(url)
}
