//! What was written: names and texts as they stand in the file, each with its place, defaults filled in.

mod anchor;
mod failure;
mod mcp;
mod reach;
mod safety;

use std::collections::BTreeMap;
use std::time::Duration;

use greffier_gateway::Limits;
use greffier_ledger::SealPolicy;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub(crate) use anchor::{RawAnchor, RawRequire, RawWitness};
pub(crate) use failure::{RawByClass, RawFailure};
pub(crate) use mcp::RawMcp;
pub(crate) use reach::{RawReach, RawTls, RawToolRule};
pub(crate) use safety::{RawEntity, RawRemote, RawRule, RawSafety};

/// A text with its place.
pub(crate) type Text = Spanned<String>;

/// The whole file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Raw {
    pub(crate) listen: Text,
    pub(crate) proxy_ends_tls: bool,
    pub(crate) data: Text,
    pub(crate) keys: Text,
    pub(crate) origin: Text,
    pub(crate) node: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<Text>,
    pub(crate) origins: Vec<Text>,
    pub(crate) pins: Text,
    pub(crate) on_record_failure: Spanned<RawFailure>,
    pub(crate) policy: RawPolicy,
    pub(crate) safety: RawSafety,
    pub(crate) server: RawServer,
    pub(crate) query: RawQuery,
    pub(crate) ledger: RawLedger,
    pub(crate) anchor: RawAnchor,
    pub(crate) retention: RawRetention,
    pub(crate) findings: RawFindings,
    pub(crate) prices: RawPrices,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<RawTimestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<RawTls>,
    pub(crate) issuer: Vec<RawIssuer>,
    pub(crate) upstream: Vec<RawUpstream>,
    pub(crate) tool: Vec<RawTool>,
    pub(crate) mcp: Vec<RawMcp>,
    pub(crate) witness: Vec<RawWitness>,
    pub(crate) webhook: Vec<RawWebhook>,
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            listen: text("127.0.0.1:4180"),
            proxy_ends_tls: false,
            data: text("greffier-data"),
            keys: text("greffier-keys"),
            origin: text("greffier.local"),
            node: text("node-1"),
            public_url: None,
            origins: Vec::new(),
            pins: text("greffier-pins"),
            on_record_failure: Spanned::new(0..0, RawFailure::Word("refuse".to_owned())),
            policy: RawPolicy::default(),
            safety: RawSafety::default(),
            server: RawServer::default(),
            query: RawQuery::default(),
            ledger: RawLedger::default(),
            anchor: RawAnchor::default(),
            retention: RawRetention::default(),
            findings: RawFindings::default(),
            prices: RawPrices::default(),
            timestamp: None,
            tls: None,
            issuer: Vec::new(),
            upstream: Vec::new(),
            tool: Vec::new(),
            mcp: Vec::new(),
            witness: Vec::new(),
            webhook: Vec::new(),
        }
    }
}

/// `[findings]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawFindings {
    pub(crate) record: bool,
    pub(crate) positions: Text,
}

impl Default for RawFindings {
    fn default() -> RawFindings {
        RawFindings { record: true, positions: text("greffier-webhooks") }
    }
}

/// `[[webhook]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawWebhook {
    pub(crate) name: Text,
    pub(crate) url: Option<Text>,
    pub(crate) url_env: Option<Text>,
    pub(crate) url_file: Option<Text>,
    pub(crate) secret_env: Option<Text>,
    pub(crate) secret_file: Option<Text>,
    #[serde(default = "json")]
    pub(crate) format: Text,
    #[serde(default = "low")]
    pub(crate) min_severity: Text,
    #[serde(default = "one_day")]
    pub(crate) give_up_after: Text,
}

/// `[[issuer]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawIssuer {
    pub(crate) url: Text,
    pub(crate) jwks_file: Option<Text>,
    pub(crate) audience: Text,
    pub(crate) tenants: Spanned<Vec<String>>,
    #[serde(default)]
    pub(crate) claims: RawClaims,
}

/// `claims = { … }` of an issuer.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawClaims {
    pub(crate) tenant: Option<Text>,
    pub(crate) roles: Option<Text>,
    pub(crate) scopes: Option<Text>,
    pub(crate) email: Option<Text>,
    pub(crate) agent: Option<Text>,
    pub(crate) tier: Option<Text>,
    pub(crate) session: Option<Text>,
}

/// `[[upstream]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawUpstream {
    pub(crate) name: Text,
    pub(crate) kind: Text,
    pub(crate) base_url: Text,
    pub(crate) api_key_env: Option<Text>,
    pub(crate) api_key_file: Option<Text>,
    pub(crate) models: Spanned<Vec<String>>,
    // A whole reply may take minutes to think about; its head comes only then.
    #[serde(default = "ten_minutes")]
    pub(crate) timeout: Text,
    #[serde(default = "two_minutes")]
    pub(crate) idle_timeout: Text,
    #[serde(default)]
    pub(crate) reach: RawReach,
}

