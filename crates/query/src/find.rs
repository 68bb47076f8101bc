//! Look-ups: pages, counts, one event, one call, one session.
//!
//! A page is found in two steps. First only the columns that the search names are read, in windows that grow from
//! the end that comes first, until there are enough indexes; then the entries of just these.

use std::collections::HashMap;
use std::ops::Range;

use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, lit};
use futures_util::TryStreamExt;
use greffier_event::EventId;
use greffier_ledger::segment::INDEX;

use crate::search::{Contents, column, instant};
use crate::table::Ranges;
use crate::view::{Order, View, indexes, runs};
use crate::{Page, QueryError, Row, Search, sift, single};

/// Rows of the first window: a segment's worth. Each further one is four times as large, so that a rare match is
/// found in few steps and a frequent one without reading much.
pub(crate) const FIRST_WINDOW: u64 = 65_536;
pub(crate) const GROWTH: u64 = 4;
/// Entries that are fetched before their size is looked at: 64 MiB at most.
const FETCHED_AT_ONCE: usize = 1_024;
const CALL: &str = "request_id";
const CHANNEL: &str = "channel";
/// Who says of a call what really happened.
const GATEWAY: &str = "gateway";
/// How far the time of an event may be from that of its id: both are of one moment where we make them.
const NEAR: i64 = 1_000_000;

/// One page: what comes first within `bounds`.
pub(crate) async fn page(
    view: &View,
    search: &Search,
    bounds: Range<u64>,
    order: Order,
    limit: usize,
) -> Result<Page, QueryError> {
    let limit = limit.min(view.limits.rows);
    if let Some(opener) = sift::opener(view, search)? {
        let sift::Sifted { found, next } = sift::page(view, opener, search, bounds, order, limit).await?;
        let rows = fetch(view, &found).await?;
        let cut = (rows.len() < found.len()).then(|| rows.last().map(|row| row.index)).flatten();
        return Ok(Page { rows, next: cut.or(next), size: view.size() });
    }
    let predicate = search.predicate(Contents::Closed);
    // One more than the page holds says whether there is another page.
    let indexes = first(view, predicate.as_ref(), bounds, order, limit.saturating_add(1)).await?;
    let wanted = indexes.get(..limit).unwrap_or(&indexes);
    let rows = fetch(view, wanted).await?;
    let is_last = rows.len() == indexes.len();
    let next = if is_last { None } else { rows.last().map(|row| row.index) };
    Ok(Page { rows, next, size: view.size() })
}

