//! How much and how long: at the listener, for a question, in the log.

use std::ops::RangeInclusive;
use std::time::Duration;

use greffier_gateway::Limits;
use greffier_ledger::SealPolicy;
use toml::Spanned;

use super::super::raw::{RawLedger, RawQuery, RawServer, Text};
use super::{Checker, units};

/// A body is held whole, one per connection.
const MAX_BODY: usize = 256 * 1024 * 1024;
/// Past this the system runs out of files first.
const MAX_CONNECTIONS: usize = 65_536;
/// An answer is held whole, too; more than this is an export.
const MAX_ROWS: usize = 1_000_000;
/// See [`MAX_ROWS`].
const MAX_ANSWER: usize = 1024 * 1024 * 1024;
/// Larger machines are there; a slip of the pen is likelier.
const MAX_MEMORY: usize = 64 * 1024 * 1024 * 1024;
/// Beyond this, questions only wait for each other's processors.
const MAX_CONCURRENT: usize = 64;
/// The log is read at start, and its entries are kept in memory for readers.
const MAX_WAL: usize = 64 * 1024 * 1024 * 1024;
/// Below this every few entries would become a file.
const MIN_WAL: usize = 1024 * 1024;
/// See [`MIN_WAL`].
const MIN_AGE: Duration = Duration::from_secs(1);
/// Beyond this a quiet trail would never be sealed.
const MAX_AGE: Duration = Duration::from_secs(30 * 86_400);
/// One row group, and one tile of the level above the leaves.
const MAX_ENTRIES: u64 = 65_536;

impl Checker<'_> {
    pub(super) fn server(&mut self, raw: &RawServer) -> Option<Limits> {
        let body = self.size(&raw.body, MAX_BODY);
        let connections = self.within(&raw.connections, 1..=MAX_CONNECTIONS);
        let times =
            (self.time(&raw.header_timeout), self.time(&raw.body_idle_timeout), self.time(&raw.drain));
        let (header_timeout, body_idle_timeout, drain) = (times.0?, times.1?, times.2?);
        Some(Limits { body: body?, connections: connections?, header_timeout, body_idle_timeout, drain })
    }

    pub(super) fn query(&mut self, raw: &RawQuery) -> Option<greffier_query::Limits> {
        let rows = self.within(&raw.rows, 1..=MAX_ROWS);
        let bytes = self.size(&raw.bytes, MAX_ANSWER);
        let time = self.time(&raw.timeout);
        let memory = self.size(&raw.memory, MAX_MEMORY);
        let concurrent = self.within(&raw.concurrent, 1..=MAX_CONCURRENT);
        Some(greffier_query::Limits {
            rows: rows?,
            bytes: bytes?,
            time: time?,
            memory: memory?,
            concurrent: concurrent?,
            pushdown: raw.pushdown,
        })
    }

    pub(super) fn ledger(&mut self, raw: &RawLedger) -> Option<SealPolicy> {
        let age = units::duration(raw.segment_age.get_ref()).and_then(|age| {
            let good = (MIN_AGE..=MAX_AGE).contains(&age);
            good.then_some(age).ok_or_else(|| "expected at least 1s and at most 30d".to_owned())
        });
        let age = self.take(&raw.segment_age, age);
        let wal = self.size(&raw.wal, MAX_WAL);
        if wal.is_some_and(|wal| wal < MIN_WAL) {
            self.problem(&raw.wal, "expected at least 1MiB");
        }
        let entries = match &raw.entries {
            Some(entries) => self.within(entries, 1..=MAX_ENTRIES),
            None => Some(SealPolicy::default().entries),
        };
        Some(SealPolicy { entries: entries?, age: age?, wal_bytes: wal? as u64 })
    }

    fn size(&mut self, text: &Text, most: usize) -> Option<usize> {
        self.take(text, units::size(text.get_ref(), most))
    }

    fn time(&mut self, text: &Text) -> Option<Duration> {
        self.take(text, units::timeout(text.get_ref()))
    }

    fn within<N: Copy + PartialOrd + std::fmt::Display>(
        &mut self,
        number: &Spanned<N>,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let number_given = *number.get_ref();
        if range.contains(&number_given) {
            return Some(number_given);
        }
        self.problem(number, format!("expected {} to {}", range.start(), range.end()));
        None
    }
}
