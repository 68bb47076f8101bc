//! How many: matches by the values of fields, and over time. One pass over the matches counts everything at once.
//!
//! Only the columns that are counted by are read; entries for a field that no column has. Counts are exact: what would need more memory than
//! an answer may have is refused, not estimated.

use std::collections::{BTreeMap, HashMap};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use greffier_event::Timestamp;
use greffier_ledger::segment::{ENTRY, INDEX};
use serde_json::Value;

use crate::find::Matches;
use crate::search::fields::{self, Field, Kind};
use crate::search::value::{COUNT, write_number};
use crate::search::when::{Stretch, Zone};
use crate::view::View;
use crate::{QueryError, Search};

/// Different values of one field that are counted: with their counts some ten MiB.
const MAX_VALUES: usize = 100_000;
/// Bytes of the different values of one field.
const MAX_VALUE_BYTES: usize = 32 << 20;
/// Stretches of time in one answer: a week in minutes.
const MAX_STEPS: usize = 10_080;

const TIME: &str = "time";
const DECISION: &str = "decision";
const DENY: &str = "deny";

/// What one value, one stretch of time or all matches come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Matches.
    pub events: u64,
    /// Those that were denied.
    pub denied: u64,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
}

impl Count {
    fn add(&mut self, row: &Row) {
        self.events += 1;
        self.denied += u64::from(row.denied);
        self.first = Some(self.first.map_or(row.time, |first| first.min(row.time)));
        self.last = Some(self.last.map_or(row.time, |last| last.max(row.time)));
    }
}

/// A field that matches are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacetField {
    /// As it was asked for.
    name: &'static str,
    field: &'static Field,
}

impl FacetField {
    /// The field of that name in the search language, or why matches are not counted by it.
    pub fn parse(name: &str) -> Result<FacetField, String> {
        let Some(field) = fields::find(name) else {
            if fields::TIME_BOUNDS.iter().any(|(bound, _)| *bound == name) || Per::parse(name).is_some() {
                return Err(over_time(name));
            }
            let near = fields::suggest(name).filter(|near| fields::find(near).is_some_and(is_counted_by));
            let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            return Err(format!("there is no field `{name}`{hint}"));
        };
        if !is_counted_by(field) {
            return Err(over_time(name));
        }
        // The name it was asked by, which may be an alias.
        Ok(FacetField { name: fields::alias(name).unwrap_or(field.name), field })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// Every instant is another: times are counted in steps.
fn is_counted_by(field: &Field) -> bool {
    !matches!(field.kind, Kind::Time(_))
}

fn over_time(name: &str) -> String {
    format!("`{name}` is not counted by: events are counted over time in steps, by `per` (`--per day`)")
}

/// The columns that its values are made of.
fn columns(field: &'static Field) -> &'static [&'static str] {
    match &field.kind {
        Kind::Text(name)
        | Kind::Id(name)
        | Kind::Texts(name)
        | Kind::Choice(name, _)
        | Kind::Number(name, _)
        | Kind::Time(name) => std::slice::from_ref(name),
        Kind::Member(..) => &[ENTRY],
        Kind::Tokens => &fields::SUM_OF_TOKENS,
        Kind::Pii => &["pii_detected"],
        Kind::Verified => &["user_verified", "agent_verified"],
    }
}

/// The values of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The field.
    pub name: &'static str,
    /// The most frequent values, most frequent first; those of one count by value.
    pub values: Vec<(Value, Count)>,
    /// How many different values there are.
    pub distinct: usize,
    /// Matches of the values that are left out; one with several of them counts for each.
    pub other: u64,
    /// Matches without a value.
    pub missing: Count,
}

/// How long each step of a histogram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Per(Step);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Micros(i64),
    Calendar(Stretch),
}

impl Per {
    /// `minute`, `hour`, `day`, `week`, `month`, `quarter`, `year`, or as in `30s`, `5m`, `6h`.
    pub fn parse(text: &str) -> Option<Per> {
        let step = match text {
            "minute" => Step::Micros(60_000_000),
            "hour" => Step::Micros(3_600_000_000),
            "day" | "1d" => Step::Calendar(Stretch::Day),
            "week" | "1w" => Step::Calendar(Stretch::Week),
            "month" => Step::Calendar(Stretch::Month),
            "quarter" => Step::Calendar(Stretch::Quarter),
            "year" | "1y" => Step::Calendar(Stretch::Year),
            _ => {
                let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
                let seconds = match unit {
                    "s" => 1,
                    "m" => 60,
                    "h" => 3_600,
                    _ => return None,
                };
                let number: u32 =
                    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
                // A step that does not divide a day would begin at another hour each day.
                let seconds = i64::from(number).checked_mul(seconds).filter(|s| *s > 0 && 86_400 % s == 0)?;
                Step::Micros(seconds * 1_000_000)
            }
        };
        Some(Per(step))
    }

