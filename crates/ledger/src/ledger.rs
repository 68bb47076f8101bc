//! The ledger: one directory, one committer thread, one publisher thread.
//!
//! The committer answers producers as soon as their group is durable; the publisher turns what is durable into
//! checkpoints at its own pace, so that signing never delays a receipt.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use greffier_event::Tenant;
use greffier_merkle::{Hash, Receipt};
use tokio::sync::oneshot;

use crate::append::{Appender, Command, Faults, Health, Pending};
use crate::commit::{Committer, Entry, Refusal};
use crate::error::{AppendError, LedgerError};
use crate::keys::KeyRing;
use crate::manifest::{LogRecord, Manifest};
use crate::publish::Publisher;
use crate::recover::{self, Opened, Recovered};
use crate::store::{Disk, Files, Lock};
use crate::wal::replay::LogFile;
use crate::wal::{self, End, GROUP_BYTES};

/// Entries of one group: they share one sync.
const GROUP_ENTRIES: usize = 1_024;
/// Groups on their way to the publisher; when it falls this far behind, the committer waits for it.
const MAX_UNPUBLISHED_GROUPS: usize = 256;
/// Longest origin: with it, the trust file of a node with all its trails stays below 1 MiB.
const MAX_ORIGIN: usize = 100;
/// How often a trail that grew is signed, and how often something that failed is tried again.
const PACE: Duration = Duration::from_secs(1);

/// Where a ledger lies and under which name it signs.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// The data directory.
    pub dir: PathBuf,
    /// The keys folder; never inside the data directory.
    pub keys_dir: PathBuf,
    /// The node's name in checkpoints, `greffier.local`; a trail's origin is `<origin>/<tenant>`.
    pub origin: String,
    /// The node's name in events.
    pub node: String,
}

/// What starts after `start`.
#[derive(Debug)]
pub struct Startup {
    /// Resolves when the directory has been read and recording is possible: at once, or, when the directory is
    /// not usable yet, later.
    pub recovered: oneshot::Receiver<Recovered>,
}

/// A running ledger. Dropping it stops it as a crash would; [`Ledger::close`] stops it cleanly.
#[derive(Debug)]
pub struct Ledger {
    node: String,
    appender: Appender,
    faults: Arc<Faults>,
    committer: Option<JoinHandle<Option<Recorder>>>,
    publisher: Option<JoinHandle<Option<io::Result<Publisher>>>>,
}

/// Everything that recording needs, once the directory is open.
struct Recorder {
    disk: Disk,
    keys: Arc<KeyRing>,
    origin: String,
    #[expect(dead_code, reason = "held for its lifetime")]
    lock: Lock,
    committer: Committer,
    /// Files of the log from before this start, with their hashes.
    log: Vec<LogRecord>,
    /// Sequence of the manifest on disk.
    manifest: u64,
}

/// How to open the directory; used at start and, if that fails for now, again later.
struct Opener {
    disk: Disk,
    keys: Arc<KeyRing>,
    origin: String,
}

impl Opener {
    /// The whole way from a directory to recording. Each step leaves a directory from which the next start
    /// goes on.
    fn open(&self) -> Result<(Recorder, Publisher, Recovered), LedgerError> {
        let opened = recover::open(&self.disk, &self.keys, &self.origin)?;
        let Opened { lock, mut publisher, end, log, manifest, recovered } = opened;
        let disk = self.disk.clone();
        // What is durable in the log but was not signed for before the crash is signed for now ...
        publisher.publish().map_err(LedgerError::io("publish the trails"))?;
        if recovered.unclean {
            publisher.sweep().map_err(LedgerError::io("remove unfinished files"))?;
        }
        // ... so that the manifest can cover all that came before. It also marks the directory as in use.
        let sizes = publisher.trails().map(|(name, trail)| (name, trail.size()));
        let mut committer = Committer::new(disk.clone(), end, sizes);
        let mut started = Manifest { sequence: manifest + 1, ..Manifest::default() };
        started.wal = log.clone();
        started.wal.push(LogRecord::growing(wal::path(end.sequence + 1)));
        started.trails = publisher.records();
        started.write(&disk, &self.keys, &self.origin)?;
        // Only now may the log grow.
        committer.reopen().map_err(LedgerError::io("open the log"))?;
        let (keys, origin) = (Arc::clone(&self.keys), self.origin.clone());
        let recorder = Recorder { disk, keys, origin, lock, committer, log, manifest: manifest + 1 };
        Ok((recorder, publisher, recovered))
    }
}

