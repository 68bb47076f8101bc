//! `activity`: what an agent, a user, a tool or a tenant did.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli;
use crate::exit::Exit;
use crate::fields::plain;
use crate::output::{Column, Format, Output};
use crate::source::{Source, wait};

pub(super) fn run(args: &cli::Activity, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, None, named)?;
    let activity = wait(source.activity(args))?;
    show(&activity, output)
}

/// A document of figures: as it is for programs, a line for each field for people.
pub(super) fn show(document: &Value, output: Output) -> anyhow::Result<Exit> {
    if matches!(output.format, Format::Json | Format::Jsonl) {
        output.object(&[], document)?;
    } else {
        output.fitted(&[Column::whole("what"), Column::new("value")], &lines(document))?;
    }
    Ok(Exit::Ok)
}

/// One line for each field that says something.
fn lines(activity: &Value) -> Vec<Value> {
    let fields = activity.as_object().into_iter().flatten();
    fields
        .filter(|(_, value)| !is_empty(value))
        .map(|(name, value)| json!({"what": name, "value": line(value)}))
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// Counts as `name 3`, the most of a list as they stand, other things by their fields.
fn line(value: &Value) -> String {
    let join = |texts: Vec<String>, by: &str| texts.join(by);
    match value {
        Value::Array(items) => join(items.iter().map(item).collect(), ", "),
        Value::Object(fields) => join(
            fields
                .iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| counted(name, value))
                .collect(),
            ", ",
        ),
        other => plain(other),
    }
}

fn counted(name: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => format!("{name} ({})", line(value)),
        other => format!("{name} {}", plain(other)),
    }
}

fn item(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return plain(value) };
    let named =
        |fields: &Map<String, Value>| Some(counted(fields.get("name")?.as_str()?, fields.get("count")?));
    named(fields).unwrap_or_else(|| fields.values().map(plain).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_field_that_says_something() {
        let activity = json!({
            "agent_id": "crm", "total_events": 3, "by_type": {"action.approved": 2, "error": 1}, "users": [],
            "top_actions": [{"name": "chat", "count": 2}], "redactions": {}, "avg_duration_ms": 1.5,
            "by_channel": {"gateway": {"events": 2, "calls": 1}},
            "errors": [{"event_id": "0199", "time": "t", "type": "error"}],
        });
        let lines = lines(&activity);
        let lines = lines.iter().map(|line| format!("{}: {}", plain(&line["what"]), plain(&line["value"])));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
        agent_id: crm
        total_events: 3
        by_type: action.approved 2, error 1
        top_actions: chat 2
        avg_duration_ms: 1.5
        by_channel: gateway (events 2, calls 1)
        errors: 0199 t error
        "#);
    }
}
