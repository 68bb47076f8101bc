//! `tools`: the operations that the configured tools have, as policies and records name them.

use std::path::Path;

use serde::Serialize;

use crate::config::Config;
use crate::exit::Exit;
use crate::output::Output;
use crate::wire;

/// One operation; a tool without a document has one row, for all its paths.
#[derive(Debug, Serialize)]
struct Row {
    tool: String,
    name: String,
    method: String,
    path: String,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
}

const COLUMNS: [&str; 6] = ["tool", "name", "method", "path", "effect", "operation"];

pub(super) fn run(named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    for tool in wire::tools(Config::load(named)?.tools)? {
        if tool.api.document.is_none() {
            rows.push(Row {
                tool: tool.name.clone(),
                name: format!("{}:*", tool.name),
                method: "*".to_owned(),
                path: "/**".to_owned(),
                effect: "by method",
                operation: None,
            });
        }
        rows.extend(tool.api.operations().map(|(operation, effect)| Row {
            tool: tool.name.clone(),
            name: operation.name(&tool.name),
            method: operation.method.to_string(),
            path: operation.path.clone(),
            effect: effect.as_str(),
            operation: operation.id.clone(),
        }));
    }
    output.rows(&COLUMNS, &rows)?;
    Ok(Exit::Ok)
}
