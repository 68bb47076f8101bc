//! Text in pieces: what comes out is what the whole text would give.
#![no_main]

use std::sync::{Arc, LazyLock};

use greffier_event::RedactionAction;
use greffier_safety::{Marks, Mode, Restorer, Rules, Scanner, StreamRedactor, Vault, redact_text, replace_text};
use libfuzzer_sys::fuzz_target;

static SCANNER: LazyLock<Arc<Scanner>> = LazyLock::new(|| Arc::new(Scanner::new()));

fuzz_target!(|pieces: Vec<String>| {
    let mut redactor = StreamRedactor::new(SCANNER.clone(), Rules::always_redact(), Mode::Text);
    let mut streamed: String = pieces.iter().map(|piece| redactor.push(piece).text).collect();
    streamed += &redactor.finish().text;
    let whole = pieces.concat();
    assert_eq!(streamed, redact_text(&whole, &SCANNER.scan(&whole), |_| true));

    // Tokens, on a stream and in a whole text, and the way back.
    let vault = Vault::default();
    vault.keep_clear_of(whole.as_bytes());
    let (rules, marks) = (Rules::new(RedactionAction::Tokenise), Marks::default().tokens(vault.clone()));
    let tokens = replace_text(&whole, &SCANNER.scan(&whole), &rules, &marks);
    let mut redactor = StreamRedactor::new(SCANNER.clone(), rules, Mode::Text).marking(marks);
    let mut streamed: String = pieces.iter().map(|piece| redactor.push(piece).text).collect();
    streamed += &redactor.finish().text;
    assert_eq!(streamed, tokens);
    let mut restorer = Restorer::new(vault);
    let back: String = tokens.chars().map(|c| restorer.push(c.encode_utf8(&mut [0; 4]))).collect();
    let back = back + &restorer.finish();
    // A text that begins like JSON gets its values back escaped, and one that is longer may hold values without tokens.
    if whole.len() < 16_000 && !whole.trim_start().starts_with(['{', '[']) {
        assert_eq!(back, whole);
    }
});
