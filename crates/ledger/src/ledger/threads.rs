//! The threads of a ledger: one answers producers, one signs, one seals, and one makes space for the log.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use greffier_event::{Tenant, Timestamp};
use greffier_merkle::{Hash, Receipt};
use tokio::sync::oneshot;

use super::crowd::{CROWD, Crowd, GATHER};
use super::{Opener, Recorder, Running, Witnessing};
use crate::append::{Answers, Command, Faults, Pending, Placed};
use crate::commit::{Entry, Refusal};
use crate::erase::Erasure;
use crate::error::{AppendError, LedgerError};
use crate::ids::Ids;
use crate::publish::Publisher;
use crate::recover::Recovered;
use crate::sealer::Sealer;
use crate::store::Disk;
use crate::wal::{GROUP_BYTES, ROTATE_BYTES, Spare};

/// Entries of one group: they share one sync. With one more chunk some 2 MiB of small events: a sync of more takes
/// longer in proportion.
const GROUP_ENTRIES: usize = 2_048;
/// A file of the log that is so long makes it likely that there will be a next one: its space is made then. Who
/// records little never needs it.
const FILL_AT: u64 = 1024 * 1024;

/// Longest time that a full log keeps callers waiting for the sealer: several segments' worth. Beyond, something is
/// wrong with it, and who calls has given up or should.
pub(super) const SEALER_WAIT: Duration = Duration::from_secs(10);
/// How long the publisher looks away when it has taken all that was committed: far less than its pace, and its queue has
/// room for more groups than come within.
const REST: Duration = Duration::from_millis(2);
/// How often the committer looks whether the sealer came on: a segment takes longer.
const SEALER_LOOK: Duration = Duration::from_millis(10);

/// What the committer tells the publisher.
pub(super) enum ToPublisher {
    /// The directory is open: these are its trails.
    Adopt(Box<Publisher>),
    /// Leaves of entries that are durable.
    Leaves(Vec<(Tenant, Hash)>),
    /// Publish what there is, then hand this on to the sealer.
    Erase(Box<Erasure>),
    /// Publish what is left, and stop.
    Finish,
}

/// What the committer tells the sealer.
pub(super) enum ToSealer {
    /// The directory is open.
    Adopt(Box<Sealer>),
    /// More may be signed than before; said once per pace.
    Signed,
    /// Empty the log and take parts out.
    Erase(Box<Erasure>),
    /// Stop after the segment under way.
    Finish,
}

/// Space to be made for the next file of the log.
pub(super) struct ToSpace(Disk, Spare);

/// The committer's thread.
pub(super) struct CommitThread {
    pub(super) opener: Opener,
    pub(super) witnessing: Witnessing,
    pub(super) recorder: Option<Recorder>,
    pub(super) recovered: Option<oneshot::Sender<Recovered>>,
    pub(super) to_publisher: SyncSender<ToPublisher>,
    pub(super) to_sealer: Sender<ToSealer>,
    pub(super) to_space: SyncSender<ToSpace>,
    /// Given to producers when the directory is open.
    pub(super) ids: Arc<OnceLock<Arc<Ids>>>,
    pub(super) faults: Arc<Faults>,
    pub(super) last_try: Instant,
    /// Opening met what waiting does not mend.
    pub(super) given_up: bool,
    pub(super) pace: Duration,
    /// How long a full log keeps callers waiting.
    pub(super) patience: Duration,
}

