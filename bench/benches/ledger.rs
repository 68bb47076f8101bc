//! How fast the ledger records, beside what the machine could do at best in the same run.
//!
//! One line of JSON per figure on standard output; `bench/ledger.sh` makes the table of them. Throughput needs
//! many producers and time to settle, so this is a plain program: each case runs in every pass, in turn, on a new
//! directory, and the median pass counts. `quick` runs one short pass.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of benchmarks"
)]

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greffier_bench::samples::OpenLedger;
use greffier_bench::traffic::Traffic;
use greffier_ledger::{Appender, Submission};
use greffier_safety::Scanner;
use serde_json::json;

const BATCH: usize = 1_000;
const SEGMENT: u64 = 65_536;
const TRAIL: &str = "org_acme_corp";

#[derive(Clone, Copy, PartialEq)]
enum How {
    /// One event, then the next when its receipt is there.
    One,
    /// A batch of our own events.
    Batch,
    /// A batch from outside: ids are looked up.
    Submit,
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    how: How,
    producers: usize,
    events: u64,
    with_part: bool,
    inspect: bool,
    /// Ends when all full segments are sealed, not when all receipts are there.
    sealed: bool,
}

#[derive(Default)]
struct Run {
    rate: f64,
    /// Events recorded and the rest of the world waiting: until the last receipt.
    acked: f64,
    latencies: Vec<u32>,
    rss_mib: u64,
    /// Processor time of the whole process, making the events included.
    cpu_us: f64,
    disk: Disk,
}

#[derive(Default, Clone, Copy)]
struct Disk {
    segments: u64,
    tiles: u64,
    parts: u64,
    sealed: u64,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    let wanted = std::env::args().skip(1).find_map(|arg| arg.strip_prefix("only=").map(str::to_owned));
    let passes = if quick { 1 } else { 3 };
    let sustained = if quick { 327_680 } else { 1_048_576 };
    let burst = 200_000;
    let one = |name, producers, events| Case {
        name,
        how: How::One,
        producers,
        events,
        with_part: false,
        inspect: false,
        sealed: false,
    };
    let batch = |name, how, producers, events| Case { how, ..one(name, producers, events) };
    let cases = [
        one("1 producer", 1, 10_000),
        one("16 producers", 16, 100_000),
        one("256 producers", 256, 200_000),
        batch("burst: batches of 1,000", How::Batch, 4, burst),
        batch("burst: batches of 1,000, submitted", How::Submit, 4, burst),
        Case { with_part: true, ..batch("burst: batches of 1,000, a part each", How::Batch, 4, burst) },
        Case { sealed: true, ..batch("sustained, with sealing", How::Batch, 4, sustained) },
        Case {
            sealed: true,
            inspect: true,
            ..batch("sustained, with sealing and full inspection", How::Batch, 4, sustained)
        },
        Case {
            sealed: true,
            with_part: true,
            ..batch("sustained, with sealing, a part each", How::Batch, 4, sustained)
        },
    ];
    let cases: Vec<Case> = cases
        .into_iter()
        .filter(|case| wanted.as_ref().is_none_or(|w| case.name.contains(w.as_str())))
        .collect();
    let mut runs: Vec<Vec<Run>> = cases.iter().map(|_| Vec::new()).collect();
    // ext4 looks at each inode that was deleted in the last minutes before it makes a file: nothing goes before the end.
    let mut dirs = Vec::new();
    let mut ceilings = Ceilings::default();
    let entry = Traffic::new(1, false).draft().event.canonical().unwrap();
    for pass in 0..passes {
        if wanted.is_none() {
            ceilings.measure(&entry, if quick { 300 } else { 1_000 });
        }
        for turn in 0..cases.len() {
            let case = (turn + pass) % cases.len();
            eprintln!("pass {}/{passes}: {}", pass + 1, cases[case].name);
            let (done, dir) = run(&cases[case]);
            runs[case].push(done);
            dirs.push(dir);
        }
    }
    println!("{}", json!({ "entry_bytes": entry.len() }));
    ceilings.print();
    for (case, runs) in cases.iter().zip(runs) {
        print(case, runs);
    }
}

