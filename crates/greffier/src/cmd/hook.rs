//! `hook`: for clients that only run commands. An event on stdin, the server's answer on stdout; and where there is
//! none, exit 2, which every client takes for a no.

mod diff;
mod install;
mod merge;

use std::io::Read;
use std::time::Duration;

use anyhow::Context;
use greffier_gateway::HookClient;
use serde_json::Value;

use crate::cli::{Hook, HookServer};
use crate::exit::{Exit, Failure};
use crate::http::Client;
use crate::output::Output;

/// Longest event: what the server takes.
const MAX_EVENT: u64 = 32 * 1024 * 1024;
/// Longest wait for an answer: less than any client waits for a hook, since one that waits in vain goes on without.
const LONGEST: Duration = Duration::from_secs(20);

pub(super) fn run(what: &Hook, output: Output) -> anyhow::Result<Exit> {
    match what {
        Hook::ClaudeCode(server) => relay(HookClient::ClaudeCode, server, output),
        Hook::Codex(server) => relay(HookClient::Codex, server, output),
        Hook::Cursor(server) => relay(HookClient::Cursor, server, output),
        Hook::Install(args) => install::run(args, output),
    }
}

fn relay(client: HookClient, server: &HookServer, output: Output) -> anyhow::Result<Exit> {
    let event = read()?;
    match ask(client, server, &event) {
        Ok(answer) => {
            output.raw(&answer)?;
            Ok(Exit::Ok)
        }
        Err(error) => Err(blocking(client, &event, &error).into()),
    }
}

fn read() -> anyhow::Result<Vec<u8>> {
    let mut event = Vec::new();
    let read = std::io::stdin().lock().take(MAX_EVENT + 1).read_to_end(&mut event);
    // What cannot be read is nothing that anybody consented to.
    let refused = |message: String| Failure::new("hook_blocked", message).exit(Exit::Usage);
    read.map_err(|error| refused(format!("cannot read the event: {error}")))?;
    if event.len() as u64 > MAX_EVENT {
        return Err(refused("the event is too large".to_owned()).into());
    }
    Ok(event)
}

fn ask(client: HookClient, server: &HookServer, event: &[u8]) -> anyhow::Result<String> {
    let http = Client::new(&server.server, server.token_file.as_deref())?;
    let path = format!("/hooks/{}", client.name());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        tokio::time::timeout(LONGEST, http.exchange(&path, "application/json", event.to_vec())).await
    });
    let answer = answer.map_err(|_| Failure::new("timeout", "the server did not answer in time"))??;
    String::from_utf8(answer).context("the server's answer is no text")
}

/// The failure of an event: one that stands before an act blocks it, one that comes after is an error like others. For
/// a client 2 after the end of a turn means to go on with it, which nobody wants.
fn blocking(client: HookClient, event: &[u8], error: &anyhow::Error) -> Failure {
    let name = serde_json::from_slice::<Value>(event)
        .ok()
        .and_then(|event| event.get("hook_event_name")?.as_str().map(str::to_owned));
    let blocks = name.as_deref().is_none_or(|name| client.asks(name));
    let known = error.downcast_ref::<Failure>();
    let hint = known.and_then(|failure| failure.hint.clone());
    let message = if blocks { "blocked by Greffier, for it cannot be recorded" } else { "not recorded" };
    let mut failure = Failure::new("hook_blocked", format!("{message}: {error}"));
    failure.hint = hint;
    failure.exit(if blocks { Exit::Usage } else { Exit::Error })
}
