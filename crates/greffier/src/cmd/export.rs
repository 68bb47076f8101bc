//! `export`: all that a search finds, oldest first, in a form for elsewhere. It is passed through as it comes: how
//! much it is does not matter.

mod sink;

use std::path::Path;
use std::sync::Arc;

use greffier_api::{ExportFormat, OpenParts};
use greffier_event::Form;
use greffier_ledger::{Found, KeyRing};
use http::header::ACCEPT;

use crate::cli::{self, ExportForm};
use crate::config::Config;
use crate::exit::{Exit, Failure, asked};
use crate::output::Output;
use crate::source::{Files, Server, Source, exported, wait};
use sink::Sink;

pub(super) fn run(args: &cli::Export, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let format = format(args.format)?;
    let source = Source::open(&args.place, None, named)?;
    let search = args.span.narrow(&args.query);
    let mut sink = Sink::open(args.out.as_deref(), output)?;
    let export = wait(async {
        match &source {
            Source::Server(server) => pass(server, &search, format, args.parts, &mut sink).await,
            Source::Files(files) => {
                let open = if args.parts { Some(opener(args, named)?) } else { None };
                write(files, &search, format, open, &mut sink).await
            }
        }
    });
    export.map_err(|error| asked(error, &search))?;
    sink.done()?;
    Ok(Exit::Ok)
}

fn format(form: ExportForm) -> Result<ExportFormat, Failure> {
    Ok(match form {
        ExportForm::Native => ExportFormat::Form(Form::Native),
        ExportForm::Flat => ExportFormat::Form(Form::Flat),
        ExportForm::Governed => ExportFormat::Form(Form::Governed),
        ExportForm::Csv => ExportFormat::Csv,
        ExportForm::Ocsf | ExportForm::Cef | ExportForm::Aat => {
            let failure = Failure::usage("this form is not built yet");
            return Err(failure.hint("there are native, flat, governed and csv"));
        }
    })
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
    search: &str,
    format: ExportFormat,
    open: Option<OpenParts>,
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let mut export = files.export(search, format, open).await?;
    while let Some(lines) = exported(export.next().await)? {
        sink.write(lines.as_bytes())?;
    }
    Ok(())
}

async fn pass(
    server: &Server,
    search: &str,
    format: ExportFormat,
    parts: bool,
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let name = match format {
        ExportFormat::Form(form) => form.as_str(),
        ExportFormat::Csv => "csv",
    };
    let query =
        server.query(&[("q", Some(search)), ("format", Some(name)), ("parts", parts.then_some("true"))]);
    let mut reply = server.client.open("/api/v1/export", &query, &[(ACCEPT, "*/*")]).await?;
    while let Some(bytes) = reply.next().await? {
        sink.write(&bytes)?;
    }
    Ok(())
}
