//! What is counted of each entry, straight from the columns of a batch.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use greffier_analysis::findings::{Coded, SessionKey, Stretch, place_of};
use greffier_analysis::{Channel, Fact, Name};
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

/// The columns of which a report of a period is counted.
pub(crate) const REPORT: &[&str] = &[
    INDEX,
    "time",
    "recorded_at",
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
    id: Option<&'a StringArray>,
    time: &'a [i64],
    recorded: Option<&'a TimestampMicrosecondArray>,
    kind: Meanings<'a, EventType>,
    request: Texts<'a>,
    session: Texts<'a>,
    user: Texts<'a>,
    agent: Texts<'a>,
    action: Texts<'a>,
    is_read: Meanings<'a, bool>,
    resource: Texts<'a>,
    classification: Option<&'a ListArray>,
    decision: Meanings<'a, DecisionKind>,
    status: Meanings<'a, OutcomeStatus>,
    error: Texts<'a>,
    channel: Meanings<'a, Channel>,
    duration: Option<&'a Int64Array>,
    input: Option<&'a Int64Array>,
    output: Option<&'a Int64Array>,
    cost: Option<&'a Int64Array>,
    redaction_types: Option<&'a ListArray>,
    redaction_count: Option<&'a Int64Array>,
}

/// The texts of a column.
#[derive(Clone, Copy)]
enum Texts<'a> {
    Unread,
    /// As they are in the log.
    Plain(&'a StringArray),
    /// Codes into distinct texts, as they are in a segment.
    Coded(&'a Int32Array, &'a StringArray),
}

impl<'a> Texts<'a> {
    fn of(column: Option<&'a ArrayRef>) -> Texts<'a> {
        let Some(column) = column else { return Texts::Unread };
        if let Some(texts) = column.as_string_opt::<i32>() {
            return Texts::Plain(texts);
        }
        let coded = column.as_dictionary_opt::<Int32Type>();
        let coded = coded.and_then(|column| Some((column.keys(), column.values().as_string_opt::<i32>()?)));
        coded.map_or(Texts::Unread, |(codes, texts)| Texts::Coded(codes, texts))
    }

    fn get(self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Unread => None,
            Texts::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Texts::Coded(codes, texts) => {
                let code = code(codes, row)?;
                texts.is_valid(code).then(|| texts.value(code))
            }
        }
    }
}

fn code(codes: &Int32Array, row: usize) -> Option<usize> {
    if codes.is_valid(row) { usize::try_from(codes.value(row)).ok() } else { None }
}

/// What the texts of a column mean; of codes, each is asked once.
struct Meanings<'a, T> {
    texts: Texts<'a>,
    mean: fn(&str) -> Option<T>,
    known: Vec<Option<T>>,
}

impl<'a, T: Copy> Meanings<'a, T> {
    fn of(column: Option<&'a ArrayRef>, mean: fn(&str) -> Option<T>) -> Meanings<'a, T> {
        let texts = Texts::of(column);
        let known = match texts {
            Texts::Coded(_, texts) => texts.iter().map(|text| mean(text?)).collect(),
            _ => Vec::new(),
        };
        Meanings { texts, mean, known }
    }

    fn get(&self, row: usize) -> Option<T> {
        match self.texts {
            Texts::Coded(codes, _) => self.known.get(code(codes, row)?).copied().flatten(),
            texts => (self.mean)(texts.get(row)?),
        }
    }
}

/// What was made of the texts of a column; of codes, each once.
struct Known<'a, T> {
    texts: Texts<'a>,
    known: Vec<Option<T>>,
}

impl<'a, T: Copy> Known<'a, T> {
    fn of(texts: Texts<'a>) -> Known<'a, T> {
        let codes = if let Texts::Coded(_, texts) = texts { texts.len() } else { 0 };
        Known { texts, known: vec![None; codes] }
    }

    /// What is made of the text of a row.
    fn get(&mut self, row: usize, text: Option<&str>, make: impl FnOnce(&str) -> T) -> Option<T> {
        let text = text?;
        let Texts::Coded(codes, _) = self.texts else { return Some(make(text)) };
        let known = self.known.get_mut(code(codes, row)?)?;
        Some(*known.get_or_insert_with(|| make(text)))
    }
}

/// How often the names of a column came.
pub(crate) struct Counted<'a> {
    of: Name,
    texts: Texts<'a>,
    times: Vec<u64>,
}

impl<'a> Counted<'a> {
    /// Counts the one of a row, or says it at once where no codes are.
    pub(crate) fn add(&mut self, row: usize, say: &mut impl FnMut(Name, &str, u64)) {
        match self.texts {
            Texts::Coded(codes, _) => {
                if let Some(times) = code(codes, row).and_then(|code| self.times.get_mut(code)) {
                    *times += 1;
                }
            }
            texts => {
                if let Some(name) = texts.get(row) {
                    say(self.of, name, 1);
                }
            }
        }
    }

