//! `pins`: which definitions of MCP servers' tools count, and accepting those that changed. It works on the files that
//! the gateway keeps; one that runs takes note by itself, and writes down that somebody did this.

use std::path::Path;

use anyhow::Context;
use greffier_gateway::mcp::{accept_definition, pinned_definitions};
use serde::Serialize;

use crate::cli;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(what: &cli::Pins, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let dir = Config::load(named)?.pins;
    match what {
        cli::Pins::Show { server, changed } => show(&dir, server.as_deref(), *changed, output),
        cli::Pins::Accept { server, tool, .. } => accept(&dir, server, tool.as_deref(), output),
    }
}

#[derive(Debug, Serialize)]
struct Row {
    server: String,
    tool: String,
    state: &'static str,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

fn show(dir: &Path, server: Option<&str>, changed: bool, output: Output) -> anyhow::Result<Exit> {
    let servers = match server {
        Some(server) => vec![known(dir, server)?],
        None => servers(dir)?,
    };
    let mut rows = Vec::new();
    for server in servers {
        for (tool, pin) in pinned_definitions(dir, &server)? {
            if changed && pin.changed.is_none() {
                continue;
            }
            let state = if pin.changed.is_some() { "changed" } else { "pinned" };
            rows.push(Row { server: server.clone(), tool, state, sha256: pin.digest, seen: pin.changed });
        }
    }
    output.rows(&["server", "tool", "state", "sha256", "seen"], &rows)?;
    Ok(Exit::Ok)
}

fn accept(dir: &Path, server: &str, tool: Option<&str>, output: Output) -> anyhow::Result<Exit> {
    let server = known(dir, server)?;
    let pins = pinned_definitions(dir, &server)?;
    let changed =
        pins.iter().filter(|(name, pin)| pin.changed.is_some() && tool.is_none_or(|tool| tool == *name));
    let tools: Vec<&String> = changed.map(|(name, _)| name).collect();
    if let (Some(tool), true) = (tool, tools.is_empty()) {
        let message = match pins.contains_key(tool) {
            true => format!("the definition of `{tool}` did not change since it was pinned"),
            false => format!("`{server}` has no tool `{tool}` that is pinned"),
        };
        let failure = Failure::new("not_found", message).exit(Exit::NotFound);
        return Err(failure.hint("`greffier pins show --changed` lists what changed").into());
    }
    for tool in tools {
        if accept_definition(dir, &server, tool)? {
            output.note(&format!("accepted: {server}:{tool}"));
        }
    }
    show(dir, Some(&server), false, output)
}

/// A server that has pins.
fn known(dir: &Path, server: &str) -> anyhow::Result<String> {
    let there = servers(dir)?.into_iter().find(|known| known == server);
    there.ok_or_else(|| {
        let message = format!("no definitions of `{server}` are pinned in `{}`", dir.display());
        Failure::new("not_found", message).exit(Exit::NotFound).into()
    })
}

/// Servers that have pins, whether or not they are still configured.
fn servers(dir: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read `{}`", dir.display()))?,
    };
    let mut servers = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        servers.extend(name.strip_suffix(".pins").map(str::to_owned));
    }
    servers.sort();
    Ok(servers)
}
