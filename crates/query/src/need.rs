//! Which texts a row must hold to pass a filter: what n-gram indexes can be asked.
//!
//! Only what follows from the filter for certain is kept. Whatever is not understood needs nothing, and so does what
//! is shorter than a gram; a negation never needs anything.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Like, Operator, TryCast};
use datafusion::scalar::ScalarValue;
use greffier_ledger::{Blocks, Ngrams};

use crate::search::BETWEEN;

/// Bytes of the shortest text that an index knows.
const SHORTEST: usize = 3;
/// What takes the meaning of a sign in a pattern.
const ESCAPE: char = '\\';

/// What a row must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A text within some value of a column, in any case.
    Text { column: String, text: String },
    /// Each of these.
    All(Vec<Need>),
    /// One of these.
    One(Vec<Need>),
}

impl Need {
    /// What rows that pass the filter hold; nothing is known where there is none.
    pub(crate) fn of(filter: &Expr) -> Option<Need> {
        match filter {
            Expr::Alias(alias) => Need::of(&alias.expr),
            Expr::IsTrue(inner) => Need::of(inner),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                all([Need::of(left), Need::of(right)].into_iter().flatten())
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(Need::One(vec![Need::of(left)?, Need::of(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                let (column, text) =
                    source(left).zip(literal(right)).or_else(|| source(right).zip(literal(left)))?;
                text_in(column, text)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => found_at(left, *op, right),
            Expr::Like(Like { negated: false, expr, pattern, escape_char: None | Some(ESCAPE), .. }) => {
                let column = source(expr)?;
                all(pieces(literal(pattern)?).iter().filter_map(|piece| text_in(column, piece)))
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                let column = source(expr)?;
                list.iter().map(|one| text_in(column, literal(one)?)).collect::<Option<_>>().map(Need::One)
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
                ("contains" | "starts_with" | "ends_with" | "array_has", [value, text]) => {
                    text_in(source(value)?, literal(text)?)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The blocks of a segment that may have such rows.
    pub(crate) fn blocks(&self, index: &Ngrams) -> Blocks {
        match self {
            Need::Text { column, text } => index.holding(column, text),
            Need::All(needs) => needs.iter().fold(Blocks::ALL, |all, need| match all {
                Blocks::NONE => all,
                _ => all & need.blocks(index),
            }),
            Need::One(needs) => needs.iter().fold(Blocks::NONE, |any, need| match any {
                Blocks::ALL => any,
                _ => any | need.blocks(index),
            }),
        }
    }
}

fn all(needs: impl Iterator<Item = Need>) -> Option<Need> {
    let mut needs: Vec<Need> = needs.collect();
    if needs.len() > 1 { Some(Need::All(needs)) } else { needs.pop() }
}

fn text_in(column: &str, text: &str) -> Option<Need> {
    (text.len() >= SHORTEST).then(|| Need::Text { column: column.to_owned(), text: text.to_owned() })
}

/// `strpos(column, text) > 0`, and the same said otherwise.
fn found_at(place: &Expr, op: Operator, than: &Expr) -> Option<Need> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = place else { return None };
    let Expr::Literal(than, _) = than else { return None };
    let ScalarValue::Int64(Some(than)) = than.cast_to(&DataType::Int64).ok()? else { return None };
    let is_there = match op {
        Operator::Gt => than >= 0,
        Operator::GtEq => than >= 1,
        Operator::NotEq => than == 0,
        _ => false,
    };
    match (func.name(), args.as_slice()) {
        ("strpos", [value, text]) if is_there => text_in(source(value)?, literal(text)?),
        _ => None,
    }
}

/// The column whose texts these are, in any case.
fn source(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        Expr::Alias(alias) => source(&alias.expr),
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            let is_text =
                |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            // A list as a text has more in it than its texts.
            let is_one = |column: &&str| {
                let schema = greffier_ledger::segment::schema();
                let of = schema.field_with_name(column).map(|column| column.data_type().clone());
                of.is_ok_and(|of| is_text(&of) || of == DataType::Binary)
            };
            source(expr).filter(is_one).filter(|_| is_text(field.data_type()))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("lower", [value]) => source(value),
            ("array_to_string", [Expr::Column(column), between]) => {
                literal(between).filter(|between| *between == BETWEEN).map(|_| column.name.as_str())
            }
            _ => None,
        },
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// What stands in a pattern as it is, between its wildcards.
fn pieces(pattern: &str) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        let plain = match sign {
            '%' | '_' => None,
            ESCAPE => signs.next().filter(|sign| ['%', '_', ESCAPE].contains(sign)),
            sign => Some(sign),
        };
        match plain {
            Some(plain) => piece.push(plain),
            None => pieces.push(std::mem::take(&mut piece)),
        }
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests;
