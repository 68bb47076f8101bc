//! The configuration: one TOML file, overridden by `GREFFIER__SECTION__KEY`, checked as a whole.
//!
//! `env` lays the overrides over the file, `keys` finds what nobody knows, `raw` is what was written, `check`
//! turns it into values. Every problem is found in one go and says where it stands. Secrets are never in here:
//! only where they come from.

pub(crate) mod check;
mod env;
mod keys;
mod place;
mod raw;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use greffier_gateway::{Continues, Limits, McpServer, Remote, TlsFiles, ToolServer, Upstream};
use greffier_ledger::{Require, Retention, SealPolicy, Witness};
use greffier_policy::Issuer;
use greffier_query::Severity;
use greffier_safety::{Rulebook, Scanner};
use serde::Deserialize;
use toml::de::DeTable;

pub(crate) use place::{Problem, Problems};

use crate::exit::Failure;
use check::{ApiConfig, ReachConfig};
use place::Places;
use raw::Raw;

/// Where the configuration is looked for.
pub(crate) const DEFAULT_PATH: &str = "greffier.toml";
/// What `init` writes.
pub(crate) const SAMPLE: &str = include_str!("config/sample.toml");
/// Largest configuration: past this it is the wrong file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where a secret comes from; never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

/// An issuer, and where its keys are if not behind OIDC discovery.
#[derive(Debug)]
pub(crate) struct IssuerConfig {
    pub(crate) issuer: Issuer,
    pub(crate) jwks_file: Option<PathBuf>,
}

/// An upstream, and where its key comes from.
#[derive(Debug)]
pub(crate) struct UpstreamConfig {
    /// Its `api_key` is still empty.
    pub(crate) upstream: Upstream,
    pub(crate) reach: ReachConfig,
    pub(crate) api_key: SecretSource,
}

/// A tool, and where its credential comes from.
#[derive(Debug)]
pub(crate) struct ToolConfig {
    /// Its `credential` is still empty.
    pub(crate) tool: ToolServer,
    pub(crate) reach: ReachConfig,
    pub(crate) api: ApiConfig,
    pub(crate) credential: Option<(http::HeaderName, SecretSource)>,
}

/// An MCP server, where its credential comes from, and which variables a command sees.
#[derive(Debug)]
pub(crate) struct McpConfig {
    /// Its credential, its environment and its reach are still empty.
    pub(crate) server: McpServer,
    pub(crate) reach: ReachConfig,
    pub(crate) credential: Option<(http::HeaderName, SecretSource)>,
    pub(crate) environment: Vec<String>,
}

/// Who vouches for the trails, and what that counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnchorConfig {
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) quorum: usize,
    pub(crate) every: Duration,
    pub(crate) stale_after: Duration,
    pub(crate) require: Require,
}

/// What is looked for in contents, and what is done about it.
#[derive(Debug)]
pub(crate) struct SafetyConfig {
    pub(crate) scanner: Arc<Scanner>,
    pub(crate) rules: Rulebook,
    /// Another analyser, if one is asked.
    pub(crate) remote: Option<Remote>,
    /// How the contents of ingested events are inspected.
    pub(crate) ingest: greffier_api::Inspection,
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// The listener's certificate, if it ends TLS itself.
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) data: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) origin: String,
    pub(crate) node: String,
    /// None, on a loopback listener: the development issuer.
    pub(crate) issuers: Vec<IssuerConfig>,
    pub(crate) upstreams: Vec<UpstreamConfig>,
    pub(crate) tools: Vec<ToolConfig>,
    pub(crate) mcp: Vec<McpConfig>,
    /// How callers reach this gateway.
    pub(crate) public_url: Option<String>,
    /// Pages that may use the MCP entrance.
    pub(crate) origins: Vec<String>,
    /// Where the digests of MCP tools' definitions are kept.
    pub(crate) pins: PathBuf,
    pub(crate) policy_dir: PathBuf,
    pub(crate) safety: SafetyConfig,
    pub(crate) prices: Option<PathBuf>,
    pub(crate) continues: Continues,
    /// Who stamps checkpoints with a time, if anybody does.
    pub(crate) timestamps: Option<Timestamps>,
    pub(crate) limits: Limits,
    pub(crate) query: greffier_query::Limits,
    /// Whether sealed segments get indexes of their texts.
    pub(crate) ngram_index: bool,
    pub(crate) seal: SealPolicy,
    /// Who vouches for the trails; without witnesses nobody.
    pub(crate) anchor: Option<AnchorConfig>,
    /// How long contents are kept, and how much later a shorter time takes effect.
    pub(crate) retention: (Retention, Duration),
    /// Whether what is unusual is recorded, and who is told.
    pub(crate) findings: FindingsConfig,
    /// The configuration in force as TOML: the file, the overrides, the defaults.
    pub(crate) text: String,
}

