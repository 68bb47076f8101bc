//! `prove`: a C2SP proof that an event is on its trail, for anyone to check.

use std::path::Path;

use anyhow::Context;
use greffier_event::EventId;
use greffier_ledger::{KeyRing, Reader};

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(args: &cli::Prove, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => Config::load(named)?.data,
    };
    let keys = args.keys.as_deref().map(KeyRing::open).transpose()?;
    let reader = Reader::open(&data)?;
    let Some(found) = reader.find(EventId(args.event))? else {
        let message = format!("no event {} in `{}`", args.event, data.display());
        return Err(Failure::new("not_found", message).exit(Exit::NotFound).into());
    };
    let proof = reader.prove(&found.tenant, found.index, keys.as_ref())?.to_text();
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
