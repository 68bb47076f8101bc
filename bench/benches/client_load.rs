//! How many events a second one process puts into a file, and what each costs its caller meanwhile.
//!
//! One line of JSON per case on standard output. Events are made by the threads that log them, and counted until the
//! last one is durable. `quick` logs a tenth of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program of benchmarks"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use greffier_client::{AuditEvent, AuditLogger, EventType, FileBackend, Overflow, SpoolOptions};

const EVENTS: usize = 1_000_000;
const LONG: Duration = Duration::from_secs(600);

fn event(number: usize) -> AuditEvent {
    AuditEvent::new(EventType::ToolCall)
        .agent("crm-assistant")
        .session("0199c0de-5e55-7000-8000-000000000001")
        .user("auth0|8f3a2b1c9d4e5f6a")
        .action("tool.search")
        .resource("crm://contacts")
        .parameter("query", "pipeline status this quarter")
        .parameter("limit", number)
        .parameter("api_key", "sk-1234567890abcdef")
        .result("3 deals, 2 of them open")
        .duration_ms(342.125)
}

fn overflow(name: &str, dir: &Path) -> Overflow {
    match name {
        "block" => Overflow::Block { at_most: LONG },
        "write through" => Overflow::WriteThrough,
        _ => Overflow::Spool(SpoolOptions::new(dir.join("spool")).max_bytes(8 << 30)),
    }
}

/// Logs events from so many threads, each one after another, so many a second or as fast as it can.
fn case(name: &str, threads: usize, events: usize, rate: Option<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let logger = AuditLogger::options()
        .overflow(overflow(name, dir.path()))
        .start(FileBackend::open(dir.path().join("audit.jsonl")).unwrap())
        .unwrap();
    let began = Instant::now();
    let each = events / threads;
    let mut costs: Vec<u32> = std::thread::scope(|scope| {
        let work = |_| {
            let logger = &logger;
            scope.spawn(move || {
                let mut costs = Vec::with_capacity(each);
                for number in 0..each {
                    if let Some(rate) = rate {
                        let due = Duration::from_secs(1) * u32::try_from(number * threads).unwrap()
                            / u32::try_from(rate).unwrap();
                        while began.elapsed() < due {
                            std::hint::spin_loop();
                        }
                    }
                    let event = event(number);
                    let start = Instant::now();
                    logger.log(event).unwrap();
                    costs.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
                }
                costs
            })
        };
        let running: Vec<_> = (0..threads).map(work).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let logged = began.elapsed();
    logger.flush(LONG).unwrap();
    let durable = began.elapsed();
    costs.sort_unstable();
    let at = |share: f64| f64::from(costs[((costs.len() - 1) as f64 * share) as usize]) / 1_000.0;
    let per = |time: Duration| (costs.len() as f64 / time.as_secs_f64()) as u64;
    println!(
        r#"{{"case":"Rust, {name}","threads":{threads},"rate":{},"events":{},"logged_per_s":{},"durable_per_s":{},"p50_us":{:.2},"p99_us":{:.2},"p999_us":{:.2},"max_us":{:.1}}}"#,
        rate.map_or("null".to_owned(), |rate| rate.to_string()),
        costs.len(),
        per(logged),
        per(durable),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let events = if quick { EVENTS / 10 } else { EVENTS };
    for name in ["block", "write through", "spool"] {
        case(name, 1, events, None);
        case(name, 4, events, None);
        case(name, 1, events / 10, Some(20_000));
    }
}
