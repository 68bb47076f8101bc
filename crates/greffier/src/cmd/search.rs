//! `search`: the newest events that fit, how many there are by the values of a field or over time, or all of them in
//! a file.

use std::path::Path;

use greffier_query::FacetField;
use serde_json::{Value, json};

use crate::cli::{self, ExportForm};
use crate::exit::{Exit, Failure, asked};
use crate::fields::{Field, SHOWN, row};
use crate::output::{Column, Format, Output};
use crate::source::{CountsAsked, PAGE, Source, wait};

/// Values that are counted and shown: as many as a server gives.
const MAX_VALUES: usize = 10_000;
/// Cells of the longest bar of a histogram.
const BAR: u64 = 40;

pub(super) fn run(args: &cli::Search, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    if let Some(to) = &args.to {
        return super::export::run(&export(args, to)?, named, output);
    }
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    let search = args.span.narrow(&args.query);
    source.note_contents(&search, output);
    let answer = wait(async {
        match (args.by, args.per.as_deref()) {
            (Some(field), _) => by_values(&source, &search, field, output).await,
            (None, Some(per)) => over_time(&source, &search, per, output).await,
            (None, None) => list(&source, &search, args, output).await,
        }
    });
    answer.map_err(|error| asked(error, &search))?;
    Ok(Exit::Ok)
}

/// The same search as an export, in the form that the file's name says.
fn export(args: &cli::Search, to: &Path) -> anyhow::Result<cli::Export> {
    let format = match to.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => ExportForm::Csv,
        Some("jsonl" | "ndjson" | "json") => ExportForm::Native,
        Some("parquet") => ExportForm::Parquet,
        _ => {
            let message = format!("`{}` does not say which form it is to have", to.display());
            return Err(Failure::usage(message)
                .hint("name it .csv, .jsonl or .parquet; `export` has further forms")
                .into());
        }
    };
    Ok(cli::Export {
        query: args.query.clone(),
        format,
        parts: false,
        keys: args.keys.clone(),
        out: Some(to.to_owned()),
        after: None,
        cursor: None,
        span: args.span.clone(),
        place: args.place.clone(),
    })
}

async fn list(source: &Source, search: &str, args: &cli::Search, output: Output) -> anyhow::Result<()> {
    let limit = usize::try_from(args.limit)?;
    let mut events = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = source.newest(search, next.as_deref(), (limit - events.len()).min(PAGE)).await?;
        events.extend(page.hits);
        next = page.next;
        if next.is_none() || events.len() >= limit {
            break;
        }
        output.progress(&format!("{} events found", events.len()));
    }
    output.progress_done();
    let fields = if args.fields.is_empty() { Field::named(&SHOWN) } else { args.fields.clone() };
    let columns: Vec<Column<'_>> = fields.iter().map(|field| field.column()).collect();
    let chosen = !args.fields.is_empty() || !output.format.is_json();
    let shown = events.into_iter().map(|hit| if chosen { row(&fields, &hit.placed()) } else { hit.event });
    output.fitted(&columns, &shown.collect::<Vec<_>>())?;
    if next.is_some() {
        output.note(&format!("the newest {limit}; --limit shows more, --since and --until others"));
    }
    Ok(())
}

async fn by_values(source: &Source, search: &str, field: FacetField, output: Output) -> anyhow::Result<()> {
    let asked = CountsAsked { by: Some(field), per: None, limit: MAX_VALUES };
    let answer = source.counts(search, &asked).await?;
    let facet = answer.pointer("/facets/0").cloned().unwrap_or_default();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut groups = facet.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    let missing = facet.get("missing").cloned().unwrap_or_default();
    if number(&missing, "events") > 0 {
        let events = number(&missing, "events");
        groups.insert(groups.partition_point(|group| number(group, "events") > events), missing);
    }
    let row = |group: Value| {
        json!({
            field.name(): group.get("value"), "events": group.get("events"), "denied": group.get("denied"),
            "first": group.get("first"), "last": group.get("last"),
        })
    };
    let counted = ["events", "denied", "first", "last"].map(Column::whole);
    let columns: Vec<Column<'_>> = std::iter::once(Column::new(field.name())).chain(counted).collect();
    output.fitted(&columns, &groups.into_iter().map(row).collect::<Vec<_>>())?;
    if number(&facet, "other") > 0 {
        let (distinct, other) = (number(&facet, "distinct"), number(&facet, "other"));
        output.note(&format!(
            "the {MAX_VALUES} most frequent of {distinct} values; {other} events have others"
        ));
    }
    Ok(())
}

async fn over_time(source: &Source, search: &str, per: &str, output: Output) -> anyhow::Result<()> {
    let asked = CountsAsked { by: None, per: Some(per.to_owned()), limit: 1 };
    let mut answer = source.counts(search, &asked).await?;
    let mut steps = match answer.get_mut("histogram").map(Value::take) {
        Some(Value::Array(steps)) => steps,
        _ => Vec::new(),
    };
    let events = |step: &Value| step.get("events").and_then(Value::as_u64).unwrap_or_default();
    let most = steps.iter().map(events).max().unwrap_or_default().max(1);
    let mut columns = ["time", "events", "denied"].map(Column::whole).to_vec();
    if output.format == Format::Table {
        columns.push(Column::new("share"));
        for step in &mut steps {
            let cells = usize::try_from((events(step) * BAR).div_ceil(most)).unwrap_or_default();
            if let Some(fields) = step.as_object_mut() {
                fields.insert("share".to_owned(), "█".repeat(cells).into());
            }
        }
    }
    output.fitted(&columns, &steps)
}
