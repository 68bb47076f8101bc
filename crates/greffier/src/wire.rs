//! From the checked configuration to what the gateway runs with: the files it names are read, secrets resolved.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use greffier_gateway::prices::Prices;
use greffier_gateway::{Clock, KeySource, McpServer, McpSettings, Reach, Secret, Settings, TrustedIssuer};
use greffier_policy::Policies;
use zeroize::Zeroizing;

use crate::config::{Config, IssuerConfig, McpConfig, SecretSource, ToolConfig, UpstreamConfig};
use crate::dev_issuer;
use crate::exit::Failure;

/// Largest file of keys or prices: past this it is the wrong file.
const MAX_FILE: u64 = 1024 * 1024;
/// Largest secret: it travels in one header.
const MAX_SECRET: u64 = 16 * 1024;

/// Reads what the configuration names. The development issuer steps in where no issuer is configured.
pub(crate) fn settings(config: Config) -> anyhow::Result<Settings> {
    let issuers = if config.issuers.is_empty() {
        vec![dev_issuer::trust(&dev_issuer::open(&config.keys)?)]
    } else {
        config.issuers.into_iter().map(issuer).collect::<anyhow::Result<_>>()?
    };
    let mut prices = Prices::builtin()?;
    if let Some(file) = &config.prices {
        let text = String::from_utf8(read(file, MAX_FILE)?);
        let text = text.with_context(|| format!("`{}` is not UTF-8", file.display()))?;
        prices = prices.overlay(&text).with_context(|| format!("in `{}`", file.display()))?;
    }
    Ok(Settings {
        listen: config.listen,
        node: config.node,
        issuers,
        upstreams: config.upstreams.into_iter().map(upstream).collect::<anyhow::Result<_>>()?,
        tools: config.tools.into_iter().map(tool).collect::<anyhow::Result<_>>()?,
        mcp: McpSettings {
            servers: config.mcp.into_iter().map(mcp).collect::<anyhow::Result<_>>()?,
            public_url: config.public_url,
            origins: config.origins,
            pins: Some(config.pins),
        },
        policy_dir: config.policy_dir,
        scanner: config.safety.scanner,
        rules: config.safety.rules,
        remote: config.safety.remote,
        prices,
        continues: config.continues,
        limits: config.limits,
        clock: Clock::system(),
        config_text: config.text,
    })
}

/// The policies of a folder, validated.
pub(crate) fn policies(dir: &Path) -> anyhow::Result<Policies> {
    let files = greffier_gateway::read_policies(dir).map_err(|error| {
        Failure::new("policy", format!("cannot read the policies in `{}`: {error}", dir.display()))
    })?;
    Ok(Policies::load(files)?)
}

fn issuer(config: IssuerConfig) -> anyhow::Result<TrustedIssuer> {
    let keys = match &config.jwks_file {
        Some(file) => KeySource::Fixed(read(file, MAX_FILE)?),
        None => KeySource::Discovery,
    };
    Ok(TrustedIssuer { issuer: config.issuer, keys })
}

/// Without its key an upstream is kept: the gateway says so, and refuses calls to it.
fn upstream(config: UpstreamConfig) -> anyhow::Result<greffier_gateway::Upstream> {
    let mut upstream = config.upstream;
    upstream.api_key =
        secret(&config.api_key).with_context(|| format!("the key of upstream `{}`", upstream.name))?;
    Ok(upstream)
}

/// Without its credential a tool would be called as nobody: that is no way to start.
fn tool(config: ToolConfig) -> anyhow::Result<greffier_gateway::ToolServer> {
    let mut tool = config.tool;
    if let Some((header, source)) = config.credential {
        let found = secret(&source).with_context(|| format!("the credential of tool `{}`", tool.name))?;
        let Some(secret) = found else {
            let SecretSource::Env(variable) = source else { return Ok(tool) };
            let message = format!("the credential of tool `{}` is not there", tool.name);
            return Err(Failure::new("credential", message)
                .hint(format!("set the variable {variable}"))
                .into());
        };
        tool.credential = Some((header, secret));
    }
    Ok(tool)
}

/// What every program needs to find its way: no credential stands in these.
const PLAIN_VARIABLES: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// A server's credential has to be there, like a tool's; a variable that a command may see need not be set.
fn mcp(config: McpConfig) -> anyhow::Result<McpServer> {
    let mut server = config.server;
    match &mut server.reach {
        Reach::Http { credential, .. } => {
            if let Some((header, source)) = config.credential {
                let found = secret(&source)
                    .with_context(|| format!("the credential of MCP server `{}`", server.name))?;
                let Some(secret) = found else {
                    let message = format!("the credential of MCP server `{}` is not there", server.name);
                    return Err(Failure::new("credential", message)
                        .hint("set the variable that `credential_env` names")
                        .into());
                };
                *credential = Some((header, secret));
            }
        }
        Reach::Command(launch) => {
            let all = config.environment.iter().any(|name| name == "*");
            let wanted = |name: &str| {
                all || PLAIN_VARIABLES.contains(&name) || config.environment.iter().any(|other| other == name)
            };
            launch.environment = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(name, _)| wanted(name))
                .map(|(name, value)| (name, Secret::new(value)))
                .collect();
        }
    }
    Ok(server)
}

/// The secret, or `None` if its variable is not set. A file has to be there. No message ever shows it.
fn secret(source: &SecretSource) -> anyhow::Result<Option<Secret>> {
    let text = match source {
        SecretSource::Env(variable) => match std::env::var(variable) {
            Ok(text) => Zeroizing::new(text),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::new("secret", format!("the variable {variable} is not UTF-8")).into());
            }
        },
        SecretSource::File(path) => {
            let bytes = Zeroizing::new(read(path, MAX_SECRET)?);
            let text = std::str::from_utf8(&bytes);
            Zeroizing::new(
                text.map_err(|_| Failure::new("secret", format!("`{}` is not UTF-8", path.display())))?
                    .to_owned(),
            )
        }
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    match (secret.is_empty(), source) {
        (true, SecretSource::Env(_)) => Ok(None),
        (true, SecretSource::File(path)) => {
            Err(Failure::new("secret", format!("`{}` is empty", path.display())).into())
        }
        (false, _) if !secret.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
            Err(Failure::new("secret", "it must be one line of printable ASCII: it travels in a header")
                .into())
        }
        (false, _) => Ok(Some(Secret::new(secret.to_owned()))),
    }
}

/// A whole file, within a bound.
pub(crate) fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    if bytes.len() as u64 > most {
        return Err(
            Failure::new("too_large", format!("`{}` is larger than {most} bytes", path.display())).into()
        );
    }
    Ok(bytes)
}
