//! Activity, findings and reports: chooses the events and shows them to the analysis, which only counts.
//!
//! Activity, findings and the report of a period are counted from columns, piece by piece, side by side (`piece.rs`);
//! entries are parsed only where no column says what is counted.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, lit};
use futures_util::TryStreamExt;
use greffier_analysis::findings::Stretch;
use greffier_analysis::{
    Activity, ActivityCounter, Counter, Detector, Name, Producer, ProducersCounter, Report, ReportCounter,
    Subject,
};
use greffier_event::{Event, Timestamp};
use greffier_ledger::segment::ENTRY;

use crate::QueryError;
use crate::facts::{self, Facts, Redactions};
use crate::piece::{Only, PIECE, gather, pieces};
use crate::search::{column, instant};
use crate::view::{View, entries};

/// Rows that a detector looks at with one question, so that one over a long trail holds up no other for long.
pub(crate) const LOOK: u64 = 16 * PIECE;
/// Entries that are parsed at once.
const PARSED_AT_ONCE: usize = 1_024;

/// A period: its first instant belongs to it, its last does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

pub(crate) async fn activity(
    view: &Arc<View>,
    subject: &Subject,
    period: Period,
) -> Result<Activity, QueryError> {
    let counter = {
        let subject = subject.clone();
        move || ActivityCounter::new(subject.clone(), period.since, period.until)
    };
    Ok(counted(view, period, of(subject), facts::ACTIVITY, counter).await?.finish())
}

pub(crate) async fn report(
    view: &Arc<View>,
    since: Timestamp,
    until: Timestamp,
) -> Result<Report, QueryError> {
    let period = Period { since: Some(since), until: Some(until) };
    Ok(counted(view, period, None, facts::REPORT, move || ReportCounter::new(since, until)).await?.finish())
}

/// Counts the pieces of a trail in which something of a period can be.
async fn counted<C: Counter + Send + 'static>(
    view: &Arc<View>,
    period: Period,
    only: Option<Only>,
    columns: &'static [&'static str],
    counter: impl Fn() -> C + Clone + Send + 'static,
) -> Result<C, QueryError> {
    let pieces = pieces(view, view.candidates(within(period).as_ref(), &(0..view.size()))?);
    let (mut whole, mut unclear) = (counter(), Vec::new());
    let count = move |batches: Vec<RecordBatch>| count(&batches, counter());
    gather(view, pieces, only, names(columns), count, |(counted, more): (C, Vec<u64>)| {
        whole.merge(counted);
        unclear.extend(more);
        Ok(())
    })
    .await?;
    for indexes in unclear.chunks(PARSED_AT_ONCE) {
        for row in view.entries(indexes).await? {
            let event = parsed(&row.entry)?;
            for redaction in event.content_safety.iter().flat_map(|safety| &safety.redactions) {
                whole.add_name(Name::Redaction, &redaction.entity, redaction.count);
            }
        }
    }
    Ok(whole)
}

/// What was counted of one piece, and the entries of which the columns do not say all.
fn count<C: Counter>(batches: &[RecordBatch], mut counter: C) -> Result<(C, Vec<u64>), QueryError> {
    let mut unclear = Vec::new();
    for batch in batches {
        let facts = Facts::of(batch)?;
        let mut names = facts.names();
        facts.each(|row, index, fact| {
            if !counter.add_fact(fact) {
                return;
            }
            for name in &mut names {
                name.add(row, &mut |of, name, times| counter.add_name(of, name, times));
            }
            match facts.redactions(row) {
                Redactions::None => {}
                Redactions::One(entity, count) => counter.add_name(Name::Redaction, entity, count),
                Redactions::Several => unclear.push(index),
            }
        })?;
        for name in names {
            name.finish(&mut |of, name, times| counter.add_name(of, name, times));
        }
    }
    Ok((counter, unclear))
}

/// Shows a detector the entries behind those it has seen, and says whether there are more.
pub(crate) async fn observe(view: &Arc<View>, detector: &Mutex<Detector>) -> Result<bool, QueryError> {
    let from = detector.lock().unwrap_or_else(PoisonError::into_inner).next().max(view.first());
    let to = view.size().min(from.saturating_add(LOOK));
    if from >= to {
        return Ok(false);
    }
    let pieces = pieces(view, std::iter::once(from..to).collect());
    let make = |batches: Vec<RecordBatch>| -> Result<Vec<Stretch>, QueryError> {
        batches.iter().map(|batch| Facts::of(batch)?.stretch()).collect()
    };
    gather(view, pieces, None, names(facts::FINDINGS), make, |mut stretches: Vec<Stretch>| {
        let mut detector = detector.lock().unwrap_or_else(PoisonError::into_inner);
        stretches.iter_mut().for_each(|stretch| detector.look(stretch));
        Ok(())
    })
    .await?;
    Ok(to < view.size())
}

/// Which events of producers are missing. Of a part of the trail, be it a period or what has not expired, nothing is
/// said of numbers before a producer's first.
pub(crate) async fn producers(view: &View, period: Period) -> Result<Vec<Producer>, QueryError> {
    let mut counter = ProducersCounter::new(view.first() == 0 && period.since.is_none());
    let claims = column("channel").in_list(vec![lit("sdk"), lit("import")], false);
    let predicate = conjunction([Some(claims), within(period)].into_iter().flatten());
    each(view, predicate, |event| counter.add(event)).await?;
    match counter.dropped() {
        0 => Ok(counter.finish()),
        _ => Err(QueryError::TooLarge("too many producers for one look: choose a shorter period".to_owned())),
    }
}

fn names(columns: &[&str]) -> Arc<[String]> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

/// What only events of a subject have.
fn of(subject: &Subject) -> Option<Only> {
    let (column, value) = match subject {
        Subject::Agent(id) => ("agent_id", id),
        Subject::User(sub) => ("user_sub", sub),
        Subject::Tool(tool) => ("action_name", tool),
        Subject::Tenant(_) => return None,
    };
    Some(Only { column, value: value.clone() })
}

fn within(period: Period) -> Option<Expr> {
    let since = period.since.map(|since| column("time").gt_eq(instant(since.as_micros())));
    let until = period.until.map(|until| column("time").lt(instant(until.as_micros())));
    conjunction([since, until].into_iter().flatten())
}

async fn each(view: &View, predicate: Option<Expr>, mut visit: impl FnMut(&Event)) -> Result<(), QueryError> {
    let ranges = view.candidates(predicate.as_ref(), &(0..view.size()))?;
    let mut rows = view.rows(&ranges, predicate.as_ref(), &[ENTRY])?;
    while let Some(batch) = rows.try_next().await? {
        for entry in entries(&batch)? {
            visit(&parsed(&entry)?);
        }
    }
    Ok(())
}

fn parsed(entry: &[u8]) -> Result<Event, QueryError> {
    Event::from_canonical(entry)
        .map_err(|error| QueryError::Read(format!("an entry is not a valid event: {error}")))
}

#[cfg(test)]
mod tests;
