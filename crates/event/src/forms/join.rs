//! The two events of one call as one.
//!
//! Greffier records a call in two events, before and after; both founding documents know one entry for it.

use crate::{Event, InvalidEvent, Part, Redaction};

/// One of the two events, with those of its parts that may be shown.
pub type Half<'a> = (&'a Event, &'a [Part]);

/// What was asked and decided from the first, how it ended from the second.
pub(super) fn joined(decision: Half<'_>, outcome: Half<'_>) -> Result<(Event, Vec<Part>), InvalidEvent> {
    let (asked, asked_parts) = decision;
    let (ended, ended_parts) = outcome;
    if asked.request_id.is_none() || asked.request_id != ended.request_id || asked.tenant != ended.tenant {
        return Err(InvalidEvent::new(
            "request_id",
            "must be the same in the decision and the outcome of a call",
        ));
    }
    let mut event = asked.clone();
    event.kind = ended.kind;
    event.outcome = ended.outcome.clone();
    event.usage = ended.usage.clone().or(event.usage);
    event.content_safety = match (event.content_safety.take(), &ended.content_safety) {
        (Some(mut input), Some(output)) => {
            input.pii_detected |= output.pii_detected;
            let new = |redaction: &&Redaction| !input.redactions.contains(redaction);
            let added: Vec<Redaction> = output.redactions.iter().filter(new).cloned().collect();
            input.redactions.extend(added);
            Some(input)
        }
        (input, output) => input.or_else(|| output.clone()),
    };
    Ok((event, asked_parts.iter().chain(ended_parts).cloned().collect()))
}
