//! From the checked configuration to what the gateway runs with: the files it names are read, secrets resolved.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use greffier_gateway::prices::Prices;
use greffier_gateway::tools::{Api, Document, MAX_DOCUMENT};
use greffier_gateway::{
    Clock, Host, KeySource, McpServer, McpSettings, Reach, Secret, Settings, TlsFiles, TlsTrust, Transport,
    TrustedIssuer,
};
use greffier_policy::Policies;
use zeroize::Zeroizing;

use crate::config::check::{ApiConfig, ReachConfig};
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
        tls: config.tls.map(listener_tls).transpose()?,
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

/// The configured tools, without their credentials: nobody is called.
pub(crate) fn tools(configs: Vec<ToolConfig>) -> anyhow::Result<Vec<greffier_gateway::ToolServer>> {
    let without = |config| ToolConfig { credential: None, ..config };
    configs.into_iter().map(without).map(tool).collect()
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
    upstream.reach = reach(&config.reach).with_context(|| format!("upstream `{}`", upstream.name))?;
    upstream.api_key =
        secret(&config.api_key).with_context(|| format!("the key of upstream `{}`", upstream.name))?;
    Ok(upstream)
}

/// A certificate that cannot be used at the start is no way to start.
fn listener_tls(files: TlsFiles) -> anyhow::Result<TlsFiles> {
    files.check().map_err(|error| Failure::new("tls", format!("the listener's certificate: {error}")))?;
    Ok(files)
}

/// The connections to a destination.
fn reach(config: &ReachConfig) -> anyhow::Result<Reach> {
    let own = config
        .own
        .as_ref()
        .map(|(cert, key)| anyhow::Ok((read(cert, MAX_FILE)?, Zeroizing::new(read(key, MAX_FILE)?))));
    let roots = config.ca.as_ref().map(|file| read(file, MAX_FILE)).transpose()?;
    let trust = TlsTrust { roots, own: own.transpose()? };
    Ok(Reach::new(config.terms.clone(), &trust)?)
}

/// A tool's operations, and its place, where the document says it.
fn place(tool: &mut greffier_gateway::ToolServer, config: ApiConfig) -> anyhow::Result<()> {
    let mut document = None;
    if let Some(file) = &config.document {
        let text = read(file, MAX_DOCUMENT as u64)?;
        let read = Document::parse(&text)
            .map_err(|error| Failure::new("openapi", format!("`{}`: {error}", file.display())))?;
        for rule in config.rules.iter().filter_map(|rule| rule.operation.as_deref()) {
            if !read.operations().any(|operation| operation.id.as_deref() == Some(rule)) {
                let message = format!("`{}` has no operation `{rule}`, which a rule names", file.display());
                return Err(Failure::new("openapi", message).into());
            }
        }
        if config.placed_by_document {
            tool.base_url = given(&read).with_context(|| format!("`{}`, /servers/0/url", file.display()))?;
        }
        document = Some(read);
    }
    tool.api = Arc::new(Api::new(document, config.unlisted, config.rules));
    Ok(())
}

/// Where a document says that it is served. It must not lead calls into the operator's own network.
fn given(document: &Document) -> anyhow::Result<http::Uri> {
    let hint = "write the tool's `base_url`";
    let failed = |message: &str| Failure::new("openapi", message.to_owned()).hint(hint);
    let text = document
        .server
        .as_deref()
        .ok_or_else(|| failed("the document names no server with a URL of its own"))?;
    let uri: http::Uri = text.parse().map_err(|_| failed("its server's URL is none"))?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.query().is_none()
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if !web {
        return Err(failed("its server's URL must be plain http or https").into());
    }
    let host = uri.host().unwrap_or_default();
    Host::Given.check_literal(host).map_err(|error| failed(&error.to_string()))?;
    Ok(uri)
}

/// Without its credential a tool would be called as nobody: that is no way to start.
fn tool(config: ToolConfig) -> anyhow::Result<greffier_gateway::ToolServer> {
    let mut tool = config.tool;
    place(&mut tool, config.api).with_context(|| format!("tool `{}`", tool.name))?;
    tool.reach = reach(&config.reach).with_context(|| format!("tool `{}`", tool.name))?;
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
    match &mut server.transport {
        Transport::Http { credential, reach: connections, .. } => {
            *connections = reach(&config.reach).with_context(|| format!("MCP server `{}`", server.name))?;
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
        Transport::Command(launch) => {
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
pub(crate) fn secret(source: &SecretSource) -> anyhow::Result<Option<Secret>> {
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
