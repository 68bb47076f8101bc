use std::io::Write as _;

use greffier_event::EventType;
use proptest::prelude::*;

use super::*;
use crate::testing::{event, fixed};

fn named(action: impl Into<String>) -> AuditEvent {
    AuditEvent::new(EventType::ToolCall).agent("agent-001").action(action)
}

fn actions(backend: &FileBackend, filter: &Filter) -> Vec<String> {
    backend.query(filter).unwrap().into_iter().map(|event| event.action).collect()
}

#[test]
fn what_was_written_is_found_by_its_fields() {
    let dir = tempfile::tempdir().unwrap();
    let backend = FileBackend::open(dir.path().join("logs/audit.jsonl")).unwrap();
    let other = named("c").agent("agent-002").user("alice");
    backend.write(&[named("a"), named("b"), other]).unwrap();
    backend.flush().unwrap();
    assert_eq!(actions(&backend, &Filter::new()), ["a", "b", "c"]);
    assert_eq!(actions(&backend, &Filter::new().agent("agent-001")), ["a", "b"]);
    assert_eq!(actions(&backend, &Filter::new().equal("user_id", serde_json::Value::Null)), ["a", "b"]);
    assert_eq!(actions(&backend, &Filter::new().equal("user_id", "alice")), ["c"]);
    assert_eq!(actions(&backend, &Filter::new().newest(2)), ["b", "c"]);
    assert_eq!(actions(&backend, &Filter::new().kind(EventType::Error)), Vec::<String>::new());
}

#[test]
fn a_file_that_another_process_was_writing_to_gets_no_empty_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let whole = named("theirs").to_flat() + "\n";
    let (begun, rest) = whole.split_at(10);
    fs::write(&path, begun).unwrap();
    let ours = FileBackend::open(&path).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(rest.as_bytes()).unwrap();
    ours.write(&[named("ours")]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(actions(&ours, &Filter::new()), ["theirs", "ours"]);
}

#[test]
fn a_full_file_is_set_aside_and_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let backend = FileBackend::options().max_bytes(1_000).open(&path).unwrap();
    for number in 0..20 {
        backend.write(&[named(number.to_string())]).unwrap();
    }
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let sizes: Vec<u64> = files.collect();
    assert!(sizes.len() > 4 && sizes.iter().all(|&bytes| bytes <= 1_000), "{sizes:?}");
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(actions(&backend, &Filter::new()), all);
    assert_eq!(actions(&backend, &Filter::new().newest(5)), all[15..]);
    // Opened again, it is the same file.
    drop(backend);
    assert_eq!(actions(&FileBackend::open(&path).unwrap(), &Filter::new()), all);
}

#[test]
fn an_old_file_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let backend =
        FileBackend::options().max_age(Duration::ZERO).open(dir.path().join("audit.jsonl")).unwrap();
    backend.write(&[named("a")]).unwrap();
    backend.write(&[named("b")]).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    assert_eq!(actions(&backend, &Filter::new()), ["a", "b"]);
}

/// A file is passed over by its name only if nothing in it is late enough, also where an event is ahead of the clock.
#[test]
fn times_find_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let backend = FileBackend::options().max_bytes(1).open(dir.path().join("audit.jsonl")).unwrap();
    let mut ahead = named("ahead");
    ahead.timestamp = "2199-01-01T00:00:00Z".parse().unwrap();
    backend.write(&[ahead]).unwrap();
    backend.write(&[fixed(EventType::ToolCall).action("old")]).unwrap();
    backend.write(&[named("now")]).unwrap();
    let since = Filter::new().since("2100-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(actions(&backend, &since), ["ahead"]);
    let until = Filter::new().until("2026-03-07T00:00:00Z".parse().unwrap());
    assert_eq!(actions(&backend, &until), ["old"]);
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let backend = FileBackend::open(&path).unwrap();
    backend.write(&[named("a")]).unwrap();
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    backend.lock().looked = Instant::now().checked_sub(LOOK_AGAIN).unwrap();
    backend.write(&[named("b")]).unwrap();
    assert_eq!(actions(&backend, &Filter::new()), ["b"]);
    assert!(fs::read_to_string(dir.path().join("elsewhere")).unwrap().contains("\"action\":\"a\""));
}

#[test]
fn a_full_disk_is_said_and_takes_nothing_back_from_others() {
    // Every write to it fails for want of space.
    let backend = FileBackend::open("/dev/full").unwrap();
    let error = backend.write(&[named("a")]).unwrap_err();
    assert!(error.to_string().starts_with("writing /dev/full: No space left"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Cut at any byte, a file keeps every line before the cut, and what is written later is not lost in its rest.
    #[test]
    fn cut_anywhere_only_the_last_line_is_lost(events in prop::collection::vec(event(), 1..4), cut in 0.0..1.0) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let backend = FileBackend::open(&path).unwrap();
        backend.write(&events).unwrap();
        drop(backend);
        let whole = fs::read(&path).unwrap();
        let kept = (whole.len() as f64 * cut) as usize;
        fs::write(&path, &whole[..kept]).unwrap();
        let lines = whole[..kept].iter().filter(|&&byte| byte == b'\n').count();
        // A line without its end is a line all the same.
        let whole_lines = lines + usize::from(kept > 0 && whole[kept] == b'\n' && whole[kept - 1] != b'\n');
        let backend = FileBackend::open(&path).unwrap();
        backend.write(&[named("after")]).unwrap();
        let found = backend.query(&Filter::new()).unwrap();
        prop_assert_eq!(found.len(), whole_lines + 1);
        prop_assert_eq!(found.last().map(|event| event.action.as_str()), Some("after"));
    }

    #[test]
    fn any_bytes_are_a_file(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        let backend = FileBackend::open(&path).unwrap();
        backend.write(&[named("after")]).unwrap();
        prop_assert_eq!(actions(&backend, &Filter::new().agent("agent-001")), ["after"]);
    }
}

/// Half of another process's line is no torn one: who opens the file waits for the rest.
#[test]
fn a_line_that_is_being_written_is_not_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let line = format!("{}\n", named("theirs").to_flat());
    let (half, rest) = line.split_at(line.len() / 2);
    let mut other = File::create(&path).unwrap();
    other.lock().unwrap();
    other.write_all(half.as_bytes()).unwrap();
    std::thread::scope(|scope| {
        let (told, hear) = std::sync::mpsc::channel();
        let path = &path;
        scope.spawn(move || {
            let backend = FileBackend::open(path).unwrap();
            let _ = told.send(());
            backend.write(&[named("ours")]).unwrap();
        });
        assert!(hear.recv_timeout(Duration::from_millis(200)).is_err(), "it did not wait");
        other.write_all(rest.as_bytes()).unwrap();
        other.unlock().unwrap();
    });
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| line.is_empty()).count(), 0, "{text}");
    assert_eq!(actions(&FileBackend::open(&path).unwrap(), &Filter::new()), ["theirs", "ours"]);
}
