//! A configured MCP server: where it is, and what is done when its tools change.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Uri};

use crate::reach::Reach;
use crate::settings::Secret;

/// What the MCP entrance runs with.
#[derive(Debug, Default)]
pub struct McpSettings {
    /// The servers behind it.
    pub servers: Vec<McpServer>,
    /// How callers reach this gateway, without a slash at the end; without it, as each request says.
    pub public_url: Option<String>,
    /// Pages that may call it from a browser, beside those of its own address: `https://console.example`.
    pub origins: Vec<String>,
    /// Where the digests of tool definitions are kept, one file per server; nowhere, they last as long as the process.
    pub pins: Option<PathBuf>,
}

/// An MCP server.
#[derive(Clone, Debug)]
pub struct McpServer {
    /// Its name: the `{server}` of `/mcp/{server}`.
    pub name: String,
    /// Where it is.
    pub transport: Transport,
    /// Classes of its data.
    pub classification: Vec<String>,
    /// What is done about a tool whose definition changed.
    pub on_change: OnChange,
    /// Longest wait for the head of a reply.
    pub timeout: Duration,
    /// Longest silence within a reply.
    pub idle_timeout: Duration,
}

/// Where a server is.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Behind Streamable HTTP.
    Http {
        /// Its endpoint.
        url: Uri,
        /// A header to add, with the server's own credential.
        credential: Option<(HeaderName, Secret)>,
        /// How it is reached.
        reach: Reach,
    },
    /// A command of this machine, spoken to over its standard input and output: a process for each session.
    Command(Launch),
}

/// How a command is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment: of our own it sees nothing else, because keys stand there.
    pub environment: Vec<(String, Secret)>,
    /// Most processes at once.
    pub processes: usize,
    /// A process nobody asked anything for so long is ended.
    pub idle: Duration,
}

/// What is done about a tool whose definition changed since it was first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnChange {
    /// An event says so, policies see it, and the tool goes on.
    #[default]
    Flag,
    /// The tool is hidden and its calls are denied until somebody accepts the change.
    Block,
}
