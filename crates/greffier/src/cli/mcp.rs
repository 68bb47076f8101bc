//! The command line of `mcp`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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

/// `pins …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Pins {
    /// Which definitions count, and which tools were last seen with another.
    Show {
        /// Only this server's.
        server: Option<String>,
        /// Only tools that changed.
        #[arg(long)]
        changed: bool,
    },
    /// From now on the definition counts that the tool was last seen with. A running server takes note within a second.
    Accept {
        /// The server's name in the configuration.
        server: String,
        /// The tool's name.
        #[arg(required_unless_present = "all")]
        tool: Option<String>,
        /// All tools of the server that changed.
        #[arg(long, conflicts_with = "tool")]
        all: bool,
    },
}
