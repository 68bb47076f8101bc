//! `serve`: the order in which the parts of the gateway start, and stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use greffier_api::Recorder;
use greffier_event::{EventId, Timestamp};
use greffier_gateway::{CancellationToken, Site, Stopped};
use greffier_ledger::{Eraser, Ledger, LedgerConfig, LedgerError, Retention};
use greffier_query::Engine;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::init;
use crate::config::{Config, DEFAULT_PATH};
use crate::exit::{Exit, Failure};
use crate::indexing;
use crate::key_watch;
use crate::output::Output;
use crate::site::ReadSite;
use crate::webhook::Telling;
use crate::{timestamps, webhook, when, wire, witnesses};

/// How often what has expired is looked for.
const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn run(named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    start_logging(output)?;
    if named.is_none() && !Path::new(DEFAULT_PATH).exists() {
        let folder = std::env::current_dir()?;
        tracing::info!(folder = %folder.display(), "no configuration here yet: running `greffier init` first");
        init::write(Path::new(""))?;
    }
    let config = Config::load(named)?;
    let ledger_config = LedgerConfig {
        dir: config.data.clone(),
        keys_dir: config.keys.clone(),
        origin: config.origin.clone(),
        node: config.node.clone(),
        seal: config.seal,
    };
    let ngram_index = config.ngram_index;
    let (limits, origin, stamping) = (config.query.clone(), config.origin.clone(), config.timestamps.clone());
    let anchor = witnesses::anchor(config.anchor.clone())?;
    let (retention, ingest) = (config.retention.clone(), config.safety.ingest);
    let (record, webhooks) = (config.findings.record, webhook::open(&config.findings)?);
    let settings = wire::settings(config)?;
    let policies = wire::policies(&settings.policy_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Dropped at the end of its scope: nothing may still append when the ledger closes.
    let (ledger, stopped) = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        // The address first: a second server on it must not get as far as the data.
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let (ledger, startup) = Ledger::start_witnessed(ledger_config, anchor).map_err(refused)?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        // Whatever asks the trails is gone with the runtime, before the ledger closes.
        let engine = Engine::new(ledger.reader(), limits)?;
        let site = ReadSite::new(
            engine,
            ledger.appender(),
            ledger.eraser(),
            settings.node.clone(),
            Arc::clone(&settings.scanner),
            ingest,
        );
        let (engine, unusual) = (site.engine().clone(), site.watch().clone());
        let found = Recorder::new(engine.clone(), unusual.clone(), ledger.appender(), settings.node.clone());
        let recorder = record.then(|| tokio::spawn(found.clone().run(when::now)));
        let webhooks: Vec<_> = webhooks
            .into_iter()
            .map(|webhook| {
                let told = Telling {
                    engine: engine.clone(),
                    watch: unusual.clone(),
                    recorder: found.clone(),
                    receivers: site.receivers().clone(),
                };
                tokio::spawn(webhook.run(told))
            })
            .collect();
        drop(found);
        let watch = key_watch::watch(ledger.appender(), origin, settings.node.clone());
        let watch = tokio::spawn(watch);
        let stamper = ledger.stamper();
        let stamping = stamping.map(|config| tokio::spawn(timestamps::keep(stamper, config)));
        let retention = tokio::spawn(keep_retention(ledger.eraser(), retention));
        let indexing = ngram_index.then(|| tokio::spawn(indexing::keep(ledger.reader())));
        let (appender, site) = (ledger.appender(), Some(Arc::new(site) as Arc<dyn Site>));
        let stopped =
            greffier_gateway::serve(settings, policies, appender, startup, listener, stop, site).await?;
        // None of them may touch the directory while it is closed.
        let others = [Some(watch), Some(retention), stamping, recorder, indexing];
        for task in others.into_iter().flatten().chain(webhooks) {
            task.abort();
            drop(task.await);
        }
        anyhow::Ok((ledger, stopped))
    })?;
    drop(runtime);
    let closed = ledger.close();
    all_on_record(stopped)?;
    closed?;
    tracing::info!("stopped cleanly");
    Ok(Exit::Ok)
}

/// What was done unrecorded and could not be written down to the end is lost with this process: nobody may overlook it.
fn all_on_record(stopped: Stopped) -> anyhow::Result<()> {
    let Stopped { unaccounted, outcomes } = stopped;
    if unaccounted + outcomes == 0 {
        return Ok(());
    }
    tracing::error!(unaccounted, outcomes, "what was done unrecorded is lost with this process");
    let message = format!(
        "{unaccounted} calls were made unrecorded and their account is lost, with the outcomes of {outcomes} more: \
         nothing could be recorded up to the stop"
    );
    Err(Failure::new("unaccounted", message).hint("the log says since when, and why").into())
}

/// A start that somebody outside speaks against ends as a check of these files against their word would.
fn refused(error: LedgerError) -> anyhow::Error {
    match error {
        LedgerError::Forked { .. } => Failure::new("forked", error.to_string()).exit(Exit::Tampering).into(),
        error => error.into(),
    }
}

/// Lets entries and contents expire, and carries out erasures that something kept from being done: each hour, and more often
/// where something is kept for hours only.
async fn keep_retention(eraser: Eraser, (retention, delay): (Retention, Duration)) {
    let shortest = retention.classes.values().chain(&retention.parts).chain(&retention.entries).min();
    let pace = shortest.map_or(HOUR, |time| (*time / 4).clamp(Duration::from_secs(1), HOUR));
    let mut pace = tokio::time::interval(pace);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let now = crate::when::now();
        let done = match eraser.finish_all().await {
            Ok(_) => eraser.expire(&retention, delay, now, new_id).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(0) => {}
            Ok(trails) => tracing::info!(trails, "entries or contents expired"),
            Err(error) => tracing::warn!(%error, "a pass over erasures and retention was not finished"),
        }
    }
}

/// A new id (UUIDv7).
fn new_id(_: Timestamp) -> EventId {
    EventId(uuid::Uuid::now_v7())
}

/// The first signal stops in good order.
pub(super) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: waiting for calls under way");
        stop.cancel();
    });
    Ok(())
}

/// Logs go to stderr. `GREFFIER_LOG` sets the level of our own crates only: those below would, at their lower
/// levels, print headers, and with them tokens.
pub(super) fn start_logging(output: Output) -> anyhow::Result<()> {
    let level = match std::env::var("GREFFIER_LOG") {
        Ok(level) => level.parse().map_err(|_| {
            Failure::new("usage", "GREFFIER_LOG must be off, error, warn, info, debug or trace")
                .exit(Exit::Usage)
        })?,
        Err(_) if output.quiet => LevelFilter::WARN,
        Err(_) => LevelFilter::INFO,
    };
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("greffier", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(output.color());
    let registry = tracing_subscriber::registry().with(targets);
    if output.format.is_json() {
        registry.with(lines.json()).try_init()
    } else {
        registry.with(lines).try_init()
    }?;
    Ok(())
}
