//! `hook install`: our hooks in a client's own settings.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use greffier_gateway::HookClient;
use serde::Serialize;

use super::diff::diff;
use super::merge::{self, Reach};
use crate::cli::HookInstall;
use crate::exit::{Exit, Failure};
use crate::http::Client;
use crate::output::{Format, Output};

/// Largest file of settings; people write them.
const MAX_SETTINGS: u64 = 16 * 1024 * 1024;

#[derive(Serialize)]
struct Change {
    file: String,
    changed: bool,
    written: bool,
}

pub(super) fn run(args: &HookInstall, output: Output) -> anyhow::Result<Exit> {
    let client = args.client.client();
    // A server that no token would travel to is told of here, not by a client that stands still.
    Client::new(&args.server.server, args.server.token_file.as_deref())?;
    let file = file(client, args.project)?;
    let old = read(&file)?;
    let new = match args.uninstall {
        true => merge::uninstalled(&old, client),
        false => merge::installed(&old, client, &reach(args, client)),
    };
    let new = new.map_err(|error| {
        Failure::new("settings", format!("`{}`: {error}", file.display())).exit(Exit::Error)
    })?;
    let changed = new != old;
    if changed && !args.dry_run {
        write(&file, &new).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    match output.format {
        Format::Table => output.raw(&diff(&file.display().to_string(), &old, &new))?,
        _ => {
            let written = changed && !args.dry_run;
            let change = Change { file: file.display().to_string(), changed, written };
            output.rows(&["file", "changed", "written"], &[change])?;
        }
    }
    output.note(match (changed, args.dry_run) {
        (false, _) => "nothing to change",
        (true, true) => "nothing was written",
        (true, false) => "written; start the client anew, with a token in GREFFIER_TOKEN",
    });
    Ok(Exit::Ok)
}

/// Claude Code posts by itself; the others run commands only.
fn reach(args: &HookInstall, client: HookClient) -> Reach {
    let server = args.server.server.trim_end_matches('/');
    if client == HookClient::ClaudeCode && !args.command && args.server.token_file.is_none() {
        return Reach::Http(server.to_owned());
    }
    let token = args.server.token_file.as_ref().map(|file| format!(" --token-file {}", quoted(file)));
    Reach::Command(format!("greffier hook {} --server {server}{}", client.name(), token.unwrap_or_default()))
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Where a client keeps its settings.
fn file(client: HookClient, project: bool) -> anyhow::Result<PathBuf> {
    let (folder, own, name) = match client {
        HookClient::ClaudeCode => (".claude", Some("CLAUDE_CONFIG_DIR"), "settings.json"),
        HookClient::Codex => (".codex", Some("CODEX_HOME"), "hooks.json"),
        HookClient::Cursor => (".cursor", None, "hooks.json"),
        HookClient::Agent => {
            return Err(Failure::usage("an agent of one's own asks by the SDK's guard").into());
        }
    };
    if project {
        return Ok(Path::new(folder).join(name));
    }
    let named = own.and_then(std::env::var_os).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = match named {
        Some(folder) => folder,
        None => std::env::home_dir()
            .ok_or_else(|| Failure::usage("there is no home folder: use --project"))?
            .join(folder),
    };
    Ok(folder.join(name))
}

fn read(file: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read `{}`", file.display());
    match std::fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(cannot),
        Ok(found) if found.len() > MAX_SETTINGS => {
            Err(Failure::new("settings", format!("`{}` is too large", file.display())).into())
        }
        Ok(_) => std::fs::read_to_string(file).with_context(cannot),
    }
}

/// All of it or nothing: a client that reads half a file would run without hooks. A link stays a link.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = file.with_extension("json.greffier-new");
    let mut new = std::fs::File::create(&beside)?;
    if let Ok(found) = std::fs::metadata(&file) {
        new.set_permissions(found.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    std::fs::rename(&beside, &file)
}
