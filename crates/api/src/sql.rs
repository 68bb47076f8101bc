//! SQL: read-only, over the caller's own trail; the engine sees to both.

use greffier_policy::AdminAction;
use http::{Response, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::refuse::Refused;
use crate::respond::{self, ARROW, JSON};
use crate::visit::Body;

/// Longest statement: people write less, and what is asked stands in the record.
const MAX_SQL: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    query: String,
}

#[derive(Serialize)]
struct Answer {
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
    truncated: bool,
}

/// `POST /api/v1/sql`.
pub(crate) async fn sql(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let query = query(&request)?;
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:sql",
        place: "sql".to_owned(),
        asked: Some(serde_json::json!({ "query": query })),
    };
    let admitted = api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await?;
    let table = request.answered(api.engine.sql(admitted.trail(), &query)).await?;
    let accepts = request.visit.header(header::ACCEPT).unwrap_or_default();
    let mut response = if accepts.contains(ARROW) {
        respond::bytes(ARROW, table.ipc()?)
    } else {
        let (columns, rows) = (table.columns(), table.rows()?);
        respond::json(&Answer { columns, rows, truncated: table.truncated })?
    };
    if table.truncated {
        let yes = http::HeaderValue::from_static("true");
        response.headers_mut().insert("greffier-truncated", yes);
    }
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

/// The statement: in a JSON document, or the body itself.
fn query(request: &Request) -> Result<String, Refused> {
    let wrong = |message| Refused::new(400, "bad_request", message);
    let body = &request.visit.body;
    if body.len() > 2 * MAX_SQL {
        return Err(wrong("the statement has more than 64 KiB"));
    }
    let media = request.visit.header(header::CONTENT_TYPE).unwrap_or(JSON);
    // No statement begins with a brace: curl calls everything a form unless it is told otherwise.
    let looks_like_json = body.trim_ascii_start().first() == Some(&b'{');
    let query = if looks_like_json || media.trim_start().to_ascii_lowercase().starts_with(JSON) {
        let question: Question = serde_json::from_slice(body)
            .map_err(|_| wrong("the body must be {\"query\": \"SELECT …\"}, or SQL as text/plain"))?;
        question.query
    } else {
        String::from_utf8(body.to_vec()).map_err(|_| wrong("the statement is not UTF-8"))?
    };
    match query.trim().is_empty() {
        true => Err(wrong("the statement is empty")),
        false if query.len() > MAX_SQL => Err(wrong("the statement has more than 64 KiB")),
        false => Ok(query),
    }
}
