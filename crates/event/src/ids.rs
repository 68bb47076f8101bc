//! Names with a grammar: event ids and tenants.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of one event: a UUID. Greffier mints version 7, ingest accepts any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub uuid::Uuid);

impl EventId {
    /// The 16 bytes of the UUID, as part commitments bind them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The organisation a principal belongs to: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
///
/// It names directories and trails, so the grammar is the security boundary: a value of this type never holds
/// a path separator, a leading dot or white space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

/// A string that is not a tenant name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("tenant must match [A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")]
pub struct InvalidTenant;

impl Tenant {
    /// The name of the node's own trail, reserved: no token can speak for it.
    pub const NODE: &'static str = "greffier";

    /// Checks the grammar. The reserved name parses: who may use it is decided where identities are mapped.
    pub fn new(name: impl Into<String>) -> Result<Tenant, InvalidTenant> {
        let name = name.into();
        let mut bytes = name.bytes();
        let head = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let tail = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if head && tail && name.len() <= 64 { Ok(Tenant(name)) } else { Err(InvalidTenant) }
    }

    /// The tenant of the node's own trail.
    pub fn node() -> Tenant {
        Tenant(Tenant::NODE.to_owned())
    }

    /// Whether this is the reserved name, in any case.
    pub fn is_node(&self) -> bool {
        self.0.eq_ignore_ascii_case(Tenant::NODE)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tenant {
    type Error = InvalidTenant;
    fn try_from(name: String) -> Result<Tenant, InvalidTenant> {
        Tenant::new(name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> String {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
