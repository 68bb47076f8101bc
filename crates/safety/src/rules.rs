//! What is done about a hit: an action per kind, and a default.

use std::collections::BTreeMap;

use greffier_event::RedactionAction;

use crate::Entity;

/// An action per kind of sensitive value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For kinds that `by_type` does not name.
    pub default: RedactionAction,
    /// The exceptions.
    pub by_type: BTreeMap<Entity, RedactionAction>,
}

impl Rules {
    /// The same action for every kind.
    #[must_use]
    pub fn new(default: RedactionAction) -> Self {
        Self { default, by_type: BTreeMap::new() }
    }

    /// Everything is redacted: the rules of the record, whatever was let through elsewhere.
    #[must_use]
    pub fn always_redact() -> Self {
        Self::new(RedactionAction::Redact)
    }

    /// These rules with another action for one kind.
    #[must_use]
    pub fn with(mut self, entity: Entity, action: RedactionAction) -> Self {
        self.by_type.insert(entity, action);
        self
    }

    /// What to do about a hit of this kind.
    #[must_use]
    pub fn action(&self, entity: Entity) -> RedactionAction {
        self.by_type.get(&entity).copied().unwrap_or(self.default)
    }

    /// Whether the value must not pass as it is.
    #[must_use]
    pub fn hides(&self, entity: Entity) -> bool {
        matches!(self.action(entity), RedactionAction::Redact | RedactionAction::Block)
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
    }
}
