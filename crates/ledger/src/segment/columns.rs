//! The columns of a segment: the exact bytes of each entry, and typed projections of them.
//!
//! The table below is the one owner of names and types. The projections are there to search by; what counts is
//! `entry`, and a column that says anything else than its entry is found by [`crate::verify`]. A column's type
//! never changes: readers push filters into files of every age. A new column is added at the end.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use greffier_event::{Event, InvalidEvent, Timestamp};

/// How one column is made of an event.
#[derive(Clone, Copy)]
enum Column {
    Text(fn(&Event) -> Option<&str>),
    Made(fn(&Event) -> Option<String>),
    Texts(fn(&Event) -> Vec<&str>),
    Integer(fn(&Event) -> Option<i64>),
    Flag(fn(&Event) -> Option<bool>),
    Time(fn(&Event) -> Option<Timestamp>),
}

use Column::{Flag, Integer, Made, Text, Texts, Time};

/// The place of an entry on its trail; the first column.
pub const INDEX: &str = "index";
/// The exact bytes of an entry; the last column of version 1.
pub const ENTRY: &str = "entry";

/// Bytes of a value that is made, which are an id's.
const MADE_BYTES: usize = 36;

/// The names of an entry's parts, as many as it binds.
pub(super) const PART_NAMES: &str = "part_names";

