//! One event of a data directory.

use std::path::Path;

use greffier_event::EventId;
use greffier_ledger::verify::{EventReport, Status, VerifyOptions, verify_event};
use serde_json::{Value, json};

use super::NOT_ANCHORED;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

pub(super) fn verify(
    dir: &Path,
    options: &VerifyOptions,
    id: uuid::Uuid,
    output: Output,
) -> anyhow::Result<Exit> {
    let Some(report) = verify_event(dir, options, EventId(id))? else {
        let message = format!("no event {id} in `{}`", dir.display());
        return Err(Failure::new("not_found", message).exit(Exit::NotFound).into());
    };
    match output.format {
        Format::Table => lines(&report).iter().try_for_each(|line| output.line(line))?,
        _ => output.object(&["verdict", "trail", "index", "status", "parts"], &document(&report))?,
    }
    Ok(if report.is_ok() { Exit::Ok } else { Exit::Tampering })
}

fn verdict(report: &EventReport) -> String {
    match (report.is_ok(), report.anchored) {
        (false, _) => "INVALID".to_owned(),
        (true, true) => Status::Valid.to_string(),
        (true, false) => format!("{}, {NOT_ANCHORED}", Status::Valid),
    }
}

fn lines(report: &EventReport) -> Vec<String> {
    let mut lines = vec![String::from_utf8_lossy(&report.entry).into_owned()];
    lines.push(format!("entry {} of trail {}: {}", report.index, report.trail, report.status));
    lines.extend(report.parts.iter().map(|(name, status)| format!("part {name}: {status}")));
    lines.push(verdict(report));
    lines
}

fn document(report: &EventReport) -> Value {
    let part = |(name, status): &(String, Status)| json!({"name": name, "status": status.to_string()});
    json!({
        "verdict": verdict(report),
        "anchored": report.anchored,
        "trail": report.trail.as_str(),
        "index": report.index,
        "status": report.status.to_string(),
        "event": serde_json::from_slice::<Value>(&report.entry).unwrap_or_default(),
        "parts": report.parts.iter().map(part).collect::<Vec<_>>(),
    })
}
