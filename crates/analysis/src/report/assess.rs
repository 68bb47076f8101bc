//! From a standard to its report: which statements are asked, and what comes of their answers.
//!
//! Whoever can ask a trail walks through an [`Inquiry`], statement by statement, and hands the answers back. A control
//! that bears on several clauses is asked once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::assessment::{Assessment, Claim, ClauseFound, Counts, Query, Sample, Totals, Verdict};
use super::chart::Drawn;
use super::control::{Control, Judged, On, Plan, Row, Statement, number, text};
use super::drawn;
use super::frame::Frame;
use super::standards::{Clause, Standard};

/// What a trail answered to one statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its rows.
    Rows(Vec<Map<String, Value>>),
    /// None, and why: it takes more time or memory than one question may have.
    None(String),
}

/// A statement that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked(usize);

/// The answers by statement.
pub type Answers = BTreeMap<Asked, Answer>;

/// The statements of a report.
#[derive(Debug)]
pub struct Inquiry {
    standard: &'static Standard,
    frame: Frame,
    controls: Vec<(Control, Places)>,
    statements: Vec<Statement>,
    totals: Asked,
    charts: Vec<(&'static Drawn, Asked)>,
}

/// Where a control's statements stand.
#[derive(Debug, Default)]
struct Places {
    judged: Vec<Asked>,
    table: Option<Asked>,
    chart: Option<Asked>,
    samples: Option<Asked>,
    exceptions: Option<Asked>,
}

impl Inquiry {
    /// What is to be asked for this standard.
    pub fn new(standard: &'static Standard, frame: Frame) -> Inquiry {
        let mut statements = Vec::new();
        let mut put = |statement: Statement| {
            statements.push(statement);
            Asked(statements.len() - 1)
        };
        let within = frame.within(frame.trail.head.size);
        let totals = put(Statement {
            on: On::Trail,
            sql: format!(
                "SELECT count(*) AS events, count(*) FILTER (WHERE channel IN ('gateway', 'hook')) AS governed, \
                 count(*) FILTER (WHERE channel IN ('sdk', 'otlp', 'import')) AS claims, \
                 count(*) FILTER (WHERE recorded_at > time + INTERVAL '1 hour') AS late, \
                 min(index) AS first_index, max(index) AS last_index FROM events WHERE {within}"
            ),
        });
        let drawn = drawn::OF_THE_PERIOD.iter().filter_map(|drawn| {
            let sql = drawn.sql(&frame, frame.trail.head.size, "")?;
            Some((*drawn, put(Statement { on: On::Trail, sql })))
        });
        let charts = drawn.collect();
        let mut controls: Vec<(Control, Places)> = Vec::new();
        for control in asked(standard, &frame).flat_map(|clause| clause.controls) {
            if controls.iter().any(|(known, _)| known.name() == control.name()) {
                continue;
            }
            let Plan { judged, table, chart, samples, exceptions } = control.plan(&frame);
            let places = Places {
                judged: judged.into_iter().map(&mut put).collect(),
                table: table.map(&mut put),
                chart: chart.map(&mut put),
                samples: samples.map(&mut put),
                exceptions: exceptions.map(&mut put),
            };
            controls.push((*control, places));
        }
        Inquiry { standard, frame, controls, statements, totals, charts }
    }

    /// Every statement, in order.
    pub fn statements(&self) -> impl Iterator<Item = (Asked, &Statement)> {
        (0..).map(Asked).zip(&self.statements)
    }

    /// The report.
    pub fn assess(self, mut answers: Answers) -> Assessment {
        let claims: Vec<Claim> =
            self.controls.iter().map(|(control, places)| self.claim(control, places, &mut answers)).collect();
        let clauses: Vec<ClauseFound> = asked(self.standard, &self.frame)
            .map(|clause| {
                let controls: Vec<String> = clause.controls.iter().map(Control::name).collect();
                let found = claims.iter().filter(|claim| controls.contains(&claim.control));
                ClauseFound {
                    clause: clause.id.to_owned(),
                    asks: clause.asks.to_owned(),
                    verdict: worst(found.map(|claim| claim.verdict)),
                    controls,
                    beyond: clause.beyond.to_owned(),
                }
            })
            .collect();
        let count = |verdict| clauses.iter().filter(|clause| clause.verdict == verdict).count() as u64;
        let counts = Counts {
            evidenced: count(Verdict::Evidenced),
            gap: count(Verdict::Gap),
            not_assessed: count(Verdict::NotAssessed),
        };
        let totals = self.totals(&answers);
        let charts = self.charts.iter().filter_map(|(drawn, place)| {
            let rows = taken(&mut answers, Some(*place));
            drawn.chart(&self.frame, &rows, self.query(*place)?)
        });
        let charts = charts.collect();
        let Inquiry { standard, frame, .. } = self;
        Assessment {
            standard: standard.name.to_owned(),
            title: standard.title.to_owned(),
            from: frame.period.start,
            to: frame.period.end,
            ended: frame.period.end <= frame.made,
            zone: frame.zone,
            made: frame.made,
            trail: frame.trail,
            node: frame.node,
            person: frame.person,
            anchoring: frame
                .anchored
                .err()
                .map_or("witnessed".to_owned(), |why| format!("UNANCHORED: {why}")),
            counts,
            totals,
            charts,
            clauses,
            claims,
        }
    }

