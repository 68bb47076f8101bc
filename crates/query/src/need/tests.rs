use std::fmt;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::conjunction;

use super::*;
use crate::search::Contents;
use crate::testing::{Shape, now, view};
use crate::{Limits, Search, sql};

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join =
            |needs: &[Need], with: &str| needs.iter().map(Need::to_string).collect::<Vec<_>>().join(with);
        match self {
            Need::Text { column, text } => write!(f, "{column}~{text:?}"),
            Need::All(needs) => write!(f, "({})", join(needs, " & ")),
            Need::One(needs) => write!(f, "({})", join(needs, " | ")),
        }
    }
}

fn told(need: Option<Need>) -> String {
    need.map_or_else(|| "anything".to_owned(), |need| need.to_string())
}

#[test]
fn searches_need_texts() {
    let texts = [
        "resource:*000f*",
        "tool:crm:*search user:a*,bob",
        "tool:crm:*search user:ali*,bob",
        "role:*audit* since:7d",
        "class:phi",
        r"rule:*a_b%c\*",
        "-tool:crm* cost:>5 has:error re",
    ];
    let check = |text: &str| {
        let predicate = Search::parse(text, now()).unwrap().predicate(Contents::Closed);
        format!("{text} needs {}", told(predicate.as_ref().and_then(Need::of)))
    };
    insta::assert_snapshot!(texts.map(check).join("\n"), @r#"
    resource:*000f* needs resource_uri~"000f"
    tool:crm:*search user:a*,bob needs (action_name~"crm:" & action_name~"search")
    tool:crm:*search user:ali*,bob needs ((action_name~"crm:" & action_name~"search") & (user_sub~"ali" | user_sub~"bob"))
    role:*audit* since:7d needs user_roles~"audit"
    class:phi needs resource_classification~"phi"
    rule:*a_b%c\* needs rule~"a_b%c\\"
    -tool:crm* cost:>5 has:error re needs anything
    "#);
    let words = check("refund");
    assert!(
        words.contains(r#"resource_uri~"refund""#) && words.contains(r#"user_roles~"refund""#),
        "{words}"
    );
}

/// The filters as the optimizer leaves them, where the table is asked.
#[tokio::test]
async fn statements_need_texts() {
    let (view, _dir) = view(Shape::Hot, &Limits::default());
    let state = sql::with_table(&view).unwrap();
    let filters = [
        "entry LIKE '%records/000f%'",
        "entry ILIKE '%Refund%' AND time > '2026-03-01T00:00:00Z'",
        "lower(resource_uri) LIKE '%abc_def%'",
        "contains(error, 'time') OR strpos(reason, 'denies') > 0",
        "position('denies' IN reason) >= 1 AND starts_with(rule, 'role')",
        "user_sub IN ('alice', 'bob smith')",
        "user_sub = 'alice'",
        "array_has(user_roles, 'auditor')",
        r"error LIKE '%50\%\_off%'",
        // Nothing follows from these.
        "entry NOT LIKE '%refund%'",
        "entry LIKE '%re%'",
        "error LIKE '%refund%' OR cost_micros > 5",
        "NOT contains(error, 'time')",
        "upper(error) LIKE '%TIME%'",
        "CAST(user_roles AS VARCHAR) LIKE '%a, b%'",
        "array_to_string(user_roles, '-') LIKE '%a-b%'",
        "strpos(reason, 'denies') >= 0",
        "(entry LIKE '%refund%') IS NOT TRUE",
    ];
    let mut lines = Vec::new();
    for filter in filters {
        let plan =
            state.create_logical_plan(&format!("SELECT count(*) FROM events WHERE {filter}")).await.unwrap();
        let mut asked = Vec::new();
        let optimized = state.optimize(&plan).unwrap();
        let collect = |node: &LogicalPlan| {
            if let LogicalPlan::TableScan(scan) = node {
                asked.extend(scan.filters.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        };
        optimized.apply(collect).unwrap();
        lines.push(format!("{filter} needs {}", told(conjunction(asked).as_ref().and_then(Need::of))));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    entry LIKE '%records/000f%' needs entry~"records/000f"
    entry ILIKE '%Refund%' AND time > '2026-03-01T00:00:00Z' needs entry~"Refund"
    lower(resource_uri) LIKE '%abc_def%' needs (resource_uri~"abc" & resource_uri~"def")
    contains(error, 'time') OR strpos(reason, 'denies') > 0 needs (error~"time" | reason~"denies")
    position('denies' IN reason) >= 1 AND starts_with(rule, 'role') needs (reason~"denies" & rule~"role")
    user_sub IN ('alice', 'bob smith') needs (user_sub~"alice" | user_sub~"bob smith")
    user_sub = 'alice' needs user_sub~"alice"
    array_has(user_roles, 'auditor') needs user_roles~"auditor"
    error LIKE '%50\%\_off%' needs error~"50%_off"
    entry NOT LIKE '%refund%' needs anything
    entry LIKE '%re%' needs anything
    error LIKE '%refund%' OR cost_micros > 5 needs anything
    NOT contains(error, 'time') needs anything
    upper(error) LIKE '%TIME%' needs anything
    CAST(user_roles AS VARCHAR) LIKE '%a, b%' needs anything
    array_to_string(user_roles, '-') LIKE '%a-b%' needs anything
    strpos(reason, 'denies') >= 0 needs anything
    (entry LIKE '%refund%') IS NOT TRUE needs anything
    "#);
}

/// Arrow tests patterns by itself: whatever passes there holds the pieces.
#[test]
fn what_passes_a_pattern_holds_its_pieces() {
    use datafusion::arrow::array::{Scalar, StringArray};
    use datafusion::arrow::compute::kernels::comparison::{ilike, like};
    use proptest::prelude::*;
    proptest!(|(text in r"[abK\u{212a}%_\\]{0,8}", pattern in r"[abkK%_\\]{0,6}")| {
        let (texts, one) = (StringArray::from(vec![text.as_str()]), StringArray::from(vec![pattern.as_str()]));
        if like(&texts, &Scalar::new(&one)).unwrap().value(0) {
            prop_assert!(pieces(&pattern).iter().all(|piece| text.contains(piece)), "{:?} {:?}", text, pattern);
        }
        if ilike(&texts, &Scalar::new(&one)).unwrap().value(0) {
            let folded = text.replace('\u{212a}', "k").to_lowercase();
            let holds = |piece: &String| folded.contains(&piece.to_lowercase());
            prop_assert!(pieces(&pattern).iter().all(holds), "{:?} {:?}", text, pattern);
        }
    });
}
