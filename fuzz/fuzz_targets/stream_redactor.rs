//! Text in pieces: what comes out is what the whole text would give.
#![no_main]

use std::sync::{Arc, LazyLock};

use greffier_safety::{Mode, Rules, Scanner, StreamRedactor, redact_text};
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Arc<Scanner>> = LazyLock::new(|| Arc::new(Scanner::new()));

fuzz_target!(|pieces: Vec<String>| {
    let mut redactor = StreamRedactor::new(SCANNER.clone(), Rules::always_redact(), Mode::Text);
    let mut streamed: String = pieces.iter().map(|piece| redactor.push(piece).text).collect();
    streamed += &redactor.finish().text;
    let whole = pieces.concat();
    assert_eq!(streamed, redact_text(&whole, &SCANNER.scan(&whole), |_| true));
});
