//! `init`: a configuration, sample policies, and fresh keys. Nothing is ever overwritten.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_ledger::KeyRing;
use greffier_policy::SAMPLE_POLICIES;
use serde::Serialize;

use crate::config::{Config, DEFAULT_PATH, SAMPLE};
use crate::dev_issuer;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};

pub(super) fn run(dir: &Path, output: Output) -> anyhow::Result<Exit> {
    let written = write(dir)?;
    if output.format == Format::Table {
        let list: Vec<String> =
            written.iter().map(|row| format!("  {:<36} {}", row.path, row.what)).collect();
        output.note(&format!("wrote\n{}\n", list.join("\n")));
    } else {
        output.rows(&["path", "what"], &written)?;
    }
    let at = if dir == Path::new(".") {
        String::new()
    } else {
        format!(" --config {}", dir.join(DEFAULT_PATH).display())
    };
    output.note(&format!(
        "next\n  greffier serve{at}\n  greffier token{at} --sub alice --role analyst    an access token, for the \
         SDK's API key\nmodels are called with OPENAI_API_KEY and ANTHROPIC_API_KEY of the server's environment"
    ));
    Ok(Exit::Ok)
}

/// One thing that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    path: String,
    what: &'static str,
}

/// Writes everything, the configuration last: as long as it is missing, the folder is not set up.
pub(super) fn write(dir: &Path) -> anyhow::Result<Vec<Written>> {
    let file = dir.join(DEFAULT_PATH);
    // Keys and policies go where the environment's overrides say, as for `serve`.
    let config = Config::sample(&file)?;
    let policies: Vec<(PathBuf, &str)> =
        SAMPLE_POLICIES.iter().map(|(name, text)| (config.policy_dir.join(name), *text)).collect();
    let in_the_way =
        policies.iter().map(|(path, _)| path).chain([&file, &config.keys]).find(|path| occupied(path));
    if let Some(path) = in_the_way {
        let failure = Failure::new("exists", format!("`{}` exists already", path.display()));
        return Err(failure.hint("init overwrites nothing: choose another folder with --dir").into());
    }
    fs::create_dir_all(file.parent().unwrap_or(dir)).with_context(|| cannot("create", dir))?;
    fs::create_dir_all(&config.policy_dir).with_context(|| cannot("create", &config.policy_dir))?;
    KeyRing::create(&config.keys)?;
    dev_issuer::create(&config.keys).with_context(|| cannot("write into", &config.keys))?;
    for (path, text) in &policies {
        create(path, text)?;
    }
    create(&file, SAMPLE)?;
    let row = |path: &Path, what| Written { path: path.display().to_string(), what };
    Ok(vec![
        row(&file, "the configuration, with every default"),
        row(&config.policy_dir, "policies: who may do what"),
        row(&config.keys, "keys: keep them secret, back them up apart from the data"),
    ])
}

/// An empty folder is in nobody's way.
fn occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| cannot("write", path))
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} `{}`", path.display())
}
