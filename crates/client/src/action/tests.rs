use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::*;
use crate::logger::AuditLogger;
use crate::overflow::Overflow;
use crate::testing::Memory;

fn agent() -> (AuditedAgent, Memory) {
    let memory = Memory::default();
    let logger = AuditLogger::options().overflow(Overflow::WriteThrough).start(memory.clone()).unwrap();
    (AuditedAgent::new("agent-001", logger), memory)
}

/// What is on record after this was done.
fn check(act: impl FnOnce(&AuditedAgent)) -> String {
    let (agent, memory) = agent();
    act(&agent);
    let events = memory.events();
    let joined = events.windows(2).all(|pair| pair[0].request_id == pair[1].request_id);
    let timed = events
        .iter()
        .all(|event| event.duration_ms.is_some() == (event.event_type != EventType::ActionRequest));
    assert!(joined && timed && events.iter().all(|event| event.request_id.is_some()));
    memory.told()
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(Waker::noop()))
}

#[test]
fn what_is_done_is_asked_for_first() {
    insta::assert_snapshot!(check(|agent| {
        let done = agent.action("a").run(|| {
            assert_eq!(agent.logger().metrics().written, 1, "the request stands before the act");
            Ok::<_, io::Error>(7)
        });
        assert_eq!(done.unwrap(), 7);
    }), @"
    action.request a - -
    action.executed a success -
    ");
}

#[test]
fn errors_are_failures_or_denials() {
    insta::assert_snapshot!(check(|agent| {
        let failed = agent.action("a").run(|| Err::<(), _>("it broke"));
        assert_eq!(failed.unwrap_err().to_string(), "it broke");
    }), @"
    action.request a - -
    action.failed a failure it broke
    ");
    insta::assert_snapshot!(check(|agent| {
        let error = || io::Error::new(io::ErrorKind::PermissionDenied, "not yours");
        drop(agent.action("a").run(|| Err::<(), io::Error>(error())));
    }), @"
    action.request a - -
    permission.denied a denied not yours
    ");
    insta::assert_snapshot!(check(|agent| {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] PermissionDenied);
        let error = || Outer(PermissionDenied("no".to_owned()));
        drop(agent.action("a").run(|| Err::<(), Box<dyn Error + Send + Sync>>(Box::new(error()))));
    }), @"
    action.request a - -
    permission.denied a denied outer
    ");
}

#[test]
fn a_panic_is_a_failure() {
    insta::assert_snapshot!(check(|agent| {
        let act = || -> Result<(), io::Error> { std::panic::resume_unwind(Box::new(())) };
        drop(catch_unwind(AssertUnwindSafe(|| agent.action("a").run(act))).unwrap_err());
    }), @"
    action.request a - -
    action.failed a failure panicked
    ");
}

#[test]
fn a_scope_that_is_left_says_so() {
    insta::assert_snapshot!(check(|agent| drop(agent.action("a").begin().unwrap())), @"
    action.request a - -
    action.failed a unknown abandoned
    ");
}

#[test]
fn a_scope_says_what_it_is_told() {
    let (agent, memory) = agent();
    let mut scope = agent
        .action("a")
        .with("user_input", "hello")
        .parameter("q", 1)
        .resource("db://x")
        .user("alice")
        .call("call_1")
        .begin()
        .unwrap();
    assert!(scope.request_id().starts_with("req_"));
    scope.result("found");
    scope.with("rows", 3);
    scope.executed().unwrap();
    let [request, outcome] = memory.events().try_into().unwrap();
    assert_eq!((request.result, outcome.result), (None, Some("found".into())));
    assert!(!request.metadata.contains_key("rows") && outcome.metadata.contains_key("rows"));
    assert_eq!(request.user_id, outcome.user_id);
    assert_ne!(request.event_id, outcome.event_id);
    assert!(outcome.timestamp >= request.timestamp);
}

#[test]
fn what_is_awaited_ends_or_is_cancelled() {
    insta::assert_snapshot!(check(|agent| {
        let mut done = Box::pin(agent.action("a").run_async(async { Ok::<_, io::Error>(7) }));
        assert!(matches!(poll_once(done.as_mut()), Poll::Ready(Ok(7))));
    }), @"
    action.request a - -
    action.executed a success -
    ");
    insta::assert_snapshot!(check(|agent| {
        let mut never = Box::pin(agent.action("a").run_async(std::future::pending::<Result<(), io::Error>>()));
        assert!(poll_once(never.as_mut()).is_pending());
        assert!(poll_once(never.as_mut()).is_pending());
    }), @"
    action.request a - -
    action.failed a cancelled cancelled
    ");
    insta::assert_snapshot!(check(|agent| {
        drop(agent.action("a").run_async(std::future::pending::<Result<(), io::Error>>()));
    }), @"");
    insta::assert_snapshot!(check(|agent| {
        let panics = async { std::panic::resume_unwind(Box::new(())) };
        let mut panics = Box::pin(agent.action("a").run_async::<(), io::Error, _>(panics));
        drop(catch_unwind(AssertUnwindSafe(|| poll_once(panics.as_mut()))).unwrap_err());
    }), @"
    action.request a - -
    action.failed a failure panicked
    ");
}

#[test]
fn what_is_done_within_belongs_to_its_span() {
    let (agent, memory) = agent();
    let outer = Context::default().span();
    let trace_id = outer.trace.clone().unwrap().trace_id;
    let mut seen = None;
    {
        let _entered = outer.clone().enter();
        let inner = agent.action("a").run(|| {
            seen = Context::current().trace;
            agent.action("b").run(|| Ok::<_, io::Error>(()))
        });
        inner.unwrap();
    }
    let events = memory.events();
    assert!(events.iter().all(|event| event.trace.as_ref().unwrap().trace_id == trace_id));
    let spans: Vec<_> = events.iter().map(|event| event.trace.clone().unwrap().span_id).collect();
    assert_eq!((&spans[0], &spans[1]), (&spans[3], &spans[2]));
    assert_ne!(spans[0], spans[1]);
    assert_eq!(seen.unwrap().span_id, spans[0]);
}

#[test]
fn what_is_not_on_record_is_not_done_unless_the_agent_fails_open() {
    let (agent, memory) = agent();
    memory.fail(true);
    let mut done = 0;
    let mut act = |agent: &AuditedAgent| {
        agent.action("a").run(|| {
            done += 1;
            Ok::<_, io::Error>(())
        })
    };
    assert!(matches!(act(&agent), Err(NotDone::NotLogged(_))));
    assert!(act(&agent.clone().fail_open()).is_ok());
    assert_eq!(done, 1);
    assert_eq!(agent.logger().metrics().refused, 3);
}