    /// From the first microsecond of the step around an instant up to that of the next one.
    fn around(self, micros: i64, zone: &Zone) -> Option<(i64, i64)> {
        let day = zone.day(Timestamp::from_micros(micros))?;
        match self.0 {
            Step::Calendar(stretch) => {
                let first = stretch.first(day)?;
                Some((zone.start(first)?, zone.start(first.checked_add(stretch.length()).ok()?)?))
            }
            // Counted from midnight, so that hours begin as the zone's clocks have them.
            Step::Micros(step) => {
                let (midnight, next) = (zone.start(day)?, zone.start(day.tomorrow().ok()?)?);
                let start = midnight + (micros - midnight).div_euclid(step) * step;
                Some((start, (start + step).min(next)))
            }
        }
    }
}

/// How many matches there are, by what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// All of them.
    pub total: Count,
    /// By the values of each field, in the order that was asked for.
    pub facets: Vec<Facet>,
    /// By time, each step with its first instant; steps without matches between others are there.
    pub histogram: Vec<(Timestamp, Count)>,
    /// Entries on the trail when it was counted.
    pub size: u64,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct CountBy {
    /// By these fields.
    pub fields: Vec<FacetField>,
    /// Most values of each.
    pub limit: usize,
    /// Over time.
    pub per: Option<Per>,
}

/// What all counts say of one match.
struct Row {
    time: Timestamp,
    denied: bool,
}

/// Counts the matches.
pub(crate) async fn counts(view: &View, search: &Search, by: &CountBy) -> Result<Counts, QueryError> {
    let mut columns = vec![INDEX, TIME, DECISION];
    columns.extend(by.fields.iter().flat_map(|by| self::columns(by.field)));
    columns.sort_unstable();
    columns.dedup();
    let mut tallies: Vec<Tally> = by.fields.iter().map(|_| Tally::default()).collect();
    let mut steps = Steps { per: by.per, zone: search.zone().clone(), steps: BTreeMap::new() };
    let mut total = Count::default();
    let mut matches = Matches::of(view, search, &columns).await?;
    while let Some(batch) = matches.next().await? {
        let rows = rows(&batch)?;
        for row in &rows {
            total.add(row);
            steps.add(row)?;
        }
        for (field, tally) in by.fields.iter().zip(&mut tallies) {
            tally.batch(field, &batch, &rows)?;
        }
    }
    let facets = by.fields.iter().zip(tallies).map(|(field, tally)| tally.finish(*field, by.limit));
    Ok(Counts { total, facets: facets.collect(), histogram: steps.finish()?, size: view.size() })
}

fn broken(what: &str) -> QueryError {
    QueryError::Internal(format!("the matches cannot be counted: {what}"))
}

fn rows(batch: &RecordBatch) -> Result<Vec<Row>, QueryError> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| broken(name));
    let times = column(TIME)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| broken(TIME))?;
    let decisions = column(DECISION)?.as_string_opt::<i32>().ok_or_else(|| broken(DECISION))?;
    let row = |(time, decision): (Option<i64>, Option<&str>)| Row {
        time: Timestamp::from_micros(time.unwrap_or_default()),
        denied: decision == Some(DENY),
    };
    Ok(times.iter().zip(decisions.iter()).map(row).collect())
}

/// The values of one field so far.
#[derive(Default)]
struct Tally {
    values: HashMap<Box<str>, Count>,
    bytes: usize,
    missing: Count,
}

