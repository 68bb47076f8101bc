//! Any text is scanned in time that grows with its length only, and its hits stand in order within it.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use greffier_safety::Scanner;
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

/// The text is repeated up to this length, where a second look at what was seen would show.
const LONG: usize = 64 * 1024;

/// A hundred times what the densest text takes, for a sanitised build on a busy machine.
const BOUND: Duration = Duration::from_micros(6_000);

fuzz_target!(|text: &str| {
    let long = if text.is_empty() { String::new() } else { text.repeat(LONG.div_ceil(text.len())) };
    for text in [text, long.as_str()] {
        let started = Instant::now();
        let spans = SCANNER.scan(text);
        let kib = u32::try_from(text.len().div_ceil(1024) + 1).unwrap();
        assert!(started.elapsed() < BOUND * kib, "{:?} for {} bytes", started.elapsed(), text.len());
        let mut end = 0;
        for span in spans {
            assert!(span.start >= end && span.end > span.start && span.end <= text.len());
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            end = span.end;
        }
    }
});
