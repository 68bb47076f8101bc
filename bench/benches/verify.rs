//! Verification: sealed entries checked per second, beside the ceiling that no verifier can beat: reading the same
//! entries from a plain file and hashing each, on the same cores.
#![expect(clippy::unwrap_used, reason = "set-up of benchmarks")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::sync::OnceLock;
use std::thread;

use divan::{Bencher, counter::ItemsCount};
use greffier_bench::sealed::Sealed;
use greffier_ledger::verify::{VerifyOptions, verify_dir};
use greffier_merkle::{Hash, TrustPolicy, hash};

fn main() {
    divan::main();
}

/// One directory for all: three full segments.
fn sealed() -> &'static Sealed {
    static SEALED: OnceLock<Sealed> = OnceLock::new();
    SEALED.get_or_init(|| Sealed::new(3 * 65_536))
}

fn verify(options: &VerifyOptions) {
    let report = verify_dir(&sealed().data(), options, |_| ()).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

mod verify {
    use super::*;

    /// Every entry in the tree, every file's digest, every tile, against a trust policy.
    #[divan::bench(sample_count = 10, sample_size = 1)]
    fn directory(bencher: Bencher<'_, '_>) {
        let trust = std::fs::read_to_string(sealed().data().join("trust")).unwrap();
        let options =
            VerifyOptions { trust: Some(TrustPolicy::parse(&trust).unwrap()), ..VerifyOptions::default() };
        bencher.counter(ItemsCount::new(sealed().entries)).bench_local(|| super::verify(&options));
    }

    /// The same, and every typed column made again from its entry.
    #[divan::bench(sample_count = 5, sample_size = 1)]
    fn deep(bencher: Bencher<'_, '_>) {
        let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
        bencher.counter(ItemsCount::new(sealed().entries)).bench_local(|| super::verify(&options));
    }

    /// The ceiling: the same entries from plain files, a length before each, one SHA-256 each, on all cores.
    #[divan::bench(sample_count = 10, sample_size = 1)]
    fn ceiling_read_and_sha256(bencher: Bencher<'_, '_>) {
        let files = sealed().plain(thread::available_parallelism().map_or(1, usize::from));
        bencher.counter(ItemsCount::new(sealed().entries)).bench_local(|| {
            thread::scope(|scope| {
                for file in &files {
                    scope.spawn(|| black_box(read_and_hash(file)));
                }
            });
        });
    }
}

fn read_and_hash(path: &std::path::Path) -> Hash {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).unwrap());
    let (mut last, mut entry) = (Hash::default(), Vec::new());
    let mut length = [0; 4];
    while reader.read_exact(&mut length).is_ok() {
        entry.resize(u32::from_le_bytes(length) as usize, 0);
        reader.read_exact(&mut entry).unwrap();
        last = hash::leaf(&entry);
    }
    last
}
