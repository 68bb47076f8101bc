//! Signed notes and verifier keys.
#![no_main]

use greffier_merkle::note::{SignedNote, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(verifier) = text.lines().next().unwrap_or_default().parse::<Verifier>() {
        if let Ok(note) = SignedNote::parse(text.split_once('\n').map_or("", |(_, note)| note)) {
            let _ = note.verify(&[verifier]);
        }
    }
    let _ = SignedNote::parse(text);
});