    /// Says how often each came.
    pub(crate) fn finish(self, say: &mut impl FnMut(Name, &str, u64)) {
        let Texts::Coded(_, texts) = self.texts else { return };
        let came = texts.iter().zip(self.times).filter(|(_, times)| *times > 0);
        came.for_each(|(name, times)| say(self.of, name.unwrap_or_default(), times));
    }
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
        let column = |name: &str| batch.column_by_name(name);
        let text = |name: &str| Texts::of(column(name));
        let number = |name: &str| column(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let list = |name: &str| column(name).and_then(|column| column.as_list_opt::<i32>());
        let time = |name: &str| {
            column(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        };
        let missing = |name: &str| QueryError::Internal(format!("the column `{name}` is not there"));
        Ok(Facts {
            index: number(INDEX).ok_or_else(|| missing(INDEX))?,
            id: column("id").and_then(|column| column.as_string_opt::<i32>()),
            time: time("time").ok_or_else(|| missing("time"))?.values(),
            recorded: time("recorded_at"),
            kind: Meanings::of(column("type"), EventType::parse),
            request: text("request_id"),
            session: text("session_id"),
            user: text("user_sub"),
            agent: text("agent_id"),
            action: text("action_name"),
            is_read: Meanings::of(column("action_effect"), |effect| Some(effect == "read")),
            resource: text("resource_uri"),
            classification: list("resource_classification"),
            decision: Meanings::of(column("decision"), |decision| {
                DecisionKind::ALL.into_iter().find(|kind| kind.as_str() == decision)
            }),
            status: Meanings::of(column("status"), |status| {
                OutcomeStatus::ALL.into_iter().find(|known| known.as_str() == status)
            }),
            error: text("error"),
            channel: Meanings::of(column("channel"), |channel| Some(Channel::named(Some(channel)))),
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

    /// The columns whose names are counted.
    pub(crate) fn names(&self) -> [Counted<'a>; 4] {
        let names = [
            (Name::Action, self.action),
            (Name::Resource, self.resource),
            (Name::User, self.user),
            (Name::Agent, self.agent),
        ];
        names.map(|(of, texts)| {
            let times = if let Texts::Coded(_, texts) = texts { vec![0; texts.len()] } else { Vec::new() };
            Counted { of, texts, times }
        })
    }

    /// What a detector looks at.
    pub(crate) fn stretch(&self) -> Result<Stretch, QueryError> {
        let mut stretch = Stretch::default();
        let (mut agents, mut users) = (Known::of(self.agent), Known::of(self.user));
        let (mut actions, mut places) = (Known::of(self.action), Known::of(self.resource));
        let mut sessions = Known::of(self.session);
        self.each(|row, index, fact| {
            let names = Coded {
                agent: agents.get(row, fact.agent, |name| stretch.code(name)),
                user: users.get(row, fact.user, |name| stretch.code(name)),
                action: actions.get(row, fact.action, |name| stretch.code(name)),
                place: places.get(row, fact.resource, |uri| stretch.code(place_of(uri))),
                session: None,
            };
            let of = |id: &str| (names.agent, SessionKey::of(fact.agent, id));
            let session = sessions.get(row, fact.session_id, of);
            // A session has one agent, mostly.
            let session = session.filter(|(agent, _)| *agent == names.agent);
            let session = session.or_else(|| fact.session_id.map(of)).map(|(_, key)| key);
            stretch.add_coded(index, fact, Coded { session, ..names });
        })?;
        Ok(stretch)
    }

    fn fact(&self, row: usize) -> Option<Fact<'a>> {
        let number = |column: Option<&Int64Array>| {
            let column = column.filter(|column| column.is_valid(row))?;
            u64::try_from(column.value(row)).ok()
        };
        let id = self.id.map_or_else(|| Ok(Default::default()), |id| id.value(row).parse()).map(EventId);
        let recorded = self.recorded.filter(|recorded| recorded.is_valid(row));
        Some(Fact {
            id: id.ok()?,
            time: Timestamp::from_micros(*self.time.get(row)?),
            recorded_at: recorded.map(|recorded| Timestamp::from_micros(recorded.value(row))),
            kind: self.kind.get(row)?,
            request_id: self.request.get(row),
            session_id: self.session.get(row),
            agent: self.agent.get(row),
            user: self.user.get(row),
            action: self.action.get(row),
            is_read: self.is_read.get(row) == Some(true),
            resource: self.resource.get(row),
            classified: self.classification.is_some_and(|column| column.value_length(row) > 0),
            decision: self.decision.get(row),
            status: self.status.get(row),
            error: self.error.get(row),
            duration_us: number(self.duration),
            input_tokens: number(self.input),
            output_tokens: number(self.output),
            cost_micros: number(self.cost),
            channel: self.channel.get(row).unwrap_or_else(|| Channel::named(None)),
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
