//! Responses of time stamping authorities: bounded, strict, and of one thing only.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ledger/src/timestamp/der.rs"]
#[rustfmt::skip]
mod der;
#[expect(dead_code, reason = "the writing half is not under test here")]
#[path = "../../crates/ledger/src/timestamp/message.rs"]
#[rustfmt::skip]
mod message;

use message::{Stamp, TimestampError};

fuzz_target!(|data: &[u8]| {
    if let Ok(stamp) = Stamp::read(data) {
        assert!(data.len() <= message::MAX_RESPONSE);
        assert_eq!(stamp.check(data), Err(TimestampError::OtherImprint));
    }
});
