//! `->` and `->>` bind as closely as people mean them: `entry ->> 'type' = 'error'` compares what is in the entry. The
//! parser reads `entry ->> ('type' = 'error')`, which is never meant.

use std::mem;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, CastKind, Expr, Value, VisitMut, VisitorMut};

/// Puts every arrow of a statement in its place.
pub(super) fn bind(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _: ControlFlow<()> = statement.visit(&mut Binding);
        }
        Statement::Explain(explain) => bind(&mut explain.statement),
        _ => {}
    }
}

struct Binding;

impl VisitorMut for Binding {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { left, op, right } = expr
            && is_arrow(op)
            && (last(left).is_some() || first(right).is_some())
        {
            let (mut left, op, mut right) = (take(left), op.clone(), take(right));
            *expr = if last(&mut left).is_some() {
                put_behind(&mut left, op, right);
                left
            } else {
                put_before(&mut right, left, op);
                right
            };
        }
        ControlFlow::Continue(())
    }
}

/// Puts an arrow before what an expression begins with, all the way down.
fn put_before(whole: &mut Expr, left: Expr, op: BinaryOperator) {
    if first(whole).is_none() {
        let right = Box::new(take(whole));
        *whole = Expr::BinaryOp { left: Box::new(left), op, right };
    } else if let Some(next) = first(whole) {
        put_before(next, left, op);
    }
}

/// Puts an arrow behind what an expression ends with, all the way down.
fn put_behind(whole: &mut Expr, op: BinaryOperator, mut right: Expr) {
    if last(whole).is_none() {
        put_before(&mut right, take(whole), op);
        *whole = right;
    } else if let Some(next) = last(whole) {
        put_behind(next, op, right);
    }
}

fn is_arrow(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Arrow | BinaryOperator::LongArrow)
}

fn take(expr: &mut Expr) -> Expr {
    mem::replace(expr, Expr::Value(Value::Null.into()))
}

/// What an expression without parentheses begins with.
fn first(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, .. } => Some(left),
        Expr::Cast { kind: CastKind::DoubleColon, expr, .. }
        | Expr::Like { expr, .. }
        | Expr::ILike { expr, .. }
        | Expr::SimilarTo { expr, .. }
        | Expr::RLike { expr, .. }
        | Expr::Between { expr, .. }
        | Expr::InList { expr, .. }
        | Expr::InSubquery { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsDistinctFrom(expr, _)
        | Expr::IsNotDistinctFrom(expr, _) => Some(expr),
        _ => None,
    }
}

/// What an expression without parentheses ends with; arrows follow each other as they are.
fn last(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { op, right, .. } if !is_arrow(op) => Some(right),
        Expr::Like { pattern: last, .. }
        | Expr::ILike { pattern: last, .. }
        | Expr::Between { high: last, .. }
        | Expr::IsDistinctFrom(_, last)
        | Expr::IsNotDistinctFrom(_, last) => Some(last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn check(text: &str) -> String {
        let mut statement = DFParser::parse_sql(&format!("SELECT {text}")).unwrap().pop_front().unwrap();
        bind(&mut statement);
        // As it is written, parentheses and all: a statement that is read again must be the same.
        let mut again = DFParser::parse_sql(&statement.to_string()).unwrap().pop_front().unwrap();
        bind(&mut again);
        assert_eq!(again.to_string(), statement.to_string());
        let mut shown = Vec::new();
        if let Statement::Statement(statement) = &mut statement {
            let mut visitor = Parenthesised(&mut shown);
            let _: ControlFlow<()> = statement.visit(&mut visitor);
        }
        shown.join(" | ")
    }

    /// Collects what stands on both sides of arrows.
    struct Parenthesised<'a>(&'a mut Vec<String>);

    impl VisitorMut for Parenthesised<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } =
                expr
            {
                self.0.push(format!("({left}) -> ({right})"));
            }
            ControlFlow::Continue(())
        }
    }

    #[test]
    fn arrows_bind_closely() {
        insta::assert_snapshot!(check("e ->> 'a' = 'x' AND b"), @"(e) -> ('a')");
        insta::assert_snapshot!(check("e -> 'a' ->> 'b' LIKE 'x%'"), @"(e -> 'a') -> ('b') | (e) -> ('a')");
        insta::assert_snapshot!(check("(e ->> 'a')::int + 1 > 2"), @"(e) -> ('a')");
        insta::assert_snapshot!(check("e ->> 'a' IS NOT NULL OR e ->> 'b' IN ('x', 'y')"), @"(e) -> ('a') | (e) -> ('b')");
        insta::assert_snapshot!(check("e ->> 'a' || 'x' = f ->> 'b'"), @"(e) -> ('a') | (f) -> ('b')");
        insta::assert_snapshot!(check("x = f -> 'b' ->> 'c' AND y LIKE g ->> 'd'"), @"(f -> 'b') -> ('c') | (f) -> ('b') | (g) -> ('d')");
        insta::assert_snapshot!(check("e ->> ('a' || 'b') BETWEEN 'x' AND 'y'"), @"(e) -> (('a' || 'b'))");
        insta::assert_snapshot!(check("NOT e ->> 'a' = 'x'"), @"(e) -> ('a')");
    }
}
