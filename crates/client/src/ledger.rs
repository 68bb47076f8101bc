//! A ledger in the same process as a backend: for an agent that keeps its own tamper-evident trail.
//!
//! What is written is durable and in the tree's order when `write` returns; events are claims here as anywhere
//! (`source.channel` is `sdk`), told apart by their ids.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::thread;

use greffier_event::{Draft, Form, InvalidEvent, Part, Reading, Tenant, Trust};
use greffier_ledger::{
    AppendError, KeyRing, Ledger, LedgerConfig, LedgerError, Reader, SealPolicy, Submission,
};
use greffier_merkle::hash;
use tokio::runtime::{Handle, Runtime};

use crate::backend::{AuditBackend, BackendError, Rejected};
use crate::clock;
use crate::event::AuditEvent;
use crate::filter::Filter;

/// Entries that are read at one time.
const PAGE: u64 = 1_024;

/// Where a ledger of one's own lies, and whose trail it is.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    dir: PathBuf,
    keys_dir: PathBuf,
    tenant: Tenant,
    node: String,
}

impl LedgerOptions {
    /// A ledger in `dir`, with its keys in `keys_dir`, which must lie elsewhere: whoever has both can forge.
    pub fn new(dir: impl Into<PathBuf>, keys_dir: impl Into<PathBuf>, tenant: Tenant) -> LedgerOptions {
        let node = "greffier-client".to_owned();
        LedgerOptions { dir: dir.into(), keys_dir: keys_dir.into(), tenant, node }
    }

    /// Names the node, in checkpoints and in events.
    pub fn node(mut self, name: impl Into<String>) -> LedgerOptions {
        self.node = name.into();
        self
    }

    /// Opens the ledger, or creates it with new keys.
    ///
    /// # Errors
    /// The folders cannot be used, another process has the ledger open, or it is damaged: the error says which.
    pub fn open(self) -> Result<LedgerBackend, BackendError> {
        let failed = |error: &dyn std::fmt::Display| BackendError::Unavailable(error.to_string());
        if !self.keys_dir.exists() {
            KeyRing::create(&self.keys_dir).map_err(|error| failed(&error))?;
        }
        let config = LedgerConfig {
            dir: self.dir,
            keys_dir: self.keys_dir,
            origin: self.node.clone(),
            node: self.node.clone(),
            seal: SealPolicy::default(),
        };
        let (ledger, _startup) = Ledger::start(config).map_err(|error| failed(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BackendError::io("starting the ledger's runtime"))?;
        let reader = ledger.reader();
        Ok(LedgerBackend {
            ledger: Some(ledger),
            reader,
            runtime: Some(runtime),
            tenant: self.tenant,
            node: self.node,
        })
    }
}

/// Records audit events on a trail of one's own. When it is dropped the ledger is closed cleanly.
///
/// ```
/// use greffier_client::{AuditBackend, AuditEvent, EventType, Filter, LedgerOptions, Tenant};
///
/// let dir = tempfile::tempdir()?;
/// let (data, keys) = (dir.path().join("data"), dir.path().join("keys"));
/// let backend = LedgerOptions::new(data, keys, Tenant::new("acme")?).open()?;
/// backend.write(&[AuditEvent::new(EventType::AgentStart).agent("agent-001")])?;
/// assert_eq!(backend.query(&Filter::new().agent("agent-001"))?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LedgerBackend {
    /// Gone only while this is dropped.
    ledger: Option<Ledger>,
    reader: Reader,
    /// Gone only while this is dropped.
    runtime: Option<Runtime>,
    tenant: Tenant,
    node: String,
}

impl LedgerBackend {
    /// Stops the ledger cleanly: its last checkpoint covers every entry.
    ///
    /// # Errors
    /// That did not work; what was written is durable all the same.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.ledger.take().map_or(Ok(()), Ledger::close)
    }

    fn submission(&self, line: &str) -> Result<Submission, InvalidEvent> {
        let id = greffier_event::EventId(uuid::Uuid::nil());
        let reading = Reading { tenant: &self.tenant, id, channel: "sdk", trust: Trust::Outside };
        let mut draft: Draft = Form::Native.read(line, &reading)?;
        draft.event.recorded_at = Some(clock::now());
        draft.event.source.get_or_insert_default().node = Some(self.node.clone());
        Ok(Submission { draft: Box::new(draft), digest: hash::sha256(line.as_bytes()) })
    }

    /// Waits for something, also on a thread of somebody else's runtime.
    fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T, BackendError> {
        let Some(runtime) = &self.runtime else {
            return Err(BackendError::Unavailable("the ledger is closed".to_owned()));
        };
        if Handle::try_current().is_err() {
            return Ok(runtime.block_on(future));
        }
        thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join())
            .map_err(|_| BackendError::Unavailable("the ledger panicked".to_owned()))
    }

    fn read(&self, index: u64) -> impl Fn(greffier_ledger::ReadError) -> BackendError {
        move |error| BackendError::Query(format!("reading entry {index}: {error}"))
    }
}

