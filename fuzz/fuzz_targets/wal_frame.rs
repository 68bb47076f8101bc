//! A log file's bytes, header and frames; damage is found, and the search for what follows it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "the writing half is not under test here")]
#[rustfmt::skip]
#[path = "../../crates/ledger/src/wal/frame.rs"]
mod frame;

fuzz_target!(|data: &[u8]| {
    let _ = frame::Header::decode(data);
    let mut offset = 0;
    while let frame::Read::Frame(found, next) = frame::read(data, offset) {
        assert!(next > offset && found.parts.len() <= frame::MAX_PARTS);
        offset = next;
    }
    let _ = frame::later_group(data, offset);
});
