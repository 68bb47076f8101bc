//! What the command line brings from outside: trust, checkpoints, receipts.

use anyhow::Context;
use greffier_ledger::verify::VerifyOptions;
use greffier_merkle::{Receipt, ReceiptError};

use super::read_trust;
use crate::cli;
use crate::exit::Failure;
use crate::wire;

/// A signed checkpoint is a note.
const MAX_CHECKPOINT: u64 = 1024 * 1024;
/// A hundred thousand receipts.
const MAX_RECEIPTS: u64 = 16 * 1024 * 1024;

pub(super) fn options(args: &cli::Verify) -> anyhow::Result<VerifyOptions> {
    let mut options = VerifyOptions {
        trust: args.trust.as_deref().map(read_trust).transpose()?,
        keys_dir: args.keys.clone(),
        require_witnessed: args.require_witnessed,
        deep: args.deep,
        ..VerifyOptions::default()
    };
    for path in &args.from {
        let text = String::from_utf8(wire::read(path, MAX_CHECKPOINT)?);
        options.from.push(text.with_context(|| format!("`{}` is no checkpoint", path.display()))?);
    }
    for kept in &args.receipt {
        match kept.parse() {
            Ok(receipt) => options.receipts.push(receipt),
            Err(error) => options.receipts.extend(in_file(kept, &error)?),
        }
    }
    Ok(options)
}

fn in_file(name: &str, error: &ReceiptError) -> anyhow::Result<Vec<Receipt>> {
    let path = std::path::Path::new(name);
    if !path.is_file() {
        return Err(
            Failure::usage(format!("`{name}` is neither a receipt nor a file of some: {error}")).into()
        );
    }
    let text = String::from_utf8(wire::read(path, MAX_RECEIPTS)?).unwrap_or_default();
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let receipt = |(line, number): (&str, usize)| {
        line.trim()
            .parse()
            .map_err(|error| Failure::usage(format!("`{name}`, line {number}: {error}")).into())
    };
    lines.map(receipt).collect()
}
