//! An independent writer of RFC 8785, for data without floats: sorts by UTF-16 code units and escapes by hand.

use serde_json::Value;

pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => string(text, out),
        Value::Number(number) => {
            let integer = number.as_i64().expect("events hold integers only");
            assert!(integer.unsigned_abs() < 1 << 53, "beyond what a double holds exactly");
            out.push_str(&integer.to_string());
        }
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Null => panic!("what does not apply is absent"),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => panic!("events hold no control characters"),
            c => out.push(c),
        }
    }
    out.push('"');
}
