//! What is done about hits anywhere: the rules of all ways that content takes, from which one way's are chosen.

use std::collections::BTreeSet;

use greffier_event::{RedactionAction, Stage};

use crate::field::Field;
use crate::rules::{Entry, NAMED};
use crate::{Class, Entity, Rules};

/// Kinds of value that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Every kind.
    All,
    /// Those of a class; a rule that names a kind knows better.
    Class(Class),
    /// Just these.
    Named(BTreeSet<Entity>),
}

impl Kinds {
    /// Just these kinds.
    pub fn of(kinds: impl IntoIterator<Item = Entity>) -> Self {
        Self::Named(kinds.into_iter().collect())
    }

    pub(crate) fn covers(&self, entity: Entity) -> bool {
        match self {
            Self::All => true,
            Self::Class(class) => entity.class() == *class,
            Self::Named(kinds) => kinds.contains(&entity),
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Class(_) => NAMED - 1,
            Self::Named(_) => NAMED,
        }
    }
}

/// One rule: what it is about, and what is to be done. What it does not name may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kinds.
    pub kinds: Kinds,
    /// The direction.
    pub stage: Option<Stage>,
    /// The tenant, by name.
    pub tenant: Option<String>,
    /// Tools by name, `crm:contacts:search`, in which `*` stands for any text; then models are not meant.
    pub tool: Option<String>,
    /// Fields.
    pub field: Option<Field>,
    /// What is done.
    pub action: RedactionAction,
}

/// One way that content takes.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Towards the upstream, or back.
    pub stage: Stage,
    /// Whose call it is.
    pub tenant: &'a str,
    /// The tool called, by full name; none is a model.
    pub tool: Option<&'a str>,
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rulebook {
    /// For what models see and say, where no rule below knows better.
    pub models: Rules,
    /// For arguments and results of tools, likewise.
    pub tools: Rules,
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Rulebook {
    /// The rules of one way.
    ///
    /// Only what goes out can be tokenised, because only the reply can restore it: on the way back it is redacted.
    #[must_use]
    pub fn rules(&self, way: Way<'_>) -> Rules {
        let mut rules = if way.tool.is_some() { self.tools.clone() } else { self.models.clone() };
        for rule in self.rules.iter().filter(|rule| rule.is_for(way)) {
            let others =
                [rule.stage.is_some(), rule.tenant.is_some(), rule.tool.is_some(), rule.field.is_some()];
            let others: u8 = others.into_iter().map(|named| if named { NAMED } else { 0 }).sum();
            rules.push(Entry {
                kinds: rule.kinds.clone(),
                field: rule.field.clone(),
                action: rule.action,
                weight: rule.kinds.weight() + others,
            });
        }
        if way.stage == Stage::Output { rules.without_tokens() } else { rules }
    }
}

impl Rule {
    fn is_for(&self, way: Way<'_>) -> bool {
        self.stage.is_none_or(|stage| stage == way.stage)
            && self.tenant.as_deref().is_none_or(|tenant| tenant.eq_ignore_ascii_case(way.tenant))
            && self.tool.as_deref().is_none_or(|glob| way.tool.is_some_and(|tool| matches(glob, tool)))
    }
}

/// Whether a text fits a glob, in which `*` stands for any text.
fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RedactionAction::{Allow, Block, Flag, Hash, Mask, Redact, Tokenise};

    const ANY: Rule =
        Rule { kinds: Kinds::All, stage: None, tenant: None, tool: None, field: None, action: Allow };

    fn book(rules: Vec<Rule>) -> Rulebook {
        Rulebook { models: Rules::new(Redact).with(Entity::Jwt, Block), tools: Rules::new(Flag), rules }
    }

    fn way<'a>(stage: Stage, tool: Option<&'a str>) -> Way<'a> {
        Way { stage, tenant: "Acme", tool }
    }

    #[test]
    fn what_names_the_most_decides() {
        let ssn = || Kinds::of([Entity::UsSsn]);
        let book = book(vec![
            Rule { kinds: ssn(), action: Mask, ..ANY },
            Rule { kinds: ssn(), tool: Some("crm:*:read".to_owned()), action: Allow, ..ANY },
            Rule { tool: Some("crm:*".to_owned()), action: Hash, ..ANY },
            Rule {
                kinds: ssn(),
                field: Some(Field::parse("/**/note").unwrap()),
                tenant: Some("acme".to_owned()),
                action: Block,
                ..ANY
            },
        ]);
        let action = |tool, field: &str| book.rules(way(Stage::Input, tool)).action_at(Entity::UsSsn, field);
        assert_eq!(action(None, "/a"), Mask);
        assert_eq!(action(Some("ehr:patients"), "/a"), Mask);
        assert_eq!(action(Some("crm:contacts:read"), "/a"), Allow);
        // As much is named by the tool as by the kind: the stricter decides.
        assert_eq!(action(Some("crm:contacts:write"), "/a"), Hash);
        assert_eq!(action(None, "/a/note"), Block);
        assert_eq!(action(Some("crm:contacts:read"), "/note"), Block);
        let other = |tool| book.rules(way(Stage::Input, tool)).action(Entity::EmailAddress);
        assert_eq!((other(None), other(Some("crm:x")), other(Some("ehr:x"))), (Redact, Hash, Flag));
        assert_eq!(book.rules(way(Stage::Input, None)).at("/x/note").action(Entity::UsSsn), Block);
    }

    #[test]
    fn a_named_kind_beats_its_class_and_equals_are_settled_by_the_stricter() {
        let class = Kinds::Class(Class::Secret);
        let book = book(vec![
            Rule { kinds: class, action: Allow, ..ANY },
            Rule { kinds: Kinds::of([Entity::Jwt]), action: Flag, ..ANY },
        ]);
        let rules = book.rules(way(Stage::Input, None));
        assert_eq!((rules.action(Entity::GithubToken), rules.action(Entity::Jwt)), (Allow, Block));
    }

    #[test]
    fn only_what_goes_out_is_tokenised() {
        let book = book(vec![Rule { kinds: Kinds::of([Entity::UsSsn]), action: Tokenise, ..ANY }]);
        assert_eq!(book.rules(way(Stage::Input, None)).action(Entity::UsSsn), Tokenise);
        assert_eq!(book.rules(way(Stage::Output, None)).action(Entity::UsSsn), Redact);
    }

    #[test]
    fn globs_stand_for_any_text() {
        for (glob, text) in [("*", ""), ("crm:*", "crm:a:b"), ("a*b*c", "aXbYbc"), ("*x", "xx"), ("a", "a")] {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("crm:*", "xcrm:a"), ("a*a", "a"), ("a", "ab"), ("*b*", "ac")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }
}
