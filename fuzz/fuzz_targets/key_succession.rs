//! Key successions: what opens names two keys of one log.
#![no_main]

use greffier_merkle::Succession;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(succession) = Succession::open(text) {
        assert_eq!(succession.old.name(), succession.new.name());
        assert_ne!(succession.old, succession.new);
    }
});
