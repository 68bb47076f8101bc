//! A body of events, split: every piece lies in the body, in its order.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/api/src/ingest/lines.rs"]
#[expect(dead_code, reason = "what is made of the lines is not under test here")]
mod lines;

/// The refusal that the splitter makes.
mod refuse {
    #[derive(Debug)]
    pub(crate) struct Refused;

    impl Refused {
        pub(crate) fn new(_: u16, _: &'static str, _: impl Into<String>) -> Refused {
            Refused
        }

        pub(crate) fn hint(self, _: impl Into<String>) -> Refused {
            self
        }

        pub(crate) fn malformed(self) -> Refused {
            self
        }
    }
}

fuzz_target!(|body: &[u8]| {
    for media in ["application/x-ndjson", "application/json"] {
        let Ok(found) = lines::split(media, body) else { continue };
        assert!((1..=lines::MAX_LINES).contains(&found.len()));
        assert!(found.is_sorted_by(|a, b| a.number < b.number));
        let within = body.as_ptr_range();
        for text in found.iter().filter_map(|line| line.text) {
            assert!(text.is_empty() || within.contains(&text.as_ptr()));
        }
    }
});
