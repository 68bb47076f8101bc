//! The fields of an event by the names that `search` has for them: what a table shows, what `--by` counts by.

use serde_json::Value;

use crate::output::Column;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name, as in `search`.
    pub(crate) name: &'static str,
    /// Where it stands in the native form, as a JSON pointer. Below a list, `*` is each item.
    at: &'static str,
    /// Whether half of it is worth nothing.
    whole: bool,
}

const fn field(name: &'static str, at: &'static str) -> Field {
    Field { name, at, whole: false }
}

const fn whole(name: &'static str, at: &'static str) -> Field {
    Field { name, at, whole: true }
}

/// All of them.
const FIELDS: &[Field] = &[
    whole("time", "/time"),
    whole("recorded", "/recorded_at"),
    field("type", "/type"),
    field("user", "/user/sub"),
    field("role", "/user/roles/*"),
    field("agent", "/agent/id"),
    field("tier", "/agent/tier"),
    field("via", "/agent/via/*/sub"),
    field("action", "/action/name"),
    field("tool", "/action/name"),
    field("kind", "/action/kind"),
    field("effect", "/action/effect"),
    field("call", "/action/call_id"),
    field("resource", "/resource/uri"),
    field("class", "/resource/classification/*"),
    field("subject", "/resource/subjects/*"),
    whole("decision", "/policy/decision"),
    field("rule", "/policy/rule"),
    field("reason", "/policy/reason"),
    field("scope", "/policy/scopes/*"),
    field("pii", "/content_safety/pii_detected"),
    field("redaction", "/content_safety/redactions/*/type"),
    field("provider", "/usage/provider"),
    field("model", "/usage/model"),
    whole("status", "/outcome/status"),
    field("code", "/outcome/code"),
    field("error", "/outcome/error"),
    field("duration", "/outcome/duration_us"),
    field("cost", "/usage/cost_micros"),
    field("session", "/session_id"),
    field("link", "/session_link"),
    field("request", "/request_id"),
    field("trace", "/trace/trace_id"),
    field("channel", "/source/channel"),
    field("ip", "/source/ip"),
    field("client", "/source/client"),
    field("protocol", "/source/protocol"),
    field("node", "/source/node"),
    field("verified", "/user/verified"),
    field("part", "/parts/*/name"),
    field("tenant", "/tenant"),
    whole("index", "/index"),
    whole("id", "/id"),
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

    /// Every value that an event has in this field.
    pub(crate) fn values(self, event: &Value) -> Vec<&Value> {
        let mut found = vec![event];
        for step in self.at.split('/').skip(1) {
            found = match step {
                "*" => found.into_iter().filter_map(Value::as_array).flatten().collect(),
                name => found.into_iter().filter_map(|value| value.get(name)).collect(),
            };
        }
        found
    }

    /// What a cell shows: null without a value, several of them in one line.
    fn cell(self, event: &Value) -> Value {
        match self.values(event).as_slice() {
            [] => Value::Null,
            [one] => (*one).clone(),
            many => Value::String(many.iter().map(|value| plain(value)).collect::<Vec<_>>().join(", ")),
        }
    }
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