/// The entries, until the bytes of an answer are used up; one at least.
async fn fetch(view: &View, wanted: &[u64]) -> Result<Vec<Row>, QueryError> {
    let (mut rows, mut bytes) = (Vec::with_capacity(wanted.len()), 0_usize);
    for some in wanted.chunks(FETCHED_AT_ONCE) {
        for row in view.entries(some).await? {
            bytes = bytes.saturating_add(row.entry.len());
            if bytes > view.limits.bytes && !rows.is_empty() {
                return Ok(rows);
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The first within `bounds` of which the columns say that they match.
async fn first(
    view: &View,
    predicate: Option<&Expr>,
    bounds: Range<u64>,
    order: Order,
    most: usize,
) -> Result<Vec<u64>, QueryError> {
    if predicate.is_none() {
        return Ok(match order {
            Order::Newest => bounds.rev().take(most).collect(),
            Order::Oldest => bounds.take(most).collect(),
        });
    }
    let mut left = view.narrowed(predicate, &bounds).await?;
    let (mut found, mut size) = (Vec::new(), FIRST_WINDOW);
    while !left.is_empty() && found.len() < most {
        let window = window(&mut left, order, size);
        found.extend(view.indexes(&window, predicate, order, most - found.len()).await?);
        size = size.saturating_mul(GROWTH);
    }
    Ok(found)
}

/// Takes so many rows from the end that comes first.
pub(crate) fn window(left: &mut Ranges, order: Order, size: u64) -> Ranges {
    let (mut taken, mut rows) = (Vec::new(), size);
    while rows > 0 {
        let at_end = match order {
            Order::Newest => left.pop(),
            Order::Oldest => (!left.is_empty()).then(|| left.remove(0)),
        };
        let Some(range) = at_end else { break };
        let count = rows.min(range.end - range.start);
        rows -= count;
        let (rest, part) = match order {
            Order::Newest => (range.start..range.end - count, range.end - count..range.end),
            Order::Oldest => (range.start + count..range.end, range.start..range.start + count),
        };
        match order {
            _ if rest.is_empty() => {}
            Order::Newest => left.push(rest),
            Order::Oldest => left.insert(0, rest),
        }
        taken.push(part);
    }
    taken.sort_unstable_by_key(|range| range.start);
    taken
}

/// How many match.
pub(crate) async fn count(view: &View, search: &Search) -> Result<u64, QueryError> {
    if search.is_everything() {
        return Ok(view.size() - view.first());
    }
    let mut matches = Matches::of(view, search, &[INDEX]).await?;
    let mut count = 0;
    while let Some(batch) = matches.next().await? {
        count += batch.num_rows() as u64;
    }
    Ok(count)
}

/// All matches, in no order.
pub(crate) struct Matches<'a> {
    search: &'a Search,
    opener: Option<&'a sift::Opener>,
    rows: SendableRecordBatchStream,
}

impl<'a> Matches<'a> {
    /// The columns of each; the index must be among them.
    pub(crate) async fn of(
        view: &'a View,
        search: &'a Search,
        columns: &[&'static str],
    ) -> Result<Matches<'a>, QueryError> {
        Matches::among(view, search, columns, None).await
    }

    /// Those of some entries, or of all.
    async fn among(
        view: &'a View,
        search: &'a Search,
        columns: &[&'static str],
        entries: Option<Ranges>,
    ) -> Result<Matches<'a>, QueryError> {
        let opener = sift::opener(view, search)?;
        let (contents, marks) = match opener {
            Some(_) => (Contents::Opened, search.marks()),
            None => (Contents::Closed, Vec::new()),
        };
        let predicate = search.predicate(contents);
        let ranges = match entries {
            Some(entries) => entries,
            None => view.narrowed(predicate.as_ref(), &(0..view.size())).await?,
        };
        let rows = view.marked(&ranges, predicate.as_ref(), columns, &marks)?;
        Ok(Matches { search, opener, rows })
    }

    /// Some of them; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let Some(batch) = self.rows.try_next().await? else { return Ok(None) };
        let Some(opener) = self.opener else { return Ok(Some(batch)) };
        let fits = sift::fits(opener, self.search, &batch).await?;
        Ok(Some(filter_record_batch(&batch, &BooleanArray::from(fits)).map_err(DataFusionError::from)?))
    }
}

/// The event with this id. A UUIDv7 says when it was made: where that was, it is looked for first, and no other
/// segment is opened if it is there.
pub(crate) async fn event(view: &View, id: EventId) -> Result<Option<Row>, QueryError> {
    let text = id.to_string();
    let is_it = column("id").eq(lit(text.as_str()));
    if let Some(made) = made_at(id) {
        let near = |micros: i64| instant(made.saturating_add(micros));
        let around = column("time").gt_eq(near(-NEAR)).and(column("time").lt_eq(near(NEAR)));
        let found = named(view, "id", &text, &around.and(is_it.clone()), 1).await?;
        if !found.is_empty() {
            return Ok(found.into_iter().next());
        }
    }
    Ok(named(view, "id", &text, &is_it, 1).await?.pop())
}

/// When a UUIDv7 says that it was made, in microseconds.
fn made_at(id: EventId) -> Option<i64> {
    let bytes = id.0.as_bytes();
    let (time, rest) = bytes.split_at_checked(6)?;
    (rest.first()? >> 4 == 7)
        .then(|| time.iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte)) * 1_000)
}

