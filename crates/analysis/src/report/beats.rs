//! Heartbeats: whoever must not fall silent says so in each minute, or hour, of the clock, on the node's own trail. One
//! that is missing is a gap: what happened in that time is not evidenced by what is there.

use greffier_event::Timestamp;
use serde_json::json;

use super::assessment::{Query, Verdict};
use super::chart::{Chart, Form, Mark, Unit};
use super::control::{Judged, On, Plan, Row, Statement, TABLE_ROWS, number, text};
use super::frame::{Frame, between};

const MINUTE: i64 = 60_000_000;

/// Heartbeats of one kind.
#[derive(Debug)]
pub struct Beats {
    /// The control's name.
    pub(crate) name: &'static str,
    /// The name of the event.
    action: &'static str,
    /// What has one: `minute` or `hour`, as SQL names it.
    unit: &'static str,
    unit_us: i64,
    /// Two further apart than this have a missing one between them: a unit, with room for a busy disk.
    apart: &'static str,
    /// Whose they are, at the beginning of a sentence.
    whose: &'static str,
    /// What is not known where one is missing.
    unknown: &'static str,
    pub(crate) fails_if: &'static str,
}

/// That the node lives and records.
pub(crate) static NODE: Beats = Beats {
    name: "heartbeats",
    action: "node:heartbeat",
    unit: "minute",
    unit_us: MINUTE,
    apart: "INTERVAL '90 seconds'",
    whose: "The node",
    unknown: "What the node did in a minute without one is not evidenced by what is there.",
    fails_if: "a minute of the period has no heartbeat of the node, or one that says that recording failed",
};

/// That what is unusual was looked for.
pub(crate) static DETECTORS: Beats = Beats {
    name: "detecting",
    action: "finding:heartbeat",
    unit: "hour",
    unit_us: 60 * MINUTE,
    apart: "INTERVAL '90 minutes'",
    whose: "What looks for the unusual",
    unknown: "That nothing was found in an hour without one does not say that anybody looked.",
    fails_if: "an hour of the period has no heartbeat of the detectors, or one that says that looking or recording failed",
};

impl Beats {
    /// The whole units of what has happened yet of the period.
    fn units(&self, frame: &Frame) -> (i64, i64) {
        let start = frame.period.start.as_micros();
        let first = start.div_euclid(self.unit_us) + i64::from(start.rem_euclid(self.unit_us) > 0);
        (first, frame.until().as_micros().div_euclid(self.unit_us).max(first))
    }

    fn time(&self, number: i64) -> Timestamp {
        Timestamp::from_micros(number.saturating_mul(self.unit_us))
    }

    pub(super) fn plan(&self, frame: &Frame) -> Plan {
        let Some(node) = &frame.node else { return Plan::default() };
        let Beats { action, unit, apart, .. } = self;
        let (first, last) = self.units(frame);
        let within = between(node.head.size, self.time(first), self.time(last));
        let beats = format!("{within} AND action_name = '{action}'");
        let statement = |sql: String| Statement { on: On::Node, sql };
        Plan {
            judged: vec![
                statement(format!(
                    "SELECT count(*) AS heartbeats, count(DISTINCT date_trunc('{unit}', time)) AS {unit}s, \
                     count(*) FILTER (WHERE status <> 'success') AS unwell, min(time) AS first, max(time) AS last \
                     FROM events WHERE {beats}"
                )),
                statement(format!(
                    "SELECT since, until FROM (SELECT lag(time) OVER (ORDER BY time) AS since, time AS until FROM events \
                     WHERE {beats}) WHERE until > since + {apart} ORDER BY since LIMIT {TABLE_ROWS}"
                )),
            ],
            chart: (frame.steps.starts.len() > 1).then(|| {
                statement(format!(
                    "SELECT {} AS step, count(DISTINCT date_trunc('{unit}', time)) AS with_heartbeat FROM events \
                     WHERE {beats} GROUP BY 1 ORDER BY 1",
                    frame.steps.sql()
                ))
            }),
            exceptions: Some(statement(format!(
                "SELECT index, id, time, type, action_name, resource_uri, status, error FROM events WHERE {beats} \
                 AND status <> 'success' ORDER BY index LIMIT 5"
            ))),
            ..Plan::default()
        }
    }

