//! Trust policies: what is printed reads back the same.
#![no_main]

use greffier_merkle::TrustPolicy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(policy) = TrustPolicy::parse(text) {
        let printed = policy.to_string();
        assert_eq!(TrustPolicy::parse(&printed).map(|again| again.to_string()), Ok(printed));
    }
});