fn print(case: &Case, runs: Vec<Run>) {
    let mut latencies: Vec<u32> = runs.iter().flat_map(|run| run.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied();
    let disk = runs.last().map(|run| run.disk).unwrap_or_default();
    let per = |bytes: u64| (disk.sealed > 0).then(|| bytes as f64 / disk.sealed as f64);
    let line = json!({
        "case": case.name,
        "events": case.events,
        "rate": median(runs.iter().map(|run| run.rate)),
        "acked": median(runs.iter().map(|run| run.acked)),
        "p50_us": at(0.5),
        "p99_us": at(0.99),
        "cpu_us": median(runs.iter().map(|run| run.cpu_us)),
        "rss_mib": runs.iter().map(|run| run.rss_mib).max(),
        "segment_bytes": per(disk.segments),
        "tile_bytes": per(disk.tiles),
        "part_bytes": per(disk.parts),
    });
    println!("{line}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn run(case: &Case) -> (Run, tempfile::TempDir) {
    let ledger = OpenLedger::new();
    // The peak of resident memory counts from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let scanner = case.inspect.then(|| Arc::new(Scanner::new()));
    let (start, cpu) = (Instant::now(), cpu_micros());
    let latencies = ledger.runtime().block_on(async {
        let tasks: Vec<_> = (0..case.producers)
            .map(|producer| {
                let traffic = Traffic::new(producer as u64 + 1, case.with_part);
                tokio::spawn(produce(ledger.appender(), traffic, *case, scanner.clone()))
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let acked = start.elapsed();
    let trail = ledger.dir().join("trails").join(TRAIL);
    if case.sealed {
        let full = case.events / SEGMENT * SEGMENT;
        while sealed(&trail) < full {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let took = start.elapsed();
    let cpu_us = (cpu_micros() - cpu) / case.events as f64;
    let disk = Disk {
        segments: bytes_below(&trail.join("segments")),
        tiles: bytes_below(&trail.join("tile")),
        parts: bytes_below(&trail.join("parts")),
        sealed: sealed(&trail),
    };
    let rate = |time: Duration| case.events as f64 / time.as_secs_f64();
    let run = Run { rate: rate(took), acked: rate(acked), latencies, rss_mib: peak_mib(), cpu_us, disk };
    (run, ledger.stop())
}

/// One producer's share of the events; how long each answer took, in microseconds.
async fn produce(
    appender: Appender,
    mut traffic: Traffic,
    case: Case,
    scanner: Option<Arc<Scanner>>,
) -> Vec<u32> {
    let share = case.events as usize / case.producers;
    let step = if case.how == How::One { 1 } else { BATCH };
    let mut latencies = Vec::with_capacity(share / step + 1);
    let mut left = share;
    while left > 0 {
        let count = step.min(left);
        left -= count;
        let drafts = traffic.drafts(count);
        if let Some(scanner) = &scanner {
            for draft in &drafts {
                let event = draft.event.canonical().unwrap();
                std::hint::black_box(greffier_safety::json::inspect(&event, scanner).unwrap());
            }
        }
        let asked = Instant::now();
        match case.how {
            How::One => {
                for draft in drafts {
                    appender.append(draft).await.unwrap();
                }
            }
            How::Batch => {
                for receipt in appender.append_batch(drafts).await {
                    receipt.unwrap();
                }
            }
            How::Submit => {
                let submissions = drafts.into_iter().map(|draft| Submission {
                    digest: greffier_merkle::hash::sha256(draft.event.id.as_bytes()),
                    draft: Box::new(draft),
                });
                for recorded in appender.submit(submissions.collect()).await {
                    assert!(!recorded.unwrap().repeated);
                }
            }
        }
        latencies.push(asked.elapsed().as_micros() as u32);
    }
    latencies
}

/// Where the newest segment of a trail ends: its name says it.
fn sealed(trail: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(trail.join("segments")) else { return 0 };
    let ends = files.filter_map(|file| {
        let name = file.ok()?.file_name().into_string().ok()?;
        name.strip_suffix(".parquet")?.split_once('-')?.1.parse().ok()
    });
    ends.max().unwrap_or(0)
}

fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let bytes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// What all threads have used so far.
fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    // Linux counts in hundredths of a second.
    ticks * 10_000.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// What the machine could do at best, in events a second.
#[derive(Default)]
struct Ceilings(Vec<(String, Vec<f64>)>);

impl Ceilings {
    fn add(&mut self, name: &str, rate: f64) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, rates)) => rates.push(rate),
            None => self.0.push((name.to_owned(), vec![rate])),
        }
    }

    fn print(&self) {
        for (name, rates) in &self.0 {
            println!("{}", json!({ "ceiling": name, "rate": median(rates.iter().copied()) }));
        }
    }

    fn measure(&mut self, entry: &[u8], millis: u64) {
        let time = Duration::from_millis(millis);
        for group in [1, 16, 256, BATCH] {
            let rate = synced(&entry.repeat(group), time) * group as f64;
            self.add(&format!("fdatasync of {group} events into space that is there"), rate);
        }
        self.add("SHA-256 of leaves on 2 cores", hashed(entry, time));
        self.add("canonical encoding on 2 cores", encoded(time));
        self.add("sequential write, one sync per 64 MiB", written() / entry.len() as f64);
    }
}

/// Groups a second.
fn synced(group: &[u8], time: Duration) -> f64 {
    const SPACE: usize = 64 * 1024 * 1024;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![0; SPACE]).unwrap();
    file.sync_all().unwrap();
    file.rewind().unwrap();
    let (start, mut groups, mut at) = (Instant::now(), 0u64, 0);
    while start.elapsed() < time {
        if at + group.len() > SPACE {
            file.rewind().unwrap();
            at = 0;
        }
        file.write_all(group).unwrap();
        file.sync_data().unwrap();
        at += group.len();
        groups += 1;
    }
    groups as f64 / start.elapsed().as_secs_f64()
}

fn hashed(entry: &[u8], time: Duration) -> f64 {
    on_two_cores(time, || {
        std::hint::black_box(greffier_merkle::hash::leaf(std::hint::black_box(entry)));
    })
}

fn encoded(time: Duration) -> f64 {
    let event = Traffic::new(1, false).draft().event;
    on_two_cores(time, || {
        std::hint::black_box(std::hint::black_box(&event).canonical().unwrap());
    })
}

fn on_two_cores(time: Duration, work: impl Fn() + Sync) -> f64 {
    let start = Instant::now();
    let done: u64 = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut done = 0;
                while start.elapsed() < time {
                    (0..100).for_each(|_| work());
                    done += 100;
                }
                done
            })
        });
        threads.map(|thread| thread.join().unwrap()).into_iter().sum()
    });
    done as f64 / start.elapsed().as_secs_f64()
}

/// Bytes a second.
fn written() -> f64 {
    let block = vec![7; 4 * 1024 * 1024];
    let mut file = tempfile::tempfile().unwrap();
    let start = Instant::now();
    for n in 1..=128 {
        file.write_all(&block).unwrap();
        if n % 16 == 0 {
            file.sync_data().unwrap();
        }
    }
    (128 * block.len()) as f64 / start.elapsed().as_secs_f64()
}