/// Every projection, in the order of the file, between `index` and `entry`.
const COLUMNS: &[(&str, Column)] = &[
    ("id", Made(|e| Some(e.id.to_string()))),
    ("time", Time(|e| Some(e.time))),
    ("recorded_at", Time(|e| e.recorded_at)),
    ("type", Text(|e| Some(e.kind.as_str()))),
    ("tenant", Text(|e| Some(e.tenant.as_str()))),
    ("request_id", Text(|e| e.request_id.as_deref())),
    ("session_id", Text(|e| e.session_id.as_deref())),
    ("trace_id", Text(|e| Some(e.trace.as_ref()?.trace_id.as_str()))),
    ("span_id", Text(|e| e.trace.as_ref()?.span_id.as_deref())),
    ("user_sub", Text(|e| Some(e.user.as_ref()?.sub.as_str()))),
    ("user_iss", Text(|e| e.user.as_ref()?.iss.as_deref())),
    ("user_roles", Texts(|e| e.user.as_ref().map(|user| texts(&user.roles)).unwrap_or_default())),
    ("user_verified", Flag(|e| Some(e.user.as_ref()?.verified))),
    ("agent_id", Text(|e| Some(e.agent.as_ref()?.id.as_str()))),
    ("agent_version", Text(|e| e.agent.as_ref()?.version.as_deref())),
    ("agent_tier", Text(|e| e.agent.as_ref()?.tier.as_deref())),
    ("agent_verified", Flag(|e| Some(e.agent.as_ref()?.verified))),
    ("agent_via", Texts(|e| e.agent.iter().flat_map(|a| &a.via).map(|actor| actor.sub.as_str()).collect())),
    ("action_name", Text(|e| Some(e.action.as_ref()?.name.as_str()))),
    ("action_kind", Text(|e| Some(e.action.as_ref()?.kind?.as_str()))),
    ("action_effect", Text(|e| Some(e.action.as_ref()?.effect?.as_str()))),
    ("action_method", Text(|e| e.action.as_ref()?.method.as_deref())),
    ("call_id", Text(|e| e.action.as_ref()?.call_id.as_deref())),
    ("resource_uri", Text(|e| e.resource.as_ref()?.uri.as_deref())),
    (
        "resource_classification",
        Texts(|e| e.resource.as_ref().map(|r| texts(&r.classification)).unwrap_or_default()),
    ),
    ("resource_subjects", Texts(|e| e.resource.as_ref().map(|r| texts(&r.subjects)).unwrap_or_default())),
    ("decision", Text(|e| Some(e.policy.as_ref()?.decision.as_str()))),
    ("rule", Text(|e| e.policy.as_ref()?.rule.as_deref())),
    ("reason", Text(|e| e.policy.as_ref()?.reason.as_deref())),
    ("policy_version", Text(|e| e.policy.as_ref()?.version.as_deref())),
    ("scopes", Texts(|e| e.policy.as_ref().map(|policy| texts(&policy.scopes)).unwrap_or_default())),
    ("pii_detected", Flag(|e| Some(e.content_safety.as_ref()?.pii_detected))),
    ("redaction_types", Texts(redaction_types)),
    (
        "redaction_count",
        Integer(|e| Some(e.content_safety.as_ref()?.redactions.iter().map(|r| signed(r.count)).sum())),
    ),
    ("provider", Text(|e| e.usage.as_ref()?.provider.as_deref())),
    ("model", Text(|e| e.usage.as_ref()?.model.as_deref())),
    ("input_tokens", Integer(|e| e.usage.as_ref()?.input_tokens.map(signed))),
    ("output_tokens", Integer(|e| e.usage.as_ref()?.output_tokens.map(signed))),
    ("cache_read_tokens", Integer(|e| e.usage.as_ref()?.cache_read_tokens.map(signed))),
    ("cache_write_tokens", Integer(|e| e.usage.as_ref()?.cache_write_tokens.map(signed))),
    ("cost_micros", Integer(|e| e.usage.as_ref()?.cost_micros.map(signed))),
    ("status", Text(|e| Some(e.outcome.as_ref()?.status.as_str()))),
    ("code", Integer(|e| e.outcome.as_ref()?.code)),
    ("error", Text(|e| e.outcome.as_ref()?.error.as_deref())),
    ("duration_us", Integer(|e| e.outcome.as_ref()?.duration_us.map(signed))),
    ("attempts", Integer(|e| Some(signed(e.outcome.as_ref()?.attempts.len() as u64)))),
    ("channel", Text(|e| Some(e.source.as_ref()?.channel.as_str()))),
    ("node", Text(|e| e.source.as_ref()?.node.as_deref())),
    ("ip", Text(|e| e.source.as_ref()?.ip.as_deref())),
    ("client", Text(|e| e.source.as_ref()?.client.as_deref())),
    ("protocol", Text(|e| e.source.as_ref()?.protocol.as_deref())),
    ("oauth_client", Text(|e| e.source.as_ref()?.oauth_client.as_deref())),
    (PART_NAMES, Texts(|e| e.parts.iter().map(|part| part.name.as_str()).collect())),
];

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// Each type once, sorted.
fn redaction_types(event: &Event) -> Vec<&str> {
    let found = event.content_safety.iter().flat_map(|safety| &safety.redactions);
    let mut types: Vec<&str> = found.map(|redaction| redaction.entity.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// Integers of an event are below 2^53.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What cannot become a row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ColumnError {
    /// The entry is not an event.
    #[error("entry {index} is not a valid event: {source}")]
    Event {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        source: InvalidEvent,
    },
    /// The columns do not fit together.
    #[error("the columns cannot be built: {0}")]
    Arrow(#[from] ArrowError),
}

/// The schema of segments and of hot batches.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = vec![Field::new(INDEX, DataType::Int64, false)];
        fields.extend(COLUMNS.iter().map(|(name, column)| Field::new(*name, column.data_type(), true)));
        fields.push(Field::new(ENTRY, DataType::Binary, false));
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// How an entry is read: [`Event::from_entry`] by whoever wrote it or knows its leaf, [`Event::from_canonical`] by
/// whoever doubts it.
type Read = fn(&[u8]) -> Result<Event, InvalidEvent>;

/// Projects entries, each with its index.
pub(crate) fn project<'a>(
    rows: impl ExactSizeIterator<Item = (u64, &'a [u8])>,
    read: Read,
) -> Result<RecordBatch, ColumnError> {
    let rows: Vec<(u64, &[u8])> = rows.collect();
    let bytes = rows.iter().map(|(_, entry)| entry.len()).sum();
    let mut indexes = Int64Builder::with_capacity(rows.len());
    let mut entries = BinaryBuilder::with_capacity(rows.len(), bytes);
    let mut events = Vec::with_capacity(rows.len());
    for (index, entry) in rows {
        indexes.append_value(signed(index));
        entries.append_value(entry);
        events.push(read(entry).map_err(|source| ColumnError::Event { index, source })?);
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(indexes.finish())];
    columns.extend(COLUMNS.iter().map(|(_, column)| column.build(&events)));
    columns.push(Arc::new(entries.finish()));
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Entries with their indexes as rows of [`schema`], for readers that write them elsewhere.
pub fn rows<'a>(
    entries: impl ExactSizeIterator<Item = (u64, &'a [u8])>,
) -> Result<RecordBatch, crate::ReadError> {
    project(entries, Event::from_entry)
        .map_err(|error| crate::ReadError::Damaged { place: "an entry".to_owned(), what: error.to_string() })
}

impl Column {
    fn data_type(self) -> DataType {
        match self {
            Text(_) | Made(_) => DataType::Utf8,
            Texts(_) => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Integer(_) => DataType::Int64,
            Flag(_) => DataType::Boolean,
            Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn build(self, events: &[Event]) -> ArrayRef {
        match self {
            Text(of) => {
                let bytes = events.iter().filter_map(of).map(str::len).sum();
                let mut array = StringBuilder::with_capacity(events.len(), bytes);
                events.iter().for_each(|event| array.append_option(of(event)));
                Arc::new(array.finish())
            }
            Made(of) => {
                let mut array = StringBuilder::with_capacity(events.len(), events.len() * MADE_BYTES);
                events.iter().for_each(|event| array.append_option(of(event)));
                Arc::new(array.finish())
            }
            Texts(of) => {
                let mut array = ListBuilder::with_capacity(StringBuilder::new(), events.len());
                for event in events {
                    of(event).into_iter().for_each(|text| array.values().append_value(text));
                    array.append(true);
                }
                Arc::new(array.finish())
            }
            Integer(of) => {
                let mut array = Int64Builder::with_capacity(events.len());
                events.iter().for_each(|event| array.append_option(of(event)));
                Arc::new(array.finish())
            }
            Flag(of) => {
                let mut array = BooleanBuilder::with_capacity(events.len());
                events.iter().for_each(|event| array.append_option(of(event)));
                Arc::new(array.finish())
            }
            Time(of) => {
                let mut array = TimestampMicrosecondBuilder::with_capacity(events.len());
                events.iter().for_each(|event| array.append_option(of(event).map(Timestamp::as_micros)));
                Arc::new(array.finish().with_timezone("UTC"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
