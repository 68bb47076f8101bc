//! What the tests of this crate share: events, a ledger that makes batches of them, and snapshots of any shape.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;
use greffier_event::{Draft, Event, Part, Tenant, Timestamp};
use greffier_ledger::{KeyRing, Ledger, LedgerConfig, SealPolicy, Segment, Snapshot};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::view::View;
use crate::{Limits, OpenContents, engine, sql};

const KEYS: &str = "keys";
/// Rows of a data page of a segment that a test writes: several pages for little data.
const PAGE_ROWS: usize = 16;

pub(crate) fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-03-08T00:00:00Z".parse().unwrap()
}

/// A running ledger with its directories.
pub(crate) struct Place {
    pub(crate) ledger: Ledger,
    dir: TempDir,
}

impl Place {
    /// One that seals nothing for now.
    pub(crate) async fn start() -> Place {
        Place::sealing(SealPolicy::default().entries).await
    }

    /// One that seals segments of so many entries.
    pub(crate) async fn sealing(entries: u64) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let keys_dir = dir.path().join(KEYS);
        KeyRing::create(&keys_dir).unwrap();
        let config = LedgerConfig {
            dir: dir.path().join("data"),
            keys_dir,
            origin: "test.local".to_owned(),
            node: "node-1".to_owned(),
            // Not by age: the events of the tests are old.
            seal: SealPolicy {
                entries,
                age: Duration::from_secs(100 * 366 * 86_400),
                ..SealPolicy::default()
            },
        };
        let (ledger, startup) = Ledger::start(config).unwrap();
        startup.recovered.await.unwrap();
        Place { ledger, dir }
    }

    /// Appends events from the `from`th on until a segment is sealed, and says with which it would go on.
    pub(crate) async fn append_until_sealed(&self, from: u64) -> u64 {
        for n in (from..20_000).step_by(10) {
            self.append(&(n..n + 10).map(event).collect::<Vec<_>>()).await;
            let reader = self.ledger.reader();
            let snapshot = tokio::task::spawn_blocking(move || reader.snapshot(&tenant()).unwrap());
            if !snapshot.await.unwrap().segments.is_empty() {
                return n + 10;
            }
        }
        panic!("nothing was sealed");
    }

    pub(crate) async fn append(&self, events: &[Event]) {
        self.append_all(events.iter().cloned().map(|event| (event, Vec::new())).collect()).await;
    }

    /// Appends events with their contents.
    pub(crate) async fn append_all(&self, drafts: Vec<(Event, Vec<Part>)>) {
        let appender = self.ledger.appender();
        for (event, parts) in drafts {
            appender.append(Draft { event, parts }).await.unwrap();
        }
    }

    /// What opens the contents.
    pub(crate) fn open(&self) -> OpenContents {
        let keys = KeyRing::open(&self.dir.path().join(KEYS)).unwrap();
        Arc::new(move |found| found.open_parts(&keys))
    }
}

/// The `n`th event: what it holds follows from its number, so that every field is there in some and not in
/// others, with values that wildcards and other signs of patterns could confuse.
pub(crate) fn event(n: u64) -> Event {
    let pick = |from: &[&str], of: u64| from[usize::try_from(of).unwrap() % from.len()].to_owned();
    let kinds = ["tool.call", "tool.response", "data.access", "data.modify", "permission.check", "error"];
    let mut event = json!({
        "v": 1,
        "id": format!("00000000-0000-7000-8000-{n:012x}"),
        "time": Timestamp::from_micros(1_772_323_200_000_000 + i64::try_from(n).unwrap() * 1_800_000_000 ).to_string(),
        "recorded_at": Timestamp::from_micros(1_772_323_201_000_000 + i64::try_from(n).unwrap() * 1_800_000_000).to_string(),
        "type": pick(&kinds, n),
        "tenant": "acme",
    });
    let mut set = |present: bool, name: &str, value: Value| {
        if present {
            event[name] = value;
        }
    };
    let users = ["alice", "bob", "Ägnes", "a_b", "a%b", "x\\y", "alice smith", "a,b"];
    set(
        !n.is_multiple_of(5),
        "user",
        json!({"sub": pick(&users, n / 3), "roles": ["analyst", pick(&["auditor", "ops:admin", "ops:read"], n)], "verified": n.is_multiple_of(2)}),
    );
    set(
        !n.is_multiple_of(7),
        "agent",
        json!({"id": pick(&["crm-assistant", "billing", "Billing"], n), "tier": "interactive", "verified": n.is_multiple_of(3)}),
    );
    set(n.is_multiple_of(3), "session_id", json!(format!("session {}", n / 30)));
    let links = ["declared:header", "inferred:start", "inferred:tool_result"];
    set(n.is_multiple_of(6), "session_link", json!(pick(&links, n / 6)));
    set(!n.is_multiple_of(4), "request_id", json!(format!("req_{}", n / 2)));
    let tools = ["crm:contacts:search", "crm:contacts:delete", "chat", "billing:invoices", "100%", "a*b"];
    set(
        !n.is_multiple_of(6),
        "action",
        json!({"name": pick(&tools, n / 5), "kind": pick(&["tool", "llm", "data"], n), "effect": pick(&["read", "delete"], n)}),
    );
    set(
        n.is_multiple_of(2),
        "resource",
        json!({"uri": format!("crm://contacts/{}", n % 9), "classification": ["pii", pick(&["phi", "internal"], n / 2)]}),
    );
    set(
        !n.is_multiple_of(3),
        "policy",
        json!({"decision": pick(&["allow", "deny", "redact"], n / 2), "rule": "analysts may", "reason": "no rule denies it", "scopes": ["tool:crm:read", pick(&["tool:crm", "x:read"], n)]}),
    );
    let found = json!([{"action": "redact", "count": 2, "stage": "input", "type": pick(&["US_SSN", "EMAIL"], n / 8)}]);
    set(n.is_multiple_of(8), "content_safety", json!({"pii_detected": true, "redactions": found}));
    set(n % 8 == 4, "content_safety", json!({"pii_detected": false}));
    set(
        n % 5 == 1,
        "usage",
        json!({"provider": "openai", "model": pick(&["gpt-5", "o4"], n), "input_tokens": n * 10, "output_tokens": n, "cost_micros": n * 777}),
    );
    set(n % 5 == 2, "usage", json!({"model": "gpt-5", "output_tokens": n}));
    set(
        n % 6 == 1,
        "outcome",
        json!({"status": pick(&["success", "failure"], n / 6), "code": 200 + n % 300, "duration_us": n * 12_345, "attempts": [{"code": 200}]}),
    );
    set(n % 6 == 4, "outcome", json!({"status": "timeout", "error": "upstream_timeout"}));
    set(
        !n.is_multiple_of(8),
        "source",
        json!({"channel": pick(&["gateway", "sdk", "hook"], n), "node": "node-1", "client": "openai-python/3.52"}),
    );
    serde_json::from_value(event).unwrap()
}