impl Ledger {
    /// Opens or creates the ledger. Blocks while it reads the log.
    ///
    /// A directory that is absent, read-only, forbidden or full is no error: the ledger starts, refuses every
    /// append and tries again each second. Corruption, a wrong key or a second process is one.
    pub fn start(config: LedgerConfig) -> Result<(Ledger, Startup), LedgerError> {
        check_separate(&config.dir, &config.keys_dir)?;
        let name = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if config.origin.is_empty() || config.origin.len() > MAX_ORIGIN || !config.origin.chars().all(name) {
            return Err(LedgerError::Origin(config.origin));
        }
        let keys = Arc::new(KeyRing::open(&config.keys_dir)?);
        let disk = Disk::new(Arc::new(Files::new(&config.dir)));
        Ledger::run(Opener { disk, keys, origin: config.origin }, config.node, PACE)
    }

    fn run(opener: Opener, node: String, pace: Duration) -> Result<(Ledger, Startup), LedgerError> {
        let faults = Arc::new(Faults::default());
        let (commands, inbox) = mpsc::channel();
        let (to_publisher, leaves) = mpsc::sync_channel(MAX_UNPUBLISHED_GROUPS);
        let (recovered, startup) = oneshot::channel();
        let appender = Appender::new(Arc::clone(&opener.keys), Arc::clone(&faults), commands);
        let mut thread = CommitThread {
            opener,
            recorder: None,
            recovered: Some(recovered),
            to_publisher,
            faults: Arc::clone(&faults),
            last_try: Instant::now(),
            given_up: false,
            pace,
        };
        let first = thread.try_open();
        let publisher_faults = Arc::clone(&faults);
        let publisher = spawn("greffier-publish", move || run_publisher(&leaves, &publisher_faults, pace))?;
        match first {
            Err(error) if !error.may_pass() => return Err(error),
            Err(error) => tracing::error!(%error, "not recording: the data directory is not usable"),
            Ok(()) => {}
        }
        let committer = spawn("greffier-commit", move || thread.run(&inbox))?;
        let ledger =
            Ledger { node, appender, faults, committer: Some(committer), publisher: Some(publisher) };
        Ok((ledger, Startup { recovered: startup }))
    }

    /// Records events on this ledger.
    pub fn appender(&self) -> Appender {
        self.appender.clone()
    }

    /// Whether events can be recorded now.
    pub fn health(&self) -> Health {
        match self.faults.check() {
            Ok(()) => Health::Recording,
            Err(reason) => Health::NotRecording { reason },
        }
    }

    /// The node's name in events.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Stops cleanly: no further event is taken, those that wait are answered, every trail is signed to its
    /// end, and the manifest covers every file. Blocks.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.appender.close();
        self.appender.command(Command::Close);
        let recorder = self.committer.take().and_then(|thread| thread.join().ok()).flatten();
        let publisher = self.publisher.take().and_then(|thread| thread.join().ok()).flatten();
        let (Some(recorder), Some(publisher)) = (recorder, publisher) else {
            let reason = self.faults.check().err().unwrap_or_else(|| "a thread ended early".to_owned());
            return Err(LedgerError::NotClean(reason));
        };
        finish(recorder, &publisher.map_err(LedgerError::io("publish the trails"))?)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.appender.close();
        self.appender.command(Command::Abandon);
        let _ = self.committer.take().map(JoinHandle::join);
        let _ = self.publisher.take().map(JoinHandle::join);
    }
}

