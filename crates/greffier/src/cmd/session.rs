//! `session`: a chain of calls in order, each with what was decided and how it ended.

mod chain;

use std::path::Path;

use crate::cli;
use crate::exit::Exit;
use crate::output::{Column, Format, Output};
use crate::source::{Source, wait};
use chain::Step;

const COLUMNS: [Column<'_>; 12] = [
    Column::whole("time"),
    Column::new("user"),
    Column::new("agent"),
    Column::new("action"),
    Column::new("resource"),
    Column::new("link"),
    Column::whole("decision"),
    Column::new("rule"),
    Column::whole("status"),
    Column::whole("code"),
    Column::whole("duration_ms"),
    Column::new("redactions"),
];

pub(super) fn run(args: &cli::Session, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    let hits = wait(source.session(&args.id))?;
    match output.format {
        Format::Json | Format::Jsonl => {
            output.fitted(&[], &hits.into_iter().map(|hit| hit.event).collect::<Vec<_>>())?;
        }
        Format::Csv => {
            let steps = Step::chain(&hits);
            output.fitted(&COLUMNS, &steps.iter().map(Step::row).collect::<Vec<_>>())?;
        }
        Format::Table => {
            let steps = Step::chain(&hits);
            output.line(&chain::summary(&args.id, &steps))?;
            for (at, step) in steps.iter().enumerate() {
                step.lines(at + 1).iter().try_for_each(|line| output.line(line))?;
            }
        }
    }
    Ok(Exit::Ok)
}
