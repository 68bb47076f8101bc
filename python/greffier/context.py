"""For whom an agent acts, in which session, as part of which trace: in force for the code within, tasks included."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Iterator, Optional

from . import _native
from .event import AuditEvent


@dataclass(frozen=True)
class Context:
    """Session, user and trace. Events of an `AuditedAgent` take from it what they do not say themselves."""

    session_id: Optional[str] = None
    user_id: Optional[str] = None
    trace_id: Optional[str] = None
    span_id: Optional[str] = None

    @property
    def traceparent(self) -> Optional[str]:
        """The W3C header for what is asked of others; none without a span."""
        return f"00-{self.trace_id}-{self.span_id}-01" if self.trace_id and self.span_id else None

    def within_span(self) -> Context:
        """The same within a span of its own; a trace begins where there is none."""
        trace_id, span_id = _native.span(self.trace_id) or (None, None)
        return replace(self, trace_id=trace_id, span_id=span_id)

    def fill(self, event: AuditEvent) -> None:
        """Puts into an event what it does not say itself."""
        event.session_id = event.session_id or self.session_id or ""
        if event.user_id is None:
            event.user_id = self.user_id
        if event.trace_id is None:
            event.trace_id, event.span_id = self.trace_id, self.span_id


_NONE = Context()
_current: ContextVar[Context] = ContextVar("greffier", default=_NONE)


def current_context() -> Context:
    """The context in force here."""
    return _current.get()


@contextmanager
def context(
    *, user_id: Optional[str] = None, session_id: Optional[str] = None, traceparent: Optional[str] = None
) -> Iterator[Context]:
    """Sets what is given for the code within; the rest stays as it is outside.

    A ``traceparent`` that is no such header changes nothing, as W3C Trace Context asks.

    >>> with context(user_id="alice", traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"):
    ...     current_context().user_id, current_context().trace_id
    ('alice', '4bf92f3577b34da6a3ce929d0e0e4736')
    """
    here = _current.get()
    trace = _native.parse_traceparent(traceparent) if traceparent else None
    trace_id, span_id = trace or (here.trace_id, here.span_id)
    entered = Context(session_id or here.session_id, user_id or here.user_id, trace_id, span_id)
    token = _current.set(entered)
    try:
        yield entered
    finally:
        _current.reset(token)
