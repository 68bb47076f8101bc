//! `[safety]`: what is done about findings.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::{RedactionAction, Stage, Tenant};
use greffier_safety::{Class, Entity, Field, Kinds, Rule, Rulebook, Rules};
use toml::Spanned;

use super::Checker;
use crate::config::raw::{RawRule, RawSafety, Text};

/// Rules are gone through at every finding: nobody keeps more apart.
const MAX_RULES: usize = 256;
/// Names of tools are shorter.
const MAX_TOOL: usize = 256;
/// Least likeness of a suggestion.
const ALIKE: f64 = 0.75;

impl Checker<'_> {
    pub(super) fn safety(&mut self, raw: &RawSafety) -> Rulebook {
        let models = self.rules(&raw.default, &raw.rules);
        let tools = self.rules(&raw.tools, &raw.tool_rules);
        if let Some(rule) = raw.rule.get(MAX_RULES) {
            self.problem(rule, format!("more than {MAX_RULES} rules"));
        }
        let rules = raw.rule.iter().take(MAX_RULES).filter_map(|rule| self.rule(rule)).collect();
        Rulebook { models, tools, rules }
    }

    fn rules(&mut self, default: &Text, exceptions: &BTreeMap<Text, Text>) -> Rules {
        let mut rules = Rules::new(self.action(default));
        let mut seen = BTreeSet::new();
        for (name, action) in exceptions {
            let action = self.action(action);
            let Some(entity) = self.entity(name) else { continue };
            if !seen.insert(entity) {
                self.problem(name, format!("`{entity}` stands twice"));
            }
            rules = rules.with(entity, action);
        }
        rules
    }

    fn rule(&mut self, rule: &Spanned<RawRule>) -> Option<Rule> {
        let RawRule { types, class, direction, tenant, tool, field, action } = rule.get_ref();
        let before = self.problems.0.len();
        let kinds = match (types, class) {
            (Some(_), Some(class)) => {
                self.problem(class, "`types` and `class` exclude each other");
                None
            }
            (Some(types), None) => {
                if types.is_empty() {
                    self.problem(rule, "expected at least one type, or no `types` for all of them");
                }
                Some(Kinds::of(types.iter().filter_map(|name| self.entity(name)).collect::<Vec<_>>()))
            }
            (None, Some(class)) => self.class(class).map(Kinds::Class),
            (None, None) => Some(Kinds::All),
        };
        let named = [
            types.is_some(),
            class.is_some(),
            direction.is_some(),
            tenant.is_some(),
            tool.is_some(),
            field.is_some(),
        ];
        if !named.contains(&true) {
            let message = "a rule says what it is about: add `types`, `class`, `direction`, `tenant`, `tool` or `field`";
            self.problem(rule, message);
        }
        let stage = direction.as_ref().and_then(|text| self.direction(text));
        let done = self.action(action);
        if (stage, done) == (Some(Stage::Output), RedactionAction::Tokenise) {
            self.problem(action, "only what goes out is tokenised, because the reply restores it");
        }
        let tenant_name = tenant.as_ref().and_then(|text| self.take(text, Tenant::new(text.get_ref())));
        if let Some(tool) = tool
            && (tool.get_ref().is_empty() || tool.get_ref().len() > MAX_TOOL)
        {
            self.problem(tool, "expected the name of a tool, as in \"crm:contacts:search\" or \"crm:*\"");
        }
        let place = field.as_ref().and_then(|text| self.take(text, Field::parse(text.get_ref())));
        let kinds = kinds.filter(|_| self.problems.0.len() == before)?;
        Some(Rule {
            kinds,
            stage,
            tenant: tenant_name.map(|tenant| tenant.as_str().to_owned()),
            tool: tool.as_ref().map(|tool| tool.get_ref().clone()),
            field: place,
            action: done,
        })
    }

    /// A kind by name, in any case: overrides come in lower case.
    fn entity(&mut self, name: &Text) -> Option<Entity> {
        let written = name.get_ref().to_ascii_uppercase();
        let found = Entity::parse(&written);
        if found.is_none() {
            let likeness = |entity: &Entity| strsim::jaro_winkler(&written, entity.name());
            let nearest = Entity::ALL.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let message = match nearest.filter(|entity| likeness(entity) >= ALIKE) {
                Some(entity) => format!("unknown type: did you mean `{entity}`?"),
                None => "unknown type: `greffier scan --types` lists them".to_owned(),
            };
            self.problem(name, message);
        }
        found
    }

    fn class(&mut self, class: &Text) -> Option<Class> {
        match class.get_ref().as_str() {
            "personal" => Some(Class::Personal),
            "health" => Some(Class::Health),
            "payment" => Some(Class::Payment),
            "secret" => Some(Class::Secret),
            _ => {
                self.problem(class, "expected `personal`, `health`, `payment` or `secret`");
                None
            }
        }
    }

    fn direction(&mut self, direction: &Text) -> Option<Stage> {
        match direction.get_ref().as_str() {
            "input" => Some(Stage::Input),
            "output" => Some(Stage::Output),
            _ => {
                self.problem(direction, "expected `input` (towards the model or tool) or `output` (back)");
                None
            }
        }
    }

    fn action(&mut self, action: &Text) -> RedactionAction {
        let known = RedactionAction::ALL.into_iter().find(|known| known.as_str() == action.get_ref());
        known.unwrap_or_else(|| {
            let message = "expected `allow`, `flag`, `redact`, `mask`, `hash`, `tokenise` or `block`";
            self.problem(action, message);
            RedactionAction::Block
        })
    }
}
