//! A trusted issuer: what its tokens must look like, whom it may speak for, and where its claims stand.

use greffier_event::Tenant;
use serde::Deserialize;
use serde_json::Value;

/// Longest JSON pointer in a configuration.
const MAX_POINTER: usize = 256;

/// One issuer that we believe, within bounds.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Compared byte for byte with `iss`.
    pub url: String,
    /// Our name, which must stand in `aud`.
    pub audience: String,
    /// The tenants it may speak for.
    pub tenants: Tenants,
    /// Where the claims stand.
    pub claims: ClaimPaths,
    /// Whether its word counts as verified (not for the development issuer).
    pub verified: bool,
}

/// The tenants an issuer may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Any, which has to be written as `"*"`. Names are folded to lower case, because tenants are unique ignoring
    /// case and here no configuration says which spelling is meant.
    Any,
    /// Only these, compared ignoring case; the spelling here is the one that counts.
    Only(Vec<Tenant>),
}

/// Why a list of tenants cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenants {
    /// Nobody to speak for.
    #[error("name at least one tenant, or \"*\" for any")]
    Empty,
    /// `*` beside names.
    #[error("\"*\" means any tenant and stands alone")]
    StarWithOthers,
    /// Not a tenant's name.
    #[error("`{0}` is not a tenant: it must match [A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")]
    Invalid(String),
    /// The node's own.
    #[error("`greffier` is reserved for the node's own trail")]
    Reserved,
    /// Twice the same, ignoring case.
    #[error("`{0}` stands twice (tenants are unique ignoring case)")]
    Twice(String),
}

impl Tenants {
    /// Reads a configuration's list: names, or `["*"]`.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Tenants, InvalidTenants> {
        if names.iter().any(|name| name.as_ref() == "*") {
            return if names.len() == 1 { Ok(Tenants::Any) } else { Err(InvalidTenants::StarWithOthers) };
        }
        let mut only: Vec<Tenant> = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            let tenant = Tenant::new(name).map_err(|_| InvalidTenants::Invalid(name.to_owned()))?;
            if tenant.is_node() {
                return Err(InvalidTenants::Reserved);
            }
            if only.iter().any(|other| same(other, &tenant)) {
                return Err(InvalidTenants::Twice(name.to_owned()));
            }
            only.push(tenant);
        }
        if only.is_empty() { Err(InvalidTenants::Empty) } else { Ok(Tenants::Only(only)) }
    }

    /// The tenant that a claim means, if the issuer may speak for it.
    pub(crate) fn resolve(&self, claim: &str) -> Option<Tenant> {
        let claimed = Tenant::new(claim).ok().filter(|tenant| !tenant.is_node())?;
        match self {
            Tenants::Any => Tenant::new(claim.to_ascii_lowercase()).ok(),
            Tenants::Only(tenants) => tenants.iter().find(|tenant| same(tenant, &claimed)).cloned(),
        }
    }

    /// The tenant of tokens that need not name one: an issuer that serves exactly one.
    pub(crate) fn single(&self) -> Option<Tenant> {
        match self {
            Tenants::Only(tenants) => match tenants.as_slice() {
                [tenant] if !tenant.is_node() => Some(tenant.clone()),
                _ => None,
            },
            Tenants::Any => None,
        }
    }
}

fn same(a: &Tenant, b: &Tenant) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

/// Where an issuer's claims stand: JSON pointers, because namespaced claims hold dots and slashes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimPaths {
    /// The organisation. Without a pointer the issuer must serve exactly one tenant.
    pub tenant: Option<Pointer>,
    /// Roles: a list, or a string with spaces.
    pub roles: Option<Pointer>,
    /// Scopes: a list, or a string with spaces.
    pub scopes: Option<Pointer>,
    /// E-mail.
    pub email: Option<Pointer>,
    /// The agent, for tokens without `act`; without it the client id.
    pub agent: Option<Pointer>,
    /// The agent's tier.
    pub tier: Option<Pointer>,
    /// The session.
    pub session: Option<Pointer>,
}

impl Default for ClaimPaths {
    /// The names that standards and most providers use; tenant and tier have none.
    fn default() -> ClaimPaths {
        let at = |path: &str| Some(Pointer(path.to_owned()));
        ClaimPaths {
            tenant: None,
            roles: at("/roles"),
            scopes: at("/scope"),
            email: at("/email"),
            agent: None,
            tier: None,
            session: at("/sid"),
        }
    }
}

/// A JSON pointer (RFC 6901) to one claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

/// A text that is no JSON pointer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSON pointer that starts with `/`, as in `/org_id`, of at most {MAX_POINTER} bytes")]
pub struct InvalidPointer;

impl Pointer {
    /// Checks the form.
    pub fn new(path: impl Into<String>) -> Result<Pointer, InvalidPointer> {
        let path = path.into();
        let escapes_hold = path.split('~').skip(1).all(|rest| rest.starts_with('0') || rest.starts_with('1'));
        let good = path.starts_with('/') && escapes_hold && path.len() <= MAX_POINTER;
        if good { Ok(Pointer(path)) } else { Err(InvalidPointer) }
    }

    /// What stands there; null is the same as nothing.
    pub(crate) fn find<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        claims.pointer(&self.0).filter(|value| !value.is_null())
    }
}

impl TryFrom<String> for Pointer {
    type Error = InvalidPointer;
    fn try_from(path: String) -> Result<Pointer, InvalidPointer> {
        Pointer::new(path)
    }
}
