//! `prove`: a C2SP proof that an event is on its trail, for anyone to check.

use std::path::Path;

use anyhow::Context;
use greffier_event::EventId;
use greffier_ledger::{KeyRing, Level, Reader};

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(args: &cli::Prove, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let (data, anchor) = match &args.data {
        Some(data) => (data.clone(), None),
        None => {
            let config = Config::load(named)?;
            (config.data, config.anchor)
        }
    };
    let keys = args.keys.as_deref().map(KeyRing::open).transpose()?;
    let reader = Reader::open(&data)?;
    let Some(found) = reader.find(EventId(args.event))? else {
        let message = format!("no event {} in `{}`", args.event, data.display());
        return Err(Failure::new("not_found", message).exit(Exit::NotFound).into());
    };
    let required = anchor.is_some_and(|anchor| anchor.require.covers(&found.tenant));
    let proof = match args.level.or(required.then_some(Level::Witnessed)) {
        Some(level) => reader.prove_at(&found.tenant, found.index, keys.as_ref(), level),
        None => reader.prove(&found.tenant, found.index, keys.as_ref()),
    };
    let proof = proof?.to_text();
    match &args.out {
        Some(path) => {
            std::fs::write(path, &proof).with_context(|| format!("cannot write `{}`", path.display()))?;
            output.note(&format!(
                "entry {} of trail {}, proof in {}",
                found.index,
                found.tenant,
                path.display()
            ));
        }
        None => output.raw(&proof)?,
    }
    Ok(Exit::Ok)
}
