//! Paths, queries and forms in percent-encoding.
#![no_main]

use std::sync::LazyLock;

use greffier_safety::Scanner;
use greffier_safety::urlenc::{self, Form};
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

fuzz_target!(|text: &str| {
    for form in [Form::Path, Form::Query] {
        let inspection = urlenc::inspect(text, form, &SCANNER);
        assert_eq!(inspection.redact(text, |_| false), text);
        let _ = inspection.redact(text, |_| true);
    }
});
