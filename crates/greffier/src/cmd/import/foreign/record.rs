//! One record of elsewhere: its values by any of their names, and what of it nobody has used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use greffier_event::limits::{INTEGER, Text};
use greffier_event::{OutcomeStatus, Timestamp, limits};
use greffier_merkle::hash;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A JSON object as it was written. What is looked at is noted, and what is not stays for `metadata`.
pub(super) struct Record {
    raw: BTreeMap<String, Box<RawValue>>,
    values: Map<String, Value>,
    used: RefCell<BTreeSet<String>>,
}

impl Record {
    /// The object that a line is, if it is one.
    pub(super) fn parse(text: &str) -> Option<Record> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let raw = serde_json::from_str(text).ok()?;
        let values = serde_json::from_str(text).ok()?;
        Some(Record { raw, values, used: RefCell::default() })
    }

    /// An object of texts.
    pub(super) fn of_texts(pairs: Vec<(String, String)>) -> Option<Record> {
        let values: Map<String, Value> = pairs.into_iter().map(|(key, text)| (key, text.into())).collect();
        Record::parse(&Value::Object(values).to_string())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// The first value that is there, by dotted ways into it (`metadata/user`), null and empty ones passed over.
    pub(super) fn value(&self, ways: &[&str]) -> Option<&Value> {
        ways.iter().find_map(|way| {
            let mut names = way.split('/');
            let value = self.values.get(names.next()?)?;
            let value = names.try_fold(value, |value, name| value.get(name))?;
            let empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
            (!empty).then_some(value)
        })
    }

    /// As a text; a number is one too.
    pub(super) fn text(&self, ways: &[&str]) -> Option<String> {
        match self.value(ways)? {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// As a text that fits a field: on one line, no longer than it may be.
    pub(super) fn fit(&self, rule: &Text, ways: &[&str]) -> Option<String> {
        fit(rule, &self.text(ways)?)
    }

    pub(super) fn number(&self, ways: &[&str]) -> Option<f64> {
        let number = match self.value(ways)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// A count, or a price in its millionths.
    pub(super) fn count(&self, ways: &[&str], scale: f64) -> Option<u64> {
        let number = (self.number(ways)? * scale).round();
        (number >= 0.0 && number <= INTEGER as f64).then_some(number as u64)
    }

    /// A time: RFC 3339, with a space in it, or seconds since 1970.
    pub(super) fn time(&self, ways: &[&str]) -> Option<Timestamp> {
        match self.value(ways)? {
            Value::String(text) => time(text),
            Value::Number(number) => {
                let micros = (number.as_f64()? * 1e6).round();
                (micros.is_finite() && micros.abs() < 2e17).then_some(Timestamp::from_micros(micros as i64))
            }
            _ => None,
        }
    }

    /// A content as a part; it is not in the metadata then.
    pub(super) fn part(&self, name: &str, field: &str) -> Option<String> {
        let raw = self.raw.get(field)?;
        let value = self.values.get(field)?;
        let empty = value.is_null()
            || value.as_str().is_some_and(str::is_empty)
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        if empty {
            return None;
        }
        self.used.borrow_mut().insert(field.to_owned());
        // A text may itself be JSON: then it is shown as such.
        let inner = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
        let json = inner.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
        Some(match (json, value) {
            (Some(json), _) => format!(r#"{{"name":"{name}","json":{json}}}"#),
            (None, Value::String(_)) => format!(r#"{{"name":"{name}","text":{}}}"#, raw.get()),
            (None, _) => format!(r#"{{"name":"{name}","json":{}}}"#, raw.get()),
        })
    }

    /// All that is in no other part, every value as it was written.
    pub(super) fn metadata(&self, name: &str) -> Option<String> {
        let used = self.used.borrow();
        let rest: Vec<String> = self
            .raw
            .iter()
            .filter(|(field, _)| !used.contains(*field))
            .map(|(field, raw)| format!("{}:{}", Value::from(field.as_str()), raw.get()))
            .collect();
        (!rest.is_empty())
            .then(|| format!(r#"{{"name":"metadata","json":{{"{name}":{{{}}}}}}}"#, rest.join(",")))
    }
}

/// A text as a field may hold it.
pub(super) fn fit(rule: &Text, text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(rule.max).collect();
    let line = line.trim().to_owned();
    rule.check(&line).is_ok().then_some(line)
}

/// A time; one without an offset is UTC, and digits past the sixth are cut.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let (whole, rest) = text.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, offset) = rest.split_at_checked(digits)?;
    format!("{whole}.{}{offset}", fraction.get(..digits.min(6))?).parse().ok()
}

/// Microseconds from one to the other.
pub(super) fn between(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<u64> {
    u64::try_from(end?.as_micros().checked_sub(start?.as_micros())?).ok()
}

/// The id of what has this key: the same one each time.
pub(super) fn id(key: &str) -> String {
    let digest = hash::sha256(format!("greffier import\n{key}").as_bytes());
    let bytes = digest.first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// An event in the making: what is not known is absent.
#[derive(Default)]
pub(super) struct Told {
    pub(super) id: Option<String>,
    pub(super) time: Option<Timestamp>,
    pub(super) kind: &'static str,
    pub(super) agent: Option<String>,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) trace: Option<(String, Option<String>)>,
    pub(super) action: String,
    pub(super) action_kind: Option<&'static str>,
    pub(super) method: Option<String>,
    pub(super) call_id: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cost_micros: Option<u64>,
    pub(super) status: Option<OutcomeStatus>,
    pub(super) code: Option<u64>,
    pub(super) error: Option<String>,
    pub(super) duration_us: Option<u64>,
    pub(super) ip: Option<String>,
    pub(super) protocol: &'static str,
    pub(super) parts: Vec<String>,
}

impl Told {
    /// The event in native form.
    pub(super) fn document(self) -> Result<String, &'static str> {
        let time = self.time.ok_or("it has no time that can be read")?;
        let trace = self.trace.map(|(trace, span)| json!({ "trace_id": trace, "span_id": span }));
        let name = if self.action.is_empty() { "unknown".to_owned() } else { self.action };
        let usage = json!({
            "provider": self.provider, "model": self.model, "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens, "cost_micros": self.cost_micros,
        });
        let outcome = self.status.map(|status| {
            json!({
                "status": status.as_str(), "code": self.code, "error": self.error,
                "duration_us": self.duration_us.filter(|micros| *micros <= INTEGER),
            })
        });
        let document = json!({
            "id": self.id,
            "time": time.to_string(),
            "type": self.kind,
            "agent": self.agent.map(|id| json!({ "id": id })),
            "user": self.user.map(|sub| json!({ "sub": sub })),
            "session_id": self.session,
            "trace": trace,
            "action": { "name": name, "kind": self.action_kind, "method": self.method, "call_id": self.call_id },
            "resource": self.uri.map(|uri| json!({ "uri": uri })),
            "usage": usage,
            "outcome": outcome,
            "source": { "protocol": self.protocol, "ip": self.ip },
        });
        let mut text = Value::Object(known(document)).to_string();
        if !self.parts.is_empty() {
            text.pop();
            text.push_str(&format!(r#","parts":[{}]}}"#, self.parts.join(",")));
        }
        Ok(text)
    }
}

/// An object without what is null or empty, at any depth.
fn known(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { return Map::new() };
    let members = members.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::Object(_) => {
            let inner = known(value);
            (!inner.is_empty()).then_some((name, Value::Object(inner)))
        }
        other => Some((name, other)),
    });
    members.collect()
}

/// An agent's name; what Greffier calls itself is nobody else's.
pub(super) fn agent(name: Option<String>, default: &str) -> Option<String> {
    let name = name.filter(|name| !greffier_event::is_reserved_agent(name));
    Some(name.unwrap_or_else(|| default.to_owned()))
}

/// A W3C trace id, with dashes or without.
pub(super) fn trace_id(text: &str) -> Option<String> {
    let id = text.replace('-', "").to_ascii_lowercase();
    limits::TRACE_ID.check(&id).is_ok().then_some(id)
}
