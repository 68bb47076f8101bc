//! `keys`: the keys that sign. Shown, made, replaced and retired; what changes is recorded before it takes effect.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use greffier_event::Tenant;
use greffier_ledger::{KeyRing, KeyState};
use serde::Serialize;

use crate::cli;
use crate::config::Config;
use crate::dev_issuer;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

/// How long a running server may take to notice: it looks each second, and records with one sync.
const TAKEN_UP: Duration = Duration::from_secs(5);

pub(super) fn run(what: &cli::Keys, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let config = Config::load(named)?;
    match what {
        cli::Keys::Show => show(&config, output),
        cli::Keys::Generate { dir } => generate(dir.as_deref(), &config, output),
        cli::Keys::Rotate => {
            let ring = open(&config)?;
            let number = ring.stage_rotation().map_err(refused)?;
            output.note(&format!(
                "made generation {number}; it signs beside the one before it once that is on record"
            ));
            wait(&ring, &config, output)
        }
        cli::Keys::Retire { generation } => {
            let ring = open(&config)?;
            let number = ring.stage_retirement(*generation).map_err(refused)?;
            output.note(&format!("generation {number} signs no more once that is on record"));
            wait(&ring, &config, output)
        }
    }
}

/// A row of what there is: a key that signs for a trail, or another file of the folder.
#[derive(Debug, Default, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
    file: String,
    mode: String,
}

const COLUMNS: [&str; 6] = ["generation", "state", "trail", "vkey", "file", "mode"];

fn show(config: &Config, output: Output) -> anyhow::Result<Exit> {
    let ring = open(config)?;
    let generations = ring.generations()?;
    let mut rows = Vec::new();
    for trail in trails(config) {
        let origin = format!("{}/{trail}", config.origin);
        for generation in &generations {
            rows.push(Row {
                generation: Some(generation.number),
                state: Some(generation.state.to_string()),
                trail: Some(trail.clone()),
                vkey: Some(generation.verifier(&origin)?.to_string()),
                file: generation.file.clone(),
                mode: mode(&config.keys.join(&generation.file))?,
            });
        }
    }
    let signing: BTreeSet<&str> = generations.iter().map(|generation| generation.file.as_str()).collect();
    for file in files(&config.keys)?.into_iter().filter(|file| !signing.contains(file.as_str())) {
        let mode = mode(&config.keys.join(&file))?;
        rows.push(Row { file, mode, ..Row::default() });
    }
    if output.format == Format::Table {
        output.note(&format!("keys in `{}` (mode {})", config.keys.display(), mode(&config.keys)?));
    }
    output.rows(&COLUMNS, &rows)?;
    Ok(Exit::Ok)
}

fn generate(dir: Option<&Path>, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let dir = dir.unwrap_or(&config.keys);
    KeyRing::create(dir)?;
    if config.issuers.is_empty() {
        dev_issuer::create(dir).with_context(|| format!("cannot write into `{}`", dir.display()))?;
    }
    output.note(&format!("made fresh keys in `{}`: back them up apart from the data", dir.display()));
    Ok(Exit::Ok)
}

/// Waits a moment for a running server to record the change and take it up.
fn wait(ring: &KeyRing, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let start = Instant::now();
    while ring.staged()?.is_some() {
        if start.elapsed() >= TAKEN_UP {
            output.progress_done();
            output.note("no greffier is running on these keys: it takes effect at the next start");
            return show(config, output);
        }
        output.progress("waiting for the running greffier to record it");
        std::thread::sleep(Duration::from_millis(100));
    }
    output.progress_done();
    let signing = ring.generations()?;
    let signing = signing.iter().filter(|generation| generation.state == KeyState::InForce).count();
    output.note(if signing > 1 {
        "recorded, and in effect: both sign. Give auditors and witnesses the new keys (the `trust` file of the data \
         directory), then run `greffier keys retire`"
    } else {
        "recorded, and in effect"
    });
    show(config, output)
}

fn open(config: &Config) -> anyhow::Result<KeyRing> {
    KeyRing::open(&config.keys).with_context(|| format!("the keys folder `{}`", config.keys.display()))
}

fn refused(error: greffier_ledger::KeyError) -> anyhow::Error {
    Failure::new("keys", error.to_string()).into()
}

/// The trails that are there, and the node's own in any case.
fn trails(config: &Config) -> BTreeSet<String> {
    let stored = std::fs::read_dir(config.data.join("trails")).into_iter().flatten().flatten();
    let named = stored.filter_map(|entry| Tenant::new(entry.file_name().into_string().ok()?).ok());
    named.map(|tenant| tenant.as_str().to_owned()).chain([Tenant::NODE.to_owned()]).collect()
}

/// The files of a folder by name.
fn files(dir: &Path) -> anyhow::Result<BTreeSet<String>> {
    let unreadable = || format!("cannot read `{}`", dir.display());
    let entries = std::fs::read_dir(dir).with_context(unreadable)?;
    let entries: Vec<_> = entries.collect::<Result<_, _>>().with_context(unreadable)?;
    let files = entries.into_iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    Ok(files.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn mode(path: &PathBuf) -> anyhow::Result<String> {
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(format!("{:03o}", metadata.mode() & 0o777))
}
