//! Policy files.
#![no_main]

use greffier_policy::Policies;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Policies::load(vec![("fuzz.cedar".to_owned(), text.to_owned())]);
});
