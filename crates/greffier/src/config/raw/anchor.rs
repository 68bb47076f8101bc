//! `[[witness]]` and `[anchor]` as they were written.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Text, text};

/// `[[witness]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawWitness {
    pub(crate) name: Text,
    pub(crate) vkey: Text,
    pub(crate) url: Text,
}

/// `[anchor]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawAnchor {
    /// All witnesses where it is absent.
    pub(crate) quorum: Option<Spanned<usize>>,
    pub(crate) every: Text,
    pub(crate) stale_after: Text,
    pub(crate) require: Spanned<RawRequire>,
}

/// `"*"`, or a list of tenants.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected \"*\" or a list of tenants, as in [\"acme\"]")]
pub(crate) enum RawRequire {
    Word(String),
    Tenants(Vec<String>),
}

impl Default for RawAnchor {
    fn default() -> RawAnchor {
        RawAnchor {
            quorum: None,
            every: text("5s"),
            stale_after: text("10m"),
            require: Spanned::new(0..0, RawRequire::Tenants(Vec::new())),
        }
    }
}
