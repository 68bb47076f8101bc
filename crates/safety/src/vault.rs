//! Tokens for values, and the way back: what went out as `<EMAIL_ADDRESS_1>` returns as the address.
//!
//! A vault lives as long as one call, in memory alone, and is never written down. Equal values have equal tokens.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Entity;

/// Values of one call, and their bytes; what comes on top is redacted for good.
const MAX_VALUES: usize = 4096;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Tokens that stood in the call before we made any; a call with more gets no tokens.
const MAX_FOREIGN: usize = 4096;

/// The most bytes of a token, brackets included: longer names have no kinds.
pub(crate) const MAX_TOKEN: usize = 96;

/// Values and their tokens. Clones share them.
#[derive(Clone, Default)]
pub struct Vault(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tokens: HashMap<(Entity, String), String>,
    values: HashMap<String, String>,
    /// The last number given, by kind.
    last: BTreeMap<Entity, u32>,
    /// Texts like tokens that the caller sent: they stay what they are.
    foreign: BTreeMap<String, ()>,
    bytes: usize,
}

impl std::fmt::Debug for Vault {
    /// Values are what must not be shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.inner().values.len())
    }
}

impl Vault {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps clear of whatever looks like a token in what the caller sends: call it before anything is replaced.
    pub fn keep_clear_of(&self, raw: &[u8]) {
        let mut inner = self.inner();
        let words = raw.split(|b| !(b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_'));
        for word in
            words.filter_map(|word| std::str::from_utf8(word).ok()).filter(|word| word.len() < MAX_TOKEN)
        {
            let Some((name, number)) = word.rsplit_once('_') else { continue };
            // Escaped brackets leave digits before the name.
            let name = name.strip_prefix("003C").or_else(|| name.strip_prefix("3C")).unwrap_or(name);
            if number.bytes().all(|b| b.is_ascii_digit()) && inner.foreign.len() <= MAX_FOREIGN {
                inner.foreign.insert(format!("<{name}_{number}>"), ());
            }
        }
    }

    /// The token of a value; none if there is no room for another.
    pub(crate) fn token(&self, entity: Entity, value: &str) -> Option<String> {
        let mut inner = self.inner();
        let key = (entity, value.to_owned());
        if let Some(token) = inner.tokens.get(&key) {
            return Some(token.clone());
        }
        let full = inner.tokens.len() >= MAX_VALUES
            || inner.bytes + value.len() > MAX_BYTES
            || inner.foreign.len() > MAX_FOREIGN;
        if full {
            return None;
        }
        let mut number = inner.last.get(&entity).copied().unwrap_or(0);
        let token = loop {
            number += 1;
            let token = format!("<{}_{number}>", entity.name());
            if !inner.foreign.contains_key(&token) {
                break token;
            }
        };
        inner.last.insert(entity, number);
        inner.bytes += value.len();
        inner.values.insert(token.clone(), value.to_owned());
        inner.tokens.insert(key, token.clone());
        Some(token)
    }

    /// Whether there is nothing to restore.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner().values.is_empty()
    }

    /// The value behind a token.
    pub(crate) fn value(&self, token: &str) -> Option<String> {
        self.inner().values.get(token).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_tokens() {
        let vault = Vault::default();
        let token = |entity, value| vault.token(entity, value).unwrap();
        assert_eq!(token(Entity::UsSsn, "1"), "<US_SSN_1>");
        assert_eq!(token(Entity::UsSsn, "2"), "<US_SSN_2>");
        assert_eq!(token(Entity::UsSsn, "1"), "<US_SSN_1>");
        assert_eq!(token(Entity::Jwt, "1"), "<JWT_1>");
        assert_eq!(vault.value("<US_SSN_2>").as_deref(), Some("2"));
        assert_eq!(format!("{vault:?}"), "Vault(3)");
    }

    #[test]
    fn what_looked_like_a_token_before_stays_what_it_is() {
        let vault = Vault::default();
        vault.keep_clear_of(b"say <US_SSN_1>, \\u003CUS_SSN_2\\u003E %3CUS_SSN_3%3E US_SSN");
        assert_eq!(vault.token(Entity::UsSsn, "x").unwrap(), "<US_SSN_4>");
        let crowded: String = (0..5000).map(|n| format!("<A_{n}>")).collect();
        vault.keep_clear_of(crowded.as_bytes());
        assert_eq!(vault.token(Entity::UsSsn, "y"), None);
    }

    #[test]
    fn a_vault_has_bounds() {
        let vault = Vault::default();
        assert!(vault.token(Entity::Jwt, &"x".repeat(MAX_BYTES)).is_some());
        assert_eq!(vault.token(Entity::Jwt, "y"), None);
        let vault = Vault::default();
        let given = (0..5000).filter(|n| vault.token(Entity::Jwt, &n.to_string()).is_some()).count();
        assert_eq!(given, MAX_VALUES);
    }
}
