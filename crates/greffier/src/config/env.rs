//! `GREFFIER__SECTION__KEY`: the environment laid over the file, before anything is checked.
//!
//! Names are folded to lower case; a number is a place in a list (`GREFFIER__UPSTREAM__0__BASE_URL`), and the
//! first free one adds to it. A value is TOML if it reads as a number, a boolean, a list, a table or a quoted
//! string, and text otherwise.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::place::{Places, Problems};

/// What the names of overrides start with.
pub(crate) const PREFIX: &str = "GREFFIER__";
/// Deepest override: `safety.rules.US_SSN` and `issuer.0.claims.tenant` need four.
const MAX_DEPTH: usize = 8;

/// Lays the overrides over the tree; what cannot be laid is a problem.
pub(crate) fn apply<'a>(
    tree: &mut DeTable<'a>,
    overrides: &'a BTreeMap<String, String>,
    places: &Places<'_>,
) -> Problems {
    let mut sorted: Vec<_> = overrides.iter().map(|(name, value)| (steps(name), name, value)).collect();
    // By place in a list, not by text: 10 comes behind 9.
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut problems = Problems::default();
    for (steps, name, value) in sorted {
        let span = places.variable(name);
        let laid = match steps.split_first() {
            Some((Step::Key(first), rest)) if !first.is_empty() && steps.len() <= MAX_DEPTH => {
                into_table(tree, first, rest, at(read(value), &span))
            }
            _ => Err("names no key: expected GREFFIER__SECTION__KEY".to_owned()),
        };
        if let Err(message) = laid {
            problems.0.push(places.problem(&span, message));
        }
    }
    problems
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Index(usize),
    Key(String),
}

fn steps(name: &str) -> Vec<Step> {
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    path.split("__")
        .map(|step| match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(step.to_ascii_lowercase()),
        })
        .collect()
}

/// The value of an override.
fn read(text: &str) -> DeValue<'_> {
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(DeValue::Float(_) | DeValue::Datetime(_)) | Err(_) => DeValue::String(Cow::Borrowed(text)),
        Ok(value) => value,
    }
}

/// The value with the variable's span on all of it.
fn at<'a>(value: DeValue<'a>, span: &Range<usize>) -> Spanned<DeValue<'a>> {
    let value = match value {
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            items.into_iter().for_each(|item| array.push(at(item.into_inner(), span)));
            DeValue::Array(array)
        }
        DeValue::Table(fields) => {
            let field = |(key, value): (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)| {
                (Spanned::new(span.clone(), key.into_inner()), at(value.into_inner(), span))
            };
            DeValue::Table(fields.into_iter().map(field).collect())
        }
        plain => plain,
    };
    Spanned::new(span.clone(), value)
}

fn into_table<'a>(
    table: &mut DeTable<'a>,
    key: &str,
    rest: &[Step],
    value: Spanned<DeValue<'a>>,
) -> Result<(), String> {
    let span = value.span();
    let known = table.keys().find(|known| known.get_ref().eq_ignore_ascii_case(key));
    let key = known.map_or_else(|| key.to_owned(), |known| known.get_ref().to_string());
    let spanned = |key: String| Spanned::new(span.clone(), Cow::Owned(key));
    let Some((step, rest)) = rest.split_first() else {
        table.insert(spanned(key), value);
        return Ok(());
    };
    let empty = match step {
        Step::Key(_) => DeValue::Table(DeTable::new()),
        Step::Index(_) => DeValue::Array(DeArray::new()),
    };
    let slot = table.entry(spanned(key.clone())).or_insert_with(|| Spanned::new(span.clone(), empty));
    match (slot.get_mut(), step) {
        (DeValue::Table(inner), Step::Key(next)) => into_table(inner, next, rest, value),
        (DeValue::Array(items), Step::Index(index)) => into_array(items, *index, rest, value),
        (_, Step::Key(_)) => Err(format!("`{key}` is not a section")),
        (_, Step::Index(_)) => Err(format!("`{key}` is not a list")),
    }
}

fn into_array<'a>(
    items: &mut DeArray<'a>,
    index: usize,
    rest: &[Step],
    value: Spanned<DeValue<'a>>,
) -> Result<(), String> {
    let length = items.len();
    if index > length {
        return Err(format!("the list has {length} elements: the next one is number {length}"));
    }
    let Some((step, rest)) = rest.split_first() else {
        match items.get_mut(index) {
            Some(item) => *item = value,
            None => items.push(value),
        }
        return Ok(());
    };
    if index == length {
        items.push(Spanned::new(value.span(), DeValue::Table(DeTable::new())));
    }
    match (items.get_mut(index).map(Spanned::get_mut), step) {
        (Some(DeValue::Table(inner)), Step::Key(key)) => into_table(inner, key, rest, value),
        _ => Err(format!("element {index} of the list has no keys")),
    }
}