/// `[[tool]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawTool {
    pub(crate) name: Text,
    /// May be left to the document.
    pub(crate) base_url: Option<Text>,
    #[serde(default = "tool")]
    pub(crate) kind: Text,
    pub(crate) resource: Option<Text>,
    pub(crate) subject: Option<Text>,
    #[serde(default)]
    pub(crate) classification: Vec<Text>,
    pub(crate) credential_header: Option<Text>,
    pub(crate) credential_env: Option<Text>,
    pub(crate) credential_file: Option<Text>,
    #[serde(default = "one_minute")]
    pub(crate) timeout: Text,
    #[serde(default = "one_minute")]
    pub(crate) idle_timeout: Text,
    pub(crate) openapi: Option<Text>,
    pub(crate) unlisted: Option<Text>,
    #[serde(default)]
    pub(crate) reach: RawReach,
    #[serde(default)]
    pub(crate) rule: Vec<RawToolRule>,
}

/// `[policy]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawPolicy {
    pub(crate) dir: Text,
}

impl Default for RawPolicy {
    fn default() -> RawPolicy {
        RawPolicy { dir: text("policies") }
    }
}

/// `[prices]`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawPrices {
    pub(crate) file: Option<Text>,
}

/// `[timestamp]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawTimestamp {
    pub(crate) url: Text,
    #[serde(default = "one_hour")]
    pub(crate) every: Text,
}

/// `[server]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawServer {
    pub(crate) body: Text,
    pub(crate) connections: Spanned<usize>,
    pub(crate) header_timeout: Text,
    pub(crate) body_idle_timeout: Text,
    pub(crate) drain: Text,
}

impl Default for RawServer {
    fn default() -> RawServer {
        let limits = Limits::default();
        RawServer {
            body: size(limits.body as u64),
            connections: Spanned::new(0..0, limits.connections),
            header_timeout: seconds(limits.header_timeout),
            body_idle_timeout: seconds(limits.body_idle_timeout),
            drain: seconds(limits.drain),
        }
    }
}

/// `[query]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawQuery {
    pub(crate) rows: Spanned<usize>,
    pub(crate) bytes: Text,
    pub(crate) timeout: Text,
    pub(crate) memory: Text,
    pub(crate) concurrent: Spanned<usize>,
    pub(crate) pushdown: bool,
    pub(crate) ngram_index: bool,
}

impl Default for RawQuery {
    fn default() -> RawQuery {
        let limits = greffier_query::Limits::default();
        RawQuery {
            rows: Spanned::new(0..0, limits.rows),
            bytes: size(limits.bytes as u64),
            timeout: seconds(limits.time),
            memory: size(limits.memory as u64),
            concurrent: Spanned::new(0..0, limits.concurrent),
            pushdown: limits.pushdown,
            ngram_index: false,
        }
    }
}

/// `[retention]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawRetention {
    pub(crate) entries: Option<Text>,
    pub(crate) parts: Option<Text>,
    pub(crate) classes: BTreeMap<String, Text>,
    pub(crate) shorten_after: Text,
}

impl Default for RawRetention {
    fn default() -> RawRetention {
        RawRetention { entries: None, parts: None, classes: BTreeMap::new(), shorten_after: text("7d") }
    }
}

/// `[ledger]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawLedger {
    pub(crate) segment_age: Text,
    pub(crate) wal: Text,
    /// For tests, which have no time to fill a segment: the sample does not name it.
    pub(crate) entries: Option<Spanned<u64>>,
}

impl Default for RawLedger {
    fn default() -> RawLedger {
        let seal = SealPolicy::default();
        RawLedger {
            segment_age: text(&format!("{}h", seal.age.as_secs() / 3_600)),
            wal: size(seal.wal_bytes),
            entries: None,
        }
    }
}

/// A default: it stands nowhere.
fn text(value: &str) -> Text {
    Spanned::new(0..0, value.to_owned())
}

fn seconds(time: Duration) -> Text {
    text(&format!("{}s", time.as_secs()))
}

fn size(bytes: u64) -> Text {
    match (bytes >> 20, bytes >> 30) {
        (mebi, gibi) if mebi == gibi << 10 => text(&format!("{gibi}GiB")),
        (mebi, _) => text(&format!("{mebi}MiB")),
    }
}

fn json() -> Text {
    text("json")
}

fn low() -> Text {
    text("low")
}

fn one_day() -> Text {
    text("1d")
}

fn tool() -> Text {
    text("tool")
}

fn one_minute() -> Text {
    text("60s")
}

fn two_minutes() -> Text {
    text("120s")
}

fn one_hour() -> Text {
    text("1h")
}

fn ten_minutes() -> Text {
    text("600s")
}
