//! How fast text is scanned: short rows, text without candidates, dense text, and whether size matters.
#![expect(clippy::unwrap_used, reason = "set-up of benchmarks")]

use std::hint::black_box;
use std::sync::Arc;

use divan::{Bencher, counter::BytesCount};
use greffier_safety::{Mode, Rules, Scanner, StreamRedactor};

fn main() {
    divan::main();
}

/// A row of agent traffic, 83 bytes.
const ROW: &str = "Please call Jane back at 212-555-0123 about order 100234, her mail is jane@example.com.";

/// Prose in which nothing may start.
const PROSE: &str = "The pipeline for this quarter holds several deals and the depot expects a delivery next week; \
    please tell the team that nothing has changed since then. ";

/// A value every twenty bytes.
const DENSE: &str = "SSN 536-90-4399, card 4111 1111 1111 1111 exp 12/27, call +1 415 555 2671 or jane@example.com, \
    DOB 1980-01-02, MRN 00482913, host 10.2.3.4, api_key=9f8Kd72hLq0ZxV3bNm5PtR7y. ";

/// A record as tools return it.
const RECORD: &str = r#"{"id":"usr_8f3a2b1c","email":"jane@example.com","phone":"+14155552671","created_at":"2026-03-06T14:32:07Z","balance":123456},"#;

const SIZES: [usize; 4] = [1_024, 16_384, 131_072, 1_048_576];

fn repeated(piece: &str, bytes: usize) -> String {
    let mut text = piece.repeat(bytes / piece.len() + 1);
    text.truncate(bytes);
    text
}

fn scan(bencher: Bencher<'_, '_>, text: &str) {
    let scanner = Scanner::new();
    bencher.counter(BytesCount::new(text.len())).bench(|| scanner.scan(black_box(text)));
}

#[divan::bench]
fn row(bencher: Bencher<'_, '_>) {
    scan(bencher, ROW);
}

#[divan::bench(args = SIZES)]
fn without_candidates(bencher: Bencher<'_, '_>, bytes: usize) {
    scan(bencher, &repeated(PROSE, bytes));
}

#[divan::bench(args = SIZES)]
fn dense(bencher: Bencher<'_, '_>, bytes: usize) {
    scan(bencher, &repeated(DENSE, bytes));
}

#[divan::bench(args = SIZES)]
fn records(bencher: Bencher<'_, '_>, bytes: usize) {
    let document = format!("[{}null]", repeated(RECORD, bytes / RECORD.len().max(1) * RECORD.len()));
    let scanner = Scanner::new();
    greffier_safety::json::check(document.as_bytes()).unwrap();
    bencher
        .counter(BytesCount::new(document.len()))
        .bench(|| greffier_safety::json::inspect(black_box(document.as_bytes()), &scanner));
}

/// A reply of a model, a few letters at a time.
#[divan::bench(args = [4, 64])]
fn stream(bencher: Bencher<'_, '_>, piece: usize) {
    let (scanner, text) = (Arc::new(Scanner::new()), repeated(PROSE, 16_384));
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut stream = StreamRedactor::new(scanner.clone(), Rules::always_redact(), Mode::Text);
        let mut out = 0;
        for piece in text.as_bytes().chunks(piece) {
            out += stream.push(std::str::from_utf8(piece).unwrap()).text.len();
        }
        out + stream.finish().text.len()
    });
}

/// The ceiling: reading every byte once.
#[divan::bench(args = SIZES)]
fn ceiling_is_ascii(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = repeated(PROSE, bytes);
    bencher.counter(BytesCount::new(text.len())).bench(|| black_box(&text).is_ascii());
}
