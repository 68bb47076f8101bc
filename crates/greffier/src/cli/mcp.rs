//! The command line of `mcp`.

use std::path::PathBuf;

use clap::Args;

/// `mcp`.
#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// How the server is called in policies and events; by default after its command.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Speak to the server of this name behind a running gateway instead of starting one; needs a token in
    /// `GREFFIER_TOKEN`.
    #[arg(long, value_name = "URL", requires = "name", conflicts_with = "command")]
    pub(crate) server: Option<String>,
    /// Folder for trail, keys, policies and configuration; by default .greffier/mcp/NAME at home.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The MCP server's command and its arguments.
    #[arg(last = true, required_unless_present = "server")]
    pub(crate) command: Vec<String>,
}
