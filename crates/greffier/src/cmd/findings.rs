//! `findings`: what is unusual.

use std::path::Path;

use greffier_query::{FindingKind, Severity};
use serde_json::Value;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::output::{Column, Format, Output};
use crate::source::{Source, wait};

const COLUMNS: [Column<'_>; 8] = [
    Column::whole("id"),
    Column::whole("type"),
    Column::whole("severity"),
    Column::whole("state"),
    Column::whole("count"),
    Column::whole("since"),
    Column::whole("until"),
    Column::new("description"),
];

pub(super) fn run(args: &cli::Findings, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    if let Some(word) = &args.word {
        return judge(word, named, output);
    }
    let fail_on = args.fail_on.iter().map(|name| FailOn::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let source = Source::open(&args.place, None, named)?;
    let (mut findings, anchoring, receivers) = wait(source.findings(args))?;
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
    receivers.iter().filter_map(behind).for_each(|line| output.note(&line));
    let alarm = |finding: &Value| fail_on.iter().any(|fail_on| fail_on.holds(finding));
    Ok(if findings.iter().any(alarm) { Exit::Findings } else { Exit::Ok })
}

/// What is said of a receiver that does not keep up.
fn behind(receiver: &Value) -> Option<String> {
    let text = |name: &str| receiver.get(name).and_then(Value::as_str);
    let (name, waiting) = (text("name")?, receiver.get("waiting").and_then(Value::as_u64)?);
    match (text("failing_since"), text("reason")) {
        (Some(since), Some(reason)) => {
            Some(format!("webhook {name}: {waiting} findings wait; it takes none since {since}: {reason}"))
        }
        _ if waiting > 0 => Some(format!("webhook {name}: {waiting} findings wait")),
        _ => None,
    }
}

fn judge(word: &cli::Word, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let (judged, name) = match word {
        cli::Word::Acknowledge(judged) => (judged, "acknowledge"),
        cli::Word::Mute(judged) => (judged, "mute"),
        cli::Word::Unmute(judged) => (judged, "unmute"),
    };
    let source = Source::open(&judged.place, None, named)?;
    let finding = wait(source.judge(&judged.id, name, &judged.reason))?;
    output.fitted(&COLUMNS, &[finding])?;
    Ok(Exit::Ok)
}

/// What the exit code speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailOn {
    Any,
    /// Of this severity or above.
    Severity(Severity),
    Kind(FindingKind),
}

impl FailOn {
    fn parse(name: &str) -> Result<FailOn, Failure> {
        let severity = || Severity::ALL.into_iter().find(|severity| severity.as_str() == name);
        let kind = || FindingKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        let any = (name == "any").then_some(FailOn::Any);
        any.or_else(|| severity().map(FailOn::Severity)).or_else(|| kind().map(FailOn::Kind)).ok_or_else(
            || {
                let kinds: Vec<&str> = FindingKind::ALL.into_iter().map(FindingKind::as_str).collect();
                Failure::usage(format!("unknown type or severity `{name}`"))
                    .hint(format!("any, low, medium, high, {}", kinds.join(", ")))
            },
        )
    }

    /// Of what was acknowledged or muted, somebody has spoken.
    fn holds(self, finding: &Value) -> bool {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
        text("state") == "new"
            && match self {
                FailOn::Any => true,
                FailOn::Severity(least) => Severity::ALL
                    .into_iter()
                    .any(|severity| severity >= least && severity.as_str() == text("severity")),
                FailOn::Kind(kind) => kind.as_str() == text("type"),
            }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_behind() {
        let soc = |waiting: u64, more: Value| {
            let mut soc = json!({"name": "soc", "waiting": waiting});
            soc.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            behind(&soc).unwrap_or_default()
        };
        let failing = json!({"failing_since": "2026-03-06T00:00:00Z", "reason": "no connection"});
        assert_eq!(soc(0, json!({})), "");
        assert_eq!(soc(2, json!({})), "webhook soc: 2 findings wait");
        insta::assert_snapshot!(soc(2, failing), @"webhook soc: 2 findings wait; it takes none since 2026-03-06T00:00:00Z: no connection");
    }

    #[test]
    fn what_fails() {
        let check = |name: &str, severity: &str, state: &str| {
            let finding = json!({"type": "rapid_actions", "severity": severity, "state": state});
            FailOn::parse(name).unwrap().holds(&finding)
        };
        assert!(check("any", "low", "new"));
        assert!(!check("any", "high", "acknowledged"));
        assert!(!check("any", "high", "muted"));
        assert!(check("medium", "high", "new"));
        assert!(check("medium", "medium", "new"));
        assert!(!check("medium", "low", "new"));
        assert!(check("rapid_actions", "low", "new"));
        assert!(!check("first_use", "low", "new"));
        assert!(FailOn::parse("rapid").unwrap_err().hint.unwrap().contains("rapid_actions"));
    }
}
