//! One named person in a report: what an access request asks for, from the same trail and by the same rules.
//!
//! A person is a user, in whose name agents act, or a subject, whom data is about, or both. Contents are no part of a
//! report: `greffier subject` gives them to whoever may see them.

use serde::{Deserialize, Serialize};

use super::assessment::Verdict::{Evidenced, NotAssessed};
use super::control::Control::{OfPerson, PersonKept};
use super::control::{Judged, On, Plan, Row, Rule, Statement, TABLE_ROWS, number, text};
use super::frame::Frame;
use super::rules::NOTHING;
use super::standards::Clause;

/// Whom a report is about, as the trail names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user in events: a `sub`, or the keyed reference that stands for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// The keyed references of the subject that data is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// The resources by which erasures and access requests name them; none where nobody has the keys to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

impl Person {
    /// What a reader is told it is about.
    pub fn name(&self) -> String {
        let user = (!self.users.is_empty()).then(|| format!("user {}", self.users.join(", ")));
        let subject = (!self.subjects.is_empty()).then(|| format!("subject {}", self.subjects.join(", ")));
        user.into_iter().chain(subject).collect::<Vec<_>>().join(" and ")
    }

    /// Puts the person into the words of a rule: `{user}`, `{subject}` and `{person}` are conditions, `{erasures}` is the
    /// condition of erasures that took something of theirs, `{targets}` a list.
    pub(crate) fn fill(&self, words: &str) -> String {
        let user = match self.users.is_empty() {
            true => "false".to_owned(),
            false => format!("coalesce(user_sub IN ({}), false)", list(&self.users)),
        };
        let has =
            |subject: &String| format!("coalesce(array_has(resource_subjects, {}), false)", quoted(subject));
        let subject = match self.subjects.is_empty() {
            true => "false".to_owned(),
            false => self.subjects.iter().map(has).collect::<Vec<_>>().join(" OR "),
        };
        let person = format!("({user} OR {subject})");
        let targets = if self.targets.is_empty() { "''".to_owned() } else { list(&self.targets) };
        let erasures = format!(
            "(resource_uri IN ({targets}) OR (resource_uri LIKE 'audit://%/events/%/parts%' \
             AND split_part(resource_uri, '/', 5) IN (SELECT id FROM events WHERE {person})))"
        );
        words
            .replace("{erasures}", &erasures)
            .replace("{targets}", &targets)
            .replace("{person}", &person)
            .replace("{subject}", &format!("({subject})"))
            .replace("{user}", &user)
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// A text in SQL. Braces would be taken for words of a rule.
fn quoted(text: &str) -> String {
    let bare: String =
        text.chars().map(|c| if c == '\'' { "''".to_owned() } else { c.to_string() }).collect();
    format!("'{bare}'").replace('{', "'||chr(123)||'")
}

/// What is asked of a person, whichever standard's report it stands in.
pub(crate) static CLAUSES: &[Clause] = &[
    Clause {
        id: "Art. 15(1)(a), (b)",
        asks: "The person gets to know which data about them is processed, and for what.",
        controls: &[OfPerson(&EVENTS)],
        beyond: "purposes and legal bases beyond the agent's name; contents, which `greffier subject` shows to whoever may see \
                 them; what was said of the person where nothing names them",
    },
    Clause {
        id: "Art. 15(1)(c)",
        asks: "The person gets to know who received their data.",
        controls: &[OfPerson(&RECIPIENTS)],
        beyond: "where a recipient processes, and to whom it passes data on",
    },
    Clause {
        id: "Art. 15(1)(d)",
        asks: "The person gets to know how long their data is kept.",
        controls: &[PersonKept],
        beyond: "the periods that are configured (`greffier retention`)",
    },
    Clause {
        id: "Art. 15(3)",
        asks: "The person gets a copy: who asked for one, and when.",
        controls: &[OfPerson(&COPIES)],
        beyond: "whether the copy reached the person",
    },
    Clause {
        id: "Art. 5(1)(c), of the person",
        asks: "What was detected of the person's data was kept from models.",
        controls: &[OfPerson(&REDACTED)],
        beyond: "what was not detected",
    },
    Clause {
        id: "Art. 17, of the person",
        asks: "What of the person was to be erased, by whose word, and by which entries that is proved.",
        controls: &[OfPerson(&ERASURES)],
        beyond: "data in other systems, backups of keys, and what providers of models keep",
    },
];

pub(crate) static EVENTS: Rule = Rule {
    name: "person_events",
    scope: "{person}",
    says: "What was done for the person, or with data about them, is on record: by which agent, with what, on which classes of data.",
    figures: "count(*) FILTER (WHERE {user}) AS as_user, count(*) FILTER (WHERE {subject}) AS as_subject, \
              count(*) FILTER (WHERE decision = 'deny') AS denied, count(*) FILTER (WHERE channel IN ('sdk', 'otlp', 'import')) AS claims, \
              min(time) AS first, max(time) AS last",
    by: "agent_id AS agent, action_name AS call, array_to_string(resource_classification, ', ') AS categories, \
         count(DISTINCT user_sub) AS users, min(time) AS first, max(time) AS last",
    groups: 3,
    ..NOTHING
};

pub(crate) static RECIPIENTS: Rule = Rule {
    name: "person_recipients",
    scope: "{person} AND type = 'action.executed' AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "action_kind = 'llm' AND channel = 'gateway' AND (provider IS NULL OR model IS NULL)",
    says: "Of each call that was carried out it is known which model or tool received what it was given.",
    fails_if: "a model answered a call of the person's, and the record does not say which, or whose",
    by: "action_kind AS kind, coalesce(provider, split_part(action_name, ':', 1)) AS recipient, model, max(time) AS last",
    groups: 3,
    ..NOTHING
};

pub(crate) static REDACTED: Rule = Rule {
    name: "person_redacted",
    scope: "{person} AND pii_detected AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "action_kind = 'llm' AND type = 'action.approved' AND decision = 'allow'",
    says: "What was detected in contents was redacted before a model saw it, or the call was denied; the record holds none of it.",
    fails_if: "sensitive data was detected in a question to a model, and passed as it was",
    figures: "sum(redaction_count) AS found",
    by: "array_to_string(redaction_types, ', ') AS detected, action_kind AS kind, decision",
    groups: 3,
    ..NOTHING
};

pub(crate) static COPIES: Rule = Rule {
    name: "person_copies",
    scope: "action_name = 'subject:access' AND resource_uri IN ({targets})",
    afterwards: true,
    says: "Each copy of what is held about the person is on record, with who took it.",
    by: "coalesce(user_sub, '(service)') AS who, max(time) AS last",
    groups: 1,
    ..NOTHING
};

pub(crate) static ERASURES: Rule = Rule {
    name: "person_erasures",
    scope: "action_name = 'erase' AND agent_id = 'greffier' AND {erasures}",
    afterwards: true,
    says: "Each erasure of the person's is on record from its request to its end. The entry that carried it out is the proof: \
           `greffier verify` says ERASED by that entry, and that nothing else went.",
    figures: "count(DISTINCT request_id) AS asked, count(*) FILTER (WHERE type = 'action.executed') AS carried_out, \
              count(*) FILTER (WHERE type = 'action.denied') AS denied",
    by: "request_id AS erasure, resource_uri AS target, min(time) AS asked, \
         min(CASE WHEN type = 'action.approved' THEN index END) AS ordered_by_entry, \
         min(CASE WHEN type = 'action.executed' THEN index END) AS done_by_entry, \
         min(CASE WHEN type = 'action.denied' THEN index END) AS denied_by_entry",
    groups: 2,
    ..NOTHING
};

pub(crate) const NO_KEYS: &str = "Only whoever has the keys can tell which erasures and copies were the person's, and none were given (--keys).";

/// Whether a rule asks for the names by which erasures and copies name the person, and nobody could tell them.
pub(crate) fn needs_keys(frame: &Frame, rule: &Rule) -> bool {
    let asks = rule.scope.contains("{targets}") || rule.scope.contains("{erasures}");
    asks && frame.person.as_ref().is_some_and(|person| person.targets.is_empty())
}

pub(crate) const KEPT_FAILS: &str = "nothing: it is shown for people to judge";

/// What is held of the person at all, whatever the period, and what of the trail has expired.
pub(crate) fn kept(frame: &Frame) -> Plan {
    let Some(person) = &frame.person else { return Plan::default() };
    let size = frame.trail.head.size;
    let statement = |sql: String| Statement { on: On::Trail, sql };
    let held = format!(
        "SELECT count(*) AS entries, sum(array_length(part_names)) AS contents, min(recorded_at) AS oldest, \
         max(recorded_at) AS newest FROM events WHERE index < {size} AND {}",
        person.fill("{person}")
    );
    let expired = format!(
        "SELECT action_name AS what, resource_uri AS which, max(time) AS last FROM events WHERE index < {size} AND ({}) \
         GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {TABLE_ROWS}",
        super::rules::EXPIRED.scope
    );
    Plan { judged: vec![statement(held)], table: Some(statement(expired)), ..Plan::default() }
}

pub(crate) fn judge_kept(answers: &[Vec<Row>]) -> Judged {
    let row = answers.first().and_then(|rows| rows.first());
    let (entries, contents) = (number(row, "entries"), number(row, "contents"));
    let oldest = row.map(|row| text(row, "oldest")).unwrap_or_default();
    let (verdict, says) = match entries {
        0 => (NotAssessed, "Nothing on the trail names the person.".to_owned()),
        _ => (
            Evidenced,
            format!(
                "{entries} entries name the person, whatever the period, the oldest of {oldest}; they had {contents} contents when \
                 they were recorded. What expired of the trail since is listed; entries stay until retention lets them go, \
                 contents can be erased before."
            ),
        ),
    };
    let figures = row.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    Judged { verdict, says, figures, table: Vec::new(), population: Some(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(users: &[&str], subjects: &[&str]) -> String {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Person { users: own(users), subjects: own(subjects), targets: Vec::new() }.fill("{person}")
    }

    #[test]
    fn names_are_data() {
        insta::assert_snapshot!(check(&["okafor"], &[]), @"(coalesce(user_sub IN ('okafor'), false) OR false)");
        insta::assert_snapshot!(check(&["a", "ref:1"], &["ref:2"]), @"(coalesce(user_sub IN ('a', 'ref:1'), false) OR coalesce(array_has(resource_subjects, 'ref:2'), false))");
        insta::assert_snapshot!(check(&["x' OR '1'='1"], &[]), @"(coalesce(user_sub IN ('x'' OR ''1''=''1'), false) OR false)");
        insta::assert_snapshot!(check(&["{user}"], &[]), @"(coalesce(user_sub IN (''||chr(123)||'user}'), false) OR false)");
    }
}