/// The last step of a clean stop: all files are final and durable, and the manifest says which they are.
fn finish(mut recorder: Recorder, publisher: &Publisher) -> Result<(), LedgerError> {
    let disk = &recorder.disk;
    let sequence = recorder.manifest + 1;
    let mut manifest = Manifest { sequence, clean: true, ..Manifest::default() };
    manifest.wal = std::mem::take(&mut recorder.log);
    let reading = "hash the log for the manifest";
    let last = recorder.committer.end();
    for sequence in manifest.wal.len() as u64 + 1..=last.sequence {
        let followed = sequence < last.sequence;
        let file = LogFile::read(disk, sequence, followed).map_err(LedgerError::io(reading))??;
        let len = file.accepted.unwrap_or(last.len);
        let record = if len == file.bytes.len() as u64 {
            LogRecord::sealed(&file.name, &file.bytes)
        } else {
            // What a failed write left behind it was refused, and its fate is unknown: it goes.
            wal::settle(disk, End { sequence, len }).map_err(LedgerError::io(reading))?
        };
        manifest.wal.push(record);
    }
    manifest.trails = publisher.records();
    manifest.list_files(disk)?;
    manifest.write(disk, &recorder.keys, &recorder.origin)
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LedgerError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(LedgerError::io("start a thread"))
}

/// Keys beside the data they protect would be copied, served and lost together with it.
fn check_separate(dir: &Path, keys_dir: &Path) -> Result<(), LedgerError> {
    let keys = keys_dir.canonicalize().map_err(LedgerError::io("find the keys folder"))?;
    // The data directory may not exist yet: then its nearest parent that does decides.
    let absolute = std::path::absolute(dir).map_err(LedgerError::io("find the data directory"))?;
    let existing = absolute.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    let data = existing.map_or(absolute.clone(), |(parent, real)| {
        real.join(absolute.strip_prefix(parent).unwrap_or(Path::new("")))
    });
    if keys.starts_with(data) { Err(LedgerError::KeysInsideData) } else { Ok(()) }
}

enum ToPublisher {
    /// The directory is open: these are its trails.
    Adopt(Box<Publisher>),
    /// Leaves of entries that are durable.
    Leaves(Vec<(Tenant, Hash)>),
    /// Publish what is left, and stop.
    Finish,
}

struct CommitThread {
    opener: Opener,
    recorder: Option<Recorder>,
    recovered: Option<oneshot::Sender<Recovered>>,
    to_publisher: SyncSender<ToPublisher>,
    faults: Arc<Faults>,
    last_try: Instant,
    /// Opening met what waiting does not mend.
    given_up: bool,
    pace: Duration,
}

