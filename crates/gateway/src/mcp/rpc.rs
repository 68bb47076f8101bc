//! JSON-RPC 2.0 as MCP uses it: one message, read strictly and written anew.
//!
//! What two parsers could read differently is no message: a member that stands twice, or once more in other letters
//! (some parsers take those for the same). What goes on is built from what was read here, so that only the parameters
//! or the result travel as they were written.

use greffier_safety::json;

use crate::adapt::view::{View, quoted};

/// Longest id, as JSON writes it: a UUID has 38 characters.
const MAX_ID: usize = 256;
/// Longest method; the specification's longest has 36 characters.
const MAX_METHOD: usize = 128;

/// An id as JSON writes it: a string or a whole number, never null.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// A number of our own.
    pub(crate) fn number(number: u64) -> Id {
        Id(number.to_string())
    }

    /// As JSON writes it.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    pub(crate) fn read(value: View<'_>) -> Option<Id> {
        let text = match value.string() {
            // Written as everybody writes it: an answer may escape it otherwise.
            Some(text) => quoted(&text),
            None => {
                let digits = value.text().strip_prefix('-').unwrap_or(value.text());
                let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                if !whole {
                    return None;
                }
                value.text().to_owned()
            }
        };
        (text.len() <= MAX_ID).then_some(Id(text))
    }
}

/// One message. Parameters, results and errors are JSON texts as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Something asked, to be answered under its id.
    Request {
        /// The id.
        id: Id,
        /// What is asked.
        method: String,
        /// An object, or nothing.
        params: Option<&'a str>,
    },
    /// Something said, which nobody answers.
    Notification {
        /// What is said.
        method: String,
        /// An object, or nothing.
        params: Option<&'a str>,
    },
    /// What came of a request.
    Response {
        /// The request's id; an error may have none, when the request's could not be read.
        id: Option<Id>,
        /// The result, or the error object.
        outcome: Result<&'a str, &'a str>,
    },
}

/// Why a text is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    /// Not JSON at all.
    #[error("the body is not valid JSON: {0}")]
    Json(String),
    /// Several at once.
    #[error("batches of messages are not taken: send one message")]
    Batch,
    /// Anything else.
    #[error("the body is no JSON-RPC 2.0 message: {0}")]
    Shape(&'static str),
}

impl NoMessage {
    /// The error's number.
    pub fn code(&self) -> i64 {
        if matches!(self, NoMessage::Json(_)) { PARSE_ERROR } else { INVALID_REQUEST }
    }
}

/// The text is no JSON.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// The JSON is no request.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// The parameters do not fit.
pub(crate) const INVALID_PARAMS: i64 = -32602;
/// Something else went wrong.
pub(crate) const INTERNAL_ERROR: i64 = -32603;
/// Our own, within JSON-RPC's range for servers: policy or content safety forbids it.
pub(crate) const DENIED: i64 = -32003;

/// Reads one message.
///
/// # Errors
/// [`NoMessage`] says what is wrong with it, without its content.
pub fn read(bytes: &[u8]) -> Result<Message<'_>, NoMessage> {
    json::check(bytes).map_err(|error| NoMessage::Json(error.to_string()))?;
    let text = std::str::from_utf8(bytes).map_err(|_| NoMessage::Json("not UTF-8".to_owned()))?;
    let whole = View::parse(text).map_err(|_| NoMessage::Json("not one value".to_owned()))?;
    if whole.is_array() {
        return Err(NoMessage::Batch);
    }
    if !whole.is_object() {
        return Err(NoMessage::Shape("it is not an object"));
    }
    let members = Members::of(whole, &["jsonrpc", "id", "method", "params", "result", "error"])
        .ok_or(NoMessage::Shape("a member stands twice"))?;
    if members.get("jsonrpc").and_then(View::string).as_deref() != Some("2.0") {
        return Err(NoMessage::Shape("`jsonrpc` must be \"2.0\""));
    }
    let id = match members.get("id") {
        None => None,
        Some(null) if null.is_null() => None,
        Some(value) => Some(Id::read(value).ok_or(NoMessage::Shape(ID))?),
    };
    let Some(method) = members.get("method") else { return response(&members, id) };
    let method = method.string().filter(|method| is_method(method)).ok_or(NoMessage::Shape("`method`"))?;
    let params = match members.get("params") {
        Some(params) if params.is_object() => Some(params.text()),
        None => None,
        Some(_) => return Err(NoMessage::Shape("`params` must be an object")),
    };
    match (id, members.get("id").is_some()) {
        (Some(id), _) => Ok(Message::Request { id, method, params }),
        (None, false) => Ok(Message::Notification { method, params }),
        (None, true) => Err(NoMessage::Shape(ID)),
    }
}

const ID: &str = "`id` must be a string or a whole number";

fn response<'a>(members: &Members<'a>, id: Option<Id>) -> Result<Message<'a>, NoMessage> {
    match (members.get("result"), members.get("error"), id) {
        (Some(result), None, Some(id)) if result.is_object() => {
            Ok(Message::Response { id: Some(id), outcome: Ok(result.text()) })
        }
        (None, Some(error), id) if error.is_object() => {
            Ok(Message::Response { id, outcome: Err(error.text()) })
        }
        _ => Err(NoMessage::Shape("it needs `method`, or `id` with one of `result` and `error`, as objects")),
    }
}

