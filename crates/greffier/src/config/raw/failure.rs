//! `on_record_failure`: one word, or one for each class of action.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Text;

/// What was written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum RawFailure {
    /// For every class.
    Word(String),
    /// For each of them.
    ByClass(RawByClass),
}

/// `[on_record_failure]`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RawByClass {
    pub(crate) default: Option<Text>,
    pub(crate) invoke_model: Option<Text>,
    pub(crate) call_tool: Option<Text>,
}

impl<'de> Deserialize<'de> for RawFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawFailure, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

/// By hand: serde's own way to read an untagged value forgets where things stand.
struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = RawFailure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`refuse`, `continue`, or a section with one of them for each class")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<RawFailure, E> {
        Ok(RawFailure::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawFailure, A::Error> {
        RawByClass::deserialize(MapAccessDeserializer::new(map)).map(RawFailure::ByClass)
    }
}
