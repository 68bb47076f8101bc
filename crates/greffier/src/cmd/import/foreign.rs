//! Records of other recorders, each made an event in native form: what of it an event has a field for, its contents
//! as parts, and all the rest, as it was written, in the `metadata` part.
//!
//! The same record becomes the same event each time, so that an import may be run again.

mod agentgateway;
mod langfuse;
mod litellm;
mod record;

use self::record::Record;

/// Whose records they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Agentgateway,
    Litellm,
    Langfuse,
}

/// Names of which a JSON record of these has one at least.
const TELLING: [&str; 7] = [
    "\"call_type\"",
    "\"standard_logging_object\"",
    "\"trace_id\"",
    "\"traceId\"",
    "\"project_id\"",
    "\"projectId\"",
    "\"scope\"",
];

/// What a line is to an import.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// An event in native form.
    Event(String),
    /// A line that speaks of no act, as logs have them.
    Nothing,
}

impl Foreign {
    /// Whose record a line is, if it is one of these. What is no JSON may be a line of a log.
    pub(super) fn detect(text: &str) -> Option<Foreign> {
        // Most lines are events, and need not be read as something else first.
        if text.starts_with('{') && !TELLING.iter().any(|name| text.contains(name)) {
            return None;
        }
        match Record::parse(text) {
            Some(record) if agentgateway::is(&record) => Some(Foreign::Agentgateway),
            Some(record) if litellm::is(&record) => Some(Foreign::Litellm),
            Some(record) if langfuse::is(&record) => Some(Foreign::Langfuse),
            Some(_) => None,
            None => agentgateway::is_line(text).then_some(Foreign::Agentgateway),
        }
    }

    /// The event of a line.
    pub(super) fn read(self, text: &str) -> Result<Read, &'static str> {
        let record = Record::parse(text);
        match (self, record) {
            (Foreign::Agentgateway, Some(record)) => agentgateway::read(&record),
            (Foreign::Agentgateway, None) => agentgateway::read_line(text),
            (Foreign::Litellm, Some(record)) => litellm::read(&record),
            (Foreign::Langfuse, Some(record)) => langfuse::read(&record),
            (_, None) => Err("it is not a JSON object"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use greffier_event::{EventId, Form, Reading, Tenant, Trust};
    use proptest::prelude::*;

    use super::*;

    /// What an import makes of a line, in native form as it is read back.
    fn made(text: &str) -> String {
        let Some(foreign) = Foreign::detect(text) else { return "not of these".to_owned() };
        match foreign.read(text) {
            Err(problem) => format!("{foreign:?}: {problem}"),
            Ok(Read::Nothing) => format!("{foreign:?}: nothing"),
            Ok(Read::Event(event)) => {
                let tenant = Tenant::new("acme").unwrap();
                let id = EventId(uuid::Uuid::from_u128(7));
                let reading = Reading { tenant: &tenant, id, channel: "import", trust: Trust::Outside };
                let draft =
                    Form::Native.read(&event, &reading).unwrap_or_else(|error| panic!("{error} in {event}"));
                Form::Native.write(&draft.event, &draft.parts).unwrap()
            }
        }
    }

    /// Every line of a sample against what it became; `UPDATE_GOLDEN=1` writes that anew.
    fn check(name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/import");
        let sample = std::fs::read_to_string(folder.join(name)).unwrap();
        let lines: String = sample.lines().map(|line| made(line) + "\n").collect();
        let path = folder.join(format!("{name}.events"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &lines).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        for (golden, line) in golden.lines().zip(lines.lines()) {
            assert_eq!(golden, line);
        }
        assert_eq!(golden, lines);
    }

    #[test]
    fn agentgateway_lines() {
        check("agentgateway.log");
    }

    #[test]
    fn litellm_lines() {
        check("litellm.jsonl");
    }

    #[test]
    fn langfuse_lines() {
        check("langfuse.jsonl");
    }

    #[test]
    fn our_own_forms_are_none_of_these() {
        for own in [
            r#"{"id":"00000000-0000-4000-8000-000000000001","time":"2026-03-06T14:30:00Z","type":"tool.call"}"#,
            r#"{"event_id":"x","timestamp":"2026-03-06T14:31:00","event_type":"data.access","agent_id":"etl"}"#,
            r#"{"timestamp":"2026-03-06T14:32:00.000Z","requestId":"req_9","user":{"sub":"auth0|1"}}"#,
            "nonsense",
            "[]",
            "",
        ] {
            assert_eq!(Foreign::detect(own), None, "{own}");
        }
    }

    proptest! {
        /// Whatever stands in the fields, what is read is an event that a server takes, or there is a reason.
        #[test]
        fn any_values_make_an_event_or_a_reason(
            texts in prop::collection::vec(any::<String>(), 8),
            numbers in prop::collection::vec(any::<f64>(), 4),
            shape in 0..4_u8,
        ) {
            let text = |at: usize| serde_json::Value::from(texts[at].as_str()).to_string();
            let number = |at: usize| serde_json::Value::from(numbers[at]).to_string();
            let line = match shape {
                0 => format!(
                    r#"{{"id":{},"call_type":{},"startTime":{},"endTime":{},"model":{},"end_user":{},"response_cost":{},"prompt_tokens":{},"messages":{},"status":"failure","error_information":{{"error_class":{}}}}}"#,
                    text(0), text(1), number(0), number(1), text(2), text(3), number(2), number(3), text(4), text(5)
                ),
                1 => format!(
                    r#"{{"id":{},"trace_id":{},"type":"GENERATION","start_time":"2026-01-02 03:04:05.678","end_time":{},"name":{},"user_id":{},"total_cost":{},"metadata":{{"a":{}}}}}"#,
                    text(0), text(1), text(2), text(3), text(4), number(0), text(5)
                ),
                2 => format!(
                    r#"{{"level":"info","time":"2026-01-02T03:04:05Z","scope":"request","http.status":{},"http.path":{},"jwt.sub":{},"gen_ai.request.model":{},"duration":{}}}"#,
                    number(0), text(0), text(1), text(2), text(3)
                ),
                _ => format!("2026-01-02T03:04:05Z\tinfo\trequest gateway=a {}={} error={} duration=1ms", texts[0], texts[1], texts[2]),
            };
            if !line.contains('\n') {
                made(&line);
            }
        }
    }
}
