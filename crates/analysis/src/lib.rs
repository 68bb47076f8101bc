//! Say what it means: an agent's activity, what is unusual, and the report of a period.
//!
//! Pure: events in, results out; no I/O, no clock. The three questions are the first document's
//! (`get_agent_activity`, `detect_anomalies`, `generate_compliance_report`), with its field names, and each has a
//! counter that takes events one by one, in bounded memory, or their [`Fact`]s, straight from columns:
//!
//! - [`ActivityCounter`]: what an agent, a user, a tool or a tenant did; in any order, and in parts that are merged
//!   ([`Counter`]);
//! - [`Detector`]: what is unusual on a trail; in the order of the trail, as it grows or from its start;
//! - [`ReportCounter`]: what happened in a period; likewise.
//!
//! And ours: [`ProducersCounter`], which events of a producer that numbers them are missing; and the reports on standards
//! ([`STANDARDS`]), which ask in SQL and judge the answers.
//!
//! What an error, a denial or a call is stands in [`meaning`] and `calls.rs`, once for all three. A period holds
//! its first instant and not its last, so that two that touch share no event. Above stands the query layer, which
//! chooses the events.

mod activity;
mod calls;
mod channels;
mod counter;
mod durations;
mod fact;
pub mod findings;
mod keyed;
pub mod meaning;
mod numbers;
mod producers;
mod report;
#[cfg(test)]
mod testing;
mod top;

pub use activity::{Activity, ActivityCounter, ErrorEntry, Subject};
pub use channels::{Channel, ChannelCounts};
pub use counter::{Counter, Name};
pub use fact::Fact;
pub use findings::{Detector, Finding, FindingKind, Severity, State, Threshold, Thresholds};
pub use meaning::Decisions;
pub use numbers::{Numbers, Run};
pub use producers::{Producer, ProducersCounter};
pub use report::{
    Anchor, Answer, Answers, Asked, Assessment, Chart, Claim, Clause, ClauseFound, Control, Counts, Drawing,
    Figure, Form, Frame, Head, Inquiry, Mark, On, Period, Person, Query, Report, ReportCounter, STANDARDS,
    Sample, Shape, Standard, Statement, Step, Steps, Summary, Tone, Totals, TrailState, Unit, Verdict, html,
    named, standard, summary_html,
};
pub use top::Top;
