//! What is counted of each entry, straight from the columns of a batch.

use datafusion::arrow::array::{Array, AsArray, Int64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use greffier_analysis::{Channel, Fact};
use greffier_event::{DecisionKind, EventId, EventType, OutcomeStatus, Timestamp};
use greffier_ledger::segment::INDEX;

use crate::QueryError;

/// The columns of which activity is counted.
pub(crate) const ACTIVITY: &[&str] = &[
    INDEX,
    "id",
    "time",
    "type",
    "request_id",
    "user_sub",
    "agent_id",
    "action_name",
    "resource_uri",
    "decision",
    "redaction_types",
    "redaction_count",
    "input_tokens",
    "output_tokens",
    "cost_micros",
    "status",
    "error",
    "duration_us",
    "channel",
];

/// The columns in which a detector looks.
pub(crate) const FINDINGS: &[&str] = &[
    INDEX,
    "id",
    "time",
    "type",
    "request_id",
    "session_id",
    "user_sub",
    "agent_id",
    "action_name",
    "action_effect",
    "resource_uri",
    "resource_classification",
    "input_tokens",
    "output_tokens",
    "cost_micros",
    "status",
    "channel",
];

/// The columns of one batch. One that was not read says nothing.
pub(crate) struct Facts<'a> {
    index: &'a Int64Array,
    id: &'a StringArray,
    time: &'a [i64],
    kind: &'a StringArray,
    request: Option<&'a StringArray>,
    session: Option<&'a StringArray>,
    user: Option<&'a StringArray>,
    agent: Option<&'a StringArray>,
    action: Option<&'a StringArray>,
    effect: Option<&'a StringArray>,
    resource: Option<&'a StringArray>,
    classification: Option<&'a ListArray>,
    decision: Option<&'a StringArray>,
    status: Option<&'a StringArray>,
    error: Option<&'a StringArray>,
    channel: Option<&'a StringArray>,
    duration: Option<&'a Int64Array>,
    input: Option<&'a Int64Array>,
    output: Option<&'a Int64Array>,
    cost: Option<&'a Int64Array>,
    redaction_types: Option<&'a ListArray>,
    redaction_count: Option<&'a Int64Array>,
}

/// What the columns say of redactions: the types that were found, and of how many values together.
pub(crate) enum Redactions<'a> {
    None,
    /// Of one type.
    One(&'a str, u64),
    /// Of several types: how many of each only the entry says.
    Several,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Facts<'a>, QueryError> {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let number =
            |name: &str| batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let list = |name: &str| batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
        let time = batch.column_by_name("time");
        let time = time.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let missing = |name: &str| QueryError::Internal(format!("the column `{name}` is not there"));
        Ok(Facts {
            index: number(INDEX).ok_or_else(|| missing(INDEX))?,
            id: text("id").ok_or_else(|| missing("id"))?,
            time: time.ok_or_else(|| missing("time"))?.values(),
            kind: text("type").ok_or_else(|| missing("type"))?,
            request: text("request_id"),
            session: text("session_id"),
            user: text("user_sub"),
            agent: text("agent_id"),
            action: text("action_name"),
            effect: text("action_effect"),
            resource: text("resource_uri"),
            classification: list("resource_classification"),
            decision: text("decision"),
            status: text("status"),
            error: text("error"),
            channel: text("channel"),
            duration: number("duration_us"),
            input: number("input_tokens"),
            output: number("output_tokens"),
            cost: number("cost_micros"),
            redaction_types: list("redaction_types"),
            redaction_count: number("redaction_count"),
        })
    }

    /// Shows each row: its number, its place on the trail, its facts.
    pub(crate) fn each(&self, mut visit: impl FnMut(usize, u64, &Fact<'_>)) -> Result<(), QueryError> {
        for row in 0..self.index.len() {
            let index = u64::try_from(self.index.value(row)).unwrap_or(0);
            let fact = self.fact(row).ok_or_else(|| {
                QueryError::Read(format!(
                    "the columns of entry {index} say what no event does; run `greffier verify`"
                ))
            })?;
            visit(row, index, &fact);
        }
        Ok(())
    }

    fn fact(&self, row: usize) -> Option<Fact<'a>> {
        let text = |column: Option<&'a StringArray>| {
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
        };
        let number = |column: Option<&Int64Array>| {
            let column = column.filter(|column| column.is_valid(row))?;
            u64::try_from(column.value(row)).ok()
        };
        let filled = |column: Option<&ListArray>| column.is_some_and(|column| column.value_length(row) > 0);
        let decision = text(self.decision);
        let status = text(self.status);
        Some(Fact {
            id: EventId(self.id.value(row).parse().ok()?),
            time: Timestamp::from_micros(*self.time.get(row)?),
            kind: EventType::parse(self.kind.value(row))?,
            request_id: text(self.request),
            session_id: text(self.session),
            agent: text(self.agent),
            user: text(self.user),
            action: text(self.action),
            is_read: text(self.effect) == Some("read"),
            resource: text(self.resource),
            classified: filled(self.classification),
            decision: DecisionKind::ALL.into_iter().find(|kind| Some(kind.as_str()) == decision),
            status: OutcomeStatus::ALL.into_iter().find(|known| Some(known.as_str()) == status),
            error: text(self.error),
            duration_us: number(self.duration),
            input_tokens: number(self.input),
            output_tokens: number(self.output),
            cost_micros: number(self.cost),
            channel: Channel::named(text(self.channel)),
        })
    }

    /// What was redacted in the event of a row.
    pub(crate) fn redactions(&self, row: usize) -> Redactions<'a> {
        let Some(types) = self.redaction_types.filter(|types| types.is_valid(row)) else {
            return Redactions::None;
        };
        match types.value_length(row) {
            0 => Redactions::None,
            1 => {
                let at = types.value_offsets().get(row).and_then(|at| usize::try_from(*at).ok());
                let names = types.values().as_string_opt::<i32>();
                let count = self.redaction_count.filter(|counts| counts.is_valid(row));
                let count = count.and_then(|counts| u64::try_from(counts.value(row)).ok());
                match (names, at, count) {
                    (Some(names), Some(at), Some(count)) => Redactions::One(names.value(at), count),
                    _ => Redactions::Several,
                }
            }
            _ => Redactions::Several,
        }
    }
}
