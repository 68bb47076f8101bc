//! What the gateway runs with: checked values, never file names or raw text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greffier_event::ActionKind;
use greffier_policy::Issuer;
use greffier_safety::{Rulebook, Scanner};
use http::Uri;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::continues::Continues;
use crate::mcp::McpSettings;
use crate::prices::Prices;
use crate::reach::Reach;
use crate::remote::Remote;
use crate::tls::TlsFiles;
use crate::tools::Api;
use crate::wire::Wire;

/// Everything `serve` needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// This node's name, as events carry it.
    pub node: String,
    /// The listener's certificate; `None`: it speaks in the clear.
    pub tls: Option<TlsFiles>,
    /// Who may vouch for callers.
    pub issuers: Vec<TrustedIssuer>,
    /// Where calls to models go.
    pub upstreams: Vec<Upstream>,
    /// HTTP APIs offered as tools.
    pub tools: Vec<ToolServer>,
    /// MCP servers, and how their entrance is guarded.
    pub mcp: McpSettings,
    /// The folder of Cedar policies, watched for changes.
    pub policy_dir: PathBuf,
    /// What finds sensitive values.
    pub scanner: Arc<Scanner>,
    /// What to do about them.
    pub rules: Rulebook,
    /// Another analyser that is asked about what calls carry.
    pub remote: Option<Remote>,
    /// What tokens cost.
    pub prices: Prices,
    /// Which calls go on while nothing can be recorded.
    pub continues: Continues,
    /// Bounds on time and size.
    pub limits: Limits,
    /// What tells the time: to callers' tokens, and to all that is recorded.
    pub clock: Clock,
    /// The configuration's text in force, recorded by digest at start; free of secrets.
    pub config_text: String,
}

/// An issuer together with where its keys come from.
#[derive(Debug)]
pub struct TrustedIssuer {
    /// What its tokens must look like.
    pub issuer: Issuer,
    /// Where its keys come from.
    pub keys: KeySource,
}

/// Where an issuer's public keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// OIDC discovery at the issuer's URL.
    Discovery,
    /// A JWKS given at start (a file, or the development issuer).
    Fixed(Vec<u8>),
}

/// A secret that never shows in `Debug`.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The secret itself, for the one header it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The API an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamKind {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's Gemini.
    Gemini,
}

impl UpstreamKind {
    /// The provider's name, as usage records carry it.
    pub fn provider(self) -> &'static str {
        match self {
            UpstreamKind::OpenAi => "openai",
            UpstreamKind::Anthropic => "anthropic",
            UpstreamKind::Gemini => "gemini",
        }
    }

    /// The format its errors are written in.
    pub(crate) fn wire(self) -> Wire {
        match self {
            UpstreamKind::OpenAi => Wire::OpenAi,
            UpstreamKind::Anthropic => Wire::Anthropic,
            UpstreamKind::Gemini => Wire::Gemini,
        }
    }
}

/// Where calls to models go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its configured name.
    pub name: String,
    /// The API it speaks.
    pub kind: UpstreamKind,
    /// Base URL; for OpenAI with the version, `https://api.openai.com/v1`, for the others without.
    pub base_url: Uri,
    /// Its API key; `None` when the configured variable is not set: calls to it are refused.
    pub api_key: Option<Secret>,
    /// Globs of the models it serves.
    pub models: Vec<String>,
    /// Longest wait for the head of a reply.
    pub timeout: Duration,
    /// Longest silence within a reply.
    pub idle_timeout: Duration,
    /// How it is reached.
    pub reach: Reach,
}

/// An HTTP API offered as a tool.
#[derive(Clone, Debug)]
pub struct ToolServer {
    /// Its name: the `{name}` of `/tools/{name}/{path}`.
    pub name: String,
    /// Where it is.
    pub base_url: Uri,
    /// How its resources are called in records: a template with `{path}`.
    pub resource: Option<String>,
    /// JSON pointer to who the data is about.
    pub subject: Option<String>,
    /// Classes of its data.
    pub classification: Vec<String>,
    /// A header to add, with the tool's own credential.
    pub credential: Option<(http::HeaderName, Secret)>,
    /// Longest wait for the head of a reply.
    pub timeout: Duration,
    /// Longest silence within a reply.
    pub idle_timeout: Duration,
    /// Family of its actions.
    pub kind: ActionKind,
    /// How it is reached.
    pub reach: Reach,
    /// Its operations, and what rules say of them.
    pub api: Arc<Api>,
}

/// Bounds on time and size.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest request or buffered reply body in bytes.
    pub body: usize,
    /// Open connections.
    pub connections: usize,
    /// Longest wait for a request's headers.
    pub header_timeout: Duration,
    /// Longest silence within a request's body.
    pub body_idle_timeout: Duration,
    /// Longest wait for calls in flight at a stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Providers accept about 32 MiB of JSON with images inside; a body is held whole to be inspected.
            body: 32 * 1024 * 1024,
            // Each connection may hold one body: the bound keeps the worst case of memory finite.
            connections: 1_024,
            header_timeout: Duration::from_secs(15),
            body_idle_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}
