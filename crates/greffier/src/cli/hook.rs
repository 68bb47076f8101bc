//! `hook …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use greffier_gateway::HookClient;

/// Where a server is by default: the default of `listen`.
const SERVER: &str = "http://127.0.0.1:4180";

/// `hook …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Hook {
    /// Hand an event of Claude Code (stdin) to the server, and its answer (stdout) back; exit 2 blocks the act.
    #[command(name = "claude-code")]
    ClaudeCode(HookServer),
    /// The same for Codex.
    Codex(HookServer),
    /// The same for Cursor.
    Cursor(HookServer),
    /// Write the hooks into a client's own settings, such that it does nothing while nothing can be recorded.
    Install(HookInstall),
}

/// The server that hooks ask.
#[derive(Debug, Args)]
pub(crate) struct HookServer {
    /// The server that decides and records; its token stands in GREFFIER_TOKEN.
    #[arg(long, value_name = "URL", default_value = SERVER, env = "GREFFIER_SERVER")]
    pub(crate) server: String,
    /// A file that holds the server's token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `hook install`.
#[derive(Debug, Args)]
pub(crate) struct HookInstall {
    /// Whose settings.
    pub(crate) client: HookName,
    /// In the settings of this folder's project.
    #[arg(long, conflicts_with = "user")]
    pub(crate) project: bool,
    /// In the settings of this user: the default.
    #[arg(long)]
    pub(crate) user: bool,
    /// Run `greffier hook` instead of posting: for a Claude Code that knows no HTTP hooks.
    #[arg(long)]
    pub(crate) command: bool,
    /// Take the hooks out again.
    #[arg(long, conflicts_with = "command")]
    pub(crate) uninstall: bool,
    /// Only show what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: HookServer,
}

/// A client, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookName {
    ClaudeCode,
    Codex,
    Cursor,
}

impl HookName {
    /// The client.
    pub(crate) fn client(self) -> HookClient {
        match self {
            HookName::ClaudeCode => HookClient::ClaudeCode,
            HookName::Codex => HookClient::Codex,
            HookName::Cursor => HookClient::Cursor,
        }
    }
}
