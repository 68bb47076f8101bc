//! The interface, described: made of the table of routes, so that it says what is served.

use http::Response;
use serde_json::{Map, Value, json};

use crate::refuse::Refused;
use crate::respond;
use crate::route::{ROUTES, Route, Who};
use crate::visit::Body;

/// `GET /openapi.json`.
pub(crate) fn document() -> Result<Response<Body>, Refused> {
    Ok(respond::cached(respond::json(&describe())?, "public, max-age=300"))
}

fn describe() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path.replace("...}", "}")).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Greffier",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reading the trail and adding to it. Every read is itself an event on the trail.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": { "Error": error() },
        },
    })
}

fn operation(route: &Route) -> Value {
    let content = |types: &[&str]| -> Value {
        types.iter().map(|media| ((*media).to_owned(), json!({}))).collect::<Map<_, _>>().into()
    };
    let mut operation = json!({
        "operationId": format!("{:?}", route.endpoint),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": {
            "200": { "description": "Done.", "content": content(route.gives) },
            "default": {
                "description": "Refused, or failed.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            },
        },
    });
    if let Some(operation) = operation.as_object_mut() {
        if !route.takes.is_empty() {
            operation.insert(
                "requestBody".to_owned(),
                json!({ "required": true, "content": content(route.takes) }),
            );
        }
        if let Who::May(action) = route.who {
            operation.insert("security".to_owned(), json!([{ "token": [] }]));
            operation.insert("x-greffier-action".to_owned(), json!(action.name()));
        }
    }
    operation
}

fn parameters(route: &Route) -> Value {
    let text = json!({ "type": "string" });
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(
        |name| json!({ "name": name.trim_end_matches('.'), "in": "path", "required": true, "schema": text }),
    );
    let query = route
        .params
        .iter()
        .map(|(name, what)| json!({ "name": name, "in": "query", "description": what, "schema": text }));
    path.chain(query).collect()
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": { "type": "string", "description": "For programs." },
                "message": { "type": "string", "description": "For people." },
                "at": { "type": "integer", "description": "Where in a search the trouble is, in bytes." },
                "hint": { "type": "string", "description": "What to do about it." },
                "request_id": { "type": "string" },
            },
        } },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_says_what_the_table_says() {
        let document = describe();
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let served: BTreeSet<String> = ROUTES
            .iter()
            .map(|route| {
                format!("{} {}", route.method.as_str().to_lowercase(), route.path.replace("...", ""))
            })
            .collect();
        assert_eq!(described, served);
        assert_eq!(described.len(), ROUTES.len(), "no two rows for one method and path");
        let search = &document["paths"]["/api/v1/events"]["get"];
        assert_eq!(search["parameters"].as_array().unwrap().len(), 7);
        assert_eq!(search["x-greffier-action"], "read_trail");
        let tile = &document["paths"]["/trails/{tenant}/tile/{tile}"]["get"];
        assert_eq!(tile["parameters"][1]["name"], "tile");
        assert!(tile.get("security").is_none());
    }
}
