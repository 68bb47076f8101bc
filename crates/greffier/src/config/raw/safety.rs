//! `[safety]` as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Text, text};

/// `[safety]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawSafety {
    pub(crate) default: Text,
    pub(crate) tools: Text,
    pub(crate) rules: BTreeMap<Text, Text>,
    pub(crate) tool_rules: BTreeMap<Text, Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rule: Vec<Spanned<RawRule>>,
}

impl Default for RawSafety {
    fn default() -> RawSafety {
        RawSafety {
            default: text("redact"),
            tools: text("flag"),
            rules: BTreeMap::new(),
            tool_rules: BTreeMap::new(),
            rule: Vec::new(),
        }
    }
}

/// `[[safety.rule]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawRule {
    pub(crate) types: Option<Vec<Text>>,
    pub(crate) class: Option<Text>,
    pub(crate) direction: Option<Text>,
    pub(crate) tenant: Option<Text>,
    pub(crate) tool: Option<Text>,
    pub(crate) field: Option<Text>,
    pub(crate) action: Text,
}
