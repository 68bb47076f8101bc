//! What surely is not in a segment, without opening it: by the filters of its ids, which are held in memory, and by its
//! n-gram index, where one was made.

use std::ops::Range;

use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use greffier_ledger::segment::FILTERED;
use greffier_ledger::{Reader, Segment};

use crate::need::Need;
use crate::table::Ranges;

/// What can be asked of the filters and indexes of segments.
pub(super) struct Asked {
    named: Vec<(&'static str, Vec<String>)>,
    need: Option<Need>,
}

impl Asked {
    /// What follows from a predicate, if anything does.
    pub(super) fn by(predicate: &Expr) -> Option<Asked> {
        let asked = Asked { named: named(predicate), need: Need::of(predicate) };
        (!asked.named.is_empty() || asked.need.is_some()).then_some(asked)
    }

    /// Where in a segment rows may pass. Blocks.
    pub(super) fn within(&self, segment: &Segment, reader: &Reader) -> Ranges {
        let all = segment.first..segment.end;
        let may = |(column, values): &(&str, Vec<String>)| {
            values.iter().any(|value| reader.may_hold(segment, column, value))
        };
        if !self.named.iter().all(may) {
            return Vec::new();
        }
        match self.need.as_ref().zip(reader.ngrams(segment)) {
            Some((need, index)) => index.entries(need.blocks(&index)),
            None => vec![all],
        }
    }
}

/// Columns with filters of which a predicate wants one of some values.
fn named(predicate: &Expr) -> Vec<(&'static str, Vec<String>)> {
    let filtered = |expr: &Expr| match expr {
        Expr::Column(column) => FILTERED.iter().map(|(name, _)| *name).find(|name| *name == column.name),
        _ => None,
    };
    let text = |expr: &Expr| match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    let wanted = |expr: &Expr| match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            Some((filtered(left.as_ref())?, vec![text(right.as_ref())?]))
        }
        Expr::InList(list) if !list.negated => {
            Some((filtered(list.expr.as_ref())?, list.list.iter().map(text).collect::<Option<_>>()?))
        }
        _ => None,
    };
    split_conjunction(predicate).into_iter().filter_map(wanted).collect()
}

/// What ranges have in common, all in order.
pub(super) fn common(ranges: &[Range<u64>], others: &[Range<u64>]) -> Ranges {
    let mut common = Vec::new();
    for range in ranges {
        let near = others.partition_point(|other| other.end <= range.start);
        let near = others.iter().skip(near).take_while(|other| other.start < range.end);
        common.extend(near.map(|other| range.start.max(other.start)..range.end.min(other.end)));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Search;
    use crate::search::Contents;
    use crate::testing::now;

    #[test]
    fn ranges_have_in_common() {
        let check = |ranges: &[Range<u64>], others: &[Range<u64>]| format!("{:?}", common(ranges, others));
        let all = std::slice::from_ref(&(0..100));
        insta::assert_snapshot!(check(all, &[]), @"[]");
        insta::assert_snapshot!(check(all, &[10..20, 30..40, 90..120]), @"[10..20, 30..40, 90..100]");
        insta::assert_snapshot!(check(&[5..15, 40..60], &[0..10, 50..55]), @"[5..10, 50..55]");
        insta::assert_snapshot!(check(&[5..15, 40..60], &[10..50, 70..80]), @"[10..15, 40..50]");
    }

    #[test]
    fn only_what_must_hold_is_asked_of_filters() {
        let check = |text: &str| {
            let search = Search::parse(text, now()).unwrap();
            format!("{:?}", search.predicate(Contents::Closed).as_ref().map(named).unwrap_or_default())
        };
        insta::assert_snapshot!(check("session:a user:b"), @r#"[("session_id", ["a"])]"#);
        insta::assert_snapshot!(check("request:a,b id:c"), @r#"[("request_id", ["a", "b"]), ("id", ["c"])]"#);
        insta::assert_snapshot!(check("-session:a"), @"[]");
        insta::assert_snapshot!(check("session:a*,b trace:c*"), @"[]");
        insta::assert_snapshot!(check("call:a"), @"[]");
    }
}
