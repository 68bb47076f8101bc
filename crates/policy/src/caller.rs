//! Callers: what policies can see of a principal, put into Cedar's terms once and kept for its next call.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use cedar_policy_core::ast::{Context, Entity, EntityUID, PartialValue, Value};
use cedar_policy_core::entities::Entities;
use greffier_event::Principal;

use crate::cedar::{Names, entities, extended, strings};
use crate::slices::{Selection, Slices};

/// Names (roles, scopes, actors) that are kept of all callers together. Each has at most 256 bytes, and some 300 more
/// inside Cedar: 9 MiB if someone fills them all, and a third of it with the tokens that one sees.
const MAX_NAMES: usize = 16_384;
/// What a caller counts for besides: its id, issuer, tenant, agent and tier.
const NAMES_OF_ANYONE: usize = 8;

/// A principal as Cedar knows it.
pub(crate) struct Caller {
    principal: Principal,
    pub(crate) uid: Arc<EntityUID>,
    /// Its own entity, alone.
    pub(crate) entities: Entities,
    /// What it brings to the context of each call.
    pub(crate) context: Context,
    /// The policies whose scope it is in.
    pub(crate) policies: Selection,
}

impl Caller {
    fn new(principal: &Principal, names: &Names, slices: &Slices) -> Option<Caller> {
        let (is_user, id) = who(principal);
        let uid = if is_user { names.user(id) } else { names.service(id) };
        let roles = principal.roles.iter().map(|role| names.role(role));
        let tenant = names.tenant(principal.tenant.as_str());
        let attributes = [
            ("issuer".into(), PartialValue::from(principal.issuer.as_str())),
            ("verified".into(), PartialValue::from(principal.verified)),
        ];
        let entity = Entity::new_with_attr_partial_value(
            uid.clone(),
            attributes,
            [].into(),
            roles.chain([tenant]).collect(),
            [],
        );
        let context = [
            ("agent", Value::from(principal.agent.as_str())),
            ("via", strings(principal.via.iter().map(|actor| actor.sub.as_str()))),
            ("scopes", strings(principal.scopes.iter().map(String::as_str))),
            ("parameters", Value::from(names.parameters().clone())),
        ];
        let tier = principal.tier.as_deref().map(|tier| ("tier", Value::from(tier)));
        Some(Caller {
            uid: Arc::new(uid),
            policies: slices.about_principal(&entity),
            entities: entities(&Entities::new(), [Arc::new(entity)])?,
            context: extended(&Context::empty(), context.into_iter().chain(tier))?,
            // What no policy sees may be personal, and is not kept.
            principal: Principal { email: None, session: None, token: None, ..principal.clone() },
        })
    }

    fn names(&self) -> usize {
        let Principal { roles, scopes, via, .. } = &self.principal;
        NAMES_OF_ANYONE + roles.len() + scopes.len() + via.len()
    }
}

/// Whether it is a user, and its id.
fn who(principal: &Principal) -> (bool, &str) {
    let service = || principal.client_id.as_deref().unwrap_or(&principal.agent);
    (principal.user.is_some(), principal.user.as_deref().unwrap_or_else(service))
}

/// All that policies can see of a principal: who agrees in it is one caller to them.
#[derive(PartialEq, Eq, Hash)]
struct Seen<'a> {
    who: (bool, &'a str),
    issuer: &'a str,
    verified: bool,
    tenant: &'a str,
    roles: &'a [String],
    scopes: &'a [String],
    agent: &'a str,
    tier: Option<&'a str>,
    via: Vec<&'a str>,
}

impl<'a> From<&'a Principal> for Seen<'a> {
    fn from(principal: &'a Principal) -> Seen<'a> {
        Seen {
            who: who(principal),
            issuer: &principal.issuer,
            verified: principal.verified,
            tenant: principal.tenant.as_str(),
            roles: &principal.roles,
            scopes: &principal.scopes,
            agent: &principal.agent,
            tier: principal.tier.as_deref(),
            via: principal.via.iter().map(|actor| actor.sub.as_str()).collect(),
        }
    }
}

/// The callers of late, for one policy set.
#[derive(Default)]
pub(crate) struct Callers {
    /// Keyed, so that nobody can choose principals that fall together.
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    callers: HashMap<u64, Arc<Caller>>,
    names: usize,
}

impl Callers {
    /// The principal as Cedar knows it, made now if it has not called of late. `None` if Cedar does not take it.
    pub(crate) fn caller(
        &self,
        principal: &Principal,
        names: &Names,
        slices: &Slices,
    ) -> Option<Arc<Caller>> {
        let seen = Seen::from(principal);
        let key = self.hasher.hash_one(&seen);
        if let Some(caller) = self.kept(key).filter(|caller| Seen::from(&caller.principal) == seen) {
            return Some(caller);
        }
        let caller = Arc::new(Caller::new(principal, names, slices)?);
        self.keep(key, &caller);
        Some(caller)
    }

    fn kept(&self, key: u64) -> Option<Arc<Caller>> {
        self.kept.lock().ok()?.callers.get(&key).cloned()
    }

    fn keep(&self, key: u64, caller: &Arc<Caller>) {
        let Ok(mut kept) = self.kept.lock() else { return };
        // Starting over costs each caller one making, and keeps the bound simple.
        if kept.names + caller.names() > MAX_NAMES {
            *kept = Kept::default();
        }
        kept.names += caller.names();
        if let Some(other) = kept.callers.insert(key, caller.clone()) {
            kept.names -= other.names();
        }
    }
}

#[cfg(test)]
mod tests {
    use greffier_event::{Tenant, Timestamp};

    use super::*;
    use crate::Policies;

    fn principal(user: &str, roles: usize) -> Principal {
        Principal {
            tenant: Tenant::new("acme").unwrap(),
            user: Some(user.to_owned()),
            issuer: "https://idp.example".to_owned(),
            roles: (0..roles).map(|n| format!("role-{n}")).collect(),
            scopes: vec![],
            email: Some("alice@example.com".to_owned()),
            agent: "assistant".to_owned(),
            tier: None,
            via: vec![],
            via_dropped: 0,
            session: Some("session".to_owned()),
            client_id: None,
            token: Some("token".to_owned()),
            verified: true,
            expires: Timestamp::from_micros(0),
        }
    }

    fn caller(policies: &Policies, principal: &Principal) -> Arc<Caller> {
        policies.callers.caller(principal, &policies.names, &policies.slices).unwrap()
    }

    #[test]
    fn the_next_call_finds_it() {
        let policies = Policies::load(vec![]).unwrap();
        let first = caller(&policies, &principal("alice", 2));
        let later = Principal { expires: Timestamp::from_micros(1), email: None, ..principal("alice", 2) };
        assert!(Arc::ptr_eq(&first, &caller(&policies, &later)), "no policy sees what differs");
        assert!(!Arc::ptr_eq(&first, &caller(&policies, &principal("alice", 1))));
        assert_eq!((&first.principal.email, &first.principal.session), (&None, &None));
    }

    #[test]
    fn the_bound_holds_and_counts_what_is_kept() {
        let policies = Policies::load(vec![]).unwrap();
        let mut most = 0;
        for n in 0..1_000 {
            caller(&policies, &principal(&format!("user-{n}"), 64));
            let kept = policies.callers.kept.lock().unwrap();
            assert_eq!(kept.names, kept.callers.values().map(|caller| caller.names()).sum::<usize>());
            most = most.max(kept.names);
        }
        assert!((MAX_NAMES / 2..=MAX_NAMES).contains(&most), "{most}");
    }
}
