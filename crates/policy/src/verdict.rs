//! Verdict: what the policies say in whose scope a request is. Cedar evaluates the conditions of each; what follows from
//! all together is said here, by its rule: a permit must hold, and no forbid.

use std::sync::Arc;

use cedar_policy::{Effect, Policy};
use cedar_policy_core::ast::{Expr, Request, SlotEnv};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use crate::cedar::truth;

/// A policy, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Rule {
    id: String,
    effect: Effect,
    /// All its conditions as one expression, if it has any.
    conditions: Option<Arc<Expr>>,
}

impl Rule {
    pub(crate) fn new(policy: &Policy) -> Rule {
        let id: &str = policy.id().as_ref();
        Rule {
            id: id.to_owned(),
            effect: policy.effect(),
            conditions: policy.as_ref().non_scope_constraints_arc().cloned(),
        }
    }
}

/// What was decided, by which policies, and which could not be evaluated: their ids, sorted, so that the same call is
/// always recorded with the same rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    /// What Cedar would decide. It passes over policies in error; whoever asks must not.
    pub(crate) permitted: bool,
    /// The forbids that hold, else the permits that do.
    pub(crate) deciding: Vec<&'a str>,
    pub(crate) erred: Vec<&'a str>,
}

impl<'a> Verdict<'a> {
    /// Of rules in whose scope the request is.
    pub(crate) fn new(
        rules: impl Iterator<Item = &'a Rule>,
        request: Request,
        entities: &Entities,
    ) -> Verdict<'a> {
        let evaluator = Evaluator::new(request, entities, Extensions::all_available());
        // Templates would have slots; loading refuses them.
        let no_slots = SlotEnv::new();
        let holds =
            |conditions: &Arc<Expr>| evaluator.interpret(conditions, &no_slots).ok().as_ref().and_then(truth);
        let (mut permits, mut forbids, mut erred) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules {
            match (rule.conditions.as_ref().map_or(Some(true), holds), rule.effect) {
                (Some(true), Effect::Permit) => permits.push(rule.id.as_str()),
                (Some(true), Effect::Forbid) => forbids.push(rule.id.as_str()),
                (Some(false), _) => {}
                (None, _) => erred.push(rule.id.as_str()),
            }
        }
        let permitted = forbids.is_empty() && !permits.is_empty();
        let mut deciding = if forbids.is_empty() { permits } else { forbids };
        deciding.sort_unstable();
        erred.sort_unstable();
        Verdict { permitted, deciding, erred }
    }
}