/// The events of which a column has this value, oldest first. Bloom filters say where it is not, so all
/// segments are looked at together.
pub(crate) async fn equal(
    view: &View,
    name: &'static str,
    value: &str,
    most: usize,
) -> Result<Vec<Row>, QueryError> {
    named(view, name, value, &column(name).eq(lit(value)), most).await
}

/// The same, in segments that a predicate does not rule out.
async fn named(
    view: &View,
    name: &'static str,
    value: &str,
    predicate: &Expr,
    most: usize,
) -> Result<Vec<Row>, QueryError> {
    let ranges = view.narrowed(Some(predicate), &(0..view.size())).await?;
    let mut indexes = single::with(&view.table, &ranges, name, value).await?;
    indexes.truncate(most);
    fetch(view, &indexes).await
}

/// The events of one call, oldest first, `most` at most: what the gateway says of it is never left out for what others do.
pub(crate) async fn call(view: &View, request_id: &str, most: usize) -> Result<Vec<Row>, QueryError> {
    let predicate = column(CALL).eq(lit(request_id));
    let ranges = view.narrowed(Some(&predicate), &(0..view.size())).await?;
    let indexes = single::with(&view.table, &ranges, CALL, request_id).await?;
    if indexes.len() > most {
        return of_calls(view, &[request_id.to_owned()], most).await;
    }
    fetch(view, &indexes).await
}

/// The events of several calls, oldest first: of each what [`call`] gives. Those of one call end where the bytes of an
/// answer do; those of several are all there, or too large.
pub(crate) async fn of_calls(view: &View, values: &[String], most: usize) -> Result<Vec<Row>, QueryError> {
    let predicate = column(CALL).in_list(values.iter().map(|value| lit(value.as_str())).collect(), false);
    let ranges = view.narrowed(Some(&predicate), &(0..view.size())).await?;
    let mut rows = view.rows(&ranges, Some(&predicate), &[INDEX, CALL, CHANNEL])?;
    // Of each call whether others say it, and where.
    let mut of: HashMap<String, Vec<(bool, u64)>> = HashMap::new();
    while let Some(batch) = rows.try_next().await? {
        let texts = |name: &str| {
            let texts = batch.column_by_name(name).and_then(|texts| texts.as_string_opt::<i32>());
            texts.ok_or_else(|| QueryError::Internal(format!("`{name}` is no text")))
        };
        let said = texts(CALL)?.iter().zip(texts(CHANNEL)?);
        for (index, (call, channel)) in indexes(&batch)?.into_iter().zip(said) {
            let Some(call) = call else { continue };
            let found = of.entry(call.to_owned()).or_default();
            found.push((channel != Some(GATEWAY), index));
            // Keeps what is held in proportion to what is asked for.
            if found.len() > most.saturating_mul(2) {
                found.sort_unstable();
                found.truncate(most);
            }
        }
    }
    let mut wanted = Vec::new();
    for mut found in of.into_values() {
        found.sort_unstable();
        wanted.extend(found.into_iter().take(most).map(|(_, index)| index));
    }
    Order::Oldest.sort(&mut wanted);
    let rows = fetch(view, &wanted).await?;
    if rows.len() < wanted.len() && values.len() > 1 {
        return Err(QueryError::TooLarge("what was asked for is more than an answer may hold".to_owned()));
    }
    Ok(rows)
}

/// Which of these entries match, in order.
pub(crate) async fn matching(view: &View, search: &Search, wanted: &[u64]) -> Result<Vec<u64>, QueryError> {
    let there = wanted.iter().copied().filter(|index| (view.first()..view.size()).contains(index));
    let mut matches = Matches::among(view, search, &[INDEX], Some(runs(there.collect()))).await?;
    let mut found = Vec::new();
    while let Some(batch) = matches.next().await? {
        found.extend(indexes(&batch)?);
    }
    Order::Oldest.sort(&mut found);
    Ok(found)
}

#[cfg(test)]
mod tests;
