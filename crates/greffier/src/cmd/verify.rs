//! `verify`: checks a data directory, an evidence pack or a proof, offline. Trust comes from outside, or the verdict says that it
//! did not.

mod dir;
mod event;
mod outside;
mod pack;
mod proof;

use std::path::Path;

use anyhow::Context;
use greffier_ledger::pack::Pack;
use greffier_merkle::TrustPolicy;

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::wire;

/// Said whenever nothing from outside was trusted.
const NOT_ANCHORED: &str = "SELF-CONSISTENT, NOT ANCHORED";
/// Largest trust policy.
const MAX_TRUST: u64 = greffier_merkle::trust::MAX_POLICY as u64;

pub(super) fn run(args: &cli::Verify, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let target = match &args.target {
        Some(target) => target.clone(),
        None => Config::load(named)?.data,
    };
    let options = outside::options(args)?;
    let metadata = std::fs::metadata(&target).map_err(|error| {
        Failure::new("not_found", format!("cannot find `{}`: {error}", target.display())).exit(Exit::NotFound)
    })?;
    if Pack::is_one(&target) {
        pack::verify(&target, &options, output)
    } else if metadata.is_dir() {
        match args.event {
            Some(id) => event::verify(&target, &options, id, output),
            None => dir::verify(&target, &options, output),
        }
    } else {
        // Without trust from outside, this installation's own word is better than none: it notices a changed
        // signature, but it anchors nothing.
        let own = Config::load(named).ok().and_then(|config| read_trust(&config.data.join("trust")).ok());
        proof::verify(&target, &options, own.as_ref(), output)
    }
}

pub(super) fn read_trust(path: &Path) -> anyhow::Result<TrustPolicy> {
    let in_file = || format!("in the trust policy `{}`", path.display());
    let text = String::from_utf8(wire::read(path, MAX_TRUST)?).with_context(in_file)?;
    TrustPolicy::parse(&text).with_context(in_file)
}
