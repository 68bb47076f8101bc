//! `config check` and `config show`.

use std::path::Path;

use crate::cli;
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::wire;

pub(super) fn run(what: &cli::Config, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    match what {
        cli::Config::Check => check(named, output),
        cli::Config::Show => show(named, output),
    }
}

/// Checks the text, then whether what it names can be used here.
fn check(named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let config = match Config::load(named) {
        Ok(config) => config,
        Err(error) => {
            return match super::config_problems(&error) {
                Some(found) => super::problems(output, "config", &found.0),
                None => Err(error),
            };
        }
    };
    let settings = wire::settings(config)?;
    for upstream in settings.upstreams.iter().filter(|upstream| upstream.api_key.is_none()) {
        output.warn(&format!("the key of upstream `{}` is not set: calls to it are refused", upstream.name));
    }
    super::no_problems(output, &format!("{}: no problems", config::path(named).display()))
}

/// The configuration in force. It holds no secrets, only their sources.
fn show(named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let text = Config::load(named)?.text;
    match output.format {
        Format::Table | Format::Csv => output.raw(&text)?,
        Format::Json | Format::Jsonl => output.object(&[], &toml::from_str::<toml::Table>(&text)?)?,
    }
    Ok(Exit::Ok)
}
