//! How fast text is scanned: short rows, text of several kinds without candidates, dense text, documents, what is
//! made to be slow, and whether size matters.
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

/// Names and addresses, which words tell and no checksum does.
const PEOPLE: &str = "Patient Anna Lee (DOB 02/14/1980) lives at 221 Baker Street, Springfield, IL 62704 and was seen by \
    Dr. Omar Okafor on March 3, 2026. Her brother Peter Novak moved to 12 Rue de Rivoli, 75001 Paris. ";

/// Texts of other kinds that hold nothing to be found.
const NOTHING: [(&str, &str); 5] = [
    (
        "german",
        "Die Abteilung für Qualitätssicherung hat im vergangenen Quartal mehrere Änderungen an den Abläufen \
         vorgenommen, damit die Lieferungen künftig schneller beim Kunden ankommen. ",
    ),
    (
        "code",
        "    pub fn insert(&mut self, key: K, value: V) -> Option<V> {\n        let hash = make_hash(&self.hash_builder, \
         &key);\n        self.table.find_or_insert(hash, |entry| entry.0 == key)\n    }\n",
    ),
    (
        "log",
        "2026-03-06T14:32:07.891Z INFO gateway::pipeline request_id=req_8f3a2b1c method=POST path=/v1/messages \
         status=200 duration_ms=412 bytes=20331 upstream=anthropic cache=miss\n",
    ),
    ("ids", "3f2504e0-4f89-11d3-9a0c-0305e82c3301 9b2c7c1e5d0f4a6b8e3d1c0f7a5b9e2d4c6f8a1b\n"),
    (
        "base64",
        "kF9zQ0hYb3p3TGd2WnR1cXJzT25NbEtqSWhHZkVkQ2JBOTg3NjU0MzIxMHp5eHd2dXRzcnFwb25tbGtqaWhnZmVkY2Jh",
    ),
];

/// Texts made of beginnings: a finder that looked far ahead at each would take time that grows faster than they do.
const HOSTILE: [(&str, &str); 9] = [
    ("digits", "1"),
    ("groups", "4111 "),
    ("dots", "a.1.b@"),
    ("quotes", "password=\""),
    ("brackets", "(("),
    ("escapes", "%25\\u00"),
    ("heads", "name,ssn\n"),
    ("capitals", "Anna Van De "),
    ("schemes", "postgres://a:"),
];

/// A record as tools return it.
const RECORD: &str = r#"{"id":"usr_8f3a2b1c","email":"jane@example.com","phone":"+14155552671","created_at":"2026-03-06T14:32:07Z","balance":123456},"#;

const SIZES: [usize; 4] = [1_024, 16_384, 131_072, 1_048_576];

fn repeated(piece: &str, bytes: usize) -> String {
    let mut text = piece.repeat(bytes / piece.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
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
fn people(bencher: Bencher<'_, '_>, bytes: usize) {
    scan(bencher, &repeated(PEOPLE, bytes));
}

#[divan::bench(args = NOTHING.map(|(name, _)| name))]
fn nothing_in(bencher: Bencher<'_, '_>, name: &str) {
    scan(bencher, &repeated(named(&NOTHING, name), 16_384));
}

/// The same throughput at both sizes says that time grows with the length only.
#[divan::bench(args = HOSTILE.map(|(name, _)| name), consts = [16_384, 1_048_576])]
fn hostile<const BYTES: usize>(bencher: Bencher<'_, '_>, name: &str) {
    scan(bencher, &repeated(named(&HOSTILE, name), BYTES));
}

fn named(texts: &[(&str, &'static str)], name: &str) -> &'static str {
    texts.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

/// The same records as a text that nobody knows to be a document.
#[divan::bench(args = SIZES)]
fn records_as_text(bencher: Bencher<'_, '_>, bytes: usize) {
    scan(bencher, &repeated(RECORD, bytes));
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
