//! OTLP in JSON: the protobuf messages with their names in lowerCamelCase, ids in hex, 64-bit integers as strings
//! or numbers.
//!
//! The frame is read first, with each item as it stands; then each item by itself.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::model::{
    Attributes, Budget, Found, Item, Link, Log, MAX_GROUPS, MAX_ITEMS, MAX_VALUES, Origin, Span, SpanEvent,
    check_depth, double,
};
use super::{Malformed, Signal};

/// Structure characters of one item: each value takes some five with its name.
const MAX_STRUCTURE: usize = MAX_VALUES * 16;

/// Reads an export request. Its frame must be whole; what is wrong within one item concerns that item only.
pub(super) fn read(signal: Signal, body: &[u8]) -> Result<Vec<Found>, Malformed> {
    let export: Export<'_> = serde_json::from_slice(body).map_err(|error| not_otlp(&error))?;
    let mut found = Vec::new();
    let mut seen = 0;
    for group in export.groups.0 {
        let mut origin = match group.resource {
            Some(raw) => Origin { resource: Arc::new(resource(raw)?), ..Origin::default() },
            None => Origin::default(),
        };
        for scoped in group.scopes.0 {
            seen += 1;
            if seen > MAX_GROUPS {
                return Err(super::TOO_MANY_GROUPS);
            }
            let scope = scoped.scope.unwrap_or_default();
            (origin.scope, origin.scope_version) = (scope.name, scope.version);
            let shared = Arc::new(origin.clone());
            for item in scoped.items.0 {
                if found.len() == MAX_ITEMS {
                    return Err(super::TOO_MANY_ITEMS);
                }
                let item = match signal {
                    Signal::Traces => span(item).map(Item::Span),
                    _ => log(item).map(Item::Log),
                };
                found.push(Found { origin: Arc::clone(&shared), item });
            }
        }
    }
    Ok(found)
}

/// Why a frame cannot be read; a list past its bound says so in the words of [`AtMost`].
fn not_otlp(error: &serde_json::Error) -> Malformed {
    let too_long = error.is_data() && error.to_string().starts_with("invalid length");
    if too_long { super::TOO_MANY_ITEMS } else { Malformed("the body is not OTLP in JSON") }
}

const BAD_ITEM: Malformed = Malformed("it is not what OTLP in JSON looks like");

/// How many data points an export request of metrics has.
pub(super) fn count_points(body: &[u8]) -> Result<u64, Malformed> {
    const KINDS: [&str; 5] = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    let export: Export<'_> = serde_json::from_slice(body).map_err(|error| not_otlp(&error))?;
    let mut count = 0;
    for metric in export.groups.0.iter().flat_map(|group| &group.scopes.0).flat_map(|scope| &scope.items.0) {
        let Ok(metric) = checked::<std::collections::HashMap<&str, &RawValue>>(metric) else { continue };
        for data in KINDS.iter().filter_map(|kind| metric.get(kind)) {
            let points = serde_json::from_str::<Points>(data.get()).map_or(0, |data| data.points.0);
            count += points;
        }
    }
    Ok(count)
}

#[derive(Deserialize)]
struct Points {
    #[serde(default, rename = "dataPoints")]
    points: Count,
}

/// The length of a list that nobody needs to hold.
#[derive(Default)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        struct Counting;
        impl<'de> Visitor<'de> for Counting {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Counting)
    }
}

#[derive(Deserialize)]
struct Export<'a> {
    #[serde(borrow, default, alias = "resourceSpans", alias = "resourceLogs", alias = "resourceMetrics")]
    groups: AtMost<Group<'a>, MAX_GROUPS>,
}

#[derive(Deserialize)]
struct Group<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "scopeSpans", alias = "scopeLogs", alias = "scopeMetrics")]
    scopes: AtMost<Scoped<'a>, MAX_GROUPS>,
}

#[derive(Deserialize)]
struct Scoped<'a> {
    #[serde(default)]
    scope: Option<Scope>,
    #[serde(borrow, default, alias = "spans", alias = "logRecords", alias = "metrics")]
    items: AtMost<&'a RawValue, MAX_ITEMS>,
}

#[derive(Default, Deserialize)]
struct Scope {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

/// A list that is refused where it grows past its bound.
pub(super) struct AtMost<T, const N: usize>(pub(super) Vec<T>);

impl<T, const N: usize> Default for AtMost<T, N> {
    fn default() -> Self {
        AtMost(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Bounded<T, N> {
            type Value = AtMost<T, N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {N}")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(AtMost(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == N {
                        return Err(A::Error::invalid_length(N + 1, &self));
                    }
                    items.push(item);
                }
                Ok(AtMost(items))
            }
        }
        deserializer.deserialize_any(Bounded(PhantomData))
    }
}

/// Reads one item, if it has no more structure than an item may have.
pub(super) fn checked<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Malformed> {
    let (mut structure, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in raw.get().bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' | b',' | b':' if !quoted => structure += 1,
            _ => {}
        }
    }
    if structure > MAX_STRUCTURE {
        return Err(Malformed("more values stand in it than are taken"));
    }
    serde_json::from_str(raw.get()).map_err(|_| BAD_ITEM)
}

fn resource(raw: &RawValue) -> Result<Attributes, Malformed> {
    let resource: Option<JsonResource<'_>> = checked(raw)?;
    attributes(resource.map(|resource| resource.attributes).unwrap_or_default(), &mut Budget::new(), 0)
}

#[derive(Deserialize)]
struct JsonResource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(default)]
    key: String,
    #[serde(borrow, default)]
    value: Option<AnyValue<'a>>,
}

