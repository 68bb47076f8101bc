//! `producers`: which events of producers that number theirs never came.

use std::path::Path;

use serde_json::Value;

use crate::cli;
use crate::exit::Exit;
use crate::output::{Column, Output};
use crate::source::{Source, wait};

const COLUMNS: [Column<'_>; 8] = [
    Column::new("producer"),
    Column::whole("events"),
    Column::whole("last"),
    Column::whole("missing"),
    Column::new("gaps"),
    Column::whole("repeated"),
    Column::whole("since"),
    Column::whole("until"),
];

pub(super) fn run(args: &cli::Producers, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, None, named)?;
    let mut producers = wait(source.producers(&args.span))?;
    let missing = producers.iter().any(|producer| count(producer, "missing") > 0);
    if !output.format.is_json() {
        producers.iter_mut().for_each(shorten);
    }
    output.fitted(&COLUMNS, &producers)?;
    Ok(if missing && args.fail_on_gaps { Exit::Findings } else { Exit::Ok })
}

fn count(producer: &Value, name: &str) -> u64 {
    producer.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Gaps as people write them: `3-7 12`.
fn shorten(producer: &mut Value) {
    let Some(Value::Array(gaps)) = producer.get("gaps") else { return };
    let gap = |gap: &Value| match (count(gap, "first"), count(gap, "last")) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let text: Vec<String> = gaps.iter().map(gap).collect();
    if let Some(members) = producer.as_object_mut() {
        members.insert("gaps".to_owned(), text.join(" ").into());
    }
}
