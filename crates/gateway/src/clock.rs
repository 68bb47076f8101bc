//! The only place of this crate that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::{EventId, Timestamp};

/// The wall clock, in microseconds.
pub(crate) fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}

/// A new event id (UUIDv7).
pub(crate) fn event_id() -> EventId {
    EventId(uuid::Uuid::now_v7())
}

/// A new request id: joins decision and outcome, and is given to the caller.
pub(crate) fn request_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}
