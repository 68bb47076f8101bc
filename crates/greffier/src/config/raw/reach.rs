//! How destinations are reached, what rules say of a tool's operations, and TLS, as written.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use greffier_gateway::Terms;

use super::{Text, seconds};

/// `reach = { … }` of an upstream, a tool or an MCP server.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawReach {
    pub(crate) retries: Spanned<usize>,
    pub(crate) retry_after: Option<Text>,
    pub(crate) fallback: Spanned<bool>,
    pub(crate) concurrent: Spanned<usize>,
    pub(crate) queue: Spanned<usize>,
    pub(crate) queue_time: Text,
    pub(crate) open_after: Spanned<u32>,
    pub(crate) open_for: Text,
    pub(crate) ca_file: Option<Text>,
    pub(crate) cert_file: Option<Text>,
    pub(crate) key_file: Option<Text>,
}

impl Default for RawReach {
    fn default() -> RawReach {
        let terms = Terms::default();
        RawReach {
            retries: Spanned::new(0..0, terms.retries),
            retry_after: None,
            fallback: Spanned::new(0..0, terms.fallback),
            concurrent: Spanned::new(0..0, terms.concurrent),
            queue: Spanned::new(0..0, terms.queue),
            queue_time: seconds(terms.queue_time),
            open_after: Spanned::new(0..0, terms.open_after),
            open_for: seconds(terms.open_for),
            ca_file: None,
            cert_file: None,
            key_file: None,
        }
    }
}

/// `[[tool.rule]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawToolRule {
    pub(crate) path: Option<Text>,
    pub(crate) method: Option<Text>,
    pub(crate) operation: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) effect: Option<Text>,
    pub(crate) resource: Option<Text>,
    pub(crate) classification: Option<Vec<Text>>,
    pub(crate) subject: Option<Text>,
}

/// `[tls]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawTls {
    pub(crate) cert: Text,
    pub(crate) key: Text,
}
