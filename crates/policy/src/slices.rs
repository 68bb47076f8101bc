//! Slices: which policies can speak about a request, told from their scopes alone.
//!
//! Cedar evaluates a policy's scope before its conditions, and stops at the first part that does not hold. A policy
//! whose scope does not match is therefore neither satisfied nor in error, and leaving it out changes nothing. What is
//! kept is still evaluated whole: one policy too many costs time, never a decision.

use std::collections::HashMap;
use std::hash::Hash;

use cedar_policy::{Policy, Schema};
use cedar_policy_core::ast::{
    ActionConstraint, Entity, EntityReference, EntityType, EntityUID, PrincipalOrResourceConstraint,
};

use std::sync::Arc;

/// Some of the policies of a set, by their place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection(Vec<u64>);

/// The scopes of a policy set.
#[derive(Debug)]
pub(crate) struct Slices {
    actions: HashMap<String, Action>,
    principals: Side,
    resources: Side,
}

/// An action of the schema, with the policies about it.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) uid: Arc<EntityUID>,
    pub(crate) policies: Selection,
}

/// One side of the scopes, that of principals or that of resources: the policies about all, about a type, about one
/// entity, and about whatever is in one.
#[derive(Debug, Default)]
struct Side {
    all: Selection,
    types: HashMap<EntityType, Selection>,
    one: HashMap<EntityUID, Selection>,
    within: HashMap<EntityUID, Selection>,
}

impl Slices {
    /// The policies get their places in the order in which they are given.
    pub(crate) fn new<'a>(schema: &Schema, policies: impl Iterator<Item = &'a Policy>) -> Slices {
        let actions = schema.actions().map(|uid| {
            let action = Action { uid: Arc::new(uid.as_ref().clone()), policies: Selection::default() };
            (uid.id().unescaped().to_owned(), action)
        });
        let mut slices =
            Slices { actions: actions.collect(), principals: Side::default(), resources: Side::default() };
        for (place, policy) in policies.enumerate() {
            let scope = policy.as_ref().template();
            // No action is in a group here, as our schema has none: `in` asks for the action itself.
            for action in slices.actions.values_mut() {
                if about(scope.action_constraint(), &action.uid) {
                    action.policies.insert(place);
                }
            }
            slices.principals.insert(place, scope.principal_constraint().as_inner());
            slices.resources.insert(place, scope.resource_constraint().as_inner());
        }
        slices
    }

    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    pub(crate) fn about_principal(&self, principal: &Entity) -> Selection {
        self.principals.about(principal)
    }

    pub(crate) fn about_resource(&self, resource: &Entity) -> Selection {
        self.resources.about(resource)
    }
}

fn about(constraint: &ActionConstraint, action: &EntityUID) -> bool {
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => **one == *action,
        ActionConstraint::In(some) => some.iter().any(|one| **one == *action),
    }
}

impl Side {
    fn insert(&mut self, place: usize, constraint: &PrincipalOrResourceConstraint) {
        use EntityReference::EUID;
        use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
        match constraint {
            Is(kind) => put(&mut self.types, kind, place),
            Eq(EUID(uid)) => put(&mut self.one, uid, place),
            // `is T in E` stands with `in E`: Cedar looks at the type.
            In(EUID(uid)) | IsIn(_, EUID(uid)) => put(&mut self.within, uid, place),
            // A template's slot could stand for anything. Loading refuses templates.
            Any | Eq(_) | In(_) | IsIn(_, _) => self.all.insert(place),
        }
    }

    /// Entities have all their ancestors as parents: no role, tenant or server is in another entity.
    fn about(&self, entity: &Entity) -> Selection {
        let uid = entity.uid();
        let own = [self.types.get(uid.entity_type()), self.one.get(uid), self.within.get(uid)];
        let ancestors = entity.ancestors().map(|ancestor| self.within.get(ancestor));
        let mut selection = self.all.clone();
        own.into_iter().chain(ancestors).flatten().for_each(|more| selection.add(more));
        selection
    }
}

fn put<K: Clone + Eq + Hash>(map: &mut HashMap<K, Selection>, key: &K, place: usize) {
    map.entry(key.clone()).or_default().insert(place);
}

impl Selection {
    fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (place % 64);
        }
    }

    fn add(&mut self, other: &Selection) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (bits, more) in self.0.iter_mut().zip(&other.0) {
            *bits |= more;
        }
    }

    /// The places that are in all three.
    pub(crate) fn common(&self, second: &Selection, third: &Selection) -> impl Iterator<Item = usize> {
        let words = self.0.iter().zip(&second.0).zip(&third.0).map(|((a, b), c)| a & b & c);
        words.enumerate().flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }
}
