//! A data directory of sealed segments, for verification.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use greffier_event::{Draft, EventId, Tenant};
use greffier_ledger::{KeyRing, Ledger, LedgerConfig, Reader, SealPolicy};

use crate::samples;

/// Appends that wait for a sync together.
const AT_ONCE: u64 = 4_096;

/// A directory that was left by a clean stop.
pub struct Sealed {
    dir: tempfile::TempDir,
    /// Entries of the one tenant.
    pub entries: u64,
}

impl Sealed {
    /// Entries of the size of the second document's, without parts, all sealed.
    pub fn new(entries: u64) -> Sealed {
        let dir = tempfile::tempdir().unwrap();
        let keys_dir = dir.path().join("keys");
        KeyRing::create(&keys_dir).unwrap();
        let config = LedgerConfig {
            dir: dir.path().join("data"),
            keys_dir,
            origin: "bench.example".to_owned(),
            node: "gw-1".to_owned(),
            // The sample's times are old; it is sealed for its number.
            seal: SealPolicy { age: Duration::from_secs(1_000_000_000), ..SealPolicy::default() },
        };
        let (ledger, _) = Ledger::start(config).unwrap();
        let sealed = Sealed { dir, entries };
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            for first in (0..entries).step_by(AT_ONCE as usize) {
                let waiting: Vec<_> = (first..entries.min(first + AT_ONCE))
                    .map(|_| {
                        let appender = ledger.appender();
                        let event =
                            greffier_event::Event { id: EventId(uuid::Uuid::now_v7()), ..samples::event() };
                        tokio::spawn(async move { appender.append(Draft { event, parts: Vec::new() }).await })
                    })
                    .collect();
                for appended in waiting {
                    appended.await.unwrap().unwrap();
                }
            }
            while sealed.segments() < (entries / 65_536) as usize {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        ledger.close().unwrap();
        sealed
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn segments(&self) -> usize {
        let reader = Reader::open(&self.data()).unwrap();
        reader.snapshot(&self.tenant()).map_or(0, |snapshot| snapshot.segments.len())
    }

    fn tenant(&self) -> Tenant {
        samples::event().tenant
    }

    /// The same entries in so many plain files, a length before each.
    pub fn plain(&self, files: usize) -> Vec<PathBuf> {
        let (reader, tenant) = (Reader::open(&self.data()).unwrap(), self.tenant());
        let mut plain = vec![Vec::new(); files.max(1)];
        let share = self.entries.div_ceil(plain.len() as u64);
        for first in (0..self.entries).step_by(1_024) {
            let indexes: Vec<u64> = (first..self.entries.min(first + 1_024)).collect();
            for found in reader.entries(&tenant, &indexes).unwrap() {
                let bytes = plain.get_mut((found.index / share) as usize).unwrap();
                bytes.extend_from_slice(&(found.entry.len() as u32).to_le_bytes());
                bytes.extend_from_slice(&found.entry);
            }
        }
        let write = |(number, bytes): (usize, Vec<u8>)| {
            let path = self.dir.path().join(format!("plain-{number}"));
            fs::write(&path, bytes).unwrap();
            path
        };
        plain.into_iter().enumerate().map(write).collect()
    }
}
