//! The ledger: one directory, and four threads; with witnesses one more for each.
//!
//! The committer answers producers as soon as their group is durable; the publisher turns what is durable into
//! checkpoints, and the sealer what is signed into segments; witnesses are asked to cosign it. Each at its own
//! pace, so that none ever delays a receipt. A fourth thread makes space for the log before it is needed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::anchor::{self, Anchor, Asking};
use crate::append::{Appender, Command, Faults, Health};
use crate::backlog::SealPolicy;
use crate::commit::Committer;
use crate::erase::Eraser;
use crate::erase::replay::Replay;
use crate::error::LedgerError;
use crate::heads::Heads;
use crate::ids::Ids;
use crate::keys::KeyRing;
use crate::manifest::{self, Holds, LogRecord};
use crate::publish::Publisher;
use crate::read::{Acknowledged, Reader};
use crate::recover::{self, Opened, Recovered};
use crate::sealer::{self, Sealer};
use crate::segment::Offered;
use crate::store::{Disk, Files, Lock};
use crate::timestamp::Stamper;
use crate::wal::replay::LogFile;
use crate::wal::{self, End};

mod crowd;
mod threads;

pub(crate) use threads::wall_clock;
use threads::{CommitThread, SEALER_WAIT, run_publisher, run_sealer, run_space};

/// Groups on their way to the publisher; when it falls this far behind, the committer waits for it.
const MAX_UNPUBLISHED_GROUPS: usize = 256;
/// Longest origin: with it, the trust file of a node with all its trails stays below 1 MiB.
const MAX_ORIGIN: usize = 100;
/// How often a trail that grew is signed, and how often something that failed is tried again.
const PACE: Duration = Duration::from_secs(1);
/// How long a clean stop waits for the last checkpoints to be cosigned.
const FAREWELL: Duration = Duration::from_secs(3);

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
    /// When entries are sealed.
    pub seal: SealPolicy,
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
    reader: Reader,
    appender: Appender,
    eraser: Eraser,
    faults: Arc<Faults>,
    committer: Option<JoinHandle<Option<Recorder>>>,
    publisher: Option<JoinHandle<Option<io::Result<Publisher>>>>,
    sealer: Option<JoinHandle<Option<Sealer>>>,
    space: Option<JoinHandle<()>>,
    asking: Asking,
}

/// Everything that recording needs, once the directory is open.
struct Recorder {
    disk: Disk,
    keys: Arc<KeyRing>,
    origin: String,
    #[expect(dead_code, reason = "held for its lifetime")]
    lock: Lock,
    committer: Committer,
    ids: Arc<Ids>,
}

/// Everything of an open directory, each for its thread.
struct Running {
    recorder: Recorder,
    publisher: Publisher,
    sealer: Sealer,
    recovered: Recovered,
}

/// How to open the directory; used at start and, if that fails for now, again later.
struct Opener {
    disk: Disk,
    keys: Arc<KeyRing>,
    origin: String,
    seal: SealPolicy,
    /// How far readers of this process may read.
    acknowledged: Acknowledged,
    /// What they offer to the sealer.
    offered: Offered,
}

/// Who vouches for the trails, and where it is told how far they have come.
#[derive(Clone)]
struct Witnessing {
    anchor: Option<Anchor>,
    heads: Heads,
}

impl Witnessing {
    fn new(anchor: Option<Anchor>) -> Witnessing {
        let heads = Heads::new(anchor.as_ref().map(Anchor::terms));
        Witnessing { anchor, heads }
    }
}

impl Opener {
    /// [`Opener::open_witnessed`], with nobody to ask.
    #[cfg(test)]
    fn open(&self) -> Result<Running, LedgerError> {
        self.open_witnessed(&Witnessing::new(None))
    }

