//! CEF: one line per event, for collectors that speak syslog's dialects.
//!
//! `CEF:0|Greffier|Greffier|version|type|name|severity|extensions`. What a field of ours has no key for in the
//! dictionary goes into the custom strings and numbers, each with its label.

use std::fmt::Write as _;

use greffier_event::{Event, EventType};

use super::csv::findings;

/// How bad it is, 0 to 10.
fn severity(kind: EventType) -> u8 {
    match kind {
        EventType::ActionDenied | EventType::PermissionDenied => 7,
        EventType::Error => 6,
        EventType::ActionFailed => 5,
        EventType::ActionRequest | EventType::ActionApproved | EventType::PermissionCheck => 3,
        _ => 2,
    }
}

/// One event's line, without its end.
pub(super) fn line(out: &mut String, index: u64, event: &Event) {
    let kind = event.kind.as_str();
    let name = event.action.as_ref().map_or(kind, |action| action.name.as_str());
    // Writing to a string does not fail.
    let _ = write!(out, "CEF:0|Greffier|Greffier|{}|{kind}|", env!("CARGO_PKG_VERSION"));
    header(out, name);
    let _ = write!(out, "|{}|", severity(event.kind));
    let mut first = true;
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.push_str(if first { "" } else { " " });
            first = false;
            out.push_str(key);
            out.push('=');
            extension(out, value);
        }
    };
    let millis = |time: greffier_event::Timestamp| time.as_micros().div_euclid(1_000).to_string();
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let (source, user, policy) = (event.source.as_ref(), event.user.as_ref(), event.policy.as_ref());
    let (outcome, usage) = (event.outcome.as_ref(), event.usage.as_ref());
    let agent = event.agent.as_ref();

    put("rt", event.recorded_at.map(millis).as_deref());
    put("start", Some(&millis(event.time)));
    put("externalId", Some(&event.id.to_string()));
    put("cat", event.action.as_ref().and_then(|action| Some(action.kind?.as_str())));
    put("suid", user.map(|user| user.sub.as_str()));
    put("spriv", user.map(|user| user.roles.join(" ")).as_deref());
    let ip = source.and_then(|source| source.ip.as_deref());
    let is_address = ip.is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok());
    let key = match ip {
        Some(ip) if is_address && ip.contains(':') => "c6a2",
        Some(_) if is_address => "src",
        _ => "sourceDnsDomain",
    };
    put(key, ip);
    if key == "c6a2" {
        put("c6a2Label", Some("source"));
    }
    put("requestClientApplication", source.and_then(|source| source.client.as_deref()));
    put("dvchost", source.and_then(|source| source.node.as_deref()));
    put("app", source.and_then(|source| source.protocol.as_deref()));
    put("request", event.resource.as_ref().and_then(|resource| resource.uri.as_deref()));
    put("requestMethod", event.action.as_ref().and_then(|action| action.method.as_deref()));
    put("act", policy.map(|policy| policy.decision.as_str()));
    put("reason", policy.and_then(|policy| policy.reason.as_deref()));
    put("outcome", outcome.map(|outcome| outcome.status.as_str()));
    let labelled = [
        ("cs1", "agent", agent.map(|agent| agent.id.clone())),
        ("cs2", "session", event.session_id.clone()),
        ("cs3", "requestId", event.request_id.clone()),
        ("cs4", "rule", policy.and_then(|policy| policy.rule.clone())),
        ("cs5", "model", usage.and_then(|usage| usage.model.clone())),
        ("cs6", "findings", findings(event).map(|types| types.join(" "))),
        ("cn1", "inputTokens", number(usage.and_then(|usage| usage.input_tokens))),
        ("cn2", "outputTokens", number(usage.and_then(|usage| usage.output_tokens))),
        ("cn3", "costMicros", number(usage.and_then(|usage| usage.cost_micros))),
        ("flexString1", "channel", source.map(|source| source.channel.clone())),
        ("flexString2", "error", outcome.and_then(|outcome| outcome.error.clone())),
        ("flexNumber1", "durationMicros", number(outcome.and_then(|outcome| outcome.duration_us))),
        ("flexNumber2", "trailIndex", Some(index.to_string())),
    ];
    for (key, label, value) in labelled {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            put(key, Some(&value));
            put(&format!("{key}Label"), Some(label));
        }
    }
    put("deviceFacility", Some(event.tenant.as_str()));
}

/// A text in the header: a bar would begin the next field.
fn header(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\\' => out.push_str("\\\\"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
}

/// A value of an extension: an equals sign would begin the next one.
fn extension(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '=' => out.push_str("\\="),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::testing::{check_golden, events};
    use super::*;

    /// Reads a line as a collector does: fields of the header up to bars that are not escaped, then keys.
    fn read(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
        let (mut fields, mut text, mut chars) = (Vec::new(), String::new(), line.chars());
        while fields.len() < 7 {
            match chars.next() {
                Some('\\') => text.extend(chars.next()),
                Some('|') => fields.push(std::mem::take(&mut text)),
                Some(c) => text.push(c),
                None => panic!("the header ends early: {line}"),
            }
        }
        let rest: Vec<char> = chars.collect();
        let (mut pairs, mut key, mut value) = (BTreeMap::new(), String::new(), String::new());
        let mut at = 0;
        while let Some(&c) = rest.get(at) {
            at += 1;
            match c {
                '\\' => {
                    value.push(match rest[at] {
                        'n' => '\n',
                        'r' => '\r',
                        c => c,
                    });
                    at += 1;
                }
                '=' => {
                    // The key is the last word of what was read as a value.
                    let (before, word) = value.rsplit_once(' ').unwrap_or(("", &value));
                    let word = word.to_owned();
                    if !key.is_empty() {
                        pairs.insert(std::mem::take(&mut key), before.to_owned());
                    }
                    key = word;
                    value.clear();
                }
                c => value.push(c),
            }
        }
        pairs.insert(key, value);
        (fields, pairs)
    }

    #[test]
    fn golden() {
        check_golden("cef.log", |index, event| {
            let mut out = String::new();
            line(&mut out, index, event);
            out
        });
    }

    #[test]
    fn every_label_has_its_value() {
        for event in events() {
            let mut out = String::new();
            line(&mut out, 7, &event);
            let (header, pairs) = read(&out);
            assert_eq!(header[4], event.kind.as_str());
            for label in pairs.keys().filter_map(|key| key.strip_suffix("Label")) {
                assert!(pairs.contains_key(label), "{label}: {out}");
            }
            assert_eq!(pairs["flexNumber2"], "7");
            assert_eq!(pairs["externalId"], event.id.to_string());
        }
    }

    proptest! {
        /// Whatever a name and a session hold, a collector reads them back, and no other field changes.
        #[test]
        fn values_come_back(name in "[a-z|=\\\\ ]{1,20}", session in "[a-z|=\\\\ \n\r]{1,20}") {
            // A collector cannot tell a space at the end of a value from the one before the next key.
            prop_assume!(session.trim_matches(' ') == session);
            let mut event = events().swap_remove(0);
            event.action = Some(greffier_event::Action { name: name.clone(), ..Default::default() });
            event.session_id = Some(session.clone());
            let mut out = String::new();
            line(&mut out, 0, &event);
            prop_assert!(!out.contains(['\n', '\r']));
            let (header, pairs) = read(&out);
            prop_assert_eq!(&header[5], &name);
            prop_assert_eq!(&pairs["cs2"], &session);
            prop_assert_eq!(&pairs["cs2Label"], "session");
        }
    }
}
