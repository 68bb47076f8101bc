//! `evidence`: what a search finds, packed with its proofs for somebody outside.

mod out;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use greffier_api::{HasKeys, PackOrder, PackRange};
use greffier_event::Tenant;
use greffier_ledger::KeyRing;
use greffier_ledger::pack::{Pack, ShownParts};

use crate::cli::{self, Whom};
use crate::config::Config;
use crate::exit::{Exit, Failure, asked};
use crate::output::{Format, Output};
use crate::source::{Files, Server, Source, packed, wait};
use crate::wire;
use out::Out;

/// Largest trust policy.
const MAX_TRUST: u64 = 1024 * 1024;

pub(super) fn run(args: &cli::Evidence, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let whom = Whom { user: args.user.clone(), subject: args.subject.clone(), keys: None };
    // They tell how a data directory names people and subjects, and open what words are looked for in.
    let source = Source::open(&args.place, args.keys.as_deref(), named)?;
    let search = args.span.narrow(&args.query);
    source.note_contents(&search, output);
    let mut out = Out::open(&args.out)?;
    let made = wait(async {
        match &source {
            Source::Server(server) => fetch(server, &search, args, &mut out).await,
            Source::Files(files) => {
                let mut order = order(args, search.clone())?;
                if let Some((standard, term)) = reported(args) {
                    let report = files.report(standard, term, &whom).await?;
                    let (trust, parts) = (order.trust.take(), order.parts);
                    order = PackOrder {
                        trust,
                        ..PackOrder::of_report(report, &packed_trail(args, files), parts)
                    };
                }
                let trail = packed_trail(args, files);
                make(files, trail, order, keys(args, named)?, &mut out).await
            }
        }
    });
    made.map_err(|error| asked(error, &search))?;
    out.done()?;
    tell(&args.out, output)
}

/// The report that the pack goes with.
fn reported(args: &cli::Evidence) -> Option<(&str, &cli::Term)> {
    args.report.as_deref().zip(args.term.as_ref())
}

fn shown(args: &cli::Evidence) -> ShownParts {
    match (args.all_parts, args.parts.is_empty()) {
        (true, _) => ShownParts::All,
        (false, true) => ShownParts::None,
        (false, false) => ShownParts::Named(args.parts.iter().cloned().collect()),
    }
}

fn order(args: &cli::Evidence, asked: String) -> anyhow::Result<PackOrder> {
    let trust = args.trust.as_deref().map(|path| {
        let text = String::from_utf8(wire::read(path, MAX_TRUST)?);
        text.with_context(|| format!("`{}` is not a trust policy", path.display()))
    });
    let whole = if args.whole_range { PackRange::Whole } else { PackRange::Found };
    let range = args.range.clone().unwrap_or(whole);
    let (parts, in_full, trust) = (shown(args), args.in_full, trust.transpose()?);
    Ok(PackOrder { asked, parts, range, in_full, trust, ..PackOrder::default() })
}

/// The keys that open contents: those that are named; the configured ones where contents are to be shown.
fn keys(args: &cli::Evidence, named: Option<&Path>) -> anyhow::Result<Option<Arc<dyn HasKeys>>> {
    let folder = match &args.keys {
        Some(keys) => keys.clone(),
        None if shown(args) == ShownParts::None => return Ok(None),
        None => Config::load(named)?.keys,
    };
    Ok(Some(Arc::new(KeyRing::open(&folder)?)))
}

/// The trail whose entries are packed.
fn packed_trail(args: &cli::Evidence, files: &Files) -> Tenant {
    if args.of_node { Tenant::node() } else { files.tenant().clone() }
}

async fn make(
    files: &Files,
    trail: Tenant,
    order: PackOrder,
    keys: Option<Arc<dyn HasKeys>>,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut maker = files.pack(trail, order, keys).await?;
    while let Some(files) = packed(maker.next().await)? {
        files.iter().try_for_each(|file| out.file(file))?;
    }
    Ok(())
}

async fn fetch(server: &Server, search: &str, args: &cli::Evidence, out: &mut Out) -> anyhow::Result<()> {
    let parts = match shown(args) {
        ShownParts::All => Some("all".to_owned()),
        ShownParts::None => None,
        ShownParts::Named(names) => Some(names.into_iter().collect::<Vec<_>>().join(",")),
    };
    let range = match &args.range {
        Some(PackRange::Of(range)) => Some(format!("{}-{}", range.start, range.end.saturating_sub(1))),
        _ => None,
    };
    let term = reported(args).map(|(_, term)| term);
    let mut query = server.query(&[
        ("q", Some(search).filter(|_| term.is_none())),
        ("report", args.report.as_deref()),
        ("user", args.user.as_deref()),
        ("subject", args.subject.as_deref()),
        ("from", term.map(|term| term.from.as_str())),
        ("to", term.map(|term| term.to.as_str())),
        ("tz", term.and_then(|term| term.tz.as_deref())),
        ("parts", parts.as_deref()),
        ("range", range.as_deref()),
        ("whole_range", args.whole_range.then_some("true")),
        ("in_full", args.in_full.then_some("true")),
    ]);
    if args.of_node {
        query.retain(|(name, _)| *name != "tenant");
        query.push(("tenant", Tenant::NODE));
    }
    let mut reply = server.client.fetch("/api/v1/evidence", &query).await?;
    while let Some(bytes) = reply.next().await? {
        out.archive(&bytes)?;
    }
    Ok(())
}

/// Says what the pack holds, as it says it itself.
fn tell(path: &Path, output: Output) -> anyhow::Result<Exit> {
    let pack = Pack::open(path).context("the pack that was written cannot be read")?;
    let about = pack.about();
    if output.format != Format::Table {
        output.object(&["trail", "size", "search", "figures", "complete"], about)?;
    }
    let figures = &about.figures;
    output.note(&format!(
        "{} entries found, {} beside them, {} as leaf hashes; parts: {} shown, {} withheld, {} gone; in {}",
        figures.found,
        figures.beside,
        figures.withheld,
        figures.parts_shown,
        figures.parts_withheld,
        figures.parts_gone,
        path.display()
    ));
    if figures.found == 0 {
        return Err(Failure::new("not_found", "the search found nothing: the pack proves nothing")
            .exit(Exit::NotFound)
            .into());
    }
    Ok(Exit::Ok)
}
