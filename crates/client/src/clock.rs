//! The time and new names: the one place of this crate that asks the machine for either.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::Timestamp;
use uuid::Uuid;

/// Now, in UTC.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A name that nobody else has, later ones sorting behind earlier ones.
pub(crate) fn unique() -> Arc<str> {
    Uuid::now_v7().as_simple().to_string().into()
}
