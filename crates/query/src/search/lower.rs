//! A search as a predicate over the columns of a segment.
//!
//! Values become literals of the column's own type, so that statistics, bloom filters and dictionaries can be
//! compared with them as they are.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::functions::regex::expr_fn::regexp_like;
use datafusion::functions_nested::expr_fn::{array_empty, array_has, array_to_string};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, Like, cast, lit};
use greffier_ledger::segment::ENTRY;

use crate::search::fields::{Field, Kind, LIST_COLUMNS, SUM_OF_TOKENS, TEXT_COLUMNS};
use crate::search::value::{Bounds, Pattern};
use crate::search::{Contents, Search, Test, What};

/// The names of an event's contents.
const PART_NAMES: &str = "part_names";
/// What a question is about, which nobody but Greffier may claim, and how its action is called.
const QUESTIONED: &str = "audit://";
const QUESTION: &str = "trail:";
/// Stands between the texts of a joined list. No text of an event holds a control character.
pub(crate) const BETWEEN: &str = "\u{1f}";

impl Search {
    /// What the columns of an event must fulfil; nothing if all match. Where contents are opened it says who may match,
    /// and they decide (`sieve.rs`).
    pub(crate) fn predicate(&self, contents: Contents) -> Option<Expr> {
        let (mut all, mut words, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let mut in_contents = false;
        let mut alternatives: Vec<(&Field, Vec<&Test>)> = Vec::new();
        for term in &self.terms {
            let stands_alone = match &term.what {
                What::Field(field, tests) if !term.negated && !tests.iter().all(Test::narrows) => {
                    match alternatives.iter_mut().find(|(known, _)| known == field) {
                        Some((_, known)) => known.extend(tests),
                        None => alternatives.push((field, tests.iter().collect())),
                    }
                    continue;
                }
                What::Field(field, tests) => any_of(field, &tests.iter().collect::<Vec<_>>()),
                What::Content(_) => {
                    in_contents = in_contents || !term.negated;
                    continue;
                }
                What::Has(fields) => any(fields.iter().map(|field| present(field))),
                What::Text(patterns) if !term.negated => {
                    texts.extend(patterns.iter().map(anywhere));
                    continue;
                }
                What::Text(patterns) => any(patterns.iter().map(anywhere)),
                What::Word(pattern) if !term.negated => {
                    words.push(anywhere(pattern));
                    continue;
                }
                What::Word(pattern) => anywhere(pattern),
            };
            all.push(if term.negated { stands_alone.is_not_true() } else { stands_alone });
        }
        if in_contents {
            all.push(has_parts());
        }
        match contents {
            // What is cheaper to ask stands first.
            Contents::Opened => all.extend(conjunction(words).map(|words| is_searched().or(words))),
            Contents::Closed => all.extend(words),
        }
        all.extend(disjunction(texts));
        all.extend(alternatives.iter().map(|(field, tests)| any_of(field, tests)));
        conjunction(all)
    }
}

/// It has contents.
pub(crate) fn has_parts() -> Expr {
    array_empty(column(PART_NAMES)).is_false()
}

/// It has contents that words are looked for in. Those of questions hold what was asked for, so that each would find
/// itself, and all that were asked before it.
pub(crate) fn is_searched() -> Expr {
    let begins = |name: &str, with: &str| like(column(name), format!("{with}%"), false);
    let is_question = begins("resource_uri", QUESTIONED).and(begins("action_name", QUESTION));
    has_parts().and(is_question.is_not_true())
}

/// One column by its name.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// A time as the columns hold it.
pub(crate) fn instant(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

fn any(exprs: impl IntoIterator<Item = Expr>) -> Expr {
    disjunction(exprs).unwrap_or_else(|| lit(false))
}

/// One of the tests is passed.
fn any_of(field: &Field, tests: &[&Test]) -> Expr {
    // Exact texts together are one list, which bloom filters answer.
    let exact = tests.iter().filter_map(|test| match (field.kind, test) {
        (Kind::Text(_) | Kind::Id(_) | Kind::Choice(..), Test::Text(pattern)) => pattern.as_exact(),
        _ => None,
    });
    let exact: Vec<Expr> = exact.map(lit).collect();
    if let (Kind::Text(name) | Kind::Id(name) | Kind::Choice(name, _), true) = (field.kind, exact.len() > 1) {
        let list = Expr::InList(InList::new(Box::new(column(name)), exact, false));
        let others = tests.iter().filter(|test| !matches!(test, Test::Text(p) if p.as_exact().is_some()));
        return any(std::iter::once(list).chain(others.map(|test| passes(field, test))));
    }
    any(tests.iter().map(|test| passes(field, test)))
}

fn passes(field: &Field, test: &Test) -> Expr {
    match (field.kind, test) {
        (Kind::Text(name) | Kind::Id(name) | Kind::Choice(name, _), Test::Text(pattern)) => {
            text(name, pattern)
        }
        (Kind::Member(name, choices), Test::Text(pattern)) => {
            let wanted = choices.all().into_iter().filter(|choice| pattern.fits(choice));
            any(wanted.map(|choice| written(&format!("\"{name}\":\"{choice}\""))))
        }
        (Kind::Texts(name), Test::Text(pattern)) => one_text(name, pattern),
        (Kind::Pii, Test::Text(pattern)) => one_text("redaction_types", pattern),
        (Kind::Pii, Test::Flag(flag)) => column("pii_detected").eq(lit(*flag)),
        (Kind::Verified, Test::Flag(flag)) => {
            let (user, agent) = (column("user_verified"), column("agent_verified"));
            let of_agent = user.clone().is_null().and(agent.eq(lit(*flag)));
            user.eq(lit(*flag)).or(of_agent)
        }
        (Kind::Number(name, _), Test::Number(bounds)) => within(&column(name), bounds, |value| lit(*value)),
        (Kind::Tokens, Test::Number(bounds)) => {
            let within = tokens().map(|(known, sum)| known.and(within(&sum, bounds, |value| lit(*value))));
            any(within)
        }
        (Kind::Time(name), Test::Time(bounds)) => {
            within(&column(name), &bounds.micros(), |micros| instant(*micros))
        }
        // The parser gives each kind of field its own kind of test.
        _ => lit(false),
    }
}

fn text(name: &str, pattern: &Pattern) -> Expr {
    match pattern.as_exact() {
        Some(exact) => column(name).eq(lit(exact)),
        None => like(column(name), pattern.like(), false),
    }
}

fn like(expr: Expr, pattern: String, ignores_case: bool) -> Expr {
    Expr::Like(Like::new(false, Box::new(expr), Box::new(lit(pattern)), None, ignores_case))
}

/// Stands in the entry, as it is written there. A quote within a text has a backslash before it, so that no text can
/// hold what a member begins with.
fn written(json: &str) -> Expr {
    like(cast(column(ENTRY), DataType::Utf8), format!("%{}%", Pattern::exact(json).like()), false)
}

/// One text of a list.
fn one_text(name: &str, pattern: &Pattern) -> Expr {
    match pattern.as_exact() {
        Some(exact) => array_has(column(name), lit(exact)),
        None => {
            let pieces: Vec<String> = pattern.pieces.iter().map(|piece| escaped(piece)).collect();
            let regex = format!("(^|{BETWEEN}){}({BETWEEN}|$)", pieces.join(&format!("[^{BETWEEN}]*")));
            // Cheaper to test first, and what an index can be asked.
            let near = like(joined(name), format!("%{}%", pattern.like()), false);
            near.and(regexp_like(joined(name), lit(regex), None))
        }
    }
}

fn joined(name: &str) -> Expr {
    array_to_string(column(name), lit(BETWEEN))
}

/// A text that a regular expression takes literally.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if "\\.+*?()|[]{}^$#&-~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}

/// In one of the texts of the event itself, in any case.
pub(crate) fn anywhere(pattern: &Pattern) -> Expr {
    let pattern = format!("%{}%", pattern.like());
    let texts =
        TEXT_COLUMNS.iter().map(|name| column(name)).chain(LIST_COLUMNS.iter().map(|name| joined(name)));
    any(texts.map(|text| like(text, pattern.clone(), true)))
}

fn within<T>(expr: &Expr, bounds: &Bounds<T>, value: impl Fn(&T) -> Expr) -> Expr {
    let expr = expr.clone();
    match bounds {
        Bounds::Equal(is) => expr.eq(value(is)),
        Bounds::Greater(than) => expr.gt(value(than)),
        Bounds::AtLeast(least) => expr.gt_eq(value(least)),
        Bounds::Less(than) => expr.lt(value(than)),
        Bounds::AtMost(most) => expr.lt_eq(value(most)),
        Bounds::Between(from, to) => expr.clone().gt_eq(value(from)).and(expr.lt_eq(value(to))),
    }
}

/// The sum of tokens, by which of the two columns is known.
fn tokens() -> [(Expr, Expr); 3] {
    let [input, output] = SUM_OF_TOKENS.map(column);
    [
        (input.clone().is_not_null().and(output.clone().is_not_null()), input.clone() + output.clone()),
        (output.clone().is_null(), input.clone()),
        (input.is_null(), output),
    ]
}

fn present(field: &Field) -> Expr {
    match field.kind {
        Kind::Text(name)
        | Kind::Id(name)
        | Kind::Choice(name, _)
        | Kind::Number(name, _)
        | Kind::Time(name) => column(name).is_not_null(),
        Kind::Texts(name) => array_empty(column(name)).is_false(),
        Kind::Member(name, _) => written(&format!("\"{name}\":")),
        Kind::Tokens => any(SUM_OF_TOKENS.map(|name| column(name).is_not_null())),
        Kind::Pii => column("pii_detected").eq(lit(true)),
        Kind::Verified => any(["user_verified", "agent_verified"].map(|name| column(name).is_not_null())),
    }
}