/// What becomes of findings.
#[derive(Clone, Debug)]
pub(crate) struct FindingsConfig {
    /// Whether each is an event.
    pub(crate) record: bool,
    /// Where it is remembered what each webhook was told.
    pub(crate) positions: PathBuf,
    /// Who is told.
    pub(crate) webhooks: Vec<WebhookConfig>,
}

/// Somebody who is told of findings.
#[derive(Clone, Debug)]
pub(crate) struct WebhookConfig {
    pub(crate) name: String,
    pub(crate) url: UrlSource,
    /// What tells the receiver who speaks.
    pub(crate) secret: Option<SecretSource>,
    pub(crate) slack: bool,
    /// What matters less is not told.
    pub(crate) least: Severity,
    /// A finding older than this is no news: it is tried once more at most.
    pub(crate) give_up_after: Duration,
}

/// An address, which may itself be a secret: whoever knows Slack's may post there.
#[derive(Clone, Debug)]
pub(crate) enum UrlSource {
    Plain(String),
    Secret(SecretSource),
}

/// Who stamps checkpoints with a time, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timestamps {
    /// The authority's URL.
    pub(crate) url: String,
    /// How often a trail that grew is stamped.
    pub(crate) every: Duration,
}

impl Config {
    /// Reads the file at `path`, or the defaults if nobody named one and there is none.
    pub(crate) fn load(named: Option<&Path>) -> anyhow::Result<Config> {
        let path = path(named);
        let text = match read(path) {
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("cannot read the configuration `{}`", path.display()))?,
        };
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Config::parse(path, base, &text, &overrides()?)?)
    }

    /// Reads the file at `path` alone: the environment's overrides are meant for other installations.
    pub(crate) fn alone(path: &Path) -> anyhow::Result<Config> {
        let text =
            read(path).with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Config::parse(path, base, &text, &BTreeMap::new())?)
    }

    /// What the sample at `path` will mean, the environment's overrides included.
    pub(crate) fn sample(path: &Path) -> anyhow::Result<Config> {
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Config::parse(path, base, SAMPLE, &overrides()?)?)
    }

    /// Reads a configuration's text. Relative paths in it start at `base`.
    fn parse(
        path: &Path,
        base: &Path,
        text: &str,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Config, Problems> {
        let file = path.display().to_string();
        let places = Places::new(&file, text, overrides);
        let mut tree = DeTable::parse(text).map_err(|error| places.toml(&error))?;
        let mut problems = env::apply(tree.get_mut(), overrides, &places);
        problems.extend(keys::unknown(tree.get_ref(), &places));
        match Raw::deserialize(toml::Deserializer::from(tree)) {
            Ok(raw) => check::check(raw, base, &places, problems),
            Err(error) => Err(problems.with(places.toml(&error))),
        }
        .map_err(Problems::sorted)
    }
}

/// The configuration file that counts.
pub(crate) fn path(named: Option<&Path>) -> &Path {
    named.unwrap_or(Path::new(DEFAULT_PATH))
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    std::fs::read_to_string(path)
}

/// The overrides in the environment.
fn overrides() -> Result<BTreeMap<String, String>, Failure> {
    let ours =
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(env::PREFIX.as_bytes()));
    let text = |(name, value): (OsString, OsString)| {
        let shown = name.to_string_lossy().into_owned();
        let wrong = |_| Failure::new("config", format!("environment variable {shown} is not valid UTF-8"));
        Ok((name.into_string().map_err(wrong)?, value.into_string().map_err(wrong)?))
    };
    ours.map(text).collect()
}

#[cfg(test)]
mod tests;
