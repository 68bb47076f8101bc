//! OTLP in protobuf.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::model::{
    Attributes, Budget, Found, Item, Link, Log, MAX_GROUPS, MAX_ITEMS, Origin, Span, SpanEvent, check_depth,
    double,
};
use super::wire::{Field, fields};
use super::{Malformed, Signal};

/// Reads an export request. Its frame must be whole; what is wrong within one item concerns that item only.
pub(super) fn read(signal: Signal, body: &[u8]) -> Result<Vec<Found>, Malformed> {
    let mut found = Vec::new();
    let mut seen = 0;
    for group in groups(body, 1)? {
        let mut origin = Origin { resource: Arc::new(attributes_of(group, 1, 1)?), ..Origin::default() };
        for scope in groups(group, 2)? {
            seen += 1;
            if seen > MAX_GROUPS {
                return Err(super::TOO_MANY_GROUPS);
            }
            (origin.scope, origin.scope_version) = scope_of(scope)?;
            let shared = Arc::new(origin.clone());
            for item in groups(scope, 2)? {
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

/// How many data points an export request of metrics has.
pub(super) fn count_points(body: &[u8]) -> Result<u64, Malformed> {
    /// Gauge, sum, histogram, exponential histogram, summary.
    const KINDS: [u64; 5] = [5, 7, 9, 10, 11];
    let mut count = 0;
    for resource in groups(body, 1)? {
        for scope in groups(resource, 2)? {
            for metric in groups(scope, 2)? {
                for field in fields(metric) {
                    let (number, data) = field?;
                    if KINDS.contains(&number) {
                        for point in fields(data.bytes()?) {
                            count += u64::from(point?.0 == 1);
                        }
                    }
                }
            }
        }
    }
    Ok(count)
}

/// The messages of a repeated field.
fn groups(message: &[u8], wanted: u64) -> Result<Vec<&[u8]>, Malformed> {
    let mut found = Vec::new();
    for field in fields(message) {
        let (number, value) = field?;
        if number == wanted {
            found.push(value.bytes()?);
        }
    }
    Ok(found)
}

/// The attributes, field `inner`, of the message in field `outer`.
fn attributes_of(message: &[u8], outer: u64, inner: u64) -> Result<Attributes, Malformed> {
    let mut attributes = Attributes::new();
    let mut budget = Budget::new();
    for holder in groups(message, outer)? {
        for attribute in groups(holder, inner)? {
            let (key, value) = key_value(attribute, &mut budget, 0)?;
            attributes.insert(key, value);
        }
    }
    Ok(attributes)
}

fn scope_of(message: &[u8]) -> Result<(String, String), Malformed> {
    let (mut name, mut version) = (String::new(), String::new());
    for scope in groups(message, 1)? {
        for field in fields(scope) {
            match field? {
                (1, text) => name = text.text()?.to_owned(),
                (2, text) => version = text.text()?.to_owned(),
                _ => {}
            }
        }
    }
    Ok((name, version))
}

fn span(message: &[u8]) -> Result<Span, Malformed> {
    let (mut span, mut budget) = (Span::default(), Budget::new());
    for field in fields(message) {
        match field? {
            (1, id) => span.trace_id = hex(id)?,
            (2, id) => span.span_id = hex(id)?,
            (4, id) => span.parent_id = hex(id)?,
            (5, name) => span.name = name.text()?.to_owned(),
            (7, time) => span.start = time.number()?,
            (8, time) => span.end = time.number()?,
            (9, attribute) => put(&mut span.attributes, attribute, &mut budget)?,
            (11, event) => span.events.push(event_of(event.bytes()?, &mut budget)?),
            (13, other) => span.links.push(link(other.bytes()?, &mut budget)?),
            (15, status) => {
                for field in fields(status.bytes()?) {
                    match field? {
                        (2, message) => span.message = message.text()?.to_owned(),
                        (3, code) => span.failed = code.number()? == 2,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(span)
}

fn event_of(message: &[u8], budget: &mut Budget) -> Result<SpanEvent, Malformed> {
    budget.spend()?;
    let mut event = SpanEvent::default();
    for field in fields(message) {
        match field? {
            (1, time) => event.time = time.number()?,
            (2, name) => event.name = name.text()?.to_owned(),
            (3, attribute) => put(&mut event.attributes, attribute, budget)?,
            _ => {}
        }
    }
    Ok(event)
}

fn link(message: &[u8], budget: &mut Budget) -> Result<Link, Malformed> {
    budget.spend()?;
    let mut link = Link::default();
    for field in fields(message) {
        match field? {
            (1, id) => link.trace_id = hex(id)?,
            (2, id) => link.span_id = hex(id)?,
            _ => {}
        }
    }
    Ok(link)
}

fn log(message: &[u8]) -> Result<Log, Malformed> {
    let (mut log, mut budget, mut observed) = (Log::default(), Budget::new(), 0);
    for field in fields(message) {
        match field? {
            (1, time) => log.time = time.number()?,
            (5, body) => log.body = any_value(body.bytes()?, &mut budget, 0)?,
            (6, attribute) => put(&mut log.attributes, attribute, &mut budget)?,
            (9, id) => log.trace_id = hex(id)?,
            (10, id) => log.span_id = hex(id)?,
            (11, time) => observed = time.number()?,
            (12, name) => log.event_name = name.text()?.to_owned(),
            _ => {}
        }
    }
    if log.time == 0 {
        log.time = observed;
    }
    Ok(log)
}

fn put(attributes: &mut Attributes, attribute: Field<'_>, budget: &mut Budget) -> Result<(), Malformed> {
    let (key, value) = key_value(attribute.bytes()?, budget, 0)?;
    attributes.insert(key, value);
    Ok(())
}

fn key_value(message: &[u8], budget: &mut Budget, depth: usize) -> Result<(String, Value), Malformed> {
    let (mut key, mut value) = (String::new(), Value::Null);
    budget.spend()?;
    for field in fields(message) {
        match field? {
            (1, text) => key = text.text()?.to_owned(),
            (2, given) => value = any_value(given.bytes()?, budget, depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value(message: &[u8], budget: &mut Budget, depth: usize) -> Result<Value, Malformed> {
    check_depth(depth)?;
    let mut value = Value::Null;
    // One of these; should there be several, protobuf lets the last one count.
    for field in fields(message) {
        value = match field? {
            (1, text) => Value::from(text.text()?),
            (2, flag) => Value::from(flag.number()? != 0),
            (3, number) => Value::from(number.number()?.cast_signed()),
            (4, number) => double(f64::from_bits(number.number()?)),
            (5, list) => {
                let mut items = Vec::new();
                for item in groups(list.bytes()?, 1)? {
                    budget.spend()?;
                    items.push(any_value(item, budget, depth + 1)?);
                }
                Value::Array(items)
            }
            (6, list) => {
                let mut members = Attributes::new();
                for member in groups(list.bytes()?, 1)? {
                    let (key, value) = key_value(member, budget, depth + 1)?;
                    members.insert(key, value);
                }
                Value::Object(members)
            }
            (7, bytes) => Value::from(BASE64_STANDARD.encode(bytes.bytes()?)),
            _ => continue,
        };
    }
    Ok(value)
}

/// An id as lowercase hex. Sixteen bytes are the longest that OTLP has.
fn hex(id: Field<'_>) -> Result<String, Malformed> {
    let id = id.bytes()?;
    if id.len() > 16 {
        return Err(Malformed("an id has more than 16 bytes"));
    }
    Ok(id.iter().map(|byte| format!("{byte:02x}")).collect())
}
