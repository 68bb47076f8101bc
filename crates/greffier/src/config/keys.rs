//! Keys that nobody knows, with a suggestion, and sections whose feature is not built yet.

use serde::Deserialize;
use serde::de::{self, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Places, Problems};
use super::raw::{
    Raw, RawAnchor, RawByClass, RawClaims, RawEntity, RawFindings, RawIssuer, RawLedger, RawMcp, RawPolicy,
    RawPrices, RawQuery, RawReach, RawRemote, RawRetention, RawRule, RawSafety, RawServer, RawTimestamp,
    RawTls, RawTool, RawToolRule, RawUpstream, RawWebhook, RawWitness,
};

/// Sections that are designed and not built: silence about them would be a promise.
const NOT_BUILT: [(&str, &str); 2] =
    [("limit", "limits on calls, tokens and cost"), ("privacy", "identities as references")];

/// Least likeness of a suggestion.
const ALIKE: f64 = 0.75;

/// Every key of the tree that no setting has.
pub(crate) fn unknown(root: &DeTable<'_>, places: &Places<'_>) -> Problems {
    let mut found = Finder { places, problems: Problems::default() };
    found.table(root, "", fields::<Raw>());
    for issuer in found.list(root, "issuer", fields::<RawIssuer>()) {
        found.section(issuer, "claims", fields::<RawClaims>());
    }
    for upstream in found.list(root, "upstream", fields::<RawUpstream>()) {
        found.section(upstream, "reach", fields::<RawReach>());
    }
    for tool in found.list(root, "tool", fields::<RawTool>()) {
        found.section(tool, "reach", fields::<RawReach>());
        found.list(tool, "rule", fields::<RawToolRule>());
    }
    for server in found.list(root, "mcp", fields::<RawMcp>()) {
        found.section(server, "reach", fields::<RawReach>());
    }
    found.section(root, "tls", fields::<RawTls>());
    if root.get("on_record_failure").is_some_and(|value| value.get_ref().as_table().is_some()) {
        found.section(root, "on_record_failure", fields::<RawByClass>());
    }
    found.section(root, "policy", fields::<RawPolicy>());
    found.section(root, "safety", fields::<RawSafety>());
    if let Some(safety) = root.get("safety").and_then(|value| value.get_ref().as_table()) {
        found.list(safety, "rule", fields::<RawRule>());
        found.list(safety, "entity", fields::<RawEntity>());
        found.section(safety, "remote", fields::<RawRemote>());
    }
    found.section(root, "prices", fields::<RawPrices>());
    found.section(root, "timestamp", fields::<RawTimestamp>());
    found.section(root, "server", fields::<RawServer>());
    found.section(root, "query", fields::<RawQuery>());
    found.section(root, "ledger", fields::<RawLedger>());
    found.list(root, "witness", fields::<RawWitness>());
    found.section(root, "anchor", fields::<RawAnchor>());
    found.section(root, "retention", fields::<RawRetention>());
    found.section(root, "findings", fields::<RawFindings>());
    found.list(root, "webhook", fields::<RawWebhook>());
    found.problems
}

struct Finder<'a> {
    places: &'a Places<'a>,
    problems: Problems,
}

impl Finder<'_> {
    /// `[name]`: one section.
    fn section(&mut self, parent: &DeTable<'_>, name: &str, known: &[&str]) {
        let Some(value) = parent.get(name) else { return };
        match value.get_ref() {
            DeValue::Table(section) => self.table(section, name, known),
            _ => self.problem(value, format!("expected a section: `[{name}]`")),
        }
    }

    /// `[[name]]`: any number of sections.
    fn list<'a, 'i>(&mut self, parent: &'a DeTable<'i>, name: &str, known: &[&str]) -> Vec<&'a DeTable<'i>> {
        let Some(value) = parent.get(name) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.problem(value, format!("expected a list of sections: `[[{name}]]`"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(section) => {
                    self.table(section, name, known);
                    sections.push(section);
                }
                _ => self.problem(item, format!("expected a section: `[[{name}]]`")),
            }
        }
        sections
    }

    fn problem<T>(&mut self, at: &Spanned<T>, message: String) {
        self.problems.0.push(self.places.problem(&at.span(), message));
    }

    fn table(&mut self, table: &DeTable<'_>, section: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let message =
                match NOT_BUILT.iter().find(|(name, _)| section.is_empty() && *name == key.get_ref()) {
                    Some((name, feature)) => format!("`{name}` is not built yet: {feature}"),
                    None => unknown_key(key.get_ref(), section, known),
                };
            self.problem(key, message);
        }
    }
}

fn unknown_key(key: &str, section: &str, known: &[&str]) -> String {
    let whose = if section.is_empty() { String::new() } else { format!(" in `{section}`") };
    let secret = ["api_key", "key", "token", "secret", "credential", "password"].contains(&key);
    let by_source = known.iter().find(|name| name.ends_with("_env"));
    if let (true, Some(name)) = (secret, by_source) {
        let file = name.replace("_env", "_file");
        return format!(
            "unknown key `{key}`{whose}: secrets do not stand here, name their source with `{name}` or `{file}`"
        );
    }
    let likeness = |name: &str| strsim::jaro_winkler(&key.to_ascii_lowercase(), name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) >= ALIKE) {
        Some(name) => format!("unknown key `{key}`{whose}: did you mean `{name}`?"),
        None => format!("unknown key `{key}`{whose}: expected one of {}", known.join(", ")),
    }
}

/// The names of a struct's fields, asked of its own `Deserialize`, so that there is no second list of them.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It always fails: nothing is read.
    drop(T::deserialize(FieldNames(&mut names)));
    names
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> de::Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("only the names"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
