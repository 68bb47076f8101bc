//! A control: what is looked for, in SQL, and what the answer means.
//!
//! Most are one of two forms, written in tables (`rules.rs`): a [`Rule`] counts a population and the exceptions in it, a
//! [`Joined`] counts what began and did not end. The others stand in `special.rs`.

use serde_json::{Map, Value};

use super::assessment::{Query, Verdict};
use super::beats::Beats;
use super::chart::{Chart, Drawn};
use super::frame::{Frame, TrailState, between};
use super::person;
use super::sample::{self, SAMPLES};
use super::special;

/// Rows of a table in a report: more is for whoever runs the statement.
pub(crate) const TABLE_ROWS: usize = 50;
/// What a sample shows of an event.
const SHOWN: &str = "index, id, time, type, user_sub, agent_id, action_name, resource_uri, decision, rule, status, error, channel";

/// Which trail is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The tenant's.
    Trail,
    /// The node's own.
    Node,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The trail that it is put to.
    pub on: On,
    /// As `greffier sql` takes it.
    pub sql: String,
}

/// One row of an answer.
pub(crate) type Row = Map<String, Value>;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// A population, and the exceptions in it.
    Rule(&'static Rule),
    /// The same, of data of one class.
    OfClass(&'static Rule, &'static str),
    /// The same, of one named person.
    OfPerson(&'static Rule),
    /// What is held of one named person at all.
    PersonKept,
    /// What began and must end.
    Joined(&'static Joined),
    /// There is a heartbeat in each minute, or hour.
    Beats(&'static Beats),
    /// Each change of the policies was approved by somebody.
    PoliciesApproved,
    /// Different roles may do different things.
    RolesDiffer,
    /// Entries are kept for so many days.
    Kept(i64),
    /// The trail has every entry up to its checkpoint.
    Complete,
    /// Witnesses vouch for the trail.
    Witnessed,
}

/// A population of events, and what among them must not be.
#[derive(Debug)]
pub struct Rule {
    pub(crate) name: &'static str,
    pub(crate) on: On,
    /// The population, as a condition; `{class}` stands for the class of data, and see `Person::fill`.
    pub(crate) scope: &'static str,
    /// What must not be among them; empty where nothing can fail.
    pub(crate) fails: &'static str,
    /// What it means that there are none at all.
    pub(crate) none: Verdict,
    /// Whether it counts up to the checkpoint: a review follows what it reviews.
    pub(crate) afterwards: bool,
    /// What is shown where nothing fails.
    pub(crate) says: &'static str,
    pub(crate) fails_if: &'static str,
    /// More figures, as expressions with names.
    pub(crate) figures: &'static str,
    /// What a table of the population is grouped by: expressions with names.
    pub(crate) by: &'static str,
    /// How many of these expressions group; the others are figures.
    pub(crate) groups: usize,
    /// What of it is drawn.
    pub(crate) drawn: Option<&'static Drawn>,
}

/// What begins with one event and ends with another of the same `request_id`.
#[derive(Debug)]
pub struct Joined {
    pub(crate) name: &'static str,
    pub(crate) start: &'static str,
    pub(crate) end: &'static str,
    /// Seconds that an end may take: what began later is left out.
    pub(crate) grace: i64,
    pub(crate) none: Verdict,
    pub(crate) says: &'static str,
    pub(crate) fails_if: &'static str,
}

/// What came out, before samples are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) says: String,
    pub(crate) figures: Vec<(String, Value)>,
    pub(crate) table: Vec<Row>,
    pub(crate) population: Option<u64>,
}

/// The statements of a control: those that are judged, then those that only show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) judged: Vec<Statement>,
    pub(crate) table: Option<Statement>,
    pub(crate) chart: Option<Statement>,
    pub(crate) samples: Option<Statement>,
    pub(crate) exceptions: Option<Statement>,
}

impl Control {
    /// Its name: one for each control and class.
    pub fn name(&self) -> String {
        match self {
            Control::Rule(rule) | Control::OfPerson(rule) => rule.name.to_owned(),
            Control::PersonKept => "person_kept".to_owned(),
            Control::OfClass(rule, class) => format!("{}:{class}", rule.name),
            Control::Joined(joined) => joined.name.to_owned(),
            Control::Beats(beats) => beats.name.to_owned(),
            Control::PoliciesApproved => "policies_approved".to_owned(),
            Control::RolesDiffer => "roles_differ".to_owned(),
            Control::Kept(days) => format!("kept:{days}d"),
            Control::Complete => "complete".to_owned(),
            Control::Witnessed => "witnessed".to_owned(),
        }
    }

    /// What would make it a gap.
    pub(crate) fn fails_if(&self) -> String {
        match self {
            Control::Rule(rule) | Control::OfPerson(rule) => rule.fails_if.to_owned(),
            Control::PersonKept => person::KEPT_FAILS.to_owned(),
            Control::OfClass(rule, class) => rule.fails_if.replace("{class}", class),
            Control::Joined(joined) => joined.fails_if.to_owned(),
            Control::Beats(beats) => beats.fails_if.to_owned(),
            Control::PoliciesApproved => special::POLICIES_FAIL.to_owned(),
            Control::RolesDiffer => special::ROLES_FAIL.to_owned(),
            Control::Kept(days) => {
                format!("the trail has lost its start, and what is left is younger than {days} days")
            }
            Control::Complete => "the entries up to the checkpoint are not all there".to_owned(),
            Control::Witnessed => "no quorum of witnesses has cosigned the checkpoints of late".to_owned(),
        }
    }

    /// Whether it asks the node's own trail.
    pub(crate) fn asks_node(&self) -> bool {
        match self {
            Control::Rule(rule) | Control::OfClass(rule, _) | Control::OfPerson(rule) => rule.on == On::Node,
            Control::Beats(_) | Control::PoliciesApproved => true,
            _ => false,
        }
    }

    /// What it asks.
    pub(crate) fn plan(&self, frame: &Frame) -> Plan {
        let trail = &frame.trail;
        match self {
            Control::Rule(rule) => rule.plan(frame, &self.name(), str::to_owned),
            Control::OfClass(rule, class) => {
                rule.plan(frame, &self.name(), |words| words.replace("{class}", class))
            }
            Control::OfPerson(rule) => match &frame.person {
                Some(person) => rule.plan(frame, &self.name(), |words| person.fill(words)),
                None => Plan::default(),
            },
            Control::PersonKept => person::kept(frame),
            Control::Joined(joined) => joined.plan(frame, trail),
            Control::Beats(beats) => beats.plan(frame),
            Control::PoliciesApproved => special::policies(frame),
            Control::RolesDiffer => special::roles(frame),
            Control::Kept(_) | Control::Complete => special::extent(trail),
            Control::Witnessed => Plan::default(),
        }
    }

    /// What is drawn of the rows that its chart's statement gave.
    pub(crate) fn draw(&self, frame: &Frame, rows: &[Row], query: Query) -> Option<Chart> {
        match self {
            Control::Rule(rule) | Control::OfClass(rule, _) | Control::OfPerson(rule) => {
                rule.drawn?.chart(frame, rows, query)
            }
            Control::Beats(beats) => beats.chart(frame, rows, query),
            _ => None,
        }
    }

    /// What the answers mean, in the order of the judged statements.
    pub(crate) fn judge(&self, frame: &Frame, answers: &[Vec<Row>]) -> Judged {
        match self {
            Control::Rule(rule) => counted(answers, rule.none, rule.says),
            Control::OfPerson(rule) if person::needs_keys(frame, rule) => Judged {
                verdict: Verdict::NotAssessed,
                says: person::NO_KEYS.to_owned(),
                figures: Vec::new(),
                table: Vec::new(),
                population: None,
            },
            Control::OfPerson(rule) => counted(answers, rule.none, rule.says),
            Control::PersonKept => person::judge_kept(answers),
            Control::OfClass(rule, class) => {
                counted(answers, rule.none, &rule.says.replace("{class}", class))
            }
            Control::Joined(joined) => counted(answers, joined.none, joined.says),
            Control::Beats(beats) => beats.judge(frame, answers),
            Control::PoliciesApproved => special::judge_policies(frame, answers),
            Control::RolesDiffer => special::judge_roles(answers),
            Control::Kept(days) => special::judge_kept(frame, *days, answers),
            Control::Complete => special::judge_complete(frame, answers),
            Control::Witnessed => special::judge_witnessed(frame),
        }
    }
}

impl Rule {
    /// `fill` puts into the words what they leave open.
    fn plan(&self, frame: &Frame, name: &str, fill: impl Fn(&str) -> String) -> Plan {
        let (on, state) = match self.on {
            On::Trail => (On::Trail, &frame.trail),
            On::Node => match &frame.node {
                Some(node) => (On::Node, node),
                None => return Plan::default(),
            },
        };
        let (scope, fails) = (fill(self.scope), fill(self.fails));
        let within = if self.afterwards {
            format!("index < {} AND time >= '{}' AND ({scope})", state.head.size, frame.period.start)
        } else {
            format!("{} AND ({scope})", frame.within(state.head.size))
        };
        let exceptions = match fails.as_str() {
            "" => "0 AS exceptions".to_owned(),
            fails => format!("count(*) FILTER (WHERE {fails}) AS exceptions"),
        };
        let more = if self.figures.is_empty() { String::new() } else { format!(", {}", fill(self.figures)) };
        let figures = format!("SELECT count(*) AS population, {exceptions}{more} FROM events WHERE {within}");
        let statement = |sql: String| Statement { on, sql };
        let groups: Vec<String> = (1..=self.groups).map(|group| group.to_string()).collect();
        let table = format!(
            "SELECT {}, count(*) AS events FROM events WHERE {within} GROUP BY {groups} ORDER BY count(*) DESC, {groups} LIMIT {TABLE_ROWS}",
            self.by,
            groups = groups.join(", ")
        );
        Plan {
            judged: vec![statement(figures)],
            table: (!self.by.is_empty()).then(|| statement(table)),
            chart: self.drawn.and_then(|drawn| drawn.sql(frame, state.head.size, &scope)).map(statement),
            samples: Some(statement(format!(
                "SELECT {SHOWN} FROM events WHERE {within} ORDER BY {} LIMIT {SAMPLES}",
                sample::order(&frame.trail.head.root, name)
            ))),
            exceptions: (!fails.is_empty()).then(|| {
                statement(format!(
                    "SELECT {SHOWN} FROM events WHERE {within} AND ({fails}) ORDER BY index LIMIT {SAMPLES}"
                ))
            }),
        }
    }
}

impl Joined {
    fn plan(&self, frame: &Frame, trail: &TrailState) -> Plan {
        let (start, end, size) = (self.start, self.end, trail.head.size);
        let latest = greffier_event::Timestamp::from_micros(
            frame.made.as_micros().saturating_sub(self.grace.saturating_mul(1_000_000)),
        );
        let began =
            format!("{} AND ({start})", between(size, frame.period.start, frame.period.end.min(latest)));
        let pairs = format!(
            "SELECT request_id, min(CASE WHEN {began} THEN index END) AS began, bool_or({end}) AS ended FROM events \
             WHERE index < {size} AND time >= '{}' AND (({start}) OR ({end})) GROUP BY request_id",
            frame.period.start
        );
        let statement = |sql: String| Statement { on: On::Trail, sql };
        Plan {
            judged: vec![statement(format!(
                "SELECT count(*) AS population, count(*) FILTER (WHERE NOT ended) AS exceptions FROM ({pairs}) WHERE began IS NOT NULL"
            ))],
            table: None,
            chart: None,
            samples: Some(statement(format!(
                "SELECT {SHOWN} FROM events WHERE {began} ORDER BY {} LIMIT {SAMPLES}",
                sample::order(&trail.head.root, self.name)
            ))),
            exceptions: Some(statement(format!(
                "SELECT {SHOWN} FROM events WHERE index IN (SELECT began FROM ({pairs}) WHERE began IS NOT NULL AND NOT ended \
                 ORDER BY began LIMIT {SAMPLES}) ORDER BY index"
            ))),
        }
    }
}

/// A population without exceptions is evidence.
fn counted(answers: &[Vec<Row>], none: Verdict, says: &str) -> Judged {
    let row = answers.first().and_then(|rows| rows.first());
    let population = number(row, "population");
    let exceptions = number(row, "exceptions");
    let (verdict, says) = match (population, exceptions) {
        (0, _) => (none, "There was none of it.".to_owned()),
        (_, 0) => (Verdict::Evidenced, says.to_owned()),
        (population, exceptions) => {
            (Verdict::Gap, format!("{exceptions} of {population} are exceptions to this: {says}"))
        }
    };
    let figures = row.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    Judged { verdict, says, figures, table: Vec::new(), population: Some(population) }
}

/// A count in a row.
pub(crate) fn number(row: Option<&Row>, name: &str) -> u64 {
    row.and_then(|row| row.get(name)).and_then(Value::as_u64).unwrap_or_default()
}

/// A text in a row.
pub(crate) fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Statement {
    pub(crate) fn query(&self, frame: &Frame) -> Query {
        let node = frame.node.as_ref().map(|node| node.name.clone());
        let trail = match self.on {
            On::Trail => frame.trail.name.clone(),
            On::Node => node.unwrap_or_default(),
        };
        Query { trail, sql: self.sql.clone() }
    }
}
