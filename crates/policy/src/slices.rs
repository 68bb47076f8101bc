//! Slices: in the scope of which policies a request is.
//!
//! Cedar evaluates a policy's scope before its conditions, and stops at the first part that does not hold. A policy
//! whose scope does not match is therefore neither satisfied nor in error, and leaving it out changes nothing. Scopes
//! cannot err. So what they say is looked up here, and only the conditions are left to evaluate.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Policy, Schema};
use cedar_policy_core::ast::{
    ActionConstraint, Entity, EntityReference, EntityType, EntityUID, PrincipalOrResourceConstraint,
};

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

/// One side of the scopes, that of principals or that of resources: policies about entities of any type, and about
/// those of one.
#[derive(Debug, Default)]
struct Side {
    any: Group,
    types: HashMap<EntityType, Group>,
}

/// Policies about every entity, about one, and about whatever is in one.
#[derive(Debug, Default)]
struct Group {
    every: Selection,
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
            // Our schema has no groups of actions: `in` asks for the action itself.
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
        use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
        match constraint {
            Any => self.any.every.insert(place),
            Eq(one) => put(&mut self.any.one, one, place),
            In(parent) => put(&mut self.any.within, parent, place),
            Is(kind) => self.of_type(kind).every.insert(place),
            IsIn(kind, parent) => put(&mut self.of_type(kind).within, parent, place),
        }
    }

    fn of_type(&mut self, kind: &EntityType) -> &mut Group {
        self.types.entry(kind.clone()).or_default()
    }

    fn about(&self, entity: &Entity) -> Selection {
        let mut selection = Selection::default();
        let own = self.types.get(entity.uid().entity_type());
        own.into_iter().chain([&self.any]).for_each(|group| group.about(entity, &mut selection));
        selection
    }
}

fn put(map: &mut HashMap<EntityUID, Selection>, entity: &EntityReference, place: usize) {
    // The other kind of reference is a template's slot, and loading refuses templates.
    if let EntityReference::EUID(uid) = entity {
        map.entry(EntityUID::clone(uid)).or_default().insert(place);
    }
}

impl Group {
    /// Entities have all their ancestors as parents: no role, tenant or server is in another entity.
    fn about(&self, entity: &Entity, selection: &mut Selection) {
        selection.add(&self.every);
        if let Some(about) = self.one.get(entity.uid()) {
            selection.add(about);
        }
        if !self.within.is_empty() {
            // What is asked for as `in` is in itself.
            let within = [entity.uid()].into_iter().chain(entity.ancestors());
            within.filter_map(|uid| self.within.get(uid)).for_each(|about| selection.add(about));
        }
    }
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
