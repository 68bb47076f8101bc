//! JSON bodies: what was fit to inspect stays JSON when everything found is taken out.
#![no_main]

use std::sync::LazyLock;

use greffier_safety::{Scanner, json};
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

fuzz_target!(|data: &[u8]| {
    let checked = json::check(data);
    let inspected = json::inspect(data, &SCANNER);
    assert_eq!(checked.is_ok(), inspected.is_ok());
    if let Ok(inspection) = inspected {
        assert_eq!(inspection.redact(data, |_| false), data);
        assert_eq!(json::check(&inspection.redact(data, |_| true)), Ok(()));
    }
});