impl CommitThread {
    /// Serves until it is told to stop. Returns the recorder only from an orderly stop.
    fn run(mut self, inbox: &Receiver<Command>) -> Option<Recorder> {
        loop {
            match inbox.recv_timeout(self.pace) {
                Ok(command) => {
                    let (group, stop) = gather(command, inbox);
                    self.commit(group);
                    match stop {
                        None => {}
                        Some(Stop::Now) => return None,
                        Some(Stop::Clean) => return self.close(inbox),
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.mend(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Answers one group.
    fn commit(&mut self, group: Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        self.mend();
        let (entries, answers): (Vec<Entry>, Vec<_>) =
            group.into_iter().map(|pending| (pending.entry, (pending.ack, pending.room))).unzip();
        let places = match self.recorder.as_mut().filter(|recorder| recorder.committer.is_open()) {
            Some(recorder) => recorder.committer.commit(&entries).map_err(|error| {
                tracing::error!(%error, "not recording: the log cannot be written");
                self.faults.set_log(Some(format!("the log cannot be written: {error}")));
                self.last_try = Instant::now();
            }),
            None => Err(()),
        };
        let Ok(places) = places else {
            let reason = self.faults.check().err().unwrap_or_else(|| "the log is closed".to_owned());
            for (ack, _room) in answers {
                let _ = ack.send(Err(AppendError::NotRecording(reason.clone())));
            }
            return;
        };
        // Durable: receipts may go out. A crash from here on loses no entry, only answers.
        let mut leaves = Vec::with_capacity(entries.len());
        for ((entry, place), (ack, room)) in entries.into_iter().zip(places).zip(answers) {
            let answer = match place {
                Ok(index) => {
                    leaves.push((entry.trail.clone(), entry.leaf));
                    Ok(Receipt { trail: entry.trail.into(), index, leaf_hash: entry.leaf })
                }
                Err(Refusal::Case(existing)) => Err(AppendError::TenantCase(existing)),
                Err(Refusal::TooManyTrails) => Err(AppendError::TooManyTrails),
            };
            drop(room);
            let _ = ack.send(answer);
        }
        // Waits when the publisher is far behind: memory stays bounded, and producers feel it.
        if self.to_publisher.send(ToPublisher::Leaves(leaves)).is_err() {
            self.faults.set_publishing(Some("the publisher stopped: restart greffier".to_owned()));
        }
    }

    /// Tries to record again, at most once per pace.
    fn mend(&mut self) {
        let open = self.recorder.as_ref().is_some_and(|recorder| recorder.committer.is_open());
        if open || self.given_up || self.last_try.elapsed() < self.pace {
            return;
        }
        if self.try_open().is_ok() {
            tracing::info!("recording again");
        }
    }

    /// Opens the directory, or a new file of the log where the directory is open already.
    fn try_open(&mut self) -> Result<(), LedgerError> {
        self.last_try = Instant::now();
        let result = match self.recorder.as_mut() {
            Some(recorder) => recorder.committer.reopen().map_err(LedgerError::io("open the log")),
            None => self.opener.open().map(|(recorder, publisher, recovered)| {
                let _ = self.to_publisher.send(ToPublisher::Adopt(Box::new(publisher)));
                self.recorder = Some(recorder);
                let _ = self.recovered.take().map(|waiting| waiting.send(recovered));
            }),
        };
        if let Err(error) = &result {
            // A log that was open may fail in any way and still come back; a directory that contradicts itself
            // needs a person.
            self.given_up = self.recorder.is_none() && !error.may_pass();
        }
        self.faults.set_log(result.as_ref().err().map(ToString::to_string));
        result
    }

    /// An orderly stop: everything that was sent is answered, and the log must be one that can be vouched for.
    fn close(mut self, inbox: &Receiver<Command>) -> Option<Recorder> {
        while let Ok(command) = inbox.try_recv() {
            let (group, _) = gather(command, inbox);
            self.commit(group);
        }
        if self.recorder.as_ref().is_some_and(|recorder| !recorder.committer.is_open()) {
            // The last file ends in bytes of unknown fate; only a new one can say so.
            self.try_open().ok()?;
        }
        let recorder = self.recorder.take()?;
        let _ = self.to_publisher.send(ToPublisher::Finish);
        Some(recorder)
    }
}

impl Drop for CommitThread {
    /// Whatever ends the committer, nobody may take the ledger for a recording one.
    fn drop(&mut self) {
        if self.faults.check().is_ok() {
            self.faults.set_log(Some("the ledger stopped".to_owned()));
        }
    }
}

enum Stop {
    Clean,
    Now,
}

/// Takes what waits, up to one group, without waiting for more: while this group syncs, the next one fills.
fn gather(first: Command, inbox: &Receiver<Command>) -> (Vec<Pending>, Option<Stop>) {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(command) = next {
        match command {
            Command::Append(pending) => {
                bytes += pending.entry.frame.len();
                group.push(*pending);
            }
            Command::Close => return (group, Some(Stop::Clean)),
            Command::Abandon => return (group, Some(Stop::Now)),
        }
        let full = group.len() >= GROUP_ENTRIES || bytes >= GROUP_BYTES;
        next = if full { None } else { inbox.try_recv().ok() };
    }
    (group, None)
}

/// Publishes what grew, once per pace. Returns the publisher only from an orderly stop.
fn run_publisher(
    inbox: &Receiver<ToPublisher>,
    faults: &Faults,
    pace: Duration,
) -> Option<io::Result<Publisher>> {
    let mut publisher: Option<Box<Publisher>> = None;
    let mut due = Instant::now() + pace;
    loop {
        match inbox.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(ToPublisher::Adopt(adopted)) => publisher = Some(adopted),
            Ok(ToPublisher::Leaves(leaves)) => {
                if let Some(publisher) = publisher.as_mut() {
                    publisher.ingest(leaves);
                }
            }
            Ok(ToPublisher::Finish) => {
                let mut publisher = publisher?;
                return Some(publisher.publish().map(|()| *publisher));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        if Instant::now() >= due {
            if let Some(result) = publisher.as_mut().map(|publisher| publisher.publish()) {
                if let Err(error) = &result {
                    tracing::error!(%error, "not recording: checkpoints cannot be written");
                }
                let fault = result.err().map(|error| format!("checkpoints cannot be written: {error}"));
                faults.set_publishing(fault);
            }
            due = Instant::now() + pace;
        }
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