    fn claim(&self, control: &Control, places: &Places, answers: &mut Answers) -> Claim {
        let unread = control.asks_node() && self.frame.node.is_none();
        let mut rows = Vec::new();
        let mut unanswered = None;
        for place in &places.judged {
            match answers.remove(place) {
                Some(Answer::Rows(found)) => rows.push(found),
                Some(Answer::None(why)) => unanswered = Some(why),
                None => unanswered = Some("it was not asked".to_owned()),
            }
        }
        let judged = match (unread, unanswered) {
            (true, _) => not_assessed(
                "The node's own trail was not read: this reader may not, or it has no checkpoint yet."
                    .to_owned(),
            ),
            (_, Some(why)) => not_assessed(format!("It was not answered: {why}.")),
            _ => control.judge(&self.frame, &rows),
        };
        let mut shown = |place| taken(answers, place);
        let on =
            |place: Option<Asked>| place.and_then(|place| Some(self.query(place)?.trail)).unwrap_or_default();
        let table = if judged.table.is_empty() { shown(places.table) } else { judged.table };
        let drawn = shown(places.chart);
        let chart = places.chart.and_then(|place| control.draw(&self.frame, &drawn, self.query(place)?));
        let samples = samples(&on(places.samples), &shown(places.samples));
        let exceptions = samples_of_gaps(judged.verdict, &on(places.exceptions), &shown(places.exceptions));
        let all = places
            .judged
            .iter()
            .copied()
            .chain([places.table, places.samples, places.exceptions].into_iter().flatten());
        Claim {
            control: control.name(),
            verdict: judged.verdict,
            says: judged.says,
            fails_if: control.fails_if(),
            figures: judged.figures.into_iter().collect(),
            queries: all.filter_map(|place| self.query(place)).collect(),
            table,
            chart,
            population: judged.population,
            samples,
            exceptions,
        }
    }

    fn query(&self, place: Asked) -> Option<Query> {
        Some(self.statements.get(place.0)?.query(&self.frame))
    }

    fn totals(&self, answers: &Answers) -> Totals {
        let row = first(answers, self.totals);
        let place = |name: &str| row.and_then(|row| row.get(name)).and_then(Value::as_u64);
        Totals {
            events: number(row, "events"),
            governed: number(row, "governed"),
            claims: number(row, "claims"),
            late: number(row, "late"),
            first_index: place("first_index"),
            last_index: place("last_index"),
            sql: self.query(self.totals).map(|query| query.sql).unwrap_or_default(),
        }
    }
}

/// The clauses of a report; those on one person come first.
fn asked(standard: &'static Standard, frame: &Frame) -> impl Iterator<Item = &'static Clause> {
    let of_person = if frame.person.is_some() { standard.of_person } else { &[] };
    of_person.iter().chain(standard.clauses)
}

/// The rows of a statement that only shows.
fn taken(answers: &mut Answers, place: Option<Asked>) -> Vec<Row> {
    match place.and_then(|place| answers.remove(&place)) {
        Some(Answer::Rows(rows)) => rows,
        _ => Vec::new(),
    }
}

fn first(answers: &Answers, place: Asked) -> Option<&Row> {
    match answers.get(&place) {
        Some(Answer::Rows(rows)) => rows.first(),
        _ => None,
    }
}

fn not_assessed(says: String) -> Judged {
    Judged { verdict: Verdict::NotAssessed, says, figures: Vec::new(), table: Vec::new(), population: None }
}

/// One gap makes a gap; where nothing speaks against it, one piece of evidence is evidence.
fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::NotAssessed, |worst, verdict| match (worst, verdict) {
        (Verdict::Gap, _) | (_, Verdict::Gap) => Verdict::Gap,
        (Verdict::Evidenced, _) | (_, Verdict::Evidenced) => Verdict::Evidenced,
        _ => Verdict::NotAssessed,
    })
}

fn samples_of_gaps(verdict: Verdict, trail: &str, rows: &[Row]) -> Vec<Sample> {
    if verdict == Verdict::Gap { samples(trail, rows) } else { Vec::new() }
}

fn samples(trail: &str, rows: &[Row]) -> Vec<Sample> {
    let said = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let sample = |row: &Row| Sample {
        trail: trail.to_owned(),
        index: number(Some(row), "index"),
        id: text(row, "id").to_owned(),
        time: text(row, "time").to_owned(),
        fields: row
            .iter()
            .filter(|(name, _)| !["index", "id", "time"].contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.clone(), said(value)?)))
            .collect(),
    };
    rows.iter().map(sample).collect()
}

#[cfg(test)]
pub(crate) mod tests;
