//! `session`: the calls of a session as a tree or a timeline, each with what was decided, how it ended, and its cost.

mod chain;
mod timeline;

use std::path::Path;

use serde_json::{Value, json};

use crate::cli;
use crate::exit::Exit;
use crate::output::{Column, Format, Output};
use crate::source::{Session, Source, wait};
use chain::Step;

const COLUMNS: [Column<'_>; 18] = [
    Column::whole("step"),
    Column::whole("parent"),
    Column::whole("because"),
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
    Column::whole("input_tokens"),
    Column::whole("output_tokens"),
    Column::whole("cost_micros"),
];

pub(super) fn run(args: &cli::Session, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    let session = wait(source.session(&args.id))?;
    let left_out = session.left_out;
    match output.format {
        Format::Json => {
            let mut document = json!({ "session_id": args.id });
            if let (Some(fields), Value::Object(chain)) = (document.as_object_mut(), session.chain) {
                let told = ["inferred", "totals", "calls"];
                fields.extend(chain.into_iter().filter(|(name, _)| told.contains(&name.as_str())));
                if left_out > 0 {
                    fields.insert("left_out".to_owned(), left_out.into());
                }
                let events = session.hits.into_iter().map(|hit| hit.event).collect();
                fields.insert("events".to_owned(), Value::Array(events));
            }
            output.object(&[], &document)?;
        }
        Format::Jsonl => {
            output.fitted(&[], &session.hits.into_iter().map(|hit| hit.event).collect::<Vec<_>>())?;
        }
        Format::Csv => {
            let steps = Step::chain(&session);
            output.fitted(&COLUMNS, &steps.iter().map(Step::row).collect::<Vec<_>>())?;
        }
        Format::Table => show(args, &session, output)?,
    }
    if left_out > 0 {
        output.warn(&format!(
            "{left_out} events that were recorded later are left out, of the totals, too: `greffier search 'session:{}'` finds all",
            args.id
        ));
    }
    Ok(Exit::Ok)
}

fn show(args: &cli::Session, session: &Session, output: Output) -> anyhow::Result<()> {
    let steps = Step::chain(session);
    for line in chain::summary(&args.id, session, &steps) {
        output.line(&line)?;
    }
    let lines = if args.timeline { timeline::lines(&steps) } else { chain::tree(&steps) };
    Ok(lines.iter().try_for_each(|line| output.line(line))?)
}
