//! Canonical bytes: what is read writes back to the same bytes.
#![no_main]

use greffier_event::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = Event::from_canonical(data) {
        assert_eq!(event.canonical().as_deref(), Ok(data));
    }
});
