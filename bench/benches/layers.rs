//! One benchmark per layer on the path of a call, each beside the physical ceiling it cannot beat.
#![expect(clippy::unwrap_used, reason = "set-up of benchmarks")]

use std::hint::black_box;

use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use greffier_bench::samples;

fn main() {
    divan::main();
}

mod event {
    use super::*;

    #[divan::bench]
    fn canonical_encoding(bencher: Bencher<'_, '_>) {
        let event = samples::event();
        let bytes = event.canonical().unwrap().len();
        bencher.counter(BytesCount::new(bytes)).bench(|| black_box(&event).canonical());
    }

    /// The ceiling: the serialiser alone, without validation.
    #[divan::bench]
    fn ceiling_serde_json(bencher: Bencher<'_, '_>) {
        let event = samples::event();
        let bytes = event.canonical().unwrap().len();
        bencher.counter(BytesCount::new(bytes)).bench(|| serde_json::to_vec(black_box(&event)));
    }
}

mod tree {
    use super::*;

    #[divan::bench]
    fn leaf_hash(bencher: Bencher<'_, '_>) {
        let entry = samples::event().canonical().unwrap();
        bencher
            .counter(BytesCount::new(entry.len()))
            .bench(|| greffier_merkle::hash::leaf(black_box(&entry)));
    }

    /// The ceiling: SHA-256 of as many bytes, without the prefix.
    #[divan::bench]
    fn ceiling_sha256(bencher: Bencher<'_, '_>) {
        let entry = samples::event().canonical().unwrap();
        bencher
            .counter(BytesCount::new(entry.len()))
            .bench(|| greffier_merkle::hash::sha256(black_box(&entry)));
    }
}

mod identity {
    use super::*;

    #[divan::bench]
    fn verify_token(bencher: Bencher<'_, '_>) {
        let identity = samples::Identity::new();
        bencher.counter(ItemsCount::new(1_usize)).bench(|| black_box(&identity).verify());
    }
}

mod policy {
    use super::*;

    #[divan::bench(args = [5, 50])]
    fn authorise(bencher: Bencher<'_, '_>, policies: usize) {
        let case = samples::Authorisation::new(policies);
        bencher.counter(ItemsCount::new(1_usize)).bench(|| black_box(&case).decide());
    }
}

mod safety {
    use super::*;

    #[divan::bench(args = [83, 1_024, 65_536])]
    fn scan_text(bencher: Bencher<'_, '_>, bytes: usize) {
        let (scanner, text) = (greffier_safety::Scanner::new(), samples::text(bytes));
        bencher.counter(BytesCount::new(text.len())).bench(|| scanner.scan(black_box(&text)));
    }

    #[divan::bench(args = [1_024, 65_536])]
    fn inspect_json(bencher: Bencher<'_, '_>, bytes: usize) {
        let (scanner, body) = (greffier_safety::Scanner::new(), samples::chat(bytes));
        bencher
            .counter(BytesCount::new(body.len()))
            .bench(|| greffier_safety::json::inspect(black_box(body.as_bytes()), &scanner));
    }
}

mod ledger {
    use super::*;

    /// One caller after the other: each waits for its own sync.
    #[divan::bench(sample_count = 20, sample_size = 20)]
    fn append_one(bencher: Bencher<'_, '_>) {
        let ledger = samples::OpenLedger::new();
        bencher.counter(ItemsCount::new(1_usize)).bench(|| ledger.append(1));
    }

    /// 256 callers at once: they share syncs.
    #[divan::bench(sample_count = 20, sample_size = 4)]
    fn append_256_at_once(bencher: Bencher<'_, '_>) {
        let ledger = samples::OpenLedger::new();
        bencher.counter(ItemsCount::new(256_usize)).bench(|| ledger.append(256));
    }

    /// The ceiling: one write of an entry's size into space that is already there, and one `fdatasync`.
    #[divan::bench(sample_count = 20, sample_size = 20)]
    fn ceiling_write_and_sync(bencher: Bencher<'_, '_>) {
        let mut file = tempfile::tempfile().unwrap();
        let entry = samples::event().canonical().unwrap();
        std::io::Write::write_all(&mut file, &vec![0; 4 * 1024 * 1024]).unwrap();
        file.sync_all().unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
            std::io::Write::write_all(&mut file, &entry).unwrap();
            file.sync_data().unwrap();
        });
    }
}

mod call {
    use super::*;

    /// A chat with a token, five policies, inspection, two durable events, and an upstream in this process.
    #[divan::bench(sample_count = 20, sample_size = 20)]
    fn governed(bencher: Bencher<'_, '_>) {
        let gateway = samples::RunningGateway::new();
        bencher.counter(ItemsCount::new(1_usize)).bench(|| gateway.ask());
    }

    /// The ceiling: the same request straight to the same upstream.
    #[divan::bench(sample_count = 20, sample_size = 20)]
    fn ceiling_direct(bencher: Bencher<'_, '_>) {
        let gateway = samples::RunningGateway::new();
        bencher.counter(ItemsCount::new(1_usize)).bench(|| gateway.ask_directly());
    }
}
