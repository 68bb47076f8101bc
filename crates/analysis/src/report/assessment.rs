//! What a report says: figures and verdicts, each with the statements that give them. Plain data, the same on a server
//! as in the command that shows it.

use std::collections::BTreeMap;

use greffier_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::chart::Chart;
use super::frame::TrailState;
use super::person::Person;

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// The trail shows it for the period.
    #[serde(rename = "EVIDENCED")]
    Evidenced,
    /// The trail shows where it is missing.
    #[serde(rename = "GAP")]
    Gap,
    /// The trail does not say: it is for people, or nothing of the kind happened.
    #[serde(rename = "NOT ASSESSED")]
    NotAssessed,
}

impl Verdict {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Evidenced => "EVIDENCED",
            Verdict::Gap => "GAP",
            Verdict::NotAssessed => "NOT ASSESSED",
        }
    }
}

/// How many clauses of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the verdicts")]
pub struct Counts {
    pub evidenced: u64,
    pub gap: u64,
    pub not_assessed: u64,
}

/// The events of the period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events of the period.
    pub events: u64,
    /// Of these, what Greffier decided itself (`gateway`, `hook`).
    pub governed: u64,
    /// Of these, what others claim (`sdk`, `otlp`, `import`).
    pub claims: u64,
    /// Events recorded more than an hour after the time they claim.
    pub late: u64,
    /// Their first place on the trail.
    pub first_index: Option<u64>,
    /// Their last place on the trail.
    pub last_index: Option<u64>,
    /// The statement that gives these figures.
    pub sql: String,
}

/// A statement, and the trail that it is put to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The trail.
    pub trail: String,
    /// As `greffier sql` takes it.
    pub sql: String,
}

/// One event that stands for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its trail.
    pub trail: String,
    /// Its place there.
    pub index: u64,
    /// Its id, as `greffier prove` takes it.
    pub id: String,
    /// When it happened.
    pub time: String,
    /// What it says, field by field.
    pub fields: BTreeMap<String, String>,
}

/// What one control found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The control's name.
    pub control: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub says: String,
    /// What would make it a gap.
    pub fails_if: String,
    /// The figures.
    pub figures: BTreeMap<String, Value>,
    /// The statements that give the figures, in order; the last ones give table, samples and exceptions.
    pub queries: Vec<Query>,
    /// More of it, row by row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub table: Vec<Map<String, Value>>,
    /// Its shape, where that says more than the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// How many events the samples stand for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population: Option<u64>,
    /// Events of the population, drawn by the trail's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Events that make it a gap, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Sample>,
}

impl Claim {
    /// What would make it a gap, as a sentence.
    pub fn a_gap_if(&self) -> String {
        match (self.fails_if.strip_prefix("nothing"), self.fails_if.split_once(": ")) {
            (Some(_), Some((what, why))) => format!("{} makes it a gap: {why}.", what.replacen('n', "N", 1)),
            _ => format!("It would be a gap if {}.", self.fails_if),
        }
    }
}

/// How a period was named: times are written in UTC, days may be another zone's.
pub fn named(zone: &str) -> String {
    match zone {
        "UTC" => "UTC".to_owned(),
        zone => format!("days of {zone}; times are UTC"),
    }
}

/// One clause of a standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseFound {
    /// As the standard counts it.
    pub clause: String,
    /// What it asks for, in other words.
    pub asks: String,
    /// The worst verdict of its controls; those that do not say count last.
    pub verdict: Verdict,
    /// The controls that bear on it.
    pub controls: Vec<String>,
    /// What of it no trail can show.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beyond: String,
}

/// A report on a standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The standard's name in commands.
    pub standard: String,
    /// Its title and edition.
    pub title: String,
    /// The first instant of the period.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// The time zone in which it was named.
    pub zone: String,
    /// Whether the period has ended.
    pub ended: bool,
    /// When the report was made.
    pub made: Timestamp,
    /// The trail, as of its checkpoint.
    pub trail: TrailState,
    /// The node's own trail, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<TrailState>,
    /// Whom it is about besides, where somebody asked about one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// `witnessed`, or why nobody independent speaks for the trails.
    pub anchoring: String,
    /// How many clauses of each verdict.
    pub counts: Counts,
    /// The events of the period.
    pub totals: Totals,
    /// The period at a glance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
    /// Clause by clause.
    pub clauses: Vec<ClauseFound>,
    /// What the controls found.
    pub claims: Vec<Claim>,
}

impl Assessment {
    /// The clauses that a control bears on.
    pub fn clauses_of(&self, control: &str) -> Vec<&str> {
        let bears = |clause: &&ClauseFound| clause.controls.iter().any(|named| named == control);
        self.clauses.iter().filter(bears).map(|clause| clause.clause.as_str()).collect()
    }

    /// All charts, in order.
    pub fn all_charts(&self) -> impl Iterator<Item = &Chart> {
        self.charts.iter().chain(self.claims.iter().filter_map(|claim| claim.chart.as_ref()))
    }

    /// The ids of all sampled events and exceptions on a trail, each once, in the order of the trail.
    pub fn sampled(&self, trail: &str) -> Vec<&str> {
        let all = self.claims.iter().flat_map(|claim| claim.samples.iter().chain(&claim.exceptions));
        let mut of: Vec<(u64, &str)> = all
            .filter(|sample| sample.trail == trail)
            .map(|sample| (sample.index, sample.id.as_str()))
            .collect();
        of.sort_unstable();
        of.dedup();
        of.into_iter().map(|(_, id)| id).collect()
    }

    /// The claim of a control.
    pub fn claim(&self, control: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.control == control)
    }
}