/// A trail of some hundred events in one batch, made by a ledger once for all tests.
pub(crate) fn batch() -> RecordBatch {
    static BATCH: LazyLock<RecordBatch> = LazyLock::new(|| {
        block_on(async {
            let place = Place::start().await;
            let events: Vec<Event> = (0..EVENTS).map(event).collect();
            place.append(&events).await;
            let snapshot = place.ledger.reader().snapshot(&tenant()).unwrap();
            assert_eq!(snapshot.size, EVENTS);
            concat_batches(&greffier_ledger::segment::schema(), &snapshot.hot).unwrap()
        })
    });
    BATCH.clone()
}

pub(crate) const EVENTS: u64 = 300;

/// A runtime for a test that owns none.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    // On a thread of its own, because the caller may be inside of a runtime.
    std::thread::scope(|scope| {
        let run = || Runtime::new().unwrap().block_on(future);
        scope.spawn(run).join().unwrap()
    })
}

/// Where the entries of a snapshot are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Hot,
    Sealed,
    Mixed,
}

pub(crate) const SHAPES: [Shape; 3] = [Shape::Hot, Shape::Sealed, Shape::Mixed];

/// A snapshot of the common trail, and the folder of its segments.
pub(crate) fn snapshot(shape: Shape) -> (Snapshot, TempDir) {
    let (dir, batch) = (tempfile::tempdir().unwrap(), batch());
    let (cuts, hot): (&[usize], usize) = match shape {
        Shape::Hot => (&[], 0),
        Shape::Sealed => (&[0, 64, 192, 300], 300),
        Shape::Mixed => (&[0, 128, 200], 200),
    };
    let segments = cuts
        .windows(2)
        .map(|cut| Arc::new(seal(dir.path(), &batch.slice(cut[0], cut[1] - cut[0]))))
        .collect();
    let middle = hot + (300 - hot) / 2;
    let hot = [(hot, middle), (middle, 300)].map(|(from, to)| batch.slice(from, to - from));
    let hot = hot.into_iter().filter(|batch| batch.num_rows() > 0).collect();
    (Snapshot { trail: tenant(), first: 0, segments, hot, size: EVENTS }, dir)
}

/// A view of the common trail.
pub(crate) fn view(shape: Shape, limits: &Limits) -> (Arc<View>, TempDir) {
    let (snapshot, dir) = snapshot(shape);
    let memory = engine::memory(limits.memory).unwrap();
    (Arc::new(View::new(snapshot, None, sql::template(), &memory, limits)), dir)
}

/// The event of each row.
pub(crate) fn events(batch: &RecordBatch) -> Vec<Event> {
    let entries = crate::view::entries(batch).unwrap();
    entries.iter().map(|entry| Event::from_canonical(entry).unwrap()).collect()
}

/// Writes one segment as the ledger does, with smaller pages.
fn seal(dir: &Path, batch: &RecordBatch) -> Segment {
    let events = events(batch);
    let first = u64::from_str_radix(&events[0].id.to_string()[24..], 16).unwrap();
    let end = first + batch.num_rows() as u64;
    let key = format!("trails/acme/segments/{first:020}-{end:020}.parquet");
    let path: PathBuf = dir.join(key.replace('/', "_"));
    let bloom = |properties: datafusion::parquet::file::properties::WriterPropertiesBuilder, column: &str| {
        properties.set_column_bloom_filter_enabled(ColumnPath::from(column), true)
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS);
    let properties = ["id", "request_id", "session_id", "trace_id"].into_iter().fold(properties, bloom);
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let ends = |of: fn(&Event) -> Timestamp| {
        (events.iter().map(of).min().unwrap(), events.iter().map(of).max().unwrap())
    };
    let bytes = path.metadata().unwrap().len();
    Segment {
        path,
        key,
        first,
        end,
        bytes,
        sha256: String::new(),
        time: ends(|e| e.time),
        recorded_at: ends(|e| e.recorded_at.unwrap()),
    }
}