    /// The whole way from a directory to recording. Each step leaves a directory from which the next start
    /// goes on. Witnesses are asked before anything is signed.
    fn open_witnessed(&self, witnessing: &Witnessing) -> Result<Running, LedgerError> {
        let Witnessing { anchor, heads } = witnessing;
        let opened = recover::open_witnessed(&self.disk, &self.keys, &self.origin, anchor.as_ref())?;
        let Opened {
            lock,
            mut publisher,
            end,
            mut holds,
            mut chain,
            backlog,
            ids,
            open,
            orders,
            mut recovered,
        } = opened;
        let manifest = chain.newest();
        let disk = self.disk.clone();
        if let Some(anchor) = anchor {
            publisher.trust_witnesses(anchor.trust_lines());
            anchor::restore(anchor, &disk, heads, publisher.logs()?)?;
        }
        // What is durable in the log but was not signed for before the crash is signed for now ...
        publisher.publish().map_err(LedgerError::io("publish the trails"))?;
        if recovered.unclean {
            publisher.sweep(&holds, chain.newest()).map_err(LedgerError::io("remove unfinished files"))?;
        }
        // ... so that the manifest can cover all that came before. It also marks the directory as in use.
        let backlog = Arc::new(Mutex::new(backlog));
        publisher.share(Arc::clone(&backlog));
        publisher.tell(heads).map_err(LedgerError::io("read the checkpoints"))?;
        let sizes = publisher.trails().map(|(name, trail)| (name, trail.size()));
        let mut committer = Committer::new(
            disk.clone(),
            end,
            sizes,
            Arc::clone(&backlog),
            Arc::clone(&ids),
            self.acknowledged.clone(),
        );
        holds.trails = publisher.records();
        // The trust policy grows with the trails: only a clean stop can sign it.
        holds.files = Vec::new();
        let growing = LogRecord::growing(wal::path(end.sequence + 1));
        let started = Holds { wal: holds.wal.iter().cloned().chain([growing]).collect(), ..holds.clone() };
        let write = chain.commit(&disk, &self.keys, &self.origin, &started, false);
        write.map_err(LedgerError::io("write the manifest"))?;
        // Only now may the log grow.
        committer.reopen().map_err(LedgerError::io("open the log"))?;
        let (keys, node_origin) = (Arc::clone(&self.keys), self.origin.clone());
        let (policy, sealer_ids) = (self.seal, Arc::clone(&ids));
        let start = sealer::Start {
            disk: disk.clone(),
            keys: Arc::clone(&keys),
            node_origin: node_origin.clone(),
            policy,
            chain,
            holds,
            open,
            backlog,
            ids: sealer_ids,
            offered: self.offered.clone(),
        };
        let mut sealer = Sealer::new(start);
        // What was ordered to go goes before anybody records or reads.
        let replay = Replay {
            keys: &keys,
            committer: &mut committer,
            publisher: &mut publisher,
            sealer: &mut sealer,
            orders,
            manifest,
            now: wall_clock(),
        };
        replay.run(&mut recovered)?;
        let recorder = Recorder { disk, keys, origin: node_origin, lock, committer, ids };
        Ok(Running { recorder, publisher, sealer, recovered })
    }
}

impl Ledger {
    /// Opens or creates the ledger. Blocks while it reads the log.
    ///
    /// A directory that is absent, read-only, forbidden or full is no error: the ledger starts, refuses every
    /// append and tries again each second. Corruption, a wrong key or a second process is one.
    pub fn start(config: LedgerConfig) -> Result<(Ledger, Startup), LedgerError> {
        Ledger::start_witnessed(config, None)
    }

    /// [`Ledger::start`], with witnesses to vouch for the trails. A witness that has seen more than there is here
    /// keeps it from starting; one that cannot be reached does not. Blocks while they are asked.
    pub fn start_witnessed(
        config: LedgerConfig,
        anchor: Option<Anchor>,
    ) -> Result<(Ledger, Startup), LedgerError> {
        check_separate(&config.dir, &config.keys_dir)?;
        let name = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if config.origin.is_empty() || config.origin.len() > MAX_ORIGIN || !config.origin.chars().all(name) {
            return Err(LedgerError::Origin(config.origin));
        }
        let keys = Arc::new(KeyRing::open(&config.keys_dir)?);
        let disk = Disk::new(Arc::new(Files::new(&config.dir)));
        Ledger::run_witnessed(
            Opener {
                disk,
                keys,
                origin: config.origin,
                seal: config.seal,
                acknowledged: Acknowledged::default(),
                offered: Offered::default(),
            },
            config.node,
            PACE,
            anchor,
        )
    }

    #[cfg(test)]
    fn run(opener: Opener, node: String, pace: Duration) -> Result<(Ledger, Startup), LedgerError> {
        Ledger::run_witnessed(opener, node, pace, None)
    }

