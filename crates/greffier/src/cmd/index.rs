//! `index`: makes what the server makes by itself where `[query] ngram_index` is on.

use std::ops::ControlFlow;
use std::path::Path;

use greffier_ledger::{Indexed, Indexer, ReadError, Reader};
use serde::Serialize;

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

/// What was done.
#[derive(Debug, Serialize)]
struct Told {
    /// Segments that there are.
    segments: u64,
    made: u64,
    entries: u64,
    bytes: u64,
    removed: u64,
}

pub(super) fn run(args: &cli::Index, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => Config::load(named)?.data,
    };
    let reader = Reader::open(&data).map_err(|error| match error {
        ReadError::NotALedger(_) => {
            anyhow::Error::from(Failure::new("not_found", error.to_string()).exit(Exit::NotFound))
        }
        error => error.into(),
    })?;
    let mut indexer = Indexer::new(reader);
    let removed = if args.rebuild || args.remove { indexer.remove()?.removed } else { 0 };
    let done = if args.remove {
        Indexed::default()
    } else {
        let done = indexer.pass(|done| {
            output
                .progress(&format!("{} of {} segments, {} indexes made", done.segments, done.of, done.made));
            ControlFlow::Continue(())
        });
        output.progress_done();
        done?
    };
    let Indexed { of: segments, made, entries, bytes, .. } = done;
    let told = Told { segments, made, entries, bytes, removed: removed + done.removed };
    match output.format {
        Format::Table if args.remove => output.line(&format!("{} indexes removed", told.removed))?,
        Format::Table => output.line(&format!(
            "{made} indexes made of {entries} entries, {bytes} bytes; {segments} segments have one"
        ))?,
        Format::Json => output.object(&[], &told)?,
        Format::Jsonl => output.rows(&[], &[told])?,
        Format::Csv => output.rows(&["segments", "made", "entries", "bytes", "removed"], &[told])?,
    }
    Ok(Exit::Ok)
}
