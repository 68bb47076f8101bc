//! `[safety]`: what is done about findings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use greffier_api::Inspection;
use greffier_event::{RedactionAction, Stage, Tenant};
use greffier_gateway::{OnFailure, Remote};
use greffier_safety::{
    Class, Custom, Definition, Entity, Field, Kinds, Line, Rule, Rulebook, Rules, Scanner, Validator,
};
use toml::Spanned;

use super::{Checker, units};
use crate::config::SafetyConfig;
use crate::config::raw::{RawEntity, RawRemote, RawRule, RawSafety, Text};

/// Rules are gone through at every finding: nobody keeps more apart.
const MAX_RULES: usize = 256;
/// Names of tools are shorter.
const MAX_TOOL: usize = 256;
/// Longest wait for another analyser.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Types that it is asked for.
const MAX_REMOTE: usize = 64;
/// Least likeness of a suggestion.
const ALIKE: f64 = 0.75;

impl Checker<'_> {
    pub(super) fn safety(&mut self, raw: &RawSafety) -> SafetyConfig {
        self.scanner = self.scanner(&raw.entity);
        let remote = raw.remote.as_ref().and_then(|remote| self.remote(remote));
        let ingest = raw.ingest.as_ref().map_or(Inspection::Full, |written| self.inspection(written));
        SafetyConfig { rules: self.rulebook(raw), scanner: Arc::new(self.scanner.clone()), remote, ingest }
    }

    /// What is done about the contents of ingested events.
    fn inspection(&mut self, written: &Text) -> Inspection {
        match written.get_ref().as_str() {
            "inspect" => Inspection::Full,
            "keys" => Inspection::Keys,
            _ => {
                self.problem(written, "expected `inspect` or `keys`");
                Inspection::Full
            }
        }
    }

    fn rulebook(&mut self, raw: &RawSafety) -> Rulebook {
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
        let place = field.as_ref().and_then(|text| self.take(text, Field::parse(text.get_ref().as_str())));
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
        let found = self.scanner.entity(&written).or_else(|| self.remote_kind(&written));
        if found.is_none() {
            let likeness = |entity: &Entity| strsim::jaro_winkler(&written, entity.name());
            let nearest =
                self.scanner.entities().into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let message = match nearest.filter(|entity| likeness(entity) >= ALIKE) {
                Some(entity) => format!("unknown type: did you mean `{entity}`?"),
                None => "unknown type: `greffier scan --types` lists them".to_owned(),
            };
            self.problem(name, message);
        }
        found
    }

    /// What the installation looks for: our kinds and its own.
    fn scanner(&mut self, entities: &[RawEntity]) -> Scanner {
        let definitions: Vec<Definition> = entities.iter().map(|raw| self.definition(raw)).collect();
        Scanner::knowing(&definitions).unwrap_or_else(|bad| {
            for (at, error) in bad {
                let Some(raw) = entities.get(at) else { continue };
                let message = error.to_string();
                match error.line() {
                    Line::Name => self.problem(&raw.name, message),
                    Line::Pattern => self.problem(&raw.pattern, message),
                    Line::Context => match &raw.context {
                        Some(context) => self.problem(context, message),
                        None => self.problem(&raw.name, message),
                    },
                    Line::Finds(at) => self.problem(raw.finds.get(at).unwrap_or(&raw.name), message),
                    Line::Ignores(at) => self.problem(raw.ignores.get(at).unwrap_or(&raw.name), message),
                }
            }
            Scanner::new()
        })
    }

    /// Another analyser, with the types that it is asked for: also those that we do not know.
    fn remote(&mut self, raw: &RawRemote) -> Option<Remote> {
        let RawRemote { url, timeout, entities, score, language, on_failure } = raw;
        let uri = self.base_url(url);
        let time = units::duration(timeout.get_ref()).and_then(|time| match time {
            Duration::ZERO => Err("expected more than zero".to_owned()),
            time if time > MAX_WAIT => {
                Err(format!("expected at most {}s: every call waits for it", MAX_WAIT.as_secs()))
            }
            time => Ok(time),
        });
        let time = self.take(timeout, time);
        if entities.is_empty() || entities.len() > MAX_REMOTE {
            self.problem(url, format!("`entities` names 1 to {MAX_REMOTE} types that it is asked for"));
        }
        let expected = "expected a name in capital letters, as in PERSON";
        for name in entities {
            let written = name.get_ref();
            let custom = || Custom::new(written, Class::Personal).map(Entity::Custom);
            if let Some(entity) =
                self.take(name, self.scanner.entity(written).or_else(custom).ok_or(expected))
            {
                self.remote_kinds.push(entity);
            }
        }
        let least = *score.get_ref();
        if !(0.0..=1.0).contains(&least) {
            self.problem(score, "expected a number from 0 to 1");
        }
        let known = language.get_ref();
        if !(2..=8).contains(&known.len()) || !known.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            self.problem(language, "expected a language, as in \"en\"");
        }
        self.one_of(on_failure, &["deny", "continue"]);
        let on_failure =
            if on_failure.get_ref() == "continue" { OnFailure::Continue } else { OnFailure::Deny };
        let (url, timeout) = (uri?, time?);
        let entities = self.remote_kinds.clone();
        Some(Remote { url, timeout, entities, score: least, language: known.clone(), on_failure })
    }

    /// A kind that the other analyser names.
    fn remote_kind(&self, name: &str) -> Option<Entity> {
        self.remote_kinds.iter().copied().find(|entity| entity.name() == name)
    }

    fn definition(&mut self, raw: &RawEntity) -> Definition {
        let RawEntity { name, pattern, class, context, validator, finds, ignores } = raw;
        let class = class.as_ref().and_then(|class| self.class(class)).unwrap_or(Class::Personal);
        let validator = validator.as_ref().and_then(|name| {
            let known = Validator::ALL.into_iter().find(|known| known.name() == name.get_ref());
            let names = Validator::ALL.map(Validator::name).join(", ");
            self.take(name, known.ok_or_else(|| format!("unknown validator: expected one of {names}")))
        });
        let texts = |list: &[Text]| list.iter().map(|text| text.get_ref().clone()).collect();
        Definition {
            name: name.get_ref().clone(),
            class,
            pattern: pattern.get_ref().clone(),
            context: context.as_ref().map(|words| words.get_ref().clone()).unwrap_or_default(),
            validator,
            finds: texts(finds),
            ignores: texts(ignores),
        }
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
