//! `restore`: a copy becomes a data directory again, and is checked entry by entry before it is called one.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use greffier_ledger::backup::{copy_keys, restore_data};
use greffier_ledger::verify::{Report, VerifyOptions, verify_dir};
use greffier_merkle::TrustPolicy;
use serde::Serialize;

use super::backup::{Kind, cannot, newest, progress, sync};
use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};
use crate::wire;

/// What was restored, and what the check of it says.
#[derive(Debug, Serialize)]
struct Told {
    copy: String,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<String>,
    entries: u64,
    parts_opened: u64,
    verified: bool,
    anchored: bool,
    problems: Vec<String>,
}

pub(super) fn run(args: &cli::Restore, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let copy = newest(&args.from, Kind::Data)?;
    let trust = args.trust.as_deref().map(read_trust).transpose()?;
    let keys = match &args.keys {
        None => None,
        Some(keys) => {
            let to =
                args.keys_to.clone().map_or_else(|| Config::load(named).map(|config| config.keys), Ok)?;
            Some((newest(keys, Kind::Keys)?, to))
        }
    };
    if keys.as_ref().is_some_and(|(_, to)| to.starts_with(&args.to) || args.to.starts_with(to)) {
        return Err(Failure::usage("the keys must not lie inside the data directory").into());
    }
    // Both are empty before either is filled.
    for folder in [Some(&args.to), keys.as_ref().map(|(_, to)| to)].into_iter().flatten() {
        make_empty(folder)?;
    }
    if let Some((from, to)) = &keys {
        copy_keys(from, to).with_context(|| cannot("restore the keys into", to))?;
    }
    let restored = restore_data(&copy, &args.to, |step| progress(output, step));
    output.progress_done();
    restored.with_context(|| cannot("restore into", &args.to))?;
    sync(args.to.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))?;
    let keys_dir = keys.as_ref().map(|(_, to)| to.clone());
    let options = VerifyOptions { trust, keys_dir, ..VerifyOptions::default() };
    let report = verify_dir(&args.to, &options, |progress| {
        output.progress(&format!("checking: {} of {} files", progress.files, progress.of));
    });
    output.progress_done();
    let report = report?;
    tell(&copy, args, keys.map(|(_, to)| to.display().to_string()), &report, output)?;
    if !report.is_ok() {
        let message = format!("the copy does not verify: do not start greffier on `{}`", args.to.display());
        return Err(Failure::new("tampering", message).exit(Exit::Tampering).into());
    }
    output.note(
        "restored. At its next start greffier replays the erasures that the register and the trails know of, before it \
         serves. What was recorded after the copy is not in it: receipts, checkpoints and witnesses that saw more will \
         say so, and a witness that did makes greffier refuse to sign",
    );
    Ok(Exit::Ok)
}

fn tell(
    copy: &Path,
    args: &cli::Restore,
    keys: Option<String>,
    report: &Report,
    output: Output,
) -> anyhow::Result<()> {
    let told = Told {
        copy: copy.display().to_string(),
        data: args.to.display().to_string(),
        keys,
        entries: report.trails.iter().map(|trail| trail.entries).sum(),
        parts_opened: report.parts_opened,
        verified: report.is_ok(),
        anchored: report.anchored,
        problems: report
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.place, problem.what))
            .collect(),
    };
    match output.format {
        Format::Table => {
            let verdict = match (told.verified, told.anchored) {
                (false, _) => "TAMPERING FOUND",
                (true, true) => "VERIFIED",
                (true, false) => "SELF-CONSISTENT, NOT ANCHORED",
            };
            told.problems.iter().try_for_each(|problem| output.line(&format!("problem {problem}")))?;
            let (copy, data, entries) = (&told.copy, &told.data, told.entries);
            output.line(&format!("{copy} restored to {data}: {entries} entries, {verdict}"))?;
        }
        Format::Json => output.object(&[], &told)?,
        Format::Jsonl => output.rows(&[], &[told])?,
        Format::Csv => output.rows(&["copy", "data", "keys", "entries", "verified", "anchored"], &[told])?,
    }
    Ok(())
}

/// A new folder, or an empty one.
fn make_empty(folder: &Path) -> anyhow::Result<()> {
    if !folder.exists() {
        return DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| cannot("create", folder));
    }
    if fs::read_dir(folder).with_context(|| cannot("read", folder))?.next().is_some() {
        let failure = Failure::new("exists", format!("`{}` is not empty", folder.display()));
        return Err(failure.hint("restore overwrites nothing: choose another folder").into());
    }
    Ok(())
}

fn read_trust(path: &Path) -> anyhow::Result<TrustPolicy> {
    let in_file = || format!("in the trust policy `{}`", path.display());
    let text = wire::read(path, greffier_merkle::trust::MAX_POLICY as u64)?;
    TrustPolicy::parse(&String::from_utf8(text).with_context(in_file)?).with_context(in_file)
}
