//! Activity, findings and reports: chooses the events and shows them to the analysis, which only counts.

use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, lit};
use futures_util::TryStreamExt;
use greffier_analysis::{
    Activity, ActivityCounter, Finding, FindingsDetector, Producer, ProducersCounter, Report, ReportCounter,
};
use greffier_event::{Event, Timestamp};
use greffier_ledger::segment::ENTRY;

use crate::QueryError;
use crate::search::{column, instant};
use crate::view::{View, entries};

/// A period: its first instant belongs to it, its last does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

pub(crate) async fn activity(view: &View, agent: &str, period: Period) -> Result<Activity, QueryError> {
    let mut counter = ActivityCounter::new(agent, period.since, period.until);
    each(view, predicate(Some(agent), period), |event| counter.add(event)).await?;
    Ok(counter.finish())
}

pub(crate) async fn findings(
    view: &View,
    agent: Option<&str>,
    period: Period,
) -> Result<Vec<Finding>, QueryError> {
    let mut detector = FindingsDetector::new();
    each(view, predicate(agent, period), |event| detector.add(event)).await?;
    // Findings over a part of what was asked for would say that nothing else is unusual.
    match detector.dropped() {
        0 => Ok(detector.finish()),
        _ => Err(QueryError::TooLarge(
            "too many calls for one look: choose an agent or a shorter period".to_owned(),
        )),
    }
}

pub(crate) async fn report(view: &View, since: Timestamp, until: Timestamp) -> Result<Report, QueryError> {
    let mut counter = ReportCounter::new(since, until);
    let period = Period { since: Some(since), until: Some(until) };
    each(view, predicate(None, period), |event| counter.add(event)).await?;
    Ok(counter.finish())
}

/// Which events of producers are missing. Of a part of the trail, be it a period or what has not expired, nothing is
/// said of numbers before a producer's first.
pub(crate) async fn producers(view: &View, period: Period) -> Result<Vec<Producer>, QueryError> {
    let mut counter = ProducersCounter::new(view.first() == 0 && period.since.is_none());
    let claims = column("channel").in_list(vec![lit("sdk"), lit("import")], false);
    let predicate = conjunction([Some(claims), predicate(None, period)].into_iter().flatten());
    each(view, predicate, |event| counter.add(event)).await?;
    match counter.dropped() {
        0 => Ok(counter.finish()),
        _ => Err(QueryError::TooLarge("too many producers for one look: choose a shorter period".to_owned())),
    }
}

fn predicate(agent: Option<&str>, period: Period) -> Option<Expr> {
    let agent = agent.map(|agent| column("agent_id").eq(lit(agent)));
    let since = period.since.map(|since| column("time").gt_eq(instant(since.as_micros())));
    let until = period.until.map(|until| column("time").lt(instant(until.as_micros())));
    conjunction([agent, since, until].into_iter().flatten())
}

async fn each(view: &View, predicate: Option<Expr>, mut visit: impl FnMut(&Event)) -> Result<(), QueryError> {
    let ranges = view.candidates(predicate.as_ref(), &(0..view.size()))?;
    let mut rows = view.rows(&ranges, predicate.as_ref(), &[ENTRY])?;
    while let Some(batch) = rows.try_next().await? {
        for entry in entries(&batch)? {
            let event = Event::from_canonical(&entry);
            visit(
                &event
                    .map_err(|error| QueryError::Read(format!("an entry is not a valid event: {error}")))?,
            );
        }
    }
    Ok(())
}
