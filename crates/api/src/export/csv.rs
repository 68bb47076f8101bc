//! One event per row, for spreadsheets.

use std::fmt::Write as _;

use greffier_event::Event;

/// How one cell is made of an event.
enum Column {
    /// Text from outside: what a spreadsheet would take for a formula is disarmed.
    Text(fn(&Event) -> Option<String>),
    /// Digits and words of our own.
    Plain(fn(&Event) -> Option<String>),
}

use Column::{Plain, Text};

const COLUMNS: &[(&str, Column)] = &[
    ("time", Plain(|e| Some(e.time.to_string()))),
    ("recorded_at", Plain(|e| e.recorded_at.map(|time| time.to_string()))),
    ("type", Plain(|e| Some(e.kind.to_string()))),
    ("id", Plain(|e| Some(e.id.to_string()))),
    ("tenant", Plain(|e| Some(e.tenant.to_string()))),
    ("request_id", Text(|e| e.request_id.clone())),
    ("session_id", Text(|e| e.session_id.clone())),
    ("user", Text(|e| Some(e.user.as_ref()?.sub.clone()))),
    ("roles", Text(|e| Some(e.user.as_ref()?.roles.join(" ")))),
    ("user_verified", Plain(|e| Some(e.user.as_ref()?.verified.to_string()))),
    ("agent", Text(|e| Some(e.agent.as_ref()?.id.clone()))),
    ("action", Text(|e| Some(e.action.as_ref()?.name.clone()))),
    ("kind", Plain(|e| Some(e.action.as_ref()?.kind?.as_str().to_owned()))),
    ("effect", Plain(|e| Some(e.action.as_ref()?.effect?.as_str().to_owned()))),
    ("resource", Text(|e| e.resource.as_ref()?.uri.clone())),
    ("decision", Plain(|e| Some(e.policy.as_ref()?.decision.as_str().to_owned()))),
    ("rule", Text(|e| e.policy.as_ref()?.rule.clone())),
    ("reason", Text(|e| e.policy.as_ref()?.reason.clone())),
    ("status", Plain(|e| Some(e.outcome.as_ref()?.status.as_str().to_owned()))),
    ("code", Plain(|e| Some(e.outcome.as_ref()?.code?.to_string()))),
    ("error", Text(|e| e.outcome.as_ref()?.error.clone())),
    ("duration_us", Plain(|e| Some(e.outcome.as_ref()?.duration_us?.to_string()))),
    ("provider", Text(|e| e.usage.as_ref()?.provider.clone())),
    ("model", Text(|e| e.usage.as_ref()?.model.clone())),
    ("input_tokens", Plain(|e| Some(e.usage.as_ref()?.input_tokens?.to_string()))),
    ("output_tokens", Plain(|e| Some(e.usage.as_ref()?.output_tokens?.to_string()))),
    ("cost_micros", Plain(|e| Some(e.usage.as_ref()?.cost_micros?.to_string()))),
    ("pii_detected", Plain(|e| Some(e.content_safety.as_ref()?.pii_detected.to_string()))),
    ("findings", Text(|e| Some(findings(e)?.join(" ")))),
    ("channel", Plain(|e| Some(e.source.as_ref()?.channel.clone()))),
    ("ip", Text(|e| e.source.as_ref()?.ip.clone())),
];

pub(super) fn findings(event: &Event) -> Option<Vec<&str>> {
    let found = &event.content_safety.as_ref()?.redactions;
    let mut types: Vec<&str> = found.iter().map(|redaction| redaction.entity.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    Some(types)
}

/// The row of names.
pub(super) fn header() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    format!("index,{}\r\n", names.join(","))
}

/// One event's row.
pub(super) fn line(out: &mut String, index: u64, event: &Event) {
    // Writing to a string does not fail.
    let _ = write!(out, "{index}");
    for (_, column) in COLUMNS {
        out.push(',');
        match column {
            Text(of) => cell(out, of(event).as_deref().unwrap_or_default()),
            Plain(of) => out.push_str(of(event).as_deref().unwrap_or_default()),
        }
    }
    out.push_str("\r\n");
}

/// A text as a cell (RFC 4180). A leading `'` keeps a spreadsheet from running it.
fn cell(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = formula || text.contains(['"', ',', '\n', '\r', ';']);
    if !quoted {
        return out.push_str(text);
    }
    out.push('"');
    out.push_str(if formula { "'" } else { "" });
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> String {
        let mut out = String::new();
        cell(&mut out, text);
        out
    }

    #[test]
    fn cells_are_quoted_and_disarmed() {
        insta::assert_snapshot!(check("crm:search"), @"crm:search");
        insta::assert_snapshot!(check("a, \"b\""), @r#""a, ""b""""#);
        insta::assert_snapshot!(check("=HYPERLINK(1)"), @r#""'=HYPERLINK(1)""#);
        insta::assert_snapshot!(check("@sum"), @r#""'@sum""#);
    }

    proptest! {
        /// Read as RFC 4180 says, a cell is its text again.
        #[test]
        fn cells_come_back(text in "[a-z=+@,\";\r\n -]{0,12}") {
            let written = check(&text);
            let read = match written.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
                Some(inner) => inner.replace("\"\"", "\""),
                None => written,
            };
            let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
            prop_assert_eq!(read, if armed { format!("'{text}") } else { text });
        }
    }
}
