//! The first document's report as it is handed out: of whose trail, when it was made, and with charts.

use greffier_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::assessment::Query;
use super::chart::{Chart, Form, Mark, Unit};
use super::summary::Report;
use crate::top::Top;

/// What happened in a period on a trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The trail.
    pub trail: String,
    /// The time zone in which the period was named.
    pub zone: String,
    /// When it was made: of all that was recorded by then.
    pub made: Timestamp,
    /// The figures.
    #[serde(flatten)]
    pub report: Report,
    /// Their shapes, where those say more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<Chart>,
}

/// One figure: of what, of which of them, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What is counted, as the report's field is called.
    pub figure: &'static str,
    /// Of which; empty for all.
    pub of: String,
    /// How many.
    pub count: u64,
}

impl Summary {
    /// Adds to a report whose it is.
    pub fn new(trail: &str, zone: &str, made: Timestamp, report: Report) -> Summary {
        let named = |top: &Top| Mark { label: top.name.clone(), values: vec![top.count] };
        let types = report.by_type.iter();
        let types = types.map(|(kind, count)| Mark { label: kind.as_str().to_owned(), values: vec![*count] });
        let agents = report.top_agents.iter().map(named);
        let more = report.unique_agents.saturating_sub(report.top_agents.len() as u64);
        let left_out = if more == 0 { String::new() } else { format!("Not drawn: {more} more.") };
        let within = format!("time >= '{}' AND time < '{}'", report.period.start, report.period.end);
        let chart = |name: &str, title: &str, by: &str, only: &str, marks: Vec<Mark>| Chart {
            name: name.to_owned(),
            title: format!("{title}, of the whole period"),
            form: Form::Names,
            unit: Unit::Count,
            series: vec!["events".to_owned()],
            marks,
            note: String::new(),
            query: Query {
                trail: trail.to_owned(),
                sql: format!(
                    "SELECT {by} AS name, count(*) AS events FROM events WHERE {within}{only} GROUP BY 1 ORDER BY 2 DESC, 1"
                ),
            },
        };
        let by_type = chart("events_by_type", "Events by type", "type", "", types.collect());
        let ours = " AND agent_id <> 'greffier'";
        let agents =
            chart("events_by_agent", "Agents by activity, in events", "agent_id", ours, agents.collect());
        let agents = Chart { note: left_out, ..agents };
        let charts = [by_type, agents].into_iter().filter_map(Chart::worth_drawing).collect();
        Summary { trail: trail.to_owned(), zone: zone.to_owned(), made, report, charts }
    }

    /// Every figure, one by one.
    pub fn figures(&self) -> Vec<Figure> {
        let report = &self.report;
        let of = |figure, of: &str, count| Figure { figure, of: of.to_owned(), count };
        let mut all: Vec<Figure> = [
            ("total_events", report.total_events),
            ("calls", report.calls),
            ("unique_agents", report.unique_agents),
            ("unique_users", report.unique_users),
            ("data_access_events", report.data_access_events),
            ("security_events", report.security_events),
            ("errors", report.errors),
            ("late", report.late),
        ]
        .map(|(figure, count)| of(figure, "", count))
        .into();
        let decisions = &report.by_decision;
        let decided = [
            ("allow", decisions.allow),
            ("deny", decisions.deny),
            ("redact", decisions.redact),
            ("pending", decisions.pending),
        ];
        all.extend(decided.map(|(decision, calls)| of("by_decision", decision, calls)));
        all.extend(report.by_type.iter().map(|(kind, count)| of("by_type", kind.as_str(), *count)));
        let tops = [
            ("top_agents", &report.top_agents),
            ("top_actions", &report.top_actions),
            ("top_resources", &report.top_resources),
        ];
        all.extend(
            tops.into_iter()
                .flat_map(|(name, tops)| tops.iter().map(move |top| of(name, &top.name, top.count))),
        );
        all.extend(
            report.by_channel.iter().map(|(channel, counts)| of("by_channel", channel, counts.events)),
        );
        all.extend(report.redactions.iter().map(|(entity, count)| of("redactions", entity, *count)));
        all
    }

    /// What each of [`Summary::figures`] is, for people.
    pub fn title(figure: &str) -> &str {
        match figure {
            "total_events" => "Events",
            "calls" => "Calls",
            "unique_agents" => "Agents",
            "unique_users" => "Users",
            "data_access_events" => "Accesses to data and changes of it",
            "security_events" => "Denials",
            "errors" => "Errors",
            "late" => "Recorded over an hour after the time they claim",
            "by_decision" => "Calls by decision",
            "by_type" => "Events by type",
            "top_agents" => "Agents, by events, ten at most",
            "top_actions" => "Actions, by events, ten at most",
            "top_resources" => "Resources, by events, ten at most",
            "by_channel" => "Events by channel: gateway and hook are governed, the others claims",
            "redactions" => "Sensitive values found, by type",
            other => other,
        }
    }

    /// What no figure says.
    pub fn remarks(&self) -> Vec<&'static str> {
        let mut all = vec![
            "This report judges nothing. It counts what was recorded by the time it was made, by when it happened, and is bound \
             to no checkpoint: reports on standards are.",
        ];
        if self.report.incomplete {
            all.push("There were more names than are kept: counts of different ones are lower bounds.");
        }
        all
    }
}
