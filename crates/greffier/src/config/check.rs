//! From what was written to values: every problem is found, and named with its place.

mod anchor;
mod bounds;
mod destinations;
mod failure;
mod identity;
mod mcp;
mod reach;
mod retention;
mod safety;
mod timestamps;
mod units;
mod webhooks;

use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use greffier_safety::{Entity, Scanner};
use toml::Spanned;

use super::Config;
use super::place::{Places, Problems};
use super::raw::{Raw, Text};

pub(crate) use reach::{ApiConfig, ReachConfig};
pub(crate) use units::duration;

/// Names of nodes, upstreams and tools stand in every event: they are kept short.
const MAX_NAME: usize = 64;
/// Checkpoints carry the origin in every signature line.
const MAX_ORIGIN: usize = 200;
/// Stores that are designed and not built.
const OBJECT_STORES: [&str; 3] = ["s3://", "gs://", "az://"];

/// Checks everything. `problems` are those already known.
pub(crate) fn check(
    raw: Raw,
    base: &Path,
    places: &Places<'_>,
    problems: Problems,
) -> Result<Config, Problems> {
    // Only strings, numbers and booleans are in it: it is always written.
    let text = toml::to_string(&raw).unwrap_or_default();
    let mut checker =
        Checker { base, places, problems, scanner: Scanner::default(), remote_kinds: Vec::new() };
    let listen = checker.listen(&raw);
    let (data, keys) = checker.folders(&raw.data, &raw.keys);
    let continues = checker.on_record_failure(&raw);
    checker.origin(&raw.origin);
    checker.name(&raw.node);
    let issuers = checker.issuers(&raw.issuer);
    let upstreams = checker.upstreams(&raw.upstream);
    let tools = checker.tools(&raw.tool);
    let mcp = checker.mcp(&raw);
    let pins = checker.path(&raw.pins);
    let safety = checker.safety(&raw.safety);
    let limits = checker.server(&raw.server);
    let query = checker.query(&raw.query);
    let seal = checker.ledger(&raw.ledger);
    let retention = checker.retention(&raw.retention);
    let anchor = checker.anchor(&raw);
    let tls = raw.tls.as_ref().map(|raw| checker.tls(raw));
    let policy_dir = checker.path(&raw.policy.dir);
    let timestamps = raw.timestamp.as_ref().and_then(|raw| checker.timestamps(raw));
    let findings = checker.findings(&raw);
    let prices = raw.prices.file.as_ref().map(|file| checker.path(file));
    let problems = checker.problems;
    let (Some(listen), Some(limits), Some(query), Some(seal), Some(retention), true) =
        (listen, limits, query, seal, retention, problems.0.is_empty())
    else {
        return Err(problems);
    };
    Ok(Config {
        listen,
        tls,
        data,
        keys,
        origin: raw.origin.into_inner(),
        node: raw.node.into_inner(),
        issuers,
        upstreams,
        tools,
        mcp,
        public_url: raw.public_url.map(toml::Spanned::into_inner),
        origins: raw.origins.into_iter().map(toml::Spanned::into_inner).collect(),
        pins,
        policy_dir,
        safety,
        prices,
        continues,
        timestamps,
        limits,
        query,
        ngram_index: raw.query.ngram_index,
        seal,
        retention,
        anchor,
        findings,
        text,
    })
}

/// Collects problems on the way.
struct Checker<'a> {
    base: &'a Path,
    places: &'a Places<'a>,
    problems: Problems,
    /// What is looked for, once that is known: rules name its types.
    scanner: Scanner,
    /// What another analyser is asked for.
    remote_kinds: Vec<Entity>,
}

impl Checker<'_> {
    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.problems.0.push(self.places.problem(&at.span(), message));
    }

    /// The value, or a problem at its place.
    fn take<T, U>(&mut self, at: &Spanned<T>, result: Result<U, impl ToString>) -> Option<U> {
        result.map_err(|error| self.problem(at, error.to_string())).ok()
    }

    fn listen(&mut self, raw: &Raw) -> Option<SocketAddr> {
        let parsed: Result<SocketAddr, _> = raw.listen.get_ref().parse();
        let expected = "expected an address and a port, as in \"127.0.0.1:4180\" or \"[::1]:4180\"";
        let listen = self.take(&raw.listen, parsed.map_err(|_| expected))?;
        if !is_loopback(listen.ip()) {
            if !raw.proxy_ends_tls && raw.tls.is_none() {
                let message = "beyond loopback tokens must not travel in the clear: add [tls], or let a proxy end \
                               TLS in front of it and write `proxy_ends_tls = true`";
                self.problem(&raw.listen, message);
            }
            if raw.issuer.is_empty() {
                let message = "the development issuer is for loopback only: add an [[issuer]]";
                self.problem(&raw.listen, message);
            }
        }
        Some(listen)
    }

    /// Where data and keys lie; apart, so that no copy of the data holds what opens it.
    fn folders(&mut self, data: &Text, keys: &Text) -> (PathBuf, PathBuf) {
        if OBJECT_STORES.iter().any(|scheme| data.get_ref().starts_with(scheme)) {
            self.problem(data, "object stores are not built yet: name a folder");
        } else if data.get_ref().contains("://") {
            self.problem(data, "expected a folder");
        }
        let (data, keys_dir) = (self.path(data), self.path(keys));
        if resolved(&keys_dir).starts_with(resolved(&data)) {
            self.problem(keys, "the keys must not lie inside the data directory: choose another folder");
        }
        (data, keys_dir)
    }

    /// Relative paths start where the configuration lies.
    fn path(&mut self, path: &Text) -> PathBuf {
        if path.get_ref().is_empty() {
            self.problem(path, "expected a path");
        }
        self.base.join(path.get_ref())
    }

    fn origin(&mut self, origin: &Text) {
        let text = origin.get_ref();
        let good = (1..=MAX_ORIGIN).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+')
            && !text.ends_with('/');
        if !good {
            self.problem(origin, "expected a name without spaces and `+`, as in \"audit.example.com\"");
        }
    }

    fn name(&mut self, name: &Text) {
        if !is_name(name.get_ref()) {
            let message = format!("expected 1 to {MAX_NAME} letters, digits, `.`, `_` or `-`");
            self.problem(name, message);
        }
    }

    fn one_of(&mut self, value: &Text, allowed: &[&str]) {
        if !allowed.contains(&value.get_ref().as_str()) {
            let allowed: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
            self.problem(value, format!("expected {}", allowed.join(" or ")));
        }
    }
}

/// Letters, digits, `.`, `_`, `-`: what can stand in a path, a log line and an event alike.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// Whether an address can be reached from this machine only.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The path without links and dots, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    let existing = plain.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    match existing {
        Some((parent, real)) => real.join(plain.strip_prefix(parent).unwrap_or(Path::new(""))),
        None => plain,
    }
}
