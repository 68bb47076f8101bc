//! What counts as a question: one query, or the plan of one.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{self, Expr, GroupByExpr, Query, Select, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::QueryError;
use crate::sql::{arrows, refused};

/// Longest statement.
const MAX_BYTES: usize = 64 * 1024;
/// Most tokens: a list of some thousand values.
const MAX_TOKENS: usize = 4_096;
/// Most operators and keywords. A chain of them becomes a tree as deep as it is long; trees are walked by
/// recursion, and planning takes time by the square of their depth.
const MAX_OPERATORS: usize = 512;
/// Deepest nesting of parentheses and subqueries.
const MAX_DEPTH: usize = 50;

/// Reads one statement and refuses what does more than read, or what nothing bounds.
pub(super) fn parse(text: &str) -> Result<Statement, QueryError> {
    if text.len() > MAX_BYTES {
        return Err(QueryError::TooLarge(format!("a statement has {MAX_BYTES} bytes at most")));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize();
    let tokens = tokens.map_err(|error| QueryError::SqlSyntax(error.to_string()))?;
    if tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count() > MAX_TOKENS {
        return Err(QueryError::TooLarge(format!("a statement has {MAX_TOKENS} words and signs at most")));
    }
    if tokens.iter().filter(|token| is_operator(token)).count() > MAX_OPERATORS {
        return Err(QueryError::TooLarge(format!(
            "a statement has {MAX_OPERATORS} operators and keywords at most"
        )));
    }
    let parser = DFParserBuilder::new(text).with_dialect(&dialect).with_recursion_limit(MAX_DEPTH);
    let statements = parser.build().and_then(|mut parser| parser.parse_statements());
    let mut statement = one(statements.map_err(syntax)?)?;
    check(&statement)?;
    arrows::bind(&mut statement);
    Ok(statement)
}

/// Whether a token may make a tree deeper: all but names, values, and what stands between those of a list.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Whitespace(_) | Token::Comma | Token::Period | Token::LParen | Token::RParen => false,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => false,
        _ => true,
    }
}

fn syntax(error: DataFusionError) -> QueryError {
    QueryError::SqlSyntax(error.strip_backtrace())
}

fn one(mut statements: VecDeque<Statement>) -> Result<Statement, QueryError> {
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => {
            Err(QueryError::SqlSyntax("a statement must stand here, as in SELECT * FROM events".to_owned()))
        }
        (Some(_), false) => Err(refused("one statement at a time")),
    }
}

fn check(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            ast::Statement::Query(query) => match query.visit(&mut Unbounded) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(what) => Err(refused(format!("{what} is not possible here"))),
            },
            _ => Err(only_reading()),
        },
        Statement::Explain(explain) if !explain.options.analyze => match explain.statement.as_ref() {
            inner @ Statement::Statement(_) => check(inner),
            _ => Err(only_reading()),
        },
        _ => Err(only_reading()),
    }
}

fn only_reading() -> QueryError {
    refused("only a query is possible here: SELECT … FROM events, or EXPLAIN of one")
}

/// Looks for what is no reading, or grows beyond what limits can hold while it is still being planned.
struct Unbounded;

impl Visitor for Unbounded {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            return ControlFlow::Break("WITH RECURSIVE");
        }
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE");
        }
        match query.body.as_ref() {
            ast::SetExpr::Insert(_)
            | ast::SetExpr::Update(_)
            | ast::SetExpr::Delete(_)
            | ast::SetExpr::Merge(_) => ControlFlow::Break("writing"),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        let modifiers = match &select.group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
        };
        match () {
            () if select.into.is_some() => ControlFlow::Break("SELECT INTO"),
            () if !modifiers.is_empty() => ControlFlow::Break("GROUP BY … WITH"),
            () => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<&'static str> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break("TABLESAMPLE")
            }
            TableFactor::Table {
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                index_hints,
                ..
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                ControlFlow::Continue(())
            }
            // What would be read, and then passed over without a word.
            TableFactor::Table { args: None, .. } => {
                ControlFlow::Break("a hint, version, partition or path of a table")
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break("a table function"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<&'static str> {
        match expr {
            // The number of sets is exponential in that of columns, and they are made while planning.
            Expr::Cube(_) | Expr::Rollup(_) | Expr::GroupingSets(_) => {
                ControlFlow::Break("GROUP BY CUBE or ROLLUP")
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
