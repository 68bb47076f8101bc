//! Evidence packs: nothing in one passes for what a key signed that nobody has.
#![no_main]

use std::collections::BTreeMap;

use greffier_ledger::pack::{Pack, ZipWriter, check_pack};
use greffier_ledger::verify::VerifyOptions;
use greffier_merkle::{TrustPolicy, hash};
use libfuzzer_sys::fuzz_target;

/// Of no private key that anybody kept.
const TRUST: &str =
    "log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n";
/// What input is cut into, at bytes that no text holds.
const NAMES: [&str; 4] = ["checkpoint", "pack.json", "trust", "events/00001.jsonl"];

fuzz_target!(|data: &[u8]| {
    check(data.to_vec());
    // Past checksums and digests, which would take long to guess.
    let pieces = data.splitn(NAMES.len(), |byte| *byte == 0xff);
    let mut files: BTreeMap<&str, &[u8]> = NAMES.into_iter().zip(pieces).collect();
    files.insert("README.txt", b"");
    let sum = |(name, content): (&&str, &&[u8])| {
        let digest: String = hash::sha256(content).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digest}  {name}\n")
    };
    let sums: String = files.iter().map(sum).collect();
    files.insert("SHA256SUMS", sums.as_bytes());
    let mut zip = ZipWriter::default();
    let mut archive: Vec<u8> =
        files.into_iter().filter_map(|(name, content)| zip.file(name, content).ok()).flatten().collect();
    archive.extend(zip.finish().unwrap_or_default());
    check(archive);
});

fn check(archive: Vec<u8>) {
    let Ok(mut pack) = Pack::from_bytes(archive) else { return };
    let trust = TrustPolicy::parse(TRUST).ok();
    assert!(trust.is_some());
    let options = VerifyOptions { trust, ..VerifyOptions::default() };
    if let Ok(report) = check_pack(&mut pack, &options) {
        assert!(!report.is_ok());
        let _ = pack.events(&report, |event| assert!(event.status.is_invalid() || !report.is_ok()));
    }
}
