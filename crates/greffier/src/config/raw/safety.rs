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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingest: Option<Text>,
    pub(crate) rules: BTreeMap<Text, Text>,
    pub(crate) tool_rules: BTreeMap<Text, Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rule: Vec<Spanned<RawRule>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entity: Vec<RawEntity>,
    pub(crate) remote: Option<RawRemote>,
}

impl Default for RawSafety {
    fn default() -> RawSafety {
        RawSafety {
            default: text("redact"),
            tools: text("flag"),
            ingest: None,
            rules: BTreeMap::new(),
            tool_rules: BTreeMap::new(),
            rule: Vec::new(),
            entity: Vec::new(),
            remote: None,
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

/// `[[safety.entity]]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawEntity {
    pub(crate) name: Text,
    pub(crate) pattern: Text,
    pub(crate) class: Option<Text>,
    pub(crate) context: Option<Spanned<Vec<String>>>,
    pub(crate) validator: Option<Text>,
    #[serde(default)]
    pub(crate) finds: Vec<Text>,
    #[serde(default)]
    pub(crate) ignores: Vec<Text>,
}

/// `[safety.remote]`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawRemote {
    pub(crate) url: Text,
    #[serde(default = "one_second")]
    pub(crate) timeout: Text,
    pub(crate) entities: Vec<Text>,
    #[serde(default = "half")]
    pub(crate) score: Spanned<f64>,
    #[serde(default = "english")]
    pub(crate) language: Text,
    #[serde(default = "deny")]
    pub(crate) on_failure: Text,
}

fn one_second() -> Text {
    text("1s")
}

fn half() -> Spanned<f64> {
    Spanned::new(0..0, 0.5)
}

fn english() -> Text {
    text("en")
}

fn deny() -> Text {
    text("deny")
}
