//! `sql`: a statement over the table `events`, read only.

use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::cli;
use crate::exit::{Exit, Failure, asked};
use crate::output::{Column, Output};
use crate::source::{Source, wait};
use crate::wire;

/// Longest statement: what is longer was not written by anyone.
const MAX_STATEMENT: u64 = 1024 * 1024;

pub(super) fn run(args: &cli::Sql, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let statement = match (&args.file, args.query.as_deref()) {
        (Some(file), _) => text(wire::read(file, MAX_STATEMENT)?)?,
        (None, Some("-")) => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(MAX_STATEMENT + 1)
                .read_to_end(&mut bytes)
                .context("cannot read stdin")?;
            if bytes.len() as u64 > MAX_STATEMENT {
                return Err(Failure::usage("the statement is larger than 1 MiB").into());
            }
            text(bytes)?
        }
        (None, query) => query.unwrap_or_default().to_owned(),
    };
    let source = Source::open(&args.place, None, named)?;
    let answer = wait(source.sql(&statement)).map_err(|error| asked(error, &statement))?;
    let columns: Vec<Column<'_>> = answer.columns.iter().map(|name| Column::new(name)).collect();
    output.fitted(&columns, &answer.rows)?;
    if answer.truncated {
        output.warn("there are more rows than these: aggregate, or add a LIMIT");
    }
    Ok(Exit::Ok)
}

fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    Ok(String::from_utf8(bytes).map_err(|_| Failure::usage("the statement is not UTF-8"))?)
}
