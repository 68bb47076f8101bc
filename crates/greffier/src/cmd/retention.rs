//! `retention`: a dry run of what `serve` does by itself, over the files as they are.

use std::path::Path;

use greffier_event::Timestamp;
use greffier_ledger::{KeyRing, Reader};
use serde::Serialize;

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};
use crate::when;

/// One trail.
#[derive(Debug, Serialize)]
struct Row {
    trail: String,
    /// Entries that were recorded.
    entries: u64,
    /// The first that there is: those before it expired.
    first: u64,
    /// The first that would be there afterwards.
    would_be_first: u64,
    /// Entries that would go.
    would_go: u64,
    /// Those recorded before this time are old enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Timestamp>,
    /// What keeps the next segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

const COLUMNS: [&str; 7] = ["trail", "entries", "first", "would_be_first", "would_go", "before", "kept"];

pub(super) fn run(named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let config = Config::load(named)?;
    let reader = Reader::open(&config.data).map_err(|error| match error {
        greffier_ledger::ReadError::NotALedger(_) => {
            anyhow::Error::from(Failure::new("not_found", error.to_string()).exit(Exit::NotFound))
        }
        error => error.into(),
    })?;
    let keys = KeyRing::open(&config.keys)?;
    let (retention, delay) = &config.retention;
    let mut rows = Vec::new();
    for (trail, entries) in reader.trails()? {
        let first = reader.first(&trail)?;
        let told = reader.expiring(&trail, &keys, retention, *delay, when::now())?;
        let end = told.as_ref().map_or(first, |told| told.end);
        rows.push(Row {
            trail: trail.to_string(),
            entries,
            first,
            would_be_first: end,
            would_go: end.saturating_sub(first),
            before: told.as_ref().map(|told| told.before),
            kept: told.and_then(|told| told.kept).map(|kept| kept.to_string()),
        });
    }
    output.rows(&COLUMNS, &rows)?;
    if output.format == Format::Table {
        match retention.entries {
            None => output.note("entries are kept for ever: `[retention] entries` is not set"),
            Some(_) => output.note("nothing was changed: `greffier serve` lets expire what has, each hour"),
        }
    }
    Ok(Exit::Ok)
}
