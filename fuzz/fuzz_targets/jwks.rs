//! Key sets as an identity provider may serve them.
#![no_main]

use greffier_policy::KeySet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = KeySet::parse(data);
});
