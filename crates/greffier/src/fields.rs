//! The fields of an event by the names that `search` has for them: what a table shows, what `--by` counts by.

use serde_json::Value;

use crate::output::Column;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name, as in `search`.
    pub(crate) name: &'static str,
    /// Where it stands in the native form, as JSON pointers. Below a list, `*` is each item.
    at: &'static [&'static str],
    /// What is made of several values.
    shown: Shown,
    /// Whether half of it is worth nothing.
    whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Those of the first place that has any.
    Values,
    /// What they come to; nothing where there is none.
    Sum,
    /// How many there are, where the list's owner is there.
    Count,
}

const fn field(name: &'static str, at: &'static [&'static str]) -> Field {
    Field { name, at, shown: Shown::Values, whole: false }
}

const fn whole(name: &'static str, at: &'static [&'static str]) -> Field {
    Field { whole: true, ..field(name, at) }
}

const fn summed(name: &'static str, shown: Shown, at: &'static [&'static str]) -> Field {
    Field { shown, ..field(name, at) }
}

/// All of them.
const FIELDS: &[Field] = &[
    whole("time", &["/time"]),
    whole("recorded", &["/recorded_at"]),
    field("type", &["/type"]),
    field("user", &["/user/sub"]),
    field("issuer", &["/user/iss"]),
    field("role", &["/user/roles/*"]),
    field("agent", &["/agent/id"]),
    field("tier", &["/agent/tier"]),
    field("version", &["/agent/version"]),
    field("via", &["/agent/via/*/sub"]),
    field("action", &["/action/name"]),
    field("tool", &["/action/name"]),
    field("kind", &["/action/kind"]),
    field("method", &["/action/method"]),
    field("effect", &["/action/effect"]),
    field("call", &["/action/call_id"]),
    field("resource", &["/resource/uri"]),
    field("class", &["/resource/classification/*"]),
    field("subject", &["/resource/subjects/*"]),
    whole("decision", &["/policy/decision"]),
    field("rule", &["/policy/rule"]),
    field("reason", &["/policy/reason"]),
    field("policy", &["/policy/version"]),
    field("scope", &["/policy/scopes/*"]),
    field("pii", &["/content_safety/pii_detected"]),
    field("redaction", &["/content_safety/redactions/*/type"]),
    summed("redactions", Shown::Sum, &["/content_safety/redactions/*/count"]),
    field("provider", &["/usage/provider"]),
    field("model", &["/usage/model"]),
    summed("tokens", Shown::Sum, &["/usage/input_tokens", "/usage/output_tokens"]),
    field("input_tokens", &["/usage/input_tokens"]),
    field("output_tokens", &["/usage/output_tokens"]),
    field("cache_read", &["/usage/cache_read_tokens"]),
    field("cache_write", &["/usage/cache_write_tokens"]),
    whole("status", &["/outcome/status"]),
    field("code", &["/outcome/code"]),
    field("error", &["/outcome/error"]),
    field("duration", &["/outcome/duration_us"]),
    summed("attempts", Shown::Count, &["/outcome", "/outcome/attempts/*"]),
    field("cost", &["/usage/cost_micros"]),
    field("session", &["/session_id"]),
    field("link", &["/session_link"]),
    field("request", &["/request_id"]),
    field("trace", &["/trace/trace_id"]),
    field("span", &["/trace/span_id"]),
    field("channel", &["/source/channel"]),
    field("ip", &["/source/ip"]),
    field("client", &["/source/client"]),
    field("oauth_client", &["/source/oauth_client"]),
    field("protocol", &["/source/protocol"]),
    field("node", &["/source/node"]),
    field("verified", &["/user/verified", "/agent/verified"]),
    field("part", &["/parts/*/name"]),
    field("tenant", &["/tenant"]),
    whole("index", &["/index"]),
    whole("id", &["/id"]),
];

/// What `search` shows when nobody says what.
pub(crate) const SHOWN: [&str; 9] =
    ["time", "user", "agent", "action", "resource", "decision", "status", "index", "id"];

impl Field {
    /// The field of that name.
    pub(crate) fn parse(name: &str) -> Result<Field, String> {
        FIELDS.iter().find(|field| field.name == name).copied().ok_or_else(|| {
            let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            format!("expected one of {}", names.join(", "))
        })
    }

    /// Some fields by name; names that nobody knows are left out.
    pub(crate) fn named(names: &[&str]) -> Vec<Field> {
        names.iter().filter_map(|name| Field::parse(name).ok()).collect()
    }

    /// Its column in a table.
    pub(crate) fn column(self) -> Column<'static> {
        if self.whole { Column::whole(self.name) } else { Column::new(self.name) }
    }

    /// What a cell shows: null without a value, several of them in one line.
    fn cell(self, event: &Value) -> Value {
        let mut places = self.at.iter().map(|at| values(at, event));
        let values = match self.shown {
            Shown::Values => places.find(|values| !values.is_empty()).unwrap_or_default(),
            Shown::Sum => {
                let values: Vec<&Value> = places.flatten().collect();
                let sum = values.iter().filter_map(|value| value.as_u64()).fold(0, u64::saturating_add);
                return if values.is_empty() { Value::Null } else { sum.into() };
            }
            Shown::Count => {
                let owner = places.next().unwrap_or_default();
                return if owner.is_empty() { Value::Null } else { places.flatten().count().into() };
            }
        };
        match values.as_slice() {
            [] => Value::Null,
            [one] => (*one).clone(),
            many => Value::String(many.iter().map(|value| plain(value)).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Every value that an event has at a place.
fn values<'a>(at: &str, event: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![event];
    for step in at.split('/').skip(1) {
        found = match step {
            "*" => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            name => found.into_iter().filter_map(|value| value.get(name)).collect(),
        };
    }
    found
}

/// A row with just these fields.
pub(crate) fn row(fields: &[Field], event: &Value) -> Value {
    Value::Object(fields.iter().map(|field| (field.name.to_owned(), field.cell(event))).collect())
}

/// A value without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What can be searched for can be shown.
    #[test]
    fn every_field_of_a_search_is_there() {
        let table = include_str!("../../../docs/search.md");
        let list = table.split_once("The fields:").unwrap().1.split_once("References").unwrap().0;
        let missing = |name: &&str| Field::parse(name).is_err();
        let names = list.split('`').skip(1).step_by(2);
        assert_eq!(names.filter(missing).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn sums_and_counts_say_nothing_of_nothing() {
        let check = |event: Value| {
            row(&Field::named(&["tokens", "redactions", "attempts", "verified"]), &event).to_string()
        };
        insta::assert_snapshot!(check(json!({})), @r#"{"tokens":null,"redactions":null,"attempts":null,"verified":null}"#);
        insta::assert_snapshot!(check(json!({
            "usage": {"input_tokens": 5, "output_tokens": 2}, "outcome": {"attempts": [{}, {}]}, "agent": {"verified": true},
            "content_safety": {"redactions": [{"count": 2}, {"count": 1}]},
        })), @r#"{"tokens":7,"redactions":3,"attempts":2,"verified":true}"#);
        insta::assert_snapshot!(check(json!({"usage": {"output_tokens": 2}, "outcome": {}, "user": {"verified": false}, "agent": {"verified": true}})), @r#"{"tokens":2,"redactions":null,"attempts":0,"verified":false}"#);
    }

    #[test]
    fn names_are_looked_up_in_the_native_form() {
        let event = json!({
            "time": "t", "user": {"sub": "alice", "roles": ["a", "b"]}, "index": 7,
            "content_safety": {"redactions": [{"type": "US_SSN"}, {"type": "US_SSN"}]},
        });
        let fields = Field::named(&["time", "user", "role", "redaction", "index", "model", "nonsense"]);
        insta::assert_snapshot!(row(&fields, &event), @r#"{"time":"t","user":"alice","role":"a, b","redaction":"US_SSN, US_SSN","index":7,"model":null}"#);
        assert!(Field::parse("nonsense").unwrap_err().contains("user"));
        assert_eq!(Field::named(&SHOWN).len(), SHOWN.len());
    }
}
