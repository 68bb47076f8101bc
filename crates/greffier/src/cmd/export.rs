//! `export`: all that a search finds, oldest first, in a form for elsewhere. It is passed through as it comes: how
//! much it is does not matter.

mod cursor;
mod sink;

use std::path::Path;
use std::sync::Arc;

use greffier_api::{CURSOR_HEADER, EXPIRED_HEADER, ExportFormat, OpenParts};
use greffier_event::Form;
use greffier_ledger::{Found, KeyRing};
use greffier_query::Search;
use http::header::ACCEPT;
use serde_json::Value;

use crate::cli::{self, ExportForm};
use crate::config::Config;
use crate::exit::{Exit, Failure, asked};
use crate::output::Output;
use crate::source::{CountsAsked, Files, Server, Source, exported, wait};
use crate::when;
use sink::Sink;

pub(super) fn run(args: &cli::Export, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let format = format(args.format);
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    let search = args.span.narrow(&args.query);
    source.note_contents(&search, output);
    let kept = args.cursor.as_deref().map(cursor::read).transpose()?.flatten();
    let order = Order {
        search: &search,
        format,
        parts: args.parts,
        after: args.after.as_deref().or(kept.as_deref()),
    };
    let is_table = format == ExportFormat::Parquet;
    if is_table && args.out.is_none() && output.on_terminal() {
        let failure = Failure::usage("a Parquet file is nothing for a terminal");
        return Err(failure.hint("--out names a file").into());
    }
    let mut sink = Sink::open(args.out.as_deref(), is_table, output)?;
    let export = wait(async {
        if !is_table && sink.shows_progress() && !opens_contents(&search) {
            // How much there is to come: a person waits. Contents are not opened twice for it.
            let asked = CountsAsked { by: None, per: None, limit: 1 };
            let counts = source.counts(&search, &asked).await?;
            sink.expects(counts.pointer("/total/events").and_then(Value::as_u64));
        }
        match &source {
            Source::Server(server) => pass(server, &order, &mut sink).await,
            Source::Files(files) => {
                let open = if args.parts { Some(opener(args, named)?) } else { None };
                write(files, &order, open, &mut sink).await
            }
        }
    });
    let Passed { next, expired } = export.map_err(|error| asked(error, &search))?;
    sink.done()?;
    if expired > 0 {
        output.warn(&format!("{expired} entries behind the cursor have expired: they are in no export"));
    }
    match (next, &args.cursor) {
        // Only now: what broke off is begun again where it began.
        (Some(next), Some(file)) => cursor::write(file, &next)?,
        (Some(next), None) => output.note(&format!("go on with --after {next}")),
        (None, _) => {}
    }
    Ok(Exit::Ok)
}

/// Whether contents are opened to find what the search finds.
fn opens_contents(search: &str) -> bool {
    Search::parse(search, when::now()).is_ok_and(|search| search.has_words() || search.needs_contents())
}

/// What is to be exported.
struct Order<'a> {
    search: &'a str,
    format: ExportFormat,
    parts: bool,
    after: Option<&'a str>,
}

/// What is known when all of it came.
struct Passed {
    /// The cursor of the next export.
    next: Option<String>,
    /// Entries that should have been in this one, and have expired.
    expired: u64,
}

fn format(form: ExportForm) -> ExportFormat {
    match form {
        ExportForm::Native => ExportFormat::Form(Form::Native),
        ExportForm::Flat => ExportFormat::Form(Form::Flat),
        ExportForm::Governed => ExportFormat::Form(Form::Governed),
        ExportForm::Csv => ExportFormat::Csv,
        ExportForm::Ocsf => ExportFormat::Ocsf,
        ExportForm::Cef => ExportFormat::Cef,
        ExportForm::Aat => ExportFormat::Aat,
        ExportForm::Parquet => ExportFormat::Parquet,
    }
}

fn opener(args: &cli::Export, named: Option<&Path>) -> anyhow::Result<OpenParts> {
    let keys = match &args.keys {
        Some(keys) => keys.clone(),
        None => Config::load(named)?.keys,
    };
    let ring = KeyRing::open(&keys)?;
    Ok(Arc::new(move |found: &Found| found.open_parts(&ring)))
}

async fn write(
    files: &Files,
    order: &Order<'_>,
    open: Option<OpenParts>,
    sink: &mut Sink,
) -> anyhow::Result<Passed> {
    let mut export = files.export(order.search, order.format, open, order.after).await?;
    while let Some(lines) = exported(export.next().await)? {
        sink.write(&lines)?;
    }
    let next = files.cursor(order.search, order.format, export.end());
    Ok(Passed { next: Some(next), expired: export.expired() })
}

async fn pass(server: &Server, order: &Order<'_>, sink: &mut Sink) -> anyhow::Result<Passed> {
    let query = server.query(&[
        ("q", Some(order.search)),
        ("format", Some(order.format.as_str())),
        ("parts", order.parts.then_some("true")),
        ("after", order.after),
    ]);
    let mut reply = server.client.open("/api/v1/export", &query, &[(ACCEPT, "*/*")]).await?;
    let passed = Passed {
        next: reply.header(CURSOR_HEADER).map(str::to_owned),
        expired: reply.header(EXPIRED_HEADER).and_then(|count| count.parse().ok()).unwrap_or_default(),
    };
    while let Some(bytes) = reply.next().await? {
        sink.write(&bytes)?;
    }
    Ok(passed)
}