impl AuditBackend for LedgerBackend {
    fn write(&self, events: &[AuditEvent]) -> Result<Vec<Rejected>, BackendError> {
        let lines: Vec<String> = events.iter().map(AuditEvent::to_native).collect();
        self.write_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn write_lines(&self, lines: &[&str]) -> Result<Vec<Rejected>, BackendError> {
        let Some(ledger) = &self.ledger else {
            return Err(BackendError::Unavailable("the ledger is closed".to_owned()));
        };
        let (mut rejected, mut places, mut batch) = (Vec::new(), Vec::new(), Vec::new());
        for (index, line) in lines.iter().enumerate() {
            match self.submission(line) {
                Ok(submission) => {
                    places.push(index);
                    batch.push(submission);
                }
                Err(error) => rejected.push(Rejected { index, reason: error.to_string() }),
            }
        }
        let appender = ledger.appender();
        let results = self.wait(async move { appender.submit(batch).await })?;
        for (index, result) in places.into_iter().zip(results) {
            match result {
                Ok(_) => {}
                Err(
                    error @ (AppendError::Invalid(_) | AppendError::Conflict { .. } | AppendError::TooLarge),
                ) => rejected.push(Rejected { index, reason: error.to_string() }),
                Err(error) => return Err(BackendError::Unavailable(error.to_string())),
            }
        }
        Ok(rejected)
    }

    fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
        let Some(ledger) = &self.ledger else { return Ok(Vec::new()) };
        let appender = ledger.appender();
        let trails = self.reader.trails().map_err(self.read(0))?;
        let size = trails.iter().find(|(trail, _)| *trail == self.tenant).map_or(0, |(_, size)| *size);
        let first = self.reader.first(&self.tenant).map_err(self.read(0))?;
        let mut found = VecDeque::new();
        let mut end = size;
        // From the end, so that no more is read than is wanted.
        while end > first && found.len() < filter.limit {
            let begin = end.saturating_sub(PAGE).max(first);
            let indexes: Vec<u64> = (begin..end).collect();
            let entries = self.reader.entries(&self.tenant, &indexes).map_err(self.read(begin))?;
            for entry in entries.into_iter().rev() {
                let event = entry.event().map_err(self.read(entry.index))?;
                let parts = entry.open_parts(appender.keys()).map_err(self.read(entry.index))?;
                let part = |part: greffier_ledger::OpenedPart| Part {
                    name: part.name,
                    media: part.media,
                    content: part.content,
                };
                let parts: Vec<Part> = parts.into_iter().map(part).collect();
                let invalid = |error: InvalidEvent| BackendError::Query(error.to_string());
                let line = Form::Native.write(&event, &parts).map_err(invalid)?;
                let event = AuditEvent::from_native(&line).map_err(invalid)?;
                if filter.matches_event(&event) {
                    found.push_front(event);
                    if found.len() == filter.limit {
                        break;
                    }
                }
            }
            end = begin;
        }
        Ok(found.into())
    }
}

impl Drop for LedgerBackend {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            // Whoever wants to know calls `close`.
            let _ = ledger.close();
        }
        if let Some(runtime) = self.runtime.take() {
            // It may be somebody else's runtime on whose thread this is dropped.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use greffier_event::EventType;
    use serde_json::json;

    use super::*;
    use crate::logger::AuditLogger;

    #[test]
    fn what_is_recorded_is_found_and_recorded_once() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let tenant = Tenant::new("acme").unwrap();
            LedgerOptions::new(dir.path().join("data"), dir.path().join("keys"), tenant).open().unwrap()
        };
        let backend = open();
        let named = |action: &str| {
            AuditEvent::new(EventType::ToolCall)
                .agent("agent-001")
                .action(action)
                .parameter("q", json!({"password": "p", "n": 1}))
                .result("three\nlines\nof text")
                .with("note", action)
        };
        let events = [named("a"), named("b"), named("c\nd").agent("agent-002")];
        assert_eq!(backend.write(&events).unwrap(), []);
        assert_eq!(backend.write(&events[..1]).unwrap(), []);
        let mut other = events[0].clone();
        other.action = "changed".to_owned();
        assert_eq!(backend.write(&[other]).unwrap().len(), 1, "another account of the same id");
        let actions = |backend: &LedgerBackend, filter: Filter| {
            let found = backend.query(&filter).unwrap();
            found.into_iter().map(|event| event.action).collect::<Vec<_>>()
        };
        assert_eq!(actions(&backend, Filter::new()), ["a", "b", "c\nd"]);
        assert_eq!(actions(&backend, Filter::new().newest(2)), ["b", "c\nd"]);
        assert_eq!(actions(&backend, Filter::new().agent("agent-001")), ["a", "b"]);
        let first = backend.query(&Filter::new().newest(3)).unwrap().remove(0);
        assert_eq!(first.parameters["q"], json!({"password": "[REDACTED]", "n": 1}));
        assert_eq!(
            (first.result, first.metadata["note"].as_str()),
            (Some("three\nlines\nof text".into()), Some("a"))
        );
        backend.close().unwrap();
        // It is there again, also for a logger, and on a thread of another runtime.
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let logger =
                AuditLogger::options().overflow(crate::Overflow::WriteThrough).start(open()).unwrap();
            logger.log(named("e")).unwrap();
            assert_eq!(logger.query(&Filter::new()).unwrap().len(), 4);
        });
    }
}
