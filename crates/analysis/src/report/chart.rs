//! Charts: what the shape of many figures says and their sum does not.
//!
//! A chart is data, like a table: marks with their values, and the statement that gives them. `drawing.rs` says where
//! each mark stands; SVG and PDF only paint that. There is no chart of one mark, and none of nothing.

mod drawing;

use serde::{Deserialize, Serialize};

use super::assessment::Query;
use super::control::{Row, number, text};
use super::frame::{Frame, between};

pub use drawing::{Anchor, Drawing, Shape, Tone};

/// Names that have a mark of their own: more than these nobody compares by eye.
const MAX_NAMES: usize = 10;
/// Names that are asked for, so that those without a mark are summed up.
const MAX_ASKED: usize = 1_000;

/// What values count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// Millionths of a US dollar.
    UsdMicros,
}

/// What the marks of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Steps in time, in their order: columns.
    Time,
    /// Names, the largest first: bars.
    Names,
}

/// A chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Its name, one of its own in a report.
    pub name: String,
    /// What it shows, with the unit and, over time, the time zone.
    pub title: String,
    /// What its marks are.
    pub form: Form,
    /// What its values count.
    pub unit: Unit,
    /// What each value of a mark is: one name, or several that are stacked. What matters most stands last, and is drawn
    /// darkest.
    pub series: Vec<String>,
    /// Two or more.
    pub marks: Vec<Mark>,
    /// What is not drawn.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The statement that gives the figures.
    pub query: Query,
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// A step in time, or a name.
    pub label: String,
    /// One value for each of the series.
    pub values: Vec<u64>,
}

impl Mark {
    fn sum(&self) -> u64 {
        self.values.iter().sum()
    }
}

/// What of a population is drawn.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) name: &'static str,
    /// What it shows; over time `per day (UTC)` or the like follows.
    pub(crate) title: &'static str,
    /// Which of the population, as a condition; empty for all of it.
    pub(crate) only: &'static str,
    /// What names a mark, as an expression; empty for steps in time.
    pub(crate) by: &'static str,
    /// The series: names, and expressions.
    pub(crate) values: fn() -> Vec<(&'static str, String)>,
    pub(crate) unit: Unit,
}

impl Drawn {
    /// The statement, of a population that is given as a condition, on a trail of so many entries; none where there are
    /// no steps.
    pub(crate) fn sql(&self, frame: &Frame, size: u64, scope: &str) -> Option<String> {
        let within = between(size, frame.period.start, frame.until());
        let scope = if scope.is_empty() { String::new() } else { format!(" AND ({scope})") };
        let only = if self.only.is_empty() { String::new() } else { format!(" AND ({})", self.only) };
        let values: Vec<String> =
            (self.values)().into_iter().map(|(name, value)| format!("{value} AS {name}")).collect();
        let values = values.join(", ");
        if self.by.is_empty() {
            let step = frame.steps.sql();
            return (frame.steps.starts.len() > 1).then(|| {
                format!("SELECT {step} AS step, {values} FROM events WHERE {within}{scope}{only} GROUP BY 1 ORDER BY 1")
            });
        }
        let by = self.by;
        Some(format!(
            "SELECT {by} AS name, {values} FROM events WHERE {within}{scope}{only} GROUP BY 1 ORDER BY 2 DESC, 1 \
             LIMIT {MAX_ASKED}"
        ))
    }

    /// The chart of the statement's rows, where there is something to see.
    pub(crate) fn chart(&self, frame: &Frame, rows: &[Row], query: Query) -> Option<Chart> {
        let series: Vec<&str> = (self.values)().into_iter().map(|(name, _)| name).collect();
        let values = |row: Option<&Row>| series.iter().map(|name| number(row, name)).collect();
        let (form, title, marks) = if self.by.is_empty() {
            let rows = frame.steps.rows(rows).into_iter().map(values);
            let labels = frame.steps.starts.iter().map(|(_, label)| label.clone());
            let marks = labels.zip(rows).map(|(label, values)| Mark { label, values }).collect();
            (Form::Time, format!("{} {}", self.title, frame.steps.per()), marks)
        } else {
            let mark = |row: &Row| Mark { label: text(row, "name").to_owned(), values: values(Some(row)) };
            (Form::Names, self.title.to_owned(), rows.iter().map(mark).collect())
        };
        let chart = Chart {
            name: self.name.to_owned(),
            title,
            form,
            unit: self.unit,
            series: series.iter().map(|name| (*name).to_owned()).collect(),
            marks,
            note: String::new(),
            query,
        };
        chart.worth_drawing()
    }
}

impl Chart {
    /// The chart, of the largest names only, where its shape says more than a number: two marks or more, and not all of
    /// them empty.
    pub(crate) fn worth_drawing(mut self) -> Option<Chart> {
        if self.form == Form::Names {
            self.marks.retain(|mark| mark.sum() > 0);
            self.marks.sort_by(|a, b| b.sum().cmp(&a.sum()).then_with(|| a.label.cmp(&b.label)));
            let least = if self.marks.len() >= MAX_ASKED { "at least " } else { "" };
            let rest = self.marks.split_off(self.marks.len().min(MAX_NAMES));
            if !rest.is_empty() {
                let sum = self.unit.shown(rest.iter().map(Mark::sum).sum());
                self.note = format!("Not drawn: {least}{} more, {sum} together.", rest.len());
            }
        }
        (self.marks.len() > 1 && self.marks.iter().any(|mark| mark.sum() > 0)).then_some(self)
    }

    /// What a reader who does not see it is told, and one who does is told first.
    pub fn told(&self) -> String {
        let value = |mark: &Mark, at: usize| mark.values.get(at).copied().unwrap_or(0);
        let of_series = |(at, name): (usize, &String)| {
            let sum: u64 = self.marks.iter().map(|mark| value(mark, at)).sum();
            let most = self.marks.iter().rev().max_by_key(|mark| value(mark, at))?;
            let (most_shown, sum_shown) = (self.unit.shown(value(most, at)), self.unit.shown(sum));
            (sum > 0)
                .then(|| format!("{}: {sum_shown} in all, most {most_shown} ({})", spoken(name), most.label))
        };
        let all: Vec<String> = self.series.iter().enumerate().filter_map(of_series).collect();
        format!("{}.", all.join("; "))
    }

    /// Lays it out, so wide, with letters so high; `measure` says how wide a text of that height is.
    pub fn drawing(&self, width: f64, em: f64, measure: &dyn Fn(&str) -> f64) -> Drawing {
        drawing::draw(self, width, em, measure)
    }
}

impl Unit {
    /// A value as people read it.
    pub fn shown(self, value: u64) -> String {
        match self {
            Unit::Count => value.to_string(),
            Unit::UsdMicros => format!("${}.{:04}", value / 1_000_000, value % 1_000_000 / 100),
        }
    }
}

/// The name of a series as people read it: its values are shown with their unit.
pub(super) fn spoken(name: &str) -> String {
    name.trim_end_matches("_micros").replace('_', " ")
}

#[cfg(test)]
mod tests;