/// What is counted by.
enum Values<'a> {
    Text(&'a StringArray),
    Texts(&'a ListArray),
    /// A member of the entry.
    Member(&'a BinaryArray, &'static str),
    Number(&'a PrimitiveArray<Int64Type>),
    /// Both together, as far as they are there.
    Sum(&'a PrimitiveArray<Int64Type>, &'a PrimitiveArray<Int64Type>),
    Flag(&'a BooleanArray),
    /// The second where there is no first.
    Either(&'a BooleanArray, &'a BooleanArray),
}

impl<'a> Values<'a> {
    fn of(field: &'static Field, batch: &'a RecordBatch) -> Option<Values<'a>> {
        let columns: Vec<&ArrayRef> =
            columns(field).iter().map(|name| batch.column_by_name(name)).collect::<Option<_>>()?;
        let number = |column: &'a ArrayRef| column.as_primitive_opt::<Int64Type>();
        Some(match (field.kind, columns.as_slice()) {
            (Kind::Text(_) | Kind::Choice(..), [column]) => Values::Text(column.as_string_opt()?),
            (Kind::Texts(_), [column]) => Values::Texts(column.as_list_opt()?),
            (Kind::Member(name, _), [column]) => Values::Member(column.as_binary_opt()?, name),
            (Kind::Number(..), [column]) => Values::Number(number(column)?),
            (Kind::Tokens, [input, output]) => Values::Sum(number(input)?, number(output)?),
            (Kind::Pii, [column]) => Values::Flag(column.as_boolean_opt()?),
            (Kind::Verified, [user, agent]) => {
                Values::Either(user.as_boolean_opt()?, agent.as_boolean_opt()?)
            }
            _ => return None,
        })
    }
}

/// A text of an entry, by the name of its member. A quote within a text has a backslash before it, so that no text can
/// hold what a member begins with.
fn member<'a>(entry: &'a [u8], name: &str) -> Option<&'a str> {
    let (_, behind) = std::str::from_utf8(entry).ok()?.split_once(&format!("\"{name}\":\""))?;
    behind.split_once('"').map(|(value, _)| value)
}

impl Tally {
    fn batch(&mut self, field: &FacetField, batch: &RecordBatch, rows: &[Row]) -> Result<(), QueryError> {
        let add_number = |tally: &mut Tally, number: Option<i64>, row: &Row| {
            tally.add(number.map(|number| number.to_string()).as_deref(), row);
        };
        let add_flag = |tally: &mut Tally, flag: Option<bool>, row: &Row| {
            tally.add(flag.map(|flag| if flag { "true" } else { "false" }), row);
        };
        match Values::of(field.field, batch).ok_or_else(|| broken(field.name))? {
            Values::Text(texts) => {
                for (row, text) in rows.iter().zip(texts.iter()) {
                    self.add(text, row);
                }
            }
            Values::Texts(lists) => {
                for (row, list) in rows.iter().zip(lists.iter()) {
                    let list = list.filter(|list| !list.is_empty());
                    let Some(list) = list else {
                        self.add(None, row);
                        continue;
                    };
                    let mut texts: Vec<&str> = list
                        .as_string_opt::<i32>()
                        .into_iter()
                        .flat_map(|texts| texts.iter().flatten())
                        .collect();
                    // A value that an event has twice counts once.
                    texts.sort_unstable();
                    texts.dedup();
                    texts.into_iter().for_each(|text| self.add(Some(text), row));
                }
            }
            Values::Member(entries, name) => {
                for (row, entry) in rows.iter().zip(entries.iter()) {
                    self.add(entry.and_then(|entry| member(entry, name)), row);
                }
            }
            Values::Number(numbers) => {
                for (row, number) in rows.iter().zip(numbers.iter()) {
                    add_number(self, number, row);
                }
            }
            Values::Sum(some, others) => {
                for (row, numbers) in rows.iter().zip(some.iter().zip(others.iter())) {
                    let sum = numbers.0.zip(numbers.1).map(|(some, others)| some.saturating_add(others));
                    add_number(self, sum.or(numbers.0).or(numbers.1), row);
                }
            }
            Values::Flag(flags) => {
                for (row, flag) in rows.iter().zip(flags.iter()) {
                    add_flag(self, flag, row);
                }
            }
            Values::Either(flags, others) => {
                for (row, (flag, other)) in rows.iter().zip(flags.iter().zip(others.iter())) {
                    add_flag(self, flag.or(other), row);
                }
            }
        }
        if self.values.len() > MAX_VALUES || self.bytes > MAX_VALUE_BYTES {
            return Err(QueryError::TooLarge(format!(
                "`{}` has more than {MAX_VALUES} values, or more than {MAX_VALUE_BYTES} bytes of them, here: narrow the \
                 search, or count in SQL",
                field.name
            )));
        }
        Ok(())
    }