fn is_method(method: &str) -> bool {
    !method.is_empty()
        && method.len() <= MAX_METHOD
        && method.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'.' | b'$'))
}

/// The members of an object in which none of the known ones stands twice.
pub(crate) struct Members<'a>(Vec<(String, View<'a>)>);

impl<'a> Members<'a> {
    /// `None` if one of `known` stands twice, in whatever letters, or once in other letters.
    pub(crate) fn of(object: View<'a>, known: &[&str]) -> Option<Members<'a>> {
        let members = object.entries();
        let clear = known.iter().all(|known| {
            let mut alike = members.iter().filter(|(name, _)| name.eq_ignore_ascii_case(known));
            alike.next().is_none_or(|(name, _)| name == known) && alike.next().is_none()
        });
        clear.then_some(Members(members))
    }

    pub(crate) fn get(&self, name: &str) -> Option<View<'a>> {
        self.0.iter().find_map(|(member, value)| (member == name).then_some(*value))
    }
}

/// A request or, without an id, a notification.
pub(crate) fn ask(id: Option<&Id>, method: &str, params: Option<&str>) -> String {
    let mut out = String::from("{\"jsonrpc\":\"2.0\"");
    if let Some(id) = id {
        out.push_str(",\"id\":");
        out.push_str(id.as_json());
    }
    out.push_str(",\"method\":");
    out.push_str(&quoted(method));
    if let Some(params) = params {
        out.push_str(",\"params\":");
        out.push_str(params);
    }
    out.push('}');
    out
}

/// A response: a result or an error object.
pub(crate) fn answer(id: Option<&Id>, outcome: Result<&str, &str>) -> String {
    let id = id.map_or("null", Id::as_json);
    match outcome {
        Ok(result) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"),
        Err(error) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}"),
    }
}

/// An error object of our own; `data` says its machine-readable code and the request's id.
pub(crate) fn error(code: i64, message: &str, data: &serde_json::Value) -> String {
    serde_json::json!({ "code": code, "message": message, "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> String {
        match read(text.as_bytes()) {
            Ok(message) => format!("{message:?}"),
            Err(error) => format!("{} {error}", error.code()),
        }
    }

    #[test]
    fn messages_are_read() {
        let rows = [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":"\u0061","method":"tools/call","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":-7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#,
        ];
        insta::assert_snapshot!(rows.map(check).join("\n"), @r#"
        Request { id: Id("1"), method: "tools/list", params: None }
        Request { id: Id("\"a\""), method: "tools/call", params: Some("{\"name\":\"x\"}") }
        Notification { method: "notifications/initialized", params: None }
        Response { id: Some(Id("-7")), outcome: Ok("{}") }
        Response { id: None, outcome: Err("{\"code\":-32700,\"message\":\"no\"}") }
        "#);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let rows = [
            "",
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            "7",
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a b"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
        ];
        insta::assert_snapshot!(rows.map(check).join("\n"), @r#"
        -32700 the body is not valid JSON: invalid JSON at line 1, column 1: unexpected end
        -32600 batches of messages are not taken: send one message
        -32600 batches of messages are not taken: send one message
        -32600 the body is no JSON-RPC 2.0 message: it is not an object
        -32600 the body is no JSON-RPC 2.0 message: `jsonrpc` must be "2.0"
        -32600 the body is no JSON-RPC 2.0 message: `id` must be a string or a whole number
        -32600 the body is no JSON-RPC 2.0 message: `id` must be a string or a whole number
        -32600 the body is no JSON-RPC 2.0 message: `id` must be a string or a whole number
        -32600 the body is no JSON-RPC 2.0 message: `method`
        -32600 the body is no JSON-RPC 2.0 message: `params` must be an object
        -32600 the body is no JSON-RPC 2.0 message: a member stands twice
        -32700 the body is not valid JSON: invalid JSON at line 1, column 41: duplicate key
        -32600 the body is no JSON-RPC 2.0 message: it needs `method`, or `id` with one of `result` and `error`, as objects
        -32600 the body is no JSON-RPC 2.0 message: it needs `method`, or `id` with one of `result` and `error`, as objects
        "#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            number in any::<i64>(),
            text in "\\PC{0,40}",
            named in any::<bool>(),
            method in "[a-z]{1,8}(/[a-zA-Z]{1,12})?",
            key in "[a-z]{1,6}",
        ) {
            let id = if named { Id(quoted(&text)) } else { Id(number.to_string()) };
            let params = format!("{{{}:{}}}", quoted(&key), quoted(&text));
            let written = ask(Some(&id), &method, Some(&params));
            let back = read(written.as_bytes()).unwrap();
            prop_assert_eq!(back, Message::Request { id: id.clone(), method: method.clone(), params: Some(&params) });
            let written = answer(Some(&id), Err(&params));
            prop_assert_eq!(read(written.as_bytes()).unwrap(), Message::Response { id: Some(id), outcome: Err(&params) });
        }

        #[test]
        fn nothing_makes_it_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(read(&bytes));
        }
    }
}
