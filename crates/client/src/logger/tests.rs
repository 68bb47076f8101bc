use std::collections::BTreeSet;
use std::sync::mpsc;

use greffier_event::EventType;

use super::*;
use crate::overflow::SpoolOptions;
use crate::testing::Memory;

/// Long enough for everything that is to happen.
const LONG: Duration = Duration::from_secs(20);

fn named(action: impl Into<String>) -> AuditEvent {
    AuditEvent::new(EventType::ToolCall).action(action)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn log_all(logger: &AuditLogger, range: std::ops::Range<usize>) {
    range.for_each(|number| logger.log(named(number.to_string())).unwrap());
}

/// Every way of waiting, with a spool's folder where one is needed.
fn ways(dir: &std::path::Path) -> Vec<Overflow> {
    vec![
        Overflow::Block { at_most: LONG },
        Overflow::Refuse,
        Overflow::WriteThrough,
        Overflow::Spool(SpoolOptions::new(dir)),
    ]
}

#[test]
fn everything_arrives_in_order_and_numbered() {
    let dir = tempfile::tempdir().unwrap();
    for overflow in ways(dir.path()) {
        let memory = Memory::default();
        let logger = AuditLogger::options().overflow(overflow).batch(64).start(memory.clone()).unwrap();
        log_all(&logger, 0..1_000);
        logger.flush(LONG).unwrap();
        assert_eq!(memory.actions(), numbers(0..1_000));
        let sequence = |event: AuditEvent| event.origin.map(|origin| origin.sequence);
        assert!(memory.events().into_iter().map(sequence).eq((0..1_000).map(Some)));
        let metrics = logger.metrics();
        assert_eq!((metrics.logged, metrics.written, metrics.waiting), (1_000, 1_000, 0));
        logger.shutdown(LONG).unwrap();
        assert!(matches!(logger.log(named("late")).unwrap_err().why, Why::Closed));
    }
}

#[test]
fn what_was_logged_is_written_though_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    for overflow in ways(dir.path()) {
        let memory = Memory::default();
        let logger = AuditLogger::options().overflow(overflow).every(LONG).start(memory.clone()).unwrap();
        log_all(&logger, 0..10);
        drop(logger);
        assert_eq!(memory.actions(), numbers(0..10));
    }
}

#[test]
fn a_batch_is_written_when_it_is_full_or_when_it_is_time() {
    let memory = Memory::default();
    let slow = AuditLogger::options().batch(5).every(LONG).start(memory.clone()).unwrap();
    log_all(&slow, 0..5);
    // The backend has them without a flush: a full batch waits for nothing. Four more would wait for a fifth.
    while memory.batches() < 1 {
        thread::yield_now();
    }
    log_all(&slow, 5..9);
    assert_eq!(memory.actions(), numbers(0..5));
    let memory = Memory::default();
    let quick =
        AuditLogger::options().batch(5).every(Duration::from_millis(1)).start(memory.clone()).unwrap();
    log_all(&quick, 0..1);
    while memory.batches() < 1 {
        thread::yield_now();
    }
    assert_eq!(memory.actions(), ["0"]);
}

#[test]
fn where_there_is_no_room_the_policy_decides() {
    let memory = Memory::default();
    memory.fail(true);
    let options = || AuditLogger::options().buffer(4);
    let refusing = options().overflow(Overflow::Refuse).start(memory.clone()).unwrap();
    log_all(&refusing, 0..4);
    let refused = refusing.log(named("4")).unwrap_err();
    assert_eq!((refused.event.action.as_str(), refused.event.origin), ("4", None));
    assert_eq!(refused.why.to_string(), "no room: the backend does not keep up, or is away");
    let blocking = options()
        .overflow(Overflow::Block { at_most: Duration::from_millis(5) })
        .start(memory.clone())
        .unwrap();
    log_all(&blocking, 4..8);
    assert!(matches!(blocking.log(named("8")).unwrap_err().why, Why::Full));
    // Who only tries has it back at once, and may still wait for room: it is not counted as refused.
    assert!(matches!(blocking.try_log(named("8")).unwrap_err().why, Why::Full));
    assert_eq!(blocking.metrics().refused, 1);
    let through = options().overflow(Overflow::WriteThrough).start(memory.clone()).unwrap();
    assert!(matches!(through.log(named("9")).unwrap_err().why, Why::Backend(_)));
    // Nothing that was taken is lost once the backend is back, and what was given back has no number.
    memory.fail(false);
    refusing.flush(LONG).unwrap();
    blocking.flush(LONG).unwrap();
    through.log(named("9")).unwrap();
    let found: BTreeSet<String> = memory.actions().into_iter().collect();
    let expected: BTreeSet<String> = numbers(0..8).into_iter().chain(["9".to_owned()]).collect();
    assert_eq!(found, expected);
    assert_eq!(memory.events().last().unwrap().origin.as_ref().unwrap().sequence, 0);
    assert_eq!((refusing.metrics().refused, through.metrics().failed), (1, 1));
}

#[test]
fn a_caller_that_waits_for_room_gets_it() {
    let memory = Memory::default();
    memory.fail(true);
    let logger = AuditLogger::options()
        .buffer(2)
        .overflow(Overflow::Block { at_most: LONG })
        .start(memory.clone())
        .unwrap();
    log_all(&logger, 0..2);
    let (told, hear) = mpsc::channel();
    let other = logger.clone();
    let waiting = thread::spawn(move || {
        told.send(()).unwrap();
        other.log(named("2")).unwrap();
    });
    hear.recv().unwrap();
    memory.fail(false);
    waiting.join().unwrap();
    logger.flush(LONG).unwrap();
    assert_eq!(memory.actions(), numbers(0..3));
}

