//! The controls that are more than a population and its exceptions.

use std::collections::{BTreeMap, BTreeSet};

use greffier_event::Timestamp;
use serde_json::{Value, json};

use super::assessment::Verdict;
use super::control::{Judged, On, Plan, Row, Statement, TABLE_ROWS, number, text};
use super::frame::{Frame, TrailState};

const DAY: i64 = 86_400_000_000;
/// Changes of the policies that are looked at.
const MAX_CHANGES: usize = 10_000;

pub(super) const POLICIES_FAIL: &str = "the policies changed in the period, and nobody approved the new ones by their digest (`greffier report approve-policy`)";
pub(super) const ROLES_FAIL: &str = "all roles may do exactly the same";

/// Where the digest of a policy set stands in the name of its event.
const POLICY: &str = "policy://";

pub(super) fn policies(frame: &Frame) -> Plan {
    let Some(node) = &frame.node else { return Plan::default() };
    // From the beginning: what was in force before the period is known only from there.
    let in_force = format!(
        "SELECT index, id, time, resource_uri FROM events WHERE index < {} AND time < '{}' AND action_name = 'policy:in_force' \
         ORDER BY index DESC LIMIT {MAX_CHANGES}",
        node.head.size, frame.period.end
    );
    let approved = format!(
        "SELECT resource_uri, user_sub, time FROM events WHERE index < {} AND action_name = 'approve:policy' ORDER BY index \
         LIMIT {MAX_CHANGES}",
        frame.trail.head.size
    );
    Plan {
        judged: vec![Statement { on: On::Node, sql: in_force }, Statement { on: On::Trail, sql: approved }],
        ..Plan::default()
    }
}

pub(super) fn judge_policies(frame: &Frame, answers: &[Vec<Row>]) -> Judged {
    let mut approvals: BTreeMap<&str, &str> = BTreeMap::new();
    for row in answers.get(1).into_iter().flatten() {
        if let Some((_, digest)) = text(row, "resource_uri").split_once("/policies/") {
            approvals.insert(digest, text(row, "user_sub"));
        }
    }
    let start = frame.period.start.to_string();
    let (mut table, mut before, mut changes, mut open): (Vec<Row>, Option<&str>, u64, u64) =
        (Vec::new(), None, 0, 0);
    let mut shown = |row: &Row, digest: &str, what: &str, by: &str| {
        let line = json!({ "time": text(row, "time"), "policies": digest, "what": what, "approved by": by });
        table.extend(line.as_object().cloned());
    };
    let mut last_before: Option<(&Row, &str)> = None;
    for row in answers.first().into_iter().flatten().rev() {
        let digest = text(row, "resource_uri").strip_prefix(POLICY).unwrap_or_default();
        let by = approvals.get(digest).copied().unwrap_or_default();
        // Times are written alike: as texts they order as they do.
        if text(row, "time") < start.as_str() {
            last_before = Some((row, digest));
        } else if before.is_some_and(|before| before != digest) {
            changes += 1;
            open += u64::from(by.is_empty());
            shown(row, digest, "changed", by);
        } else if before.is_none() {
            shown(row, digest, "first on record", by);
        }
        before = Some(digest);
    }
    if let Some((row, digest)) = last_before {
        let by = approvals.get(digest).copied().unwrap_or_default();
        shown(row, digest, "in force at the start of the period", by);
    }
    let (verdict, says) = match (before, changes, open) {
        (None, ..) => (Verdict::NotAssessed, "No policies are on the node's trail.".to_owned()),
        (Some(digest), 0, _) => (
            Verdict::Evidenced,
            format!("The policies did not change in the period; {digest} were in force."),
        ),
        (_, changes, 0) => (
            Verdict::Evidenced,
            format!("The policies changed {changes} times, and each change was approved by somebody."),
        ),
        (_, changes, open) => (
            Verdict::Gap,
            format!("The policies changed {changes} times; {open} of the changes nobody approved."),
        ),
    };
    let figures = vec![("changes".to_owned(), changes.into()), ("unapproved".to_owned(), open.into())];
    table.truncate(TABLE_ROWS);
    Judged { verdict, says, figures, table, population: None }
}

pub(super) fn roles(frame: &Frame) -> Plan {
    let within = frame.within(frame.trail.head.size);
    let sql = format!(
        "SELECT array_to_string(user_roles, ', ') AS roles, action_name AS call, \
         count(*) FILTER (WHERE decision IN ('allow', 'redact')) AS allowed, count(*) FILTER (WHERE decision = 'deny') AS denied, \
         count(DISTINCT user_sub) AS users FROM events WHERE {within} AND type IN ('action.approved', 'action.denied') \
         AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier') AND user_sub IS NOT NULL \
         GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 1000"
    );
    Plan { judged: vec![Statement { on: On::Trail, sql }], ..Plan::default() }
}

