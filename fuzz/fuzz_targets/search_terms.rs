//! The text of a search, as terms: each in its place, in order.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/query/src/search/lex.rs"]
mod lex;

/// The error that the lexer makes.
#[derive(Debug)]
struct SearchError {
    at: usize,
    #[expect(dead_code, reason = "only its place has a law")]
    message: String,
}

fuzz_target!(|text: &str| match lex::terms(text) {
    Ok(terms) => {
        let places: Vec<usize> = terms.iter().map(|term| term.at).collect();
        assert!(places.is_sorted_by(|a, b| a < b) && places.iter().all(|at| text.is_char_boundary(*at)));
    }
    Err(error) => assert!(text.is_char_boundary(error.at)),
});
