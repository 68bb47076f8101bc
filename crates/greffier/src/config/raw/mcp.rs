//! `[[mcp]]`.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{RawReach, Text, text};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RawMcp {
    pub(crate) name: Text,
    pub(crate) url: Option<Text>,
    pub(crate) command: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(crate) env: Vec<Text>,
    #[serde(default)]
    pub(crate) classification: Vec<Text>,
    #[serde(default = "flag")]
    pub(crate) on_change: Text,
    pub(crate) credential_header: Option<Text>,
    pub(crate) credential_env: Option<Text>,
    pub(crate) credential_file: Option<Text>,
    // A tool may work for minutes before it says anything.
    #[serde(default = "ten_minutes")]
    pub(crate) timeout: Text,
    #[serde(default = "five_minutes")]
    pub(crate) idle_timeout: Text,
    #[serde(default = "sixteen")]
    pub(crate) processes: Spanned<usize>,
    #[serde(default = "half_an_hour")]
    pub(crate) process_idle: Text,
    pub(crate) reach: Option<RawReach>,
}

fn flag() -> Text {
    text("flag")
}

fn five_minutes() -> Text {
    text("300s")
}

fn ten_minutes() -> Text {
    text("600s")
}

fn half_an_hour() -> Text {
    text("1800s")
}

fn sixteen() -> Spanned<usize> {
    Spanned::new(0..0, 16)
}