/// One of these. Numbers stay as they are written, in quotes or not: what reads them by itself rounds some wrongly.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue<'a> {
    string_value: Option<String>,
    bool_value: Option<bool>,
    #[serde(borrow)]
    int_value: Option<&'a RawValue>,
    #[serde(borrow)]
    double_value: Option<&'a RawValue>,
    #[serde(borrow)]
    array_value: Option<Listed<AnyValue<'a>>>,
    #[serde(borrow)]
    kvlist_value: Option<Listed<KeyValue<'a>>>,
    bytes_value: Option<String>,
}

#[derive(Deserialize)]
struct Listed<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

/// A number without its quotes.
fn bare(raw: &RawValue) -> &str {
    raw.get().trim_matches('"')
}

fn nanos(raw: Option<&RawValue>) -> Result<u64, Malformed> {
    let digits = raw.map(bare).filter(|digits| *digits != "null");
    digits.map_or(Ok(0), |digits| {
        digits.parse().map_err(|_| Malformed("a time is not a number of nanoseconds"))
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonSpan<'a> {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    #[serde(borrow)]
    start_time_unix_nano: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time_unix_nano: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
    #[serde(borrow)]
    events: Vec<JsonEvent<'a>>,
    links: Vec<JsonLink>,
    status: Option<JsonStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonEvent<'a> {
    #[serde(borrow)]
    time_unix_nano: Option<&'a RawValue>,
    name: String,
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonLink {
    trace_id: String,
    span_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonStatus {
    message: String,
    code: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonLog<'a> {
    trace_id: Option<String>,
    span_id: Option<String>,
    #[serde(borrow)]
    time_unix_nano: Option<&'a RawValue>,
    #[serde(borrow)]
    observed_time_unix_nano: Option<&'a RawValue>,
    event_name: String,
    #[serde(borrow)]
    body: Option<AnyValue<'a>>,
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
}

fn span(raw: &RawValue) -> Result<Span, Malformed> {
    let given: JsonSpan<'_> = checked(raw)?;
    let mut budget = Budget::new();
    let status = given.status.unwrap_or_default();
    let event = |event: JsonEvent<'_>, budget: &mut Budget| {
        budget.spend()?;
        let attributes = attributes(event.attributes, budget, 0)?;
        Ok(SpanEvent { time: nanos(event.time_unix_nano)?, name: event.name, attributes })
    };
    let link = |link: JsonLink| Ok(Link { trace_id: id(&link.trace_id)?, span_id: id(&link.span_id)? });
    Ok(Span {
        trace_id: id(&given.trace_id)?,
        span_id: id(&given.span_id)?,
        parent_id: id(&given.parent_span_id.unwrap_or_default())?,
        name: given.name,
        start: nanos(given.start_time_unix_nano)?,
        end: nanos(given.end_time_unix_nano)?,
        attributes: attributes(given.attributes, &mut budget, 0)?,
        events: given.events.into_iter().map(|given| event(given, &mut budget)).collect::<Result<_, _>>()?,
        links: given.links.into_iter().map(link).collect::<Result<_, _>>()?,
        // By number; some emitters send the name.
        failed: status.code == 2 || status.code == "STATUS_CODE_ERROR",
        message: status.message,
    })
}

fn log(raw: &RawValue) -> Result<Log, Malformed> {
    let given: JsonLog<'_> = checked(raw)?;
    let mut budget = Budget::new();
    let (time, observed) = (nanos(given.time_unix_nano)?, nanos(given.observed_time_unix_nano)?);
    Ok(Log {
        trace_id: id(&given.trace_id.unwrap_or_default())?,
        span_id: id(&given.span_id.unwrap_or_default())?,
        time: if time == 0 { observed } else { time },
        event_name: given.event_name,
        body: given.body.map_or(Ok(Value::Null), |body| any_value(body, &mut budget, 0))?,
        attributes: attributes(given.attributes, &mut budget, 0)?,
    })
}

fn attributes(given: Vec<KeyValue<'_>>, budget: &mut Budget, depth: usize) -> Result<Attributes, Malformed> {
    let mut attributes = Attributes::new();
    for KeyValue { key, value } in given {
        budget.spend()?;
        attributes.insert(key, value.map_or(Ok(Value::Null), |value| any_value(value, budget, depth))?);
    }
    Ok(attributes)
}

fn any_value(given: AnyValue<'_>, budget: &mut Budget, depth: usize) -> Result<Value, Malformed> {
    check_depth(depth)?;
    if let Some(text) = given.string_value.or(given.bytes_value) {
        return Ok(Value::from(text));
    }
    if let Some(number) = given.int_value {
        let number: i64 = bare(number).parse().map_err(|_| Malformed("an integer is not one"))?;
        return Ok(Value::from(number));
    }
    if let Some(number) = given.double_value {
        return Ok(bare(number).parse().map_or_else(|_| Value::from(bare(number)), double));
    }
    if let Some(list) = given.array_value {
        let mut items = Vec::new();
        for item in list.values {
            budget.spend()?;
            items.push(any_value(item, budget, depth + 1)?);
        }
        return Ok(Value::Array(items));
    }
    if let Some(list) = given.kvlist_value {
        return Ok(Value::Object(attributes(list.values, budget, depth + 1)?));
    }
    Ok(given.bool_value.map_or(Value::Null, Value::from))
}

/// An id in hex, in small letters. Thirty-two digits are the longest that OTLP has.
fn id(given: &str) -> Result<String, Malformed> {
    if given.len() > 32 || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed("an id is not hex of at most 16 bytes"));
    }
    Ok(given.to_ascii_lowercase())
}
