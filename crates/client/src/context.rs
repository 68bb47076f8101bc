//! What an agent's code runs within: which session, for whom, as part of which trace.
//!
//! A context is entered on a thread, or wrapped around a future, which has it wherever it is polled. Events of an
//! [`AuditedAgent`](crate::AuditedAgent) take from it what they do not say themselves.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::Poll;

use greffier_event::{Trace, limits};
use uuid::Uuid;

use crate::event::AuditEvent;

thread_local! {
    static CURRENT: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

/// Session, user and trace.
///
/// ```
/// use greffier_client::Context;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = Context::current().user("alice").traceparent(header);
/// let _entered = context.enter();
/// assert_eq!(Context::current().user_id.as_deref(), Some("alice"));
/// assert_eq!(Context::current().to_traceparent().as_deref(), Some(header));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The session; an agent has its own otherwise.
    pub session_id: Option<String>,
    /// The human something is done for.
    pub user_id: Option<String>,
    /// W3C trace context.
    pub trace: Option<Trace>,
}

impl Context {
    /// The context that was entered last on this thread; an empty one if none was.
    pub fn current() -> Context {
        CURRENT.with_borrow(|entered| entered.last().cloned()).unwrap_or_default()
    }

    /// Sets the session.
    pub fn session(mut self, id: impl Into<String>) -> Context {
        self.session_id = Some(id.into());
        self
    }

    /// Sets the user.
    pub fn user(mut self, id: impl Into<String>) -> Context {
        self.user_id = Some(id.into());
        self
    }

    /// Takes the trace of a `traceparent` header (W3C Trace Context, section 3.2). What is none, or names none, changes
    /// nothing, as W3C asks.
    pub fn traceparent(mut self, header: &str) -> Context {
        if let Some(trace) = parse(header) {
            self.trace = Some(trace);
        }
        self
    }

    /// The `traceparent` header for what is asked of others; none without a span.
    pub fn to_traceparent(&self) -> Option<String> {
        let trace = self.trace.as_ref()?;
        Some(format!("00-{}-{}-01", trace.trace_id, trace.span_id.as_ref()?))
    }

    /// The same within a span of its own; a trace begins where there is none.
    pub fn span(mut self) -> Context {
        let trace_id = self.trace.take().map_or_else(|| hex(16), |trace| trace.trace_id);
        self.trace = Some(Trace { trace_id, span_id: Some(hex(8)) });
        self
    }

    /// Makes it the current one on this thread until the guard is dropped.
    #[must_use = "the context is left when the guard is dropped"]
    pub fn enter(self) -> Entered {
        CURRENT.with_borrow_mut(|entered| entered.push(self));
        Entered(PhantomData)
    }

    /// Makes it the current one wherever a future is polled.
    pub fn scope<F: Future>(self, future: F) -> InContext<F> {
        InContext { context: self, future: Box::pin(future) }
    }

    /// Puts into an event what it does not say itself.
    pub(crate) fn fill(self, event: &mut AuditEvent) {
        if let Some(session) = self.session_id.filter(|_| event.session_id.is_empty()) {
            event.session_id = session;
        }
        event.user_id = event.user_id.take().or(self.user_id);
        event.trace = event.trace.take().or(self.trace);
    }
}

/// Leaves a context when it is dropped. It stays on its thread.
#[derive(Debug)]
pub struct Entered(PhantomData<*const ()>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|entered| drop(entered.pop()));
    }
}

/// A future within a context.
#[derive(Debug)]
pub struct InContext<F> {
    context: Context,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let _entered = self.context.clone().enter();
        self.future.as_mut().poll(task)
    }
}

/// `00-<trace>-<span>-<flags>`; of later versions what stands in front is the same.
fn parse(header: &str) -> Option<Trace> {
    let mut fields = header.trim().split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let byte = |text: &str| text.len() == 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let sound = byte(version) && version != "ff" && byte(flags);
    let whole = version != "00" || fields.next().is_none();
    let ids = limits::TRACE_ID.check(trace).is_ok() && limits::SPAN_ID.check(span).is_ok();
    (sound && whole && ids).then(|| Trace { trace_id: trace.to_owned(), span_id: Some(span.to_owned()) })
}

/// So many random bytes in hex, 16 at most; never all zeros.
fn hex(bytes: usize) -> String {
    let random = Uuid::now_v7();
    let mut text = String::with_capacity(2 * bytes);
    // The random bytes stand at the end, and their first bits are the UUID's variant, which is not zero.
    for byte in random.as_bytes().iter().skip(16 - bytes) {
        // Writing to memory does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers() {
        let check = |header: &str| {
            parse(header)
                .map_or("-".to_owned(), |trace| format!("{} {}", trace.trace_id, trace.span_id.unwrap()))
        };
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        insta::assert_snapshot!(check(&format!("00-{trace}-{span}-01")), @"4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7");
        insta::assert_snapshot!(check(&format!("01-{trace}-{span}-01-more")), @"4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7");
        insta::assert_snapshot!(check(&format!("00-{trace}-{span}-01-more")), @"-");
        insta::assert_snapshot!(check(&format!("ff-{trace}-{span}-01")), @"-");
        insta::assert_snapshot!(check(&format!("00-{}-{span}-01", trace.to_uppercase())), @"-");
        insta::assert_snapshot!(check(&format!("00-{}-{span}-01", "0".repeat(32))), @"-");
        insta::assert_snapshot!(check("nonsense"), @"-");
    }

    #[test]
    fn a_span_keeps_its_trace() {
        let outer = Context::default().span();
        let inner = outer.clone().span();
        let (outer, inner) = (outer.trace.unwrap(), inner.trace.unwrap());
        assert_eq!(outer.trace_id, inner.trace_id);
        assert_ne!(outer.span_id, inner.span_id);
        assert_eq!(
            parse(&format!("00-{}-{}-00", inner.trace_id, inner.span_id.clone().unwrap())),
            Some(inner)
        );
    }

    #[test]
    fn a_context_is_left_again() {
        let entered = Context::default().user("alice").enter();
        {
            let _inner = Context::current().session("s").enter();
            assert_eq!(Context::current(), Context::default().user("alice").session("s"));
        }
        assert_eq!(Context::current(), Context::default().user("alice"));
        drop(entered);
        assert_eq!(Context::current(), Context::default());
    }

    #[test]
    fn a_future_has_it_only_while_it_is_polled() {
        let mut future = Box::pin(Context::default().user("alice").scope(async { Context::current() }));
        assert_eq!(Context::current(), Context::default());
        let mut task = std::task::Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut task), Poll::Ready(Context::default().user("alice")));
        assert_eq!(Context::current(), Context::default());
    }

    proptest! {
        #[test]
        fn round_trip(trace in "[1-9a-f]{32}", span in "[1-9a-f]{16}") {
            let trace = Trace { trace_id: trace, span_id: Some(span) };
            let context = Context { trace: Some(trace.clone()), ..Context::default() };
            prop_assert_eq!(parse(&context.to_traceparent().unwrap()), Some(trace));
        }

        #[test]
        fn any_header_is_read_or_ignored(header in "[0-9a-f-]{0,70}|\\PC{0,20}") {
            drop(parse(&header));
        }
    }
}
