//! `mcp`: an MCP server for a desktop client, governed and recorded.
//!
//! With a command it runs the whole gateway in this process, on a folder of its own; with `--server` it only carries
//! messages to a running one. Standard output belongs to the protocol: everything else goes to standard error.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use greffier_event::{Tenant, Timestamp};
use greffier_policy::dev::{Claims, DevIssuer};
use tracing::level_filters::LevelFilter;
use zeroize::Zeroizing;

use crate::cli;
use crate::dev_issuer;
use crate::exit::{Exit, Failure};
use crate::mcp::bridge;
use crate::mcp::folder::Folder;
use crate::mcp::node::Node;
use crate::output::Output;

/// Who uses a wrapped server: nobody else can.
const TENANT: &str = "local";
/// A token is made for each request: it need not outlive it by much.
const LIFETIME: u32 = 900;

pub(super) fn run(args: &cli::Mcp, output: Output) -> anyhow::Result<Exit> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::WARN).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match (&args.server, &args.name) {
            (Some(server), Some(name)) => {
                let token = std::env::var("GREFFIER_TOKEN").map(Zeroizing::new).map_err(|_| {
                    Failure::new("token", "there is no token")
                        .hint("put one into GREFFIER_TOKEN")
                        .exit(Exit::NotAuthorised)
                })?;
                bridge::run(server, name, Box::new(move |_| token.clone())).await
            }
            _ => wrap(args, output).await,
        }
    });
    // Reading standard input may block for ever: nobody waits for it.
    runtime.shutdown_background();
    done.map(|()| Exit::Ok)
}

async fn wrap(args: &cli::Mcp, output: Output) -> anyhow::Result<()> {
    let name = match &args.name {
        Some(name) if is_name(name) => name.clone(),
        Some(_) => {
            let failure =
                Failure::new("name", "a server's name has at most 64 letters, digits, `.`, `_` and `-`");
            return Err(failure.exit(Exit::Usage).into());
        }
        None => name_of(&args.command),
    };
    let wanted = match &args.dir {
        Some(dir) => dir.clone(),
        None => home()?.join(".greffier").join("mcp").join(&name),
    };
    let folder = Folder::take(&wanted)?;
    let (node, issuer) = Node::start(&folder, &name, &args.command).await?;
    output.note(&format!("`{name}` is recorded in {}", folder.path().display()));
    let user = user();
    let token = move |agent: &str| Zeroizing::new(mint(&issuer, &user, agent));
    let carried = bridge::run(&format!("http://{}", node.address), &name, Box::new(token)).await;
    node.stop().await?;
    carried
}

fn mint(issuer: &DevIssuer, user: &str, agent: &str) -> String {
    let claims = Claims {
        sub: user.to_owned(),
        tenant: Tenant::new(TENANT).ok(),
        roles: Vec::new(),
        scopes: Vec::new(),
        email: None,
        agent: Some(agent.to_owned()),
        tier: None,
        session: None,
        client: None,
        jti: uuid::Uuid::now_v7().to_string(),
    };
    issuer.mint(&claims, dev_issuer::AUDIENCE, now(), LIFETIME)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Who is at this machine.
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "local".to_owned())
}

fn home() -> anyhow::Result<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
        .context("no home folder is known: name a folder with --dir")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// What a command is called: the package that a runner runs, else the program.
fn name_of(command: &[String]) -> String {
    const RUNNERS: [&str; 8] = ["npx", "uvx", "bunx", "node", "python", "python3", "uv", "deno"];
    let base = |word: &String| {
        let last = Path::new(word).file_name().map(|name| name.to_string_lossy().into_owned());
        last.unwrap_or_default()
    };
    let words = command.iter().filter(|word| !word.starts_with('-')).map(base);
    let word = words.into_iter().find(|word| !RUNNERS.contains(&word.as_str()) && word != "run");
    let word = word.unwrap_or_default();
    let word = word.trim_start_matches("mcp-").trim_start_matches("server-");
    let stem = word.rsplit_once('.').map_or(word, |(stem, _)| stem);
    let name: String =
        stem.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect();
    if name.is_empty() { "server".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_called_after_their_package() {
        let check = |line: &str| name_of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(check("npx -y @modelcontextprotocol/server-filesystem /srv"), "filesystem");
        assert_eq!(check("uvx mcp-server-git --repository x"), "git");
        assert_eq!(check("python3 /opt/tools/weather.py"), "weather");
        assert_eq!(check("/usr/bin/crm-mcp"), "crm-mcp");
        assert_eq!(check("npx -y"), "server");
    }
}
