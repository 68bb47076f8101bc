//! `witness`: runs a C2SP witness, which cosigns the checkpoints of logs that only ever grow.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use greffier_gateway::CancellationToken;
use greffier_merkle::note::{Algorithm, Cosigner, Verifier};
use tokio::net::TcpListener;

use super::serve::{start_logging, stop_on_signal};
use super::verify::read_trust;
use crate::cli;
use crate::config::check::is_loopback;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::witness::records::Records;
use crate::witness::{Witness, key, server};

pub(super) fn run(args: &cli::Witness, output: Output) -> anyhow::Result<Exit> {
    match (&args.command, &args.dir) {
        (Some(cli::WitnessCommand::Init { dir, name }), _) => show(&create(dir, name)?, output),
        (Some(cli::WitnessCommand::Key { dir }), _) => show(&open(dir)?, output),
        (None, Some(dir)) => serve(dir, args, output),
        (None, None) => Err(Failure::usage("--dir is missing").into()),
    }
}

fn serve(dir: &Path, args: &cli::Witness, output: Output) -> anyhow::Result<Exit> {
    if !is_loopback(args.listen.ip()) && !args.proxy_ends_tls {
        let failure = Failure::usage("beyond loopback a proxy must end TLS in front of the witness");
        return Err(failure.hint("write --proxy-ends-tls if one does").into());
    }
    let logs = logs(args)?;
    start_logging(output)?;
    let key = match (key::open(dir)?, &args.name) {
        (Some(key), Some(name)) if key.verifier().name() != name => {
            let message = format!("the key in `{}` is named {}", dir.display(), key.verifier().name());
            return Err(Failure::usage(message).hint("leave --name out, or choose another folder").into());
        }
        (Some(key), _) => key,
        (None, Some(name)) => create(dir, name)?,
        (None, None) => return Err(Failure::usage("--name is missing: there is no key yet").into()),
    };
    let (records, kept) = Records::open(dir)?;
    let witness = Arc::new(Witness::new(key, records, kept, logs, clock())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?;
        output.line(&witness.verifier().to_string())?;
        tracing::info!(address = %listener.local_addr()?, logs = witness.logs(), "witnessing");
        server::serve(witness, clock, listener, stop).await;
        anyhow::Ok(())
    })?;
    tracing::info!("stopped cleanly");
    Ok(Exit::Ok)
}

/// The keys of all logs that are named, on the command line and in a policy.
fn logs(args: &cli::Witness) -> anyhow::Result<Vec<Verifier>> {
    let mut logs = args.logs.clone();
    if let Some(path) = &args.trust {
        logs.extend(read_trust(path)?.logs().iter().map(|log| log.verifier.clone()));
    }
    if let Some(other) = logs.iter().find(|log| log.algorithm() != Algorithm::Ed25519) {
        return Err(Failure::usage(format!("{other} is a witness's key, not a log's")).into());
    }
    if logs.is_empty() {
        return Err(Failure::usage("the trust policy lists no log to witness").into());
    }
    Ok(logs)
}

/// Sets a witness up, its key last: as long as that is missing, there is none.
fn create(dir: &Path, name: &str) -> anyhow::Result<Cosigner> {
    if key::open(dir)?.is_some() {
        let failure = Failure::new("exists", format!("there is a key in `{}` already", dir.display()));
        return Err(failure.hint("`greffier witness key` shows it").into());
    }
    Records::create(dir)?;
    key::create(dir, name)
}

fn open(dir: &Path) -> anyhow::Result<Cosigner> {
    let missing = || {
        let failure = Failure::new("not_found", format!("there is no witness's key in `{}`", dir.display()));
        failure.hint("`greffier witness init` makes one").exit(Exit::NotFound)
    };
    Ok(key::open(dir)?.ok_or_else(missing)?)
}

fn show(key: &Cosigner, output: Output) -> anyhow::Result<Exit> {
    output.line(&key.verifier().to_string())?;
    Ok(Exit::Ok)
}

/// Seconds since 1970; 0, with which nothing is signed, if the clock is earlier.
fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
