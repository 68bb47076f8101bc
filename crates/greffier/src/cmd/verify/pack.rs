//! An evidence pack: every entry and part in it, and what it leaves out.

use std::path::Path;

use greffier_event::Timestamp;
use greffier_ledger::pack::{Pack, PackError, PackEvent, PackReport, Vouching, check_pack};
use greffier_ledger::verify::{Status, VerifyOptions};
use serde_json::{Value, json};

use super::NOT_ANCHORED;
use crate::exit::{Exit, Failure};
use crate::output::{Column, Format, Output};

/// Events that a table lists; those that are invalid are all listed.
const MAX_LISTED: u64 = 100;
const COLUMNS: [&str; 5] = ["index", "status", "found", "event", "parts"];

pub(super) fn verify(path: &Path, options: &VerifyOptions, output: Output) -> anyhow::Result<Exit> {
    let mut pack = Pack::open(path).map_err(invalid)?;
    let report = check_pack(&mut pack, options).map_err(invalid)?;
    match output.format {
        Format::Table => table(&mut pack, &report, output)?,
        // The events one a line as they come, and last what comes of them all.
        Format::Jsonl | Format::Csv => {
            let columns = COLUMNS.map(Column::new);
            output.row_header(&columns, &[])?;
            let mut told = Ok(());
            pack.events(&report, |event| {
                if told.is_ok() {
                    told = output.row(&columns, &[], &event_document(&event));
                }
            })
            .map_err(invalid)?;
            told?;
            if output.format == Format::Jsonl {
                output.row(&columns, &[], &document(&report))?;
            }
        }
        Format::Json => output.object(&[], &document(&report))?,
    }
    Ok(if report.is_ok() { Exit::Ok } else { Exit::Tampering })
}

/// A pack that cannot be read is not valid, unless it is the machine that cannot.
fn invalid(error: PackError) -> anyhow::Error {
    match error {
        PackError::Io(_) => error.into(),
        error => Failure::new("invalid", format!("INVALID: {error}")).exit(Exit::Tampering).into(),
    }
}

fn verdict(report: &PackReport) -> String {
    match (report.is_ok(), report.anchored) {
        (false, _) => "INVALID".to_owned(),
        (true, true) => Status::Valid.to_string(),
        (true, false) => format!("{}, {NOT_ANCHORED}", Status::Valid),
    }
}

/// Who independent speaks for it.
fn vouching(report: &PackReport) -> String {
    match &report.vouching {
        Vouching::Cosigned(time) => {
            format!("cosigned by a quorum of the trusted witnesses at {}", at(*time))
        }
        Vouching::Unanchored(reason) => format!("UNANCHORED: {reason}"),
    }
}

fn anchoring(report: &PackReport) -> Value {
    match &report.vouching {
        Vouching::Cosigned(time) => json!({"state": "ANCHORED", "cosigned_at": at(*time)}),
        Vouching::Unanchored(reason) => json!({"state": "UNANCHORED", "reason": reason}),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// What the pack proves about what is not in it, exactly.
fn completeness(report: &PackReport) -> String {
    match report.about.complete {
        _ if !report.is_ok() => "nothing is proved".to_owned(),
        Some((first, end)) => {
            let withheld = match report.figures.withheld {
                0 => "in full".to_owned(),
                count => format!(
                    "{count} of them only as leaf hashes, of which the packer says that they were not found"
                ),
            };
            let last = end.saturating_sub(1);
            format!("complete for the entries {first} to {last}: each of them is here, {withheld}")
        }
        None => {
            "not complete: the entries in it are on the trail; it does not prove that there are no others"
                .to_owned()
        }
    }
}

fn table(pack: &mut Pack, report: &PackReport, output: Output) -> anyhow::Result<()> {
    let (mut listed, mut more, mut told) = (0, 0u64, Ok(()));
    pack.events(report, |event| {
        if event.status == Status::Withheld {
            return;
        }
        if listed >= MAX_LISTED && !event.status.is_invalid() {
            more += 1;
        } else if told.is_ok() {
            listed += 1;
            told = output.line(&line(&event));
        }
    })
    .map_err(invalid)?;
    told?;
    if more > 0 {
        output.line(&format!("and {more} events more: -o jsonl shows all"))?;
    }
    let (about, figures) = (&report.about, &report.figures);
    for line in [
        format!("search {}, made {} by {}: the packer's words", about.search, about.made, about.made_by),
        format!("trail {}, checkpoint of {} entries", report.head.origin, report.head.size),
        vouching(report),
        format!(
            "{} entries found, {} beside them, {} withheld; parts: {} shown, {} withheld, {} gone",
            figures.found,
            figures.beside,
            figures.withheld,
            figures.parts_shown,
            figures.parts_withheld,
            figures.parts_gone
        ),
        completeness(report),
    ] {
        output.line(&line)?;
    }
    for problem in &report.problems {
        output.line(&format!("problem {}: {}", problem.place, problem.what))?;
    }
    if report.more_problems > 0 {
        output.line(&format!("and {} problems more", report.more_problems))?;
    }
    Ok(output.line(&verdict(report))?)
}

fn line(event: &PackEvent) -> String {
    let fields: Value =
        event.entry.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |pointer: &str| fields.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let beside = if event.found { "" } else { " (beside)" };
    let mut line = format!(
        "entry {}{beside} {} {} {} {}",
        event.index,
        text("/time"),
        text("/type"),
        text("/user/sub"),
        event.status
    );
    if !event.parts.is_empty() {
        let parts: Vec<String> =
            event.parts.iter().map(|(name, status, _)| format!("{name} {status}")).collect();
        line.push_str(&format!("; parts: {}", parts.join(", ")));
    }
    line
}

fn event_document(event: &PackEvent) -> Value {
    let part = |(name, status, content): &(String, Status, Option<Vec<u8>>)| {
        let mut told = json!({"name": name, "status": status.to_string()});
        if let (Some(content), Some(fields)) = (content, told.as_object_mut()) {
            fields.insert("content".to_owned(), json!(String::from_utf8_lossy(content)));
        }
        told
    };
    let fields: Value =
        event.entry.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    json!({
        "index": event.index,
        "status": event.status.to_string(),
        "found": event.found,
        "event": fields,
        "parts": event.parts.iter().map(part).collect::<Vec<_>>(),
    })
}

fn document(report: &PackReport) -> Value {
    let problem =
        |problem: &greffier_ledger::verify::Problem| json!({"place": problem.place, "what": problem.what});
    json!({
        "verdict": verdict(report),
        "anchored": report.anchored,
        "witnessed": report.witnessed(),
        "anchoring": anchoring(report),
        "origin": report.head.origin,
        "size": report.head.size,
        "search": report.about.search,
        "made": report.about.made,
        "figures": report.figures,
        "complete": report.about.complete,
        "completeness": completeness(report),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "more_problems": report.more_problems,
    })
}