    pub(super) fn judge(&self, frame: &Frame, answers: &[Vec<Row>]) -> Judged {
        let Beats { unit, whose, unknown, .. } = self;
        let (first, last) = self.units(frame);
        let expected = u64::try_from(last - first).unwrap_or_default();
        let row = answers.first().and_then(|rows| rows.first());
        let (covered, unwell) = (number(row, &format!("{unit}s")), number(row, "unwell"));
        let missing = expected.saturating_sub(covered);
        let (verdict, says) = match (expected, missing, unwell) {
            (0, ..) => (Verdict::NotAssessed, format!("No {unit} of the period is over yet.")),
            (_, 0, 0) => (
                Verdict::Evidenced,
                format!(
                    "{whose} recorded a heartbeat in each of the {expected} {unit}s, and none of them reports a failure."
                ),
            ),
            (_, missing, unwell) => (
                Verdict::Gap,
                format!(
                    "Of {expected} {unit}s {missing} have no heartbeat, and {unwell} heartbeats report a failure. {unknown}"
                ),
            ),
        };
        let figures = vec![
            (format!("{unit}s"), expected.into()),
            (format!("{unit}s_with_heartbeat"), covered.into()),
            (format!("{unit}s_missing"), missing.into()),
            ("heartbeats_with_failures".to_owned(), unwell.into()),
        ];
        let table = self.silences(frame, answers, missing);
        Judged { verdict, says, figures, table, population: None }
    }

    /// How much is missing, step by step, where it is neither nothing nor all.
    pub(super) fn chart(&self, frame: &Frame, rows: &[Row], query: Query) -> Option<Chart> {
        let (first, last) = self.units(frame);
        let begins = |(start, _): &(Timestamp, String)| {
            let micros = start.as_micros();
            let unit = micros.div_euclid(self.unit_us) + i64::from(micros.rem_euclid(self.unit_us) > 0);
            unit.clamp(first, last)
        };
        let starts = &frame.steps.starts;
        let ends = starts.iter().skip(1).map(begins).chain([last]);
        let mark = |((start, end), row): ((&(Timestamp, String), i64), Option<&Row>)| {
            let expected = u64::try_from(end - begins(start)).unwrap_or_default();
            let there = number(row, "with_heartbeat").min(expected);
            Mark { label: start.1.clone(), values: vec![there, expected - there] }
        };
        let marks: Vec<Mark> = starts.iter().zip(ends).zip(frame.steps.rows(rows)).map(mark).collect();
        let any = |at: usize| marks.iter().any(|mark| mark.values.get(at).is_some_and(|value| *value > 0));
        if !any(0) || !any(1) {
            return None;
        }
        let chart = Chart {
            name: format!("{}_missing", self.name),
            title: format!("{}s with and without a heartbeat, {}", capital(self.unit), frame.steps.per()),
            form: Form::Time,
            unit: Unit::Count,
            series: vec!["with_heartbeat".to_owned(), "without".to_owned()],
            marks,
            note: String::new(),
            query,
        };
        chart.worth_drawing()
    }

    /// From when to when there is none.
    fn silences(&self, frame: &Frame, answers: &[Vec<Row>], missing: u64) -> Vec<Row> {
        let (first, last) = self.units(frame);
        let bounds = (self.time(first).to_string(), self.time(last).to_string());
        let mut table: Vec<Row> = Vec::new();
        let mut gap = |since: &str, until: &str| {
            table.extend(json!({ "no heartbeat since": since, "until": until }).as_object().cloned());
        };
        let row = answers.first().and_then(|rows| rows.first());
        let said = |name: &str| row.map(|row| text(row, name)).filter(|time| !time.is_empty());
        match (said("first"), said("last")) {
            (Some(earliest), Some(latest)) => {
                let away = |a: &str, b: &str| match (a.parse::<Timestamp>(), b.parse::<Timestamp>()) {
                    (Ok(a), Ok(b)) => b.as_micros() - a.as_micros() >= self.unit_us,
                    _ => true,
                };
                if away(&bounds.0, earliest) {
                    gap(&bounds.0, earliest);
                }
                for row in answers.get(1).into_iter().flatten() {
                    gap(text(row, "since"), text(row, "until"));
                }
                if away(latest, &bounds.1) && missing > 0 {
                    gap(latest, &bounds.1);
                }
            }
            _ if first < last => gap(&bounds.0, &bounds.1),
            _ => {}
        }
        table
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
