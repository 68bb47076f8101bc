//! `findings`: what is unusual.

use std::path::Path;

use serde_json::Value;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::output::{Column, Format, Output};
use crate::source::{Source, wait};

/// The rules, by the names that `--fail-on` takes.
const TYPES: [&str; 3] = ["rapid_actions", "high_failure_rate", "permission_issues"];

const COLUMNS: [Column<'_>; 7] = [
    Column::whole("type"),
    Column::whole("severity"),
    Column::new("agent_id"),
    Column::whole("count"),
    Column::whole("since"),
    Column::whole("until"),
    Column::new("description"),
];

pub(super) fn run(args: &cli::Findings, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    if let Some(unknown) = args.fail_on.iter().find(|name| *name != "any" && !TYPES.contains(&name.as_str()))
    {
        let failure = Failure::usage(format!("unknown type `{unknown}`"));
        return Err(failure.hint(format!("any, {}", TYPES.join(", "))).into());
    }
    let source = Source::open(&args.place, None, named)?;
    let (mut findings, anchoring) = wait(source.findings(args.agent.as_deref(), &args.span))?;
    for finding in findings.iter_mut().filter_map(Value::as_object_mut) {
        finding.insert("anchoring".to_owned(), anchoring.clone());
    }
    output.fitted(&COLUMNS, &findings)?;
    // What is counted is worth what the trail is worth; in JSON each finding says it.
    if let Some(reason) = anchoring.get("reason").and_then(Value::as_str) {
        let line = format!("UNANCHORED: {reason}");
        match output.format {
            Format::Table => output.line(&line)?,
            _ => output.note(&line),
        }
    }
    let alarm = |finding: &Value| {
        let of = |name: &String| name == "any" || finding.get("type").is_some_and(|found| found == name);
        args.fail_on.iter().any(of)
    };
    Ok(if findings.iter().any(alarm) { Exit::Findings } else { Exit::Ok })
}
