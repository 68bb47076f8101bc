//! `prove`: a C2SP proof that an event is on its trail, for anyone to check; made of the files, or by a running server.

use std::path::Path;

use anyhow::Context;
use greffier_event::EventId;
use greffier_ledger::{KeyRing, Level, Reader};

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::source::{Server, Source, wait};

/// A proof, and in few words what of.
struct Proof {
    text: String,
    of: String,
}

pub(super) fn run(args: &cli::Prove, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let proof = match &args.place.server {
        Some(_) => match Source::open(&args.place, None, named)? {
            Source::Server(server) => wait(served(&server, args))?,
            Source::Files(_) => made(args, named)?,
        },
        None => made(args, named)?,
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, &proof.text)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            output.note(&format!("{}, proof in {}", proof.of, path.display()));
        }
        None => output.raw(&proof.text)?,
    }
    Ok(Exit::Ok)
}

/// What a server proves. That it was asked is on the trail.
async fn served(server: &Server, args: &cli::Prove) -> anyhow::Result<Proof> {
    let query =
        server.query(&[("level", args.level.map(Level::name)), ("parts", args.parts.then_some("true"))]);
    let text = server.client.text(&format!("/api/v1/proofs/{}", args.event), &query).await?;
    Ok(Proof { text, of: format!("event {}", args.event) })
}

/// What the files prove.
fn made(args: &cli::Prove, named: Option<&Path>) -> anyhow::Result<Proof> {
    let (data, anchor) = match &args.place.data {
        Some(data) => (data.clone(), None),
        None => {
            let config = Config::load(named)?;
            (config.data, config.anchor)
        }
    };
    let keys = args.keys.as_deref().map(KeyRing::open).transpose()?;
    let reader = Reader::open(&data)?;
    let found = reader.find(EventId(args.event))?;
    let found = found.filter(|found| args.place.tenant.as_ref().is_none_or(|tenant| *tenant == found.tenant));
    let Some(found) = found else {
        let message = format!("no event {} in `{}`", args.event, data.display());
        return Err(Failure::new("not_found", message).exit(Exit::NotFound).into());
    };
    let required = anchor.is_some_and(|anchor| anchor.require.covers(&found.tenant));
    let proof = match args.level.or(required.then_some(Level::Witnessed)) {
        Some(level) => reader.prove_at(&found.tenant, found.index, keys.as_ref(), level),
        None => reader.prove(&found.tenant, found.index, keys.as_ref()),
    };
    Ok(Proof { text: proof?.to_text(), of: format!("entry {} of trail {}", found.index, found.tenant) })
}