pub(super) fn judge_roles(answers: &[Vec<Row>]) -> Judged {
    let rows = answers.first().map(Vec::as_slice).unwrap_or_default();
    let mut may: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut denied = 0;
    for row in rows {
        let calls = may.entry(text(row, "roles")).or_default();
        if number(Some(row), "allowed") > 0 {
            calls.insert(text(row, "call"));
        }
        denied += number(Some(row), "denied");
    }
    let different: BTreeSet<&BTreeSet<&str>> = may.values().collect();
    let (verdict, says) = match (may.len(), different.len()) {
        (0, _) => (Verdict::NotAssessed, "No person's call was decided in the period.".to_owned()),
        (1, _) => (
            Verdict::NotAssessed,
            "Only one role was in use: there is nothing to compare it with.".to_owned(),
        ),
        (roles, 1) => (Verdict::Gap, format!("All {roles} roles in use were allowed exactly the same.")),
        (roles, sets) => (
            Verdict::Evidenced,
            format!(
                "{roles} roles were in use and were allowed {sets} different sets of calls; {denied} calls were denied."
            ),
        ),
    };
    let figures = vec![
        ("roles".to_owned(), may.len().into()),
        ("different_sets".to_owned(), different.len().into()),
        ("denied".to_owned(), denied.into()),
    ];
    Judged {
        verdict,
        says,
        figures,
        table: rows.iter().take(TABLE_ROWS).cloned().collect(),
        population: None,
    }
}

pub(super) fn extent(trail: &TrailState) -> Plan {
    let sql = format!(
        "SELECT count(*) AS entries, min(index) AS first, max(index) AS last, min(recorded_at) AS oldest FROM events WHERE index < {}",
        trail.head.size
    );
    Plan { judged: vec![Statement { on: On::Trail, sql }], ..Plan::default() }
}

fn figures(row: Option<&Row>) -> Vec<(String, Value)> {
    row.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn judge_kept(frame: &Frame, days: i64, answers: &[Vec<Row>]) -> Judged {
    let row = answers.first().and_then(|rows| rows.first());
    let oldest = row.and_then(|row| text(row, "oldest").parse::<Timestamp>().ok());
    let (verdict, says) = match oldest {
        None => (Verdict::NotAssessed, "The trail is empty.".to_owned()),
        Some(oldest) => {
            let age = (frame.made.as_micros() - oldest.as_micros()).div_euclid(DAY);
            let of = format!("the oldest entry is of {oldest}, {age} days old");
            match (number(row, "first"), age >= days) {
                (_, true) => {
                    (Verdict::Evidenced, format!("Entries are kept for {days} days and more: {of}."))
                }
                (0, false) => (
                    Verdict::Evidenced,
                    format!("Nothing has expired: the trail is there from its first entry on, and {of}."),
                ),
                (_, false) => (
                    Verdict::Gap,
                    format!("Entries from before have expired, although {days} days are not over: {of}."),
                ),
            }
        }
    };
    Judged { verdict, says, figures: figures(row), table: Vec::new(), population: None }
}

pub(super) fn judge_complete(frame: &Frame, answers: &[Vec<Row>]) -> Judged {
    let row = answers.first().and_then(|rows| rows.first());
    let (entries, first, last) = (number(row, "entries"), number(row, "first"), number(row, "last"));
    let size = frame.trail.head.size;
    let whole = entries > 0 && last + 1 == size && entries == size - first.min(size);
    let (verdict, says) = match (size, whole) {
        (0, _) => (Verdict::NotAssessed, "The trail has no checkpoint yet.".to_owned()),
        (_, true) => (
            Verdict::Evidenced,
            format!(
                "Of the entries {first} to {last}, up to the checkpoint, none is missing. That none was changed is for \
                 `greffier verify` to say, against a checkpoint or witnesses that you trust."
            ),
        ),
        (_, false) => (
            Verdict::Gap,
            format!("The checkpoint covers {size} entries, and {entries} are there from {first} on."),
        ),
    };
    Judged { verdict, says, figures: figures(row), table: Vec::new(), population: Some(entries) }
}

pub(super) fn judge_witnessed(frame: &Frame) -> Judged {
    let (verdict, says) = match &frame.anchored {
        Ok(()) => (
            Verdict::Evidenced,
            "Enough independent witnesses have cosigned the checkpoints of late: history cannot be rewritten without them."
                .to_owned(),
        ),
        Err(why) => (Verdict::Gap, format!("Nobody independent speaks for the trails: {why}.")),
    };
    Judged { verdict, says, figures: Vec::new(), table: Vec::new(), population: None }
}
