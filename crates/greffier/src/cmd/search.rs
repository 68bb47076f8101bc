//! `search`: the newest events that fit, or how many there are by the values of a field.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli;
use crate::exit::{Exit, Failure, asked};
use crate::fields::{Field, SHOWN, plain, row};
use crate::output::{Column, Output};
use crate::source::{Hit, PAGE, Source, wait};

/// Different values that are counted: more than a person reads, and than a name has values.
const MAX_GROUPS: usize = 100_000;

pub(super) fn run(args: &cli::Search, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let source = Source::open(&args.place, None, named)?;
    let search = args.span.narrow(&args.query);
    let answer = wait(async {
        match args.by {
            Some(field) => count(&source, &search, field, output).await,
            None => list(&source, &search, args, output).await,
        }
    });
    answer.map_err(|error| asked(error, &search))?;
    Ok(Exit::Ok)
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
    }
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

/// Events with one value of the field.
#[derive(Default)]
struct Group {
    events: u64,
    denied: u64,
    /// Times, which sort as texts.
    first: String,
    last: String,
}

impl Group {
    fn add(&mut self, event: &Value) {
        let time = event.get("time").and_then(Value::as_str).unwrap_or_default();
        if self.events == 0 || time < self.first.as_str() {
            time.clone_into(&mut self.first);
        }
        if time > self.last.as_str() {
            time.clone_into(&mut self.last);
        }
        self.events += 1;
        self.denied +=
            u64::from(event.pointer("/policy/decision").is_some_and(|decision| decision == "deny"));
    }
}

async fn count(source: &Source, search: &str, field: Field, output: Output) -> anyhow::Result<()> {
    let mut groups: BTreeMap<Option<String>, Group> = BTreeMap::new();
    let mut next: Option<String> = None;
    let mut seen = 0;
    loop {
        let page = source.newest(search, next.as_deref(), PAGE).await?;
        seen += page.hits.len();
        for event in page.hits.into_iter().map(Hit::placed) {
            let values = field.values(&event);
            let mut names: Vec<Option<String>> = values.iter().map(|value| Some(plain(value))).collect();
            if names.is_empty() {
                names.push(None);
            }
            // A value that an event has twice counts once.
            names.sort_unstable();
            names.dedup();
            for name in names {
                groups.entry(name).or_default().add(&event);
            }
        }
        if groups.len() > MAX_GROUPS {
            let message = format!("`{}` has more than {MAX_GROUPS} values here", field.name);
            return Err(Failure::new("too_large", message)
                .hint("narrow the search, or count in `sql`")
                .into());
        }
        next = page.next;
        if next.is_none() {
            break;
        }
        output.progress(&format!("{seen} events counted"));
    }
    output.progress_done();
    let mut groups: Vec<_> = groups.into_iter().collect();
    // Stable: the names stay sorted among those of one size.
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.events));
    let rows: Vec<Value> = groups.into_iter().map(|(name, group)| {
        json!({
            field.name: name, "events": group.events, "denied": group.denied, "first": group.first, "last": group.last,
        })
    }).collect();
    let counted = ["events", "denied", "first", "last"].map(Column::whole);
    let columns: Vec<Column<'_>> = std::iter::once(Column::new(field.name)).chain(counted).collect();
    output.fitted(&columns, &rows)
}
