//! A sealer that does not come on: the log grows up to its bound and no further, and what was not refused is there.

use super::tests::FAST;
use super::*;
use crate::AppendError;
use crate::publish::Publisher;
use crate::store::sim::Sim;
use crate::testing::{draft, event, keys};

/// The log may have 2 MiB besides the file that grows.
const SEAL: SealPolicy = SealPolicy { entries: 8, age: Duration::from_secs(3600), wal_bytes: 1024 * 1024 };
/// So many events of a mebibyte fill one file of the log, and one more begins the next.
const FULL: u64 = wal::ROTATE_BYTES / (1024 * 1024) + 1;
const LONG: Duration = Duration::from_secs(600);

/// A ledger without its sealer.
struct Held {
    appender: Appender,
    faults: Arc<Faults>,
    committer: JoinHandle<Option<Recorder>>,
    publisher: JoinHandle<Option<io::Result<Publisher>>>,
    sealing: Option<mpsc::Receiver<threads::ToSealer>>,
    sealer: Option<JoinHandle<Option<Sealer>>>,
}

impl Held {
    fn start(patience: Duration) -> Held {
        let disk = Disk::new(Arc::new(Sim::default()));
        let (faults, ids) = (Arc::new(Faults::default()), Arc::new(OnceLock::new()));
        let (commands, inbox) = mpsc::channel();
        let (to_publisher, leaves) = mpsc::sync_channel(MAX_UNPUBLISHED_GROUPS);
        let (to_sealer, sealing) = mpsc::channel();
        let (to_space, _) = mpsc::sync_channel(0);
        let witnessing = Witnessing::new(None);
        let heads = witnessing.heads.clone();
        let appender = Appender::new(keys(), Arc::clone(&faults), commands, Arc::clone(&ids), heads);
        let acknowledged = Default::default();
        let origin = "test.local".to_owned();
        let mut thread = CommitThread {
            opener: Opener {
                disk,
                keys: keys(),
                origin,
                seal: SEAL,
                acknowledged,
                offered: Default::default(),
            },
            witnessing,
            recorder: None,
            recovered: None,
            to_publisher,
            to_sealer: to_sealer.clone(),
            to_space,
            ids,
            faults: Arc::clone(&faults),
            last_try: Instant::now(),
            given_up: false,
            pace: FAST,
            patience,
        };
        thread.try_open().unwrap();
        let publisher = std::thread::spawn({
            let faults = Arc::clone(&faults);
            move || run_publisher(&leaves, &to_sealer, &faults, FAST)
        });
        let committer = std::thread::spawn(move || thread.run(&inbox));
        Held { appender, faults, committer, publisher, sealing: Some(sealing), sealer: None }
    }

    /// Lets the sealer go.
    fn release(&mut self) {
        let (sealing, faults) = (self.sealing.take().unwrap(), Arc::clone(&self.faults));
        self.sealer = Some(std::thread::spawn(move || run_sealer(&sealing, &faults, FAST)));
    }

    /// A clean stop; how many files the log had.
    fn close(self) -> u64 {
        self.appender.command(Command::Close);
        let recorder = self.committer.join().unwrap().unwrap();
        let publisher = self.publisher.join().unwrap().unwrap().unwrap();
        finish(&recorder, &publisher, self.sealer.unwrap().join().unwrap().unwrap()).unwrap();
        recorder.committer.end().sequence
    }
}

async fn append(appender: Appender, n: u64) -> Result<u64, AppendError> {
    let large = vec![b'x'; 1024 * 1024];
    let draft = draft(event("acme", n, "data.access", &format!("req_{n}")), &[("prompt", &large)]);
    appender.append(draft).await.map(|receipt| receipt.index)
}

#[tokio::test]
async fn who_records_waits_for_the_sealer_and_nothing_is_lost() {
    let mut held = Held::start(LONG);
    for n in 0..FULL {
        assert_eq!(append(held.appender.clone(), n).await.unwrap(), n);
    }
    let mut waiting = tokio::spawn(append(held.appender.clone(), FULL));
    assert!(tokio::time::timeout(FAST * 20, &mut waiting).await.is_err(), "nobody waits for the sealer");
    assert_eq!(held.appender.is_recording(), Ok(()));
    held.release();
    assert_eq!(waiting.await.unwrap().unwrap(), FULL);
    // The file that was full, and the one that the last of them began.
    assert_eq!(held.close(), 2);
}

#[tokio::test]
async fn who_waited_long_enough_is_refused_until_the_sealer_comes_on() {
    let mut held = Held::start(Duration::ZERO);
    for n in 0..FULL {
        append(held.appender.clone(), n).await.unwrap();
    }
    let refused = append(held.appender.clone(), FULL).await.unwrap_err();
    assert!(matches!(&refused, AppendError::NotRecording(_)) && refused.is_unavailable());
    insta::assert_snapshot!(refused, @"recording is not possible: the log is full: entries are sealed more slowly than they come");
    assert!(held.appender.is_recording().is_err());
    held.release();
    while held.appender.is_recording().is_err() {
        tokio::time::sleep(FAST).await;
    }
    assert_eq!(append(held.appender.clone(), FULL + 1).await.unwrap(), FULL);
    held.close();
}
