//! What an audit event costs the thread that logs it, beside what it must cost: a lock and a push, a write to a file.
//!
//! Each figure is of one event with four arguments, some 500 bytes as a line. Making it is measured apart.

#![expect(clippy::unwrap_used, reason = "a program of benchmarks")]

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use divan::{Bencher, counter::ItemsCount};
use greffier_client::{AuditEvent, AuditLogger, EventType, FileBackend, Overflow, SpoolOptions};

fn main() {
    divan::main();
}

fn event() -> AuditEvent {
    AuditEvent::new(EventType::ToolCall)
        .agent("crm-assistant")
        .session("0199c0de-5e55-7000-8000-000000000001")
        .user("auth0|8f3a2b1c9d4e5f6a")
        .action("tool.search")
        .resource("crm://contacts")
        .parameter("query", "pipeline status this quarter")
        .parameter("limit", 25)
        .parameter("api_key", "sk-1234567890abcdef")
        .parameter("fields", vec!["name", "stage", "amount"])
        .result("3 deals, 2 of them open")
        .duration_ms(342.125)
}

fn logger(overflow: impl FnOnce(&std::path::Path) -> Overflow) -> (AuditLogger, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let backend = FileBackend::open(dir.path().join("audit.jsonl")).unwrap();
    let logger =
        AuditLogger::options().buffer(1 << 20).overflow(overflow(dir.path())).start(backend).unwrap();
    (logger, dir)
}

/// The cost on the caller's thread; the writer works beside it, on the other core.
fn log(bencher: Bencher<'_, '_>, overflow: impl FnOnce(&std::path::Path) -> Overflow) {
    let (logger, _dir) = logger(overflow);
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(event)
        .bench_values(|event| logger.log(event).unwrap());
}

#[divan::bench]
fn log_block(bencher: Bencher<'_, '_>) {
    log(bencher, |_| Overflow::Block { at_most: Duration::from_secs(60) });
}

#[divan::bench]
fn log_write_through(bencher: Bencher<'_, '_>) {
    log(bencher, |_| Overflow::WriteThrough);
}

#[divan::bench]
fn log_spool(bencher: Bencher<'_, '_>) {
    log(bencher, |dir| Overflow::Spool(SpoolOptions::new(dir.join("spool")).max_bytes(u64::MAX)));
}

#[divan::bench]
fn make_event() -> AuditEvent {
    event()
}

#[divan::bench]
fn new_id() -> AuditEvent {
    AuditEvent::new(EventType::ToolCall)
}

#[divan::bench]
fn encode_flat(bencher: Bencher<'_, '_>) {
    let event = event();
    bencher.bench(|| black_box(&event).to_flat());
}

#[divan::bench]
fn encode_native(bencher: Bencher<'_, '_>) {
    let event = event();
    bencher.bench(|| black_box(&event).to_native());
}

/// A lock and a push: what handing over must cost.
#[divan::bench]
fn ceiling_lock_and_push(bencher: Bencher<'_, '_>) {
    let list = Mutex::new(Vec::with_capacity(1 << 20));
    bencher.with_inputs(event).bench_values(|event| list.lock().unwrap().push(event));
}

/// One write of a line to a file: what surviving a kill must cost.
#[divan::bench]
fn ceiling_write(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap();
    let mut file: File = OpenOptions::new().create(true).append(true).open(dir.path().join("lines")).unwrap();
    let line = event().to_flat() + "\n";
    bencher.bench_local(|| file.write_all(black_box(line.as_bytes())).unwrap());
}
