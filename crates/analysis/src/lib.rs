//! Say what it means: an agent's activity, what is unusual, and the report of a period.
//!
//! Pure: events in, results out; no I/O, no clock. The three questions are the first document's
//! (`get_agent_activity`, `detect_anomalies`, `generate_compliance_report`), with its field names, and each has a
//! counter that takes events one by one, in any order, in bounded memory:
//!
//! - [`ActivityCounter`]: what one agent did;
//! - [`FindingsDetector`]: three rules over all agents of a tenant;
//! - [`ReportCounter`]: what happened in a period.
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
mod durations;
mod findings;
pub mod meaning;
mod numbers;
mod producers;
mod rapid;
mod report;
#[cfg(test)]
mod testing;
mod top;

pub use activity::{Activity, ActivityCounter, ErrorEntry};
pub use channels::ChannelCounts;
pub use findings::{Finding, FindingKind, FindingsDetector, Severity, Threshold, Thresholds};
pub use meaning::Decisions;
pub use numbers::{Numbers, Run};
pub use producers::{Producer, ProducersCounter};
pub use report::{
    Answer, Answers, Asked, Assessment, Bar, Claim, Clause, ClauseFound, Control, Counts, Frame, Head,
    Inquiry, On, Period, Query, Report, ReportCounter, STANDARDS, Sample, Standard, Statement, Totals,
    TrailState, Verdict, html, standard,
};
pub use top::Top;
