//! How destinations are reached, what rules say of a tool's operations, and TLS, as written.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::Text;

/// `reach = { … }` of an upstream or a tool. What is not written is the default.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawReach {
    pub(crate) retries: Option<Spanned<usize>>,
    pub(crate) retry_after: Option<Text>,
    pub(crate) fallback: bool,
    pub(crate) concurrent: Option<Spanned<usize>>,
    pub(crate) queue: Option<Spanned<usize>>,
    pub(crate) queue_time: Option<Text>,
    pub(crate) open_after: Option<Spanned<u32>>,
    pub(crate) open_for: Option<Text>,
    pub(crate) ca_file: Option<Text>,
    pub(crate) cert_file: Option<Text>,
    pub(crate) key_file: Option<Text>,
}

/// `[[tool.rule]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawToolRule {
    pub(crate) path: Option<Text>,
    pub(crate) method: Option<Text>,
    pub(crate) operation: Option<Text>,
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
