//! A producer that is killed without a word, in the middle of logging: nothing is missing that `log` returned for.

#![cfg(feature = "file")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use greffier_client::{AuditBackend, AuditLogger, FileBackend, Filter, Overflow, SpoolOptions};

/// The example beside this test.
fn producer() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/producer");
    assert!(path.exists(), "no example at {}: cargo build -p greffier-client --examples", path.display());
    path
}

/// Kills a producer once it has logged so many events; returns how many it said it had.
fn killed(way: &str, dir: &Path, after: usize) -> u64 {
    let mut child = Command::new(producer()).arg(way).arg(dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.by_ref().take(after).count(), after, "it ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before it was gone counts too; only a whole line does.
    lines
        .map_while(Result::ok)
        .filter_map(|line| line.parse::<u64>().ok())
        .last()
        .map_or(after as u64, |last| last + 1)
}

fn logged(dir: &Path) -> Vec<u64> {
    let backend = FileBackend::open(dir.join("audit.jsonl")).unwrap();
    let events = backend.query(&Filter::new().newest(usize::MAX)).unwrap();
    events.into_iter().map(|event| event.action.parse().unwrap()).collect()
}

#[test]
fn written_through() {
    for after in [1, 100, 5_000] {
        let dir = tempfile::tempdir().unwrap();
        let said = killed("through", dir.path(), after);
        let found = logged(dir.path());
        // The last one may be there, though its `log` had not returned.
        assert!(found.len() as u64 == said || found.len() as u64 == said + 1, "{said} of {}", found.len());
        assert!(found.into_iter().eq(0..said) || logged(dir.path()).into_iter().eq(0..=said));
    }
}

#[test]
fn spooled() {
    for after in [1, 100, 5_000] {
        let dir = tempfile::tempdir().unwrap();
        let said = killed("spool", dir.path(), after);
        // The next start writes what was left.
        let logger = AuditLogger::options()
            .overflow(Overflow::Spool(SpoolOptions::new(dir.path().join("spool"))))
            .start(FileBackend::open(dir.path().join("audit.jsonl")).unwrap())
            .unwrap();
        logger.shutdown(Duration::from_secs(20)).unwrap();
        let found = logged(dir.path());
        let all: BTreeSet<u64> = found.iter().copied().collect();
        assert!(
            all.iter().copied().eq(0..said) || all.iter().copied().eq(0..=said),
            "{said} of {}",
            all.len()
        );
        // A file does not know its events again: the batch that was being written may stand there twice.
        assert!(found.len() - all.len() <= 512, "{} of {}", found.len(), all.len());
    }
}
