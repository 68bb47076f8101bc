//! The two eras of the protocol on one wire, and headers that repeat the body.
//!
//! Up to 2025-11-25 a connection begins with `initialize` and may have a session; from 2026-07-28 on every request
//! stands alone and repeats in headers what it asks, for whoever stands between. We decide on the body; where headers
//! and body differ, something between us and the server would be led astray, so such a request is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::rpc::{INVALID_PARAMS, Members};
use crate::adapt::view::View;

/// The version without sessions.
pub const STATELESS: &str = "2026-07-28";
/// The versions with `initialize`, latest first.
pub const WITH_SESSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The header with the protocol's version.
pub const VERSION: &str = "mcp-protocol-version";
/// The header with the method.
pub const METHOD: &str = "mcp-method";
/// The header with the name of a tool or prompt, or a resource's URI.
pub const NAME: &str = "mcp-name";
/// What headers begin with that repeat an argument.
pub(crate) const PARAM: &str = "mcp-param-";
/// The member of `_meta` with the protocol's version.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Headers and body say different things.
const HEADER_MISMATCH: i64 = -32020;
/// A version that is not spoken here.
const UNSUPPORTED_VERSION: i64 = -32022;

/// How a connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Sessions,
    /// From 2026-07-28 on.
    Stateless,
}

impl Era {
    /// The protocol's name, as events carry it.
    pub fn protocol(self) -> &'static str {
        match self {
            Era::Sessions => "mcp.2025-11-25",
            Era::Stateless => "mcp.2026-07-28",
        }
    }
}

/// Why a request belongs to no era; the caller gets 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A header contradicts the body, or is missing.
    #[error("the header {0} does not say what the body says")]
    Header(&'static str),
    /// A version that is not spoken here.
    #[error("this version of the protocol is not supported")]
    Version(String),
    /// The parameters' own words about the version are none.
    #[error("the version in `_meta` is not a string, or stands twice")]
    Meta,
}

impl Mismatch {
    /// The error's number.
    pub fn code(&self) -> i64 {
        match self {
            Mismatch::Header(_) => HEADER_MISMATCH,
            Mismatch::Version(_) => UNSUPPORTED_VERSION,
            Mismatch::Meta => INVALID_PARAMS,
        }
    }

    /// What the error says beside its message.
    pub(crate) fn data(&self) -> Option<serde_json::Value> {
        let Mismatch::Version(requested) = self else { return None };
        let requested: String = requested.chars().filter(|c| !c.is_control()).take(64).collect();
        let supported: Vec<&str> = [STATELESS].into_iter().chain(WITH_SESSIONS).collect();
        Some(serde_json::json!({ "supported": supported, "requested": requested }))
    }
}

/// Which era a message is of, with its headers held against it. `method` is `None` for a response.
///
/// # Errors
/// [`Mismatch`].
pub fn era(headers: &HeaderMap, method: Option<&str>, params: Option<&str>) -> Result<Era, Mismatch> {
    let version = single(headers, VERSION)?;
    let declared = declared(params)?;
    let era = match version.as_deref() {
        Some(STATELESS) => Era::Stateless,
        // Who opens a session may still say which version it would rather speak.
        Some(_) if method == Some("initialize") => Era::Sessions,
        Some(known) if WITH_SESSIONS.contains(&known) => Era::Sessions,
        Some(other) => return Err(Mismatch::Version(other.to_owned())),
        None if declared.is_some() => return Err(Mismatch::Header(VERSION)),
        None => Era::Sessions,
    };
    if declared.is_some() && declared != version {
        return Err(Mismatch::Header(VERSION));
    }
    let stated = single(headers, METHOD)?;
    let required = era == Era::Stateless && method.is_some();
    if required && declared.is_none() && method.is_some_and(|method| !method.starts_with("notifications/")) {
        return Err(Mismatch::Header(VERSION));
    }
    match (&stated, method) {
        (None, _) if !required => {}
        (Some(stated), Some(method)) if stated == method => {}
        _ => return Err(Mismatch::Header(METHOD)),
    }
    let stated =
        single(headers, NAME)?.map(|name| decode(&name).ok_or(Mismatch::Header(NAME))).transpose()?;
    let named = method.and_then(|method| name(method, params));
    match (&stated, &named) {
        (None, None) => {}
        (None, Some(_)) if !required => {}
        (Some(stated), Some(named)) if stated == named => {}
        _ => return Err(Mismatch::Header(NAME)),
    }
    arguments(headers, params)?;
    Ok(era)
}

/// What `Mcp-Name` repeats: the name of a tool or prompt, or a resource's URI.
pub fn name(method: &str, params: Option<&str>) -> Option<String> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return None,
    };
    View::parse(params?).ok()?.get(member)?.string()
}

/// The version that the parameters name.
fn declared(params: Option<&str>) -> Result<Option<String>, Mismatch> {
    let Some(params) = params.and_then(|params| View::parse(params).ok()) else { return Ok(None) };
    let params = Members::of(params, &["_meta"]).ok_or(Mismatch::Meta)?;
    let Some(meta) = params.get("_meta") else { return Ok(None) };
    let meta = Members::of(meta, &[META_VERSION]).ok_or(Mismatch::Meta)?;
    match meta.get(META_VERSION) {
        None => Ok(None),
        Some(version) => version.string().map(Some).ok_or(Mismatch::Meta),
    }
}

/// Each header that repeats an argument must repeat one: which one only the server's schema knows, and it checks that.
fn arguments(headers: &HeaderMap, params: Option<&str>) -> Result<(), Mismatch> {
    let mut stated = headers.iter().filter(|(name, _)| name.as_str().starts_with(PARAM)).peekable();
    if stated.peek().is_none() {
        return Ok(());
    }
    let mut scalars = Vec::new();
    let params = params.and_then(|params| serde_json::from_str::<serde_json::Value>(params).ok());
    if let Some(arguments) = params.as_ref().and_then(|params| params.get("arguments")) {
        collect(arguments, &mut scalars);
    }
    for (_, value) in stated {
        let value = value.to_str().ok().and_then(decode).ok_or(Mismatch::Header("Mcp-Param-*"))?;
        if !scalars.contains(&value) {
            return Err(Mismatch::Header("Mcp-Param-*"));
        }
    }
    Ok(())
}

/// The scalars of a document; it was checked to be of bounded depth.
fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => members.values().for_each(|value| collect(value, into)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
        serde_json::Value::String(text) => into.push(text.clone()),
        serde_json::Value::Null => {}
        scalar => into.push(scalar.to_string()),
    }
}

/// A header that must not stand twice: the first copy's readers and the last copy's would disagree.
fn single(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Mismatch> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text.trim().to_owned())),
        _ => Err(Mismatch::Header(name)),
    }
}

/// A value as a header can carry it: as it is, or in base64 between `=?base64?` and `?=`.
pub fn encode(value: &str) -> String {
    let plain = value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value;
    let looks_encoded = value.starts_with(PREFIX) && value.ends_with(SUFFIX);
    if plain && !looks_encoded {
        value.to_owned()
    } else {
        format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(value))
    }
}

/// The other way; `None` if what stands between the marks is no canonical base64 of UTF-8.
pub(crate) fn decode(value: &str) -> Option<String> {
    let Some(payload) = value.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)) else {
        return Some(value.to_owned());
    };
    String::from_utf8(STANDARD.decode(payload).ok()?).ok()
}

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

#[cfg(test)]
mod tests;
