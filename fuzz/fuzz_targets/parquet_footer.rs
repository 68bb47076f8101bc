//! What is asked of a segment's footer before Parquet's reader sees it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ledger/src/segment/thrift.rs"]
mod thrift;

fuzz_target!(|data: &[u8]| {
    // What holds all that it announces, holds it with anything behind it.
    if thrift::fits(data) {
        assert!(thrift::fits(&[data, &[0xff; 8]].concat()));
    }
});
