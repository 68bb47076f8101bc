//! OTLP in JSON put into protobuf, so that one test speaks both.

use serde_json::Value;

use crate::otlp::wire::{put_bytes, put_number};

/// A field that holds a message, which may be empty.
pub(super) fn message(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if content.is_empty() {
        return vec![field << 3 | 2, 0];
    }
    put_bytes(&mut out, field, content);
    out
}

pub(super) fn traces(export: &Value) -> Vec<u8> {
    list(&export["resourceSpans"], |group| {
        let scopes = list(&group["scopeSpans"], |scope| {
            let given = &scope["scope"];
            let named = [text(1, &given["name"]), text(2, &given["version"])].concat();
            let spans = list(&scope["spans"], |span| message(2, &self::span(span)));
            message(2, &[message(1, &named), spans].concat())
        });
        let resource = message(1, &attributes(1, &group["resource"]["attributes"]));
        message(1, &[resource, scopes].concat())
    })
}

fn span(span: &Value) -> Vec<u8> {
    let events = list(&span["events"], |event| {
        let parts =
            [fixed(1, &event["timeUnixNano"]), text(2, &event["name"]), attributes(3, &event["attributes"])];
        message(11, &parts.concat())
    });
    let mut status = text(2, &span["status"]["message"]);
    put_number(&mut status, 3, span["status"]["code"].as_u64().unwrap_or_default());
    [
        id(1, &span["traceId"]),
        id(2, &span["spanId"]),
        id(4, &span["parentSpanId"]),
        text(5, &span["name"]),
        fixed(7, &span["startTimeUnixNano"]),
        fixed(8, &span["endTimeUnixNano"]),
        attributes(9, &span["attributes"]),
        events,
        message(15, &status),
    ]
    .concat()
}

fn attributes(field: u8, given: &Value) -> Vec<u8> {
    list(given, |one| message(field, &[text(1, &one["key"]), message(2, &any(&one["value"]))].concat()))
}

fn any(value: &Value) -> Vec<u8> {
    let Some((kind, value)) = value.as_object().and_then(|members| members.iter().next()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let varint = |out: &mut Vec<u8>, field: u8, number: u64| {
        out.push(field << 3);
        let mut digits = Vec::new();
        // The helper leaves zeros out; here they count.
        put_number(&mut digits, 1, number);
        out.extend(if digits.is_empty() { vec![0] } else { digits[1..].to_vec() });
    };
    match kind.as_str() {
        "stringValue" => return message(1, value.as_str().unwrap().as_bytes()),
        "boolValue" => varint(&mut out, 2, u64::from(value.as_bool().unwrap())),
        "intValue" => {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
            varint(&mut out, 3, number.cast_unsigned());
        }
        "doubleValue" => {
            out.push(4 << 3 | 1);
            out.extend(value.as_f64().unwrap().to_le_bytes());
        }
        "arrayValue" => return message(5, &list(&value["values"], |item| message(1, &any(item)))),
        "kvlistValue" => return message(6, &attributes(1, &value["values"])),
        _ => {}
    }
    out
}

fn list(items: &Value, put: impl Fn(&Value) -> Vec<u8>) -> Vec<u8> {
    items.as_array().into_iter().flatten().flat_map(put).collect()
}

fn text(field: u8, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, field, value.as_str().unwrap_or_default().as_bytes());
    out
}

fn id(field: u8, value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default().as_bytes().to_vec();
    let bytes =
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    let mut out = Vec::new();
    put_bytes(&mut out, field, &bytes.collect::<Vec<_>>());
    out
}

fn fixed(field: u8, value: &Value) -> Vec<u8> {
    let number: u64 = value.as_str().map_or(0, |text| text.parse().unwrap());
    [&[field << 3 | 1][..], &number.to_le_bytes()].concat()
}
