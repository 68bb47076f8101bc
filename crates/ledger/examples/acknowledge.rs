//! A ledger's life on one page, for tests that stop it at any system call: starts on a directory, records events one
//! by one, waits until some are sealed, stops. Says on stdout what it acknowledged, and only then.
//!
//! ```text
//! acknowledge DATA KEYS FIRST COUNT [abandon]      events FIRST.. on two trails; `abandon` stops as a crash would
//! ```

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use greffier_event::{Draft, Event, Part, Tenant};
use greffier_ledger::{Appender, KeyRing, Ledger, LedgerConfig, SealPolicy};

const TRAILS: [&str; 2] = ["acme", "greffier"];
/// Segments of so many entries.
const SEGMENT: u64 = 4;
/// How long it tries to record one event, or waits for a seal, when the disk does not let it.
const PATIENCE: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(20);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("acknowledge DATA KEYS FIRST COUNT [abandon]");
    let (dir, keys_dir) = (PathBuf::from(next()?), PathBuf::from(next()?));
    let (first, count): (u64, u64) = (next()?.parse()?, next()?.parse()?);
    let abandon = next().is_ok();
    if !keys_dir.exists() {
        KeyRing::create(&keys_dir)?;
    }
    let seal =
        SealPolicy { entries: SEGMENT, age: Duration::from_secs(1_000_000_000), ..SealPolicy::default() };
    let (origin, node) = ("greffier.local".to_owned(), "node-1".to_owned());
    let (ledger, startup) = Ledger::start(LedgerConfig { dir, keys_dir, origin, node, seal })?;
    startup.recovered.await?;
    println!("started");
    for n in first..first + count {
        record(&ledger.appender(), n).await?;
    }
    let sealed = sealed(&ledger).await;
    println!("sealed {}", sealed?);
    if abandon {
        drop(ledger);
        return Ok(());
    }
    ledger.close()?;
    println!("stopped");
    Ok(())
}

/// Records one event; tries again while the disk does not let it. Nothing is said before it is durable.
async fn record(appender: &Appender, n: u64) -> Outcome<()> {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        // Each try is an event of its own: what became of one that failed is unknown.
        match appender.append(draft(n, tries)?).await {
            Ok(receipt) => {
                let leaf: String = receipt.leaf_hash.iter().map(|byte| format!("{byte:02x}")).collect();
                println!("acknowledged {} {} {leaf}", receipt.trail, receipt.index);
                return Ok(());
            }
            Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(POLL).await,
        }
        tries += 1;
    }
}

/// Waits until every full segment is sealed, or no longer; says how many there are.
async fn sealed(ledger: &Ledger) -> Outcome<usize> {
    let begun = Instant::now();
    loop {
        let mut waiting = false;
        let mut segments = 0;
        for trail in TRAILS {
            let snapshot = ledger.reader().snapshot(&Tenant::new(trail)?)?;
            let sealed = snapshot.segments.iter().map(|segment| segment.end).max().unwrap_or(0);
            waiting |= snapshot.size >= sealed + SEGMENT;
            segments += snapshot.segments.len();
        }
        if !waiting || begun.elapsed() > PATIENCE {
            return Ok(segments);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn draft(n: u64, tries: u64) -> Outcome<Draft> {
    let trail = if n.is_multiple_of(4) { "greffier" } else { "acme" };
    let event: Event = serde_json::from_value(serde_json::json!({
        "v": 1,
        "id": format!("00000000-0000-7000-8000-{n:06x}{tries:06x}"),
        "time": "2026-03-06T14:32:07.891000Z",
        "recorded_at": "2026-03-06T14:32:08.233104Z",
        "type": "data.access",
        "tenant": trail,
        "request_id": format!("req_{n}"),
        // Every third event has a new user, whose key must be durable first.
        "user": {"sub": format!("user-{}", n / 3)},
    }))?;
    let content = format!("content of event {n}").into_bytes();
    let part = Part { name: "prompt".to_owned(), media: "text/plain".to_owned(), content };
    Ok(Draft { event, parts: vec![part] })
}