    fn add(&mut self, value: Option<&str>, row: &Row) {
        let Some(value) = value else { return self.missing.add(row) };
        if let Some(count) = self.values.get_mut(value) {
            return count.add(row);
        }
        let mut count = Count::default();
        count.add(row);
        self.bytes += value.len();
        self.values.insert(value.into(), count);
    }

    fn finish(self, by: FacetField, limit: usize) -> Facet {
        let mut values: Vec<(Box<str>, Count)> = self.values.into_iter().collect();
        let distinct = values.len();
        values.sort_unstable_by(|(a, counted), (b, other)| other.events.cmp(&counted.events).then(a.cmp(b)));
        let other = values.iter().skip(limit).map(|(_, count)| count.events).sum();
        values.truncate(limit);
        // As a search has it, so that what was counted can be searched for.
        let value = |text: Box<str>| match (by.field.kind, text.parse::<i64>()) {
            (Kind::Number(_, COUNT) | Kind::Tokens, Ok(number)) => Value::from(number),
            (Kind::Number(_, units), Ok(number)) => Value::from(write_number(number, units)),
            (Kind::Pii | Kind::Verified, _) => Value::from(&*text == "true"),
            _ => Value::from(String::from(text)),
        };
        let values = values.into_iter().map(|(text, count)| (value(text), count)).collect();
        Facet { name: by.name, values, distinct, other, missing: self.missing }
    }
}

/// The steps of a histogram so far, by their first microsecond, each with the first behind it.
struct Steps {
    per: Option<Per>,
    zone: Zone,
    steps: BTreeMap<i64, (i64, Count)>,
}

impl Steps {
    fn add(&mut self, row: &Row) -> Result<(), QueryError> {
        let Some(per) = self.per else { return Ok(()) };
        let micros = row.time.as_micros();
        if let Some((_, (end, count))) = self.steps.range_mut(..=micros).next_back()
            && micros < *end
        {
            count.add(row);
            return Ok(());
        }
        let Some((start, end)) = per.around(micros, &self.zone) else { return Ok(()) };
        let mut count = Count::default();
        count.add(row);
        self.steps.insert(start, (end, count));
        if self.steps.len() > MAX_STEPS {
            return Err(too_fine());
        }
        Ok(())
    }

    /// With the empty steps between.
    fn finish(self) -> Result<Vec<(Timestamp, Count)>, QueryError> {
        let Some(per) = self.per else { return Ok(Vec::new()) };
        let mut all: Vec<(Timestamp, Count)> = Vec::with_capacity(self.steps.len());
        let mut next = None;
        for (start, (end, count)) in self.steps {
            while let Some(empty) = next.filter(|next| *next < start) {
                if all.len() >= MAX_STEPS {
                    return Err(too_fine());
                }
                all.push((Timestamp::from_micros(empty), Count::default()));
                next = per.around(empty, &self.zone).map(|(_, end)| end).filter(|end| *end > empty);
            }
            all.push((Timestamp::from_micros(start), count));
            next = Some(end);
        }
        if all.len() > MAX_STEPS { Err(too_fine()) } else { Ok(all) }
    }
}

fn too_fine() -> QueryError {
    QueryError::TooLarge(format!(
        "a histogram has {MAX_STEPS} steps at most: choose longer ones, or a shorter period"
    ))
}

#[cfg(test)]
mod tests;