#[test]
fn a_flush_that_fails_says_so_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for overflow in [Overflow::Refuse, Overflow::Spool(SpoolOptions::new(dir.path()))] {
        let spooled = matches!(overflow, Overflow::Spool(_));
        let memory = Memory::default();
        memory.fail(true);
        let logger = AuditLogger::options().overflow(overflow).start(memory.clone()).unwrap();
        log_all(&logger, 0..3);
        let failed = logger.flush(LONG).unwrap_err();
        assert_eq!((failed.waiting, failed.spooled), (3, spooled));
        assert_eq!(failed.to_string(), "3 events are not written: told to fail");
        assert_eq!(logger.metrics().reason.as_deref(), Some("told to fail"));
        memory.fail(false);
        logger.flush(LONG).unwrap();
        assert_eq!(memory.actions(), numbers(0..3));
    }
}

#[test]
fn what_a_shutdown_could_not_write_is_given_back_or_left_to_the_next_start() {
    let memory = Memory::default();
    memory.fail(true);
    let logger = AuditLogger::options().overflow(Overflow::Refuse).start(memory.clone()).unwrap();
    log_all(&logger, 0..3);
    let unwritten = logger.shutdown(Duration::from_millis(5)).unwrap_err();
    assert_eq!(unwritten.to_string(), "3 events were not written: told to fail");
    assert!(unwritten.events.iter().map(|event| event.action.clone()).eq(numbers(0..3)));

    let dir = tempfile::tempdir().unwrap();
    let spooling = || AuditLogger::options().overflow(Overflow::Spool(SpoolOptions::new(dir.path())));
    let logger = spooling().start(memory.clone()).unwrap();
    log_all(&logger, 0..3);
    logger.shutdown(Duration::from_millis(5)).unwrap();
    memory.fail(false);
    let next = spooling().start(memory.clone()).unwrap();
    assert_eq!(next.metrics().waiting, 3);
    log_all(&next, 3..5);
    next.shutdown(LONG).unwrap();
    assert_eq!(memory.actions(), numbers(0..5));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left of it");
}

#[test]
fn what_is_rejected_is_counted_told_and_holds_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for overflow in [Overflow::Refuse, Overflow::Spool(SpoolOptions::new(dir.path()))] {
        let memory = Memory::default();
        memory.reject("1");
        let (told, hear) = mpsc::channel();
        let logger = AuditLogger::options()
            .overflow(overflow)
            .on_rejected(move |line, reason| {
                let event = AuditEvent::from_native(line).unwrap();
                told.send(format!("{} {reason}", event.action)).unwrap();
            })
            .start(memory.clone())
            .unwrap();
        log_all(&logger, 0..3);
        logger.flush(LONG).unwrap();
        assert_eq!(memory.actions(), ["0", "2"]);
        assert_eq!(hear.recv().unwrap(), "1 told to");
        let metrics = logger.metrics();
        assert_eq!((metrics.written, metrics.rejected, metrics.waiting), (2, 1, 0));
    }
    // Written through it comes back, and the next event has its number.
    let memory = Memory::default();
    memory.reject("1");
    let logger = AuditLogger::options().overflow(Overflow::WriteThrough).start(memory.clone()).unwrap();
    log_all(&logger, 0..1);
    let rejected = logger.log(named("1")).unwrap_err();
    assert_eq!((rejected.why.to_string().as_str(), rejected.event.origin), ("rejected: told to", None));
    log_all(&logger, 2..3);
    let sequence = |event: AuditEvent| event.origin.map(|origin| origin.sequence);
    assert!(memory.events().into_iter().map(sequence).eq([Some(0), Some(1)]));
}

#[test]
fn a_backend_that_panics_has_failed() {
    struct Panics(Memory, std::sync::atomic::AtomicBool);
    impl AuditBackend for Panics {
        fn write(&self, events: &[AuditEvent]) -> Result<Vec<crate::Rejected>, BackendError> {
            assert!(self.1.swap(true, std::sync::atomic::Ordering::Relaxed), "the first time");
            self.0.write(events)
        }
        fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, BackendError> {
            self.0.query(filter)
        }
    }
    let memory = Memory::default();
    let logger = AuditLogger::new(Panics(memory.clone(), false.into())).unwrap();
    log_all(&logger, 0..2);
    while logger.flush(LONG).is_err() {}
    assert_eq!(memory.actions(), numbers(0..2));
    assert_eq!(logger.metrics().failed, 1);
}

#[test]
fn threads_share_a_logger_and_numbers_have_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    for overflow in ways(dir.path()) {
        let memory = Memory::default();
        let logger =
            AuditLogger::options().buffer(1_000_000).overflow(overflow).start(memory.clone()).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let logger = &logger;
                scope.spawn(move || {
                    (0..250).for_each(|number| logger.log(named(format!("{thread} {number}"))).unwrap());
                });
            }
        });
        logger.shutdown(LONG).unwrap();
        let events = memory.events();
        assert!(
            events.iter().enumerate().all(|(at, event)| {
                event.origin.as_ref().is_some_and(|origin| origin.sequence == at as u64)
            })
        );
        // Each thread's own events stand in its order.
        for thread in 0..4 {
            let own = events.iter().filter(|event| event.action.starts_with(&format!("{thread} ")));
            assert!(own.map(|event| event.action.clone()).eq((0..250).map(|n| format!("{thread} {n}"))));
        }
    }
}
