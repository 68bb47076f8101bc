//! Which action is taken about a hit, by its kind and by the field it stands in.
//!
//! These are the rules of one way: one direction of one tenant's call to one tool or model, as
//! [`crate::Rulebook`] works them out. What then stands in the place of the value, [`crate::Marks`] says.

use greffier_event::RedactionAction;

use crate::field::{Field, Fits};
use crate::{Entity, Kinds};

/// An action for every kind at every place. Of the entries that fit, the one that names the most decides; of
/// several that name as much, the strictest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    entries: Vec<Entry>,
}

/// One line of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kinds: Kinds,
    pub(crate) field: Option<Field>,
    pub(crate) action: RedactionAction,
    /// How much it names.
    pub(crate) weight: u8,
}

/// What naming one thing (a kind, a field) weighs; a class of kinds weighs one less.
pub(crate) const NAMED: u8 = 2;

impl Rules {
    /// The same action for every kind.
    #[must_use]
    pub fn new(default: RedactionAction) -> Self {
        Self { entries: vec![Entry { kinds: Kinds::All, field: None, action: default, weight: 0 }] }
    }

    /// Everything is redacted: the rules of the record, whatever was let through elsewhere.
    #[must_use]
    pub fn always_redact() -> Self {
        Self::new(RedactionAction::Redact)
    }

    /// These rules with another action for one kind.
    #[must_use]
    pub fn with(mut self, entity: Entity, action: RedactionAction) -> Self {
        let kinds = Kinds::of([entity]);
        self.entries.retain(|entry| entry.kinds != kinds || entry.field.is_some());
        self.entries.push(Entry { kinds, field: None, action, weight: NAMED });
        self
    }

    /// These rules with a plain redaction where they tokenise.
    pub(crate) fn without_tokens(mut self) -> Self {
        for entry in self.entries.iter_mut().filter(|entry| entry.action == RedactionAction::Tokenise) {
            entry.action = RedactionAction::Redact;
        }
        self
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// What to do about a hit of this kind where the field is not known, or says nothing.
    #[must_use]
    pub fn action(&self, entity: Entity) -> RedactionAction {
        self.decide(entity, |_| Fits::No)
    }

    /// What to do about a hit of this kind in the field of that JSON pointer or name of a place.
    #[must_use]
    pub fn action_at(&self, entity: Entity, field: &str) -> RedactionAction {
        self.decide(entity, |rule| rule.fits(field))
    }

    /// These rules as they are for all that stands in one field.
    #[must_use]
    pub fn at(&self, field: &str) -> Self {
        let there = |entry: &Entry| {
            let fits = entry.field.as_ref().is_none_or(|rule| applies(rule.fits(field), entry.action));
            fits.then(|| Entry { field: None, ..entry.clone() })
        };
        Self { entries: self.entries.iter().filter_map(there).collect() }
    }

    /// Whether the value must not pass as it is.
    #[must_use]
    pub fn hides(&self, entity: Entity) -> bool {
        self.action(entity).hides()
    }

    /// Whether some hit at some place gets this action.
    #[must_use]
    pub fn may(&self, action: RedactionAction) -> bool {
        self.entries.iter().any(|entry| entry.action == action)
    }

    /// Whether every hit of whatever kind is replaced by its plain placeholder, and nothing is let through or blocked.
    #[must_use]
    pub fn only_redact(&self) -> bool {
        self.entries.iter().all(|entry| entry.action == RedactionAction::Redact)
    }

    /// Whether fields are told apart.
    pub(crate) fn names_fields(&self) -> bool {
        self.entries.iter().any(|entry| entry.field.is_some())
    }

    fn decide(&self, entity: Entity, fits: impl Fn(&Field) -> Fits) -> RedactionAction {
        let there =
            |entry: &&Entry| entry.field.as_ref().is_none_or(|rule| applies(fits(rule), entry.action));
        let fitting = self.entries.iter().filter(|entry| entry.kinds.covers(entity)).filter(there);
        fitting
            .max_by_key(|entry| (entry.weight, strictness(entry.action)))
            .map_or(RedactionAction::Redact, |entry| entry.action)
    }
}

/// Where it is not known whether a rule's field is meant, the rule counts if it hides all.
fn applies(fits: Fits, action: RedactionAction) -> bool {
    match fits {
        Fits::Yes => true,
        Fits::No => false,
        Fits::Unknown => matches!(action, RedactionAction::Redact | RedactionAction::Block),
    }
}

/// How little an action lets through.
fn strictness(action: RedactionAction) -> u8 {
    match action {
        RedactionAction::Allow => 0,
        RedactionAction::Flag => 1,
        RedactionAction::Tokenise => 2,
        RedactionAction::Mask => 3,
        RedactionAction::Hash => 4,
        RedactionAction::Redact => 5,
        RedactionAction::Block => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_beats_the_default() {
        let rules = Rules::new(RedactionAction::Flag).with(Entity::CreditCard, RedactionAction::Block);
        assert_eq!(rules.action(Entity::CreditCard), RedactionAction::Block);
        assert_eq!(rules.action(Entity::UsSsn), RedactionAction::Flag);
        assert!(rules.hides(Entity::CreditCard) && !rules.hides(Entity::UsSsn));
        assert!(Entity::ALL.into_iter().all(|entity| Rules::always_redact().hides(entity)));
        assert_eq!(
            rules.with(Entity::CreditCard, RedactionAction::Allow).action(Entity::CreditCard),
            RedactionAction::Allow
        );
    }
}