    fn run_witnessed(
        opener: Opener,
        node: String,
        pace: Duration,
        anchor: Option<Anchor>,
    ) -> Result<(Ledger, Startup), LedgerError> {
        if let Some(anchor) = &anchor {
            anchor.check()?;
        }
        let witnessing = Witnessing::new(anchor);
        let heads = witnessing.heads.clone();
        let faults = Arc::new(Faults::default());
        let reader = Reader::bounded(opener.disk.clone(), opener.acknowledged.clone());
        let reader = reader.offering(opener.offered.clone());
        let (commands, inbox) = mpsc::channel();
        let (to_publisher, leaves) = mpsc::sync_channel(MAX_UNPUBLISHED_GROUPS);
        let (to_sealer, sealing) = mpsc::channel();
        // One wish at a time: there is one space.
        let (to_space, wanted) = mpsc::sync_channel(0);
        let (recovered, startup) = oneshot::channel();
        let ids = Arc::new(OnceLock::new());
        let appender = Appender::new(
            Arc::clone(&opener.keys),
            Arc::clone(&faults),
            commands,
            Arc::clone(&ids),
            heads.clone(),
        );
        let to_sealer_too = mpsc::Sender::clone(&to_sealer);
        let (disk, anchor) = (opener.disk.clone(), witnessing.anchor.clone());
        let mut thread = CommitThread {
            opener,
            witnessing,
            recorder: None,
            recovered: Some(recovered),
            to_publisher,
            to_sealer,
            to_space,
            ids,
            faults: Arc::clone(&faults),
            last_try: Instant::now(),
            given_up: false,
            pace,
            patience: SEALER_WAIT,
        };
        let first = thread.try_open();
        let publisher_faults = Arc::clone(&faults);
        let publisher = spawn("greffier-publish", move || {
            run_publisher(&leaves, &to_sealer_too, &publisher_faults, pace)
        })?;
        let sealer_faults = Arc::clone(&faults);
        let sealer = spawn("greffier-seal", move || run_sealer(&sealing, &sealer_faults, pace))?;
        match first {
            Err(error) if !error.may_pass() => return Err(error),
            Err(error) => tracing::error!(%error, "not recording: the data directory is not usable"),
            Ok(()) => {}
        }
        let space = spawn("greffier-space", move || run_space(&wanted, pace))?;
        let asking = match anchor {
            Some(anchor) => Asking::start(anchor, disk, heads, Arc::clone(&faults), pace)?,
            None => Asking::none(),
        };
        let committer = spawn("greffier-commit", move || thread.run(&inbox))?;
        let (committer, publisher, sealer) = (Some(committer), Some(publisher), Some(sealer));
        let eraser = Eraser::new(reader.clone(), appender.clone(), node.clone());
        let space = Some(space);
        let ledger =
            Ledger { node, reader, appender, eraser, faults, committer, publisher, sealer, space, asking };
        Ok((ledger, Startup { recovered: startup }))
    }

    /// Records events on this ledger.
    pub fn appender(&self) -> Appender {
        self.appender.clone()
    }

    /// Reads this ledger's directory, up to what was acknowledged. Blocks.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Erases parts of this ledger, and holds them.
    pub fn eraser(&self) -> Eraser {
        self.eraser.clone()
    }

    /// Finds the checkpoints that have no time stamp yet, and keeps the stamps.
    pub fn stamper(&self) -> Stamper {
        Stamper::new(self.reader.disk().clone())
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
        let sealer = self.sealer.take().and_then(|thread| thread.join().ok()).flatten();
        let _ = self.space.take().map(JoinHandle::join);
        let (Some(recorder), Some(publisher), Some(sealer)) = (recorder, publisher, sealer) else {
            let reason = self.faults.check().err().unwrap_or_else(|| "a thread ended early".to_owned());
            return Err(LedgerError::NotClean(reason));
        };
        self.asking.settle(FAREWELL);
        // From here on no file changes but by the manifest.
        self.asking.stop();
        if let Some(reason) = self.faults.forked() {
            return Err(LedgerError::NotClean(reason));
        }
        finish(&recorder, &publisher.map_err(LedgerError::io("publish the trails"))?, sealer)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.asking.stop();
        self.appender.close();
        self.appender.command(Command::Abandon);
        let _ = self.committer.take().map(JoinHandle::join);
        let _ = self.publisher.take().map(JoinHandle::join);
        let _ = self.sealer.take().map(JoinHandle::join);
        let _ = self.space.take().map(JoinHandle::join);
    }
}

/// The last step of a clean stop: all files are final and durable, and the manifest says which they are.
fn finish(recorder: &Recorder, publisher: &Publisher, sealer: Sealer) -> Result<(), LedgerError> {
    let disk = &recorder.disk;
    let (mut chain, mut holds) = sealer.finish().map_err(LedgerError::io("end sealing"))?;
    recorder.committer.spare().remove(disk).map_err(LedgerError::io("remove unused space"))?;
    let reading = "hash the log for the manifest";
    let last = recorder.committer.end();
    for sequence in holds.floor + holds.wal.len() as u64..=last.sequence {
        let followed = sequence < last.sequence;
        let file = LogFile::read(disk, sequence, followed).map_err(LedgerError::io(reading))??;
        let len = file.accepted.unwrap_or(last.len);
        let record = if len == file.bytes.len() as u64 {
            LogRecord::sealed(&file.name, &file.bytes)
        } else {
            // What a failed write left behind it was refused, and its fate is unknown: it goes.
            wal::settle(disk, End { sequence, len }).map_err(LedgerError::io(reading))?
        };
        holds.wal.push(record);
    }
    holds.trails = publisher.records();
    holds.files = manifest::other_files(disk)?;
    holds.files.extend(anchor::cosigned_files(disk)?);
    // What could not be removed in its time is no part of it. While it stays, the stop is not a clean one.
    publisher.sweep(&holds, chain.newest()).map_err(LedgerError::io("remove files that nobody needs"))?;
    // What went must stay away: a file that a power cut brings back would be one that the clean stop did not leave.
    disk.tidy().map_err(LedgerError::io("make removals durable"))?;
    let write = chain.commit(disk, &recorder.keys, &recorder.origin, &holds, true);
    write.map_err(LedgerError::io("write the manifest"))
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

#[cfg(test)]
mod batches;
#[cfg(test)]
mod erasing;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod held;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod stamped;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod unwell;
#[cfg(test)]
mod witnessed;