impl CommitThread {
    /// Serves until it is told to stop. Returns the recorder only from an orderly stop.
    pub(super) fn run(mut self, inbox: &Receiver<Command>) -> Option<Recorder> {
        let mut crowd = Crowd::default();
        loop {
            match inbox.recv_timeout(self.pace) {
                Ok(command) => {
                    let mut group = Group::default();
                    group.gather(Some(command), inbox);
                    crowd.note(group.pending.len(), Instant::now());
                    if group.pending.len() < CROWD && !group.is_full() && crowd.is_there(Instant::now()) {
                        // Asleep, not listening: nobody pays for waking this thread.
                        std::thread::sleep(GATHER);
                        let before = group.pending.len();
                        group.gather(inbox.try_recv().ok(), inbox);
                        crowd.note(group.pending.len() - before, Instant::now());
                    }
                    self.commit(group.pending);
                    match group.stop {
                        None => {}
                        Some(Stop::Erase(erasure)) => self.rotate(erasure),
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
        self.wait_for_sealer();
        let mut entries = Vec::with_capacity(group.iter().map(|pending| pending.entries.len()).sum());
        let mut answers = Vec::with_capacity(group.len());
        for Pending { entries: mut asked, ack, room } in group {
            answers.push((asked.len(), ack, room));
            entries.append(&mut asked);
        }
        let behind = self.is_behind();
        let open = self.recorder.as_mut().filter(|recorder| recorder.committer.is_open() && !behind);
        let places = match open {
            Some(recorder) => recorder.committer.commit(&entries).map_err(|error| {
                tracing::error!(%error, "not recording: the log cannot be written");
                self.faults.set_log(Some(format!("the log cannot be written: {error}")));
                self.last_try = Instant::now();
            }),
            None => Err(()),
        };
        let Ok(places) = places else {
            let reason = self.faults.check().err().unwrap_or_else(|| "the log is closed".to_owned());
            for (count, ack, _room) in answers {
                let refusal = || Err(AppendError::NotRecording(reason.clone()));
                let placed = (0..count).map(|_| refusal()).collect();
                let _ = ack.send(Answers { placed, room: None });
            }
            return;
        };
        // Durable: receipts may go out. A crash from here on loses no entry, only answers.
        let leaves: Vec<(Tenant, Hash)> = entries
            .iter()
            .zip(&places)
            .filter(|(_, place)| place.is_ok())
            .map(|(entry, _)| (entry.trail.clone(), entry.leaf))
            .collect();
        let mut placed = entries.into_iter().zip(places).map(|(entry, place)| answer(entry, place));
        for (count, ack, room) in answers {
            let placed: Vec<_> = placed.by_ref().take(count).collect();
            let again = placed.iter().any(|placed| matches!(placed, Ok(Placed::Again(_))));
            let _ = ack.send(Answers { placed, room: again.then_some(room) });
        }
        // Waits when the publisher is far behind: memory stays bounded, and producers feel it.
        if self.to_publisher.send(ToPublisher::Leaves(leaves)).is_err() {
            self.faults.set_publishing(Some("the publisher stopped: restart greffier".to_owned()));
        }
        self.make_space();
    }

    /// While sealing is too far behind nothing is added: whoever records waits in the queue, and then before it.
    /// When that takes too long, or is known to, they are refused instead.
    fn wait_for_sealer(&self) {
        let begun = Instant::now();
        while self.is_behind() && self.faults.check().is_ok() {
            if begun.elapsed() >= self.patience {
                tracing::error!("not recording: entries are sealed more slowly than they come");
                let reason = "the log is full: entries are sealed more slowly than they come";
                self.faults.set_sealing(Some(reason.to_owned()));
            }
            std::thread::sleep(SEALER_LOOK);
        }
    }

    fn is_behind(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.committer.is_behind(&self.opener.seal))
    }

    /// Has the space for the next file of the log made while this one fills.
    fn make_space(&self) {
        let Some(recorder) = &self.recorder else { return };
        let committer = &recorder.committer;
        if committer.end().len >= FILL_AT && !committer.spare().is_ready() {
            // It is being made when nobody takes this.
            let _ = self.to_space.try_send(ToSpace(recorder.disk.clone(), committer.spare().clone()));
        }
    }

    /// Begins a new file of the log, so that an erasure can empty the old ones.
    fn rotate(&mut self, mut erasure: Box<Erasure>) {
        self.mend();
        let open = self.recorder.as_mut().filter(|recorder| recorder.committer.is_open());
        let rotated = open.map(|recorder| recorder.committer.rotate());
        match rotated.unwrap_or_else(|| Err(io::Error::other("the log is closed"))) {
            Ok(file) => {
                erasure.file = file;
                // Behind the leaves of all that the old files hold.
                let _ = self.to_publisher.send(ToPublisher::Erase(erasure));
            }
            Err(error) => {
                self.faults.set_log(Some(format!("the log cannot be written: {error}")));
                self.last_try = Instant::now();
                erasure.fail(&error);
            }
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
    pub(super) fn try_open(&mut self) -> Result<(), LedgerError> {
        self.last_try = Instant::now();
        let mut found = None;
        let result = match self.recorder.as_mut() {
            Some(recorder) => recorder.committer.reopen().map_err(LedgerError::io("open the log")),
            None => self.opener.open_witnessed(&self.witnessing).map(|opened| {
                let Running { recorder, publisher, sealer, recovered } = opened;
                let _ = self.to_publisher.send(ToPublisher::Adopt(Box::new(publisher)));
                let _ = self.to_sealer.send(ToSealer::Adopt(Box::new(sealer)));
                let _ = self.ids.set(Arc::clone(&recorder.ids));
                self.recorder = Some(recorder);
                found = Some(recovered);
            }),
        };
        if let Err(error) = &result {
            // A log that was open may fail in any way and still come back; a directory that contradicts itself
            // needs a person.
            self.given_up = self.recorder.is_none() && !error.may_pass();
        }
        self.faults.set_log(result.as_ref().err().map(ToString::to_string));
        // Said last: whoever waits for it may record from then on.
        if let Some((waiting, recovered)) = self.recovered.take_if(|_| found.is_some()).zip(found) {
            let _ = waiting.send(recovered);
        }
        result
    }

    /// An orderly stop: everything that was sent is answered, and the log must be one that can be vouched for.
    fn close(mut self, inbox: &Receiver<Command>) -> Option<Recorder> {
        while let Ok(command) = inbox.try_recv() {
            let mut group = Group::default();
            group.gather(Some(command), inbox);
            self.commit(group.pending);
        }
        if self.recorder.as_ref().is_some_and(|recorder| !recorder.committer.is_open()) {
            // The last file ends in bytes of unknown fate; only a new one can say so.
            self.try_open().ok()?;
        }
        let recorder = self.recorder.take()?;
        let _ = self.to_publisher.send(ToPublisher::Finish);
        let _ = self.to_sealer.send(ToSealer::Finish);
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

/// What ends a group early.
enum Stop {
    Clean,
    Now,
    /// Not the end: the group before it is committed first.
    Erase(Box<Erasure>),
}

/// What the producer of an entry is told.
fn answer(entry: Entry, place: Result<u64, Refusal>) -> Result<Placed, AppendError> {
    match place {
        Ok(index) => Ok(Placed::New(Receipt { trail: entry.trail.into(), index, leaf_hash: entry.leaf })),
        Err(Refusal::Known(known)) => Ok(Placed::Known(known, Box::new(entry))),
        Err(Refusal::Again | Refusal::Repeats(_)) => Ok(Placed::Again(Box::new(entry))),
        Err(Refusal::Case(existing)) => Err(AppendError::TenantCase(existing)),
        Err(Refusal::TooManyTrails) => Err(AppendError::TooManyTrails),
    }
}

/// What shares one sync, and what ends it early.
#[derive(Default)]
struct Group {
    pending: Vec<Pending>,
    entries: usize,
    bytes: usize,
    stop: Option<Stop>,
}

impl Group {
    /// Takes what waits, up to one group, without waiting for more: while this group syncs, the next one fills.
    fn gather(&mut self, first: Option<Command>, inbox: &Receiver<Command>) {
        let mut next = first;
        while let Some(command) = next {
            match command {
                Command::Append(pending) => {
                    self.entries += pending.entries.len();
                    self.bytes += pending.entries.iter().map(|entry| entry.frame.len()).sum::<usize>();
                    self.pending.push(*pending);
                }
                Command::Close => self.stop = Some(Stop::Clean),
                Command::Abandon => self.stop = Some(Stop::Now),
                Command::Erase(erasure) => self.stop = Some(Stop::Erase(erasure)),
            }
            next = if self.is_full() { None } else { inbox.try_recv().ok() };
        }
    }

    /// Whether it takes no more.
    fn is_full(&self) -> bool {
        self.stop.is_some() || self.entries >= GROUP_ENTRIES || self.bytes >= GROUP_BYTES
    }
}

/// Makes space for the log, ahead of time. That it cannot costs speed and nothing else: the log grows without.
pub(super) fn run_space(inbox: &Receiver<ToSpace>, pace: Duration) {
    let mut failed: Option<Instant> = None;
    while let Ok(ToSpace(disk, spare)) = inbox.recv() {
        if spare.is_ready() || failed.is_some_and(|at| at.elapsed() < pace) {
            continue;
        }
        failed = None;
        if let Err(error) = spare.fill(&disk, ROTATE_BYTES) {
            tracing::warn!(%error, "no space is made ahead for the log: it grows as it is written");
            let _ = spare.remove(&disk);
            failed = Some(Instant::now());
        }
    }
}

/// Publishes what grew, once per pace. Returns the publisher only from an orderly stop.
pub(super) fn run_publisher(
    inbox: &Receiver<ToPublisher>,
    to_sealer: &Sender<ToSealer>,
    faults: &Faults,
    pace: Duration,
) -> Option<io::Result<Publisher>> {
    let mut publisher: Option<Box<Publisher>> = None;
    let mut due = Instant::now() + pace;
    loop {
        // What comes meanwhile is taken together, and nobody pays for waking this thread.
        let next = inbox.try_recv().or_else(|_| {
            std::thread::sleep(REST);
            inbox.recv_timeout(due.saturating_duration_since(Instant::now()))
        });
        match next {
            Ok(ToPublisher::Adopt(adopted)) => publisher = Some(adopted),
            Ok(ToPublisher::Leaves(leaves)) => {
                if let Some(publisher) = publisher.as_mut() {
                    publisher.ingest(leaves);
                }
            }
            Ok(ToPublisher::Erase(erasure)) => {
                let published = publisher.as_mut().map(|publisher| publisher.publish());
                match published.unwrap_or_else(|| Err(io::Error::other("starting"))) {
                    Ok(()) => drop(to_sealer.send(ToSealer::Erase(erasure))),
                    Err(error) => erasure.fail(&error),
                }
            }
            Ok(ToPublisher::Finish) => {
                let mut publisher = publisher?;
                if let Some(reason) = faults.forked() {
                    return Some(Err(io::Error::other(reason)));
                }
                return Some(publisher.publish().map(|()| *publisher));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        if Instant::now() >= due {
            // Whoever forked signs nothing more.
            let publisher = publisher.as_mut().filter(|_| faults.forked().is_none());
            if let Some(result) = publisher.map(|publisher| publisher.publish()) {
                if let Err(error) = &result {
                    tracing::error!(%error, "not recording: checkpoints cannot be written");
                }
                let _ = to_sealer.send(ToSealer::Signed);
                let fault = result.err().map(|error| format!("checkpoints cannot be written: {error}"));
                faults.set_publishing(fault);
            }
            due = Instant::now() + pace;
        }
    }
}

/// Seals what is due, looking whenever more is signed and once per pace. Returns the sealer only from an orderly
/// stop.
pub(super) fn run_sealer(inbox: &Receiver<ToSealer>, faults: &Faults, pace: Duration) -> Option<Sealer> {
    let mut sealer: Option<Box<Sealer>> = None;
    let mut wait = pace;
    loop {
        match inbox.recv_timeout(wait) {
            Ok(ToSealer::Adopt(adopted)) => sealer = Some(adopted),
            Ok(ToSealer::Erase(erasure)) => match sealer.as_mut() {
                Some(sealer) => erasure.carry_out(sealer),
                None => erasure.fail(&"starting"),
            },
            Ok(ToSealer::Finish) => return sealer.map(|sealer| *sealer),
            Ok(ToSealer::Signed) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        // A segment counts by a signature, and whoever forked signs nothing more.
        let Some(sealer) = sealer.as_mut().filter(|_| faults.forked().is_none()) else { continue };
        wait = match sealer.step(wall_clock()) {
            Ok(more) => {
                if !sealer.is_behind() {
                    faults.set_sealing(None);
                }
                // There may be more: only the inbox comes between.
                if more { Duration::ZERO } else { pace }
            }
            Err(error) => {
                tracing::error!(%error, "entries cannot be sealed: they stay in the log");
                // The log cannot grow for ever: nobody waits for a sealer that fails.
                let fault = sealer.is_behind().then(|| format!("entries cannot be sealed: {error}"));
                faults.set_sealing(fault);
                pace
            }
        };
    }
}

/// Ages of entries are measured against it.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
