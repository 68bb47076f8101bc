"""What can go wrong. Every error here is a `GreffierError`.

A logger raises into the agent only with ``fail_closed=True``; a backend or a guard that is called directly always says
what went wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

if TYPE_CHECKING:
    from .event import AuditEvent


class GreffierError(Exception):
    """An error of this package."""


class BackendFailed(GreffierError):
    """The disk or the network failed. The text says what was being done; it never quotes an event."""


class Unavailable(BackendFailed):
    """The backend cannot take events now: send them again. A logger does so by itself."""


class NotDurable(BackendFailed):
    """What was written before may be lost: the disk refused to make it durable."""


class QueryFailed(GreffierError):
    """The question cannot be answered: the backend cannot be asked so, or too much would be the answer."""


class Rejected(GreffierError):
    """The backend will never take this event. A backend written in Python raises it to say so."""


class NotLogged(GreffierError):
    """An event was not taken over, and is not on record."""


class NotFlushed(GreffierError):
    """Not everything that was logged is durable yet. Nothing is lost: what waits is tried again."""

    def __init__(self, message: str, waiting: int = 0, spooled: bool = False) -> None:
        super().__init__(message)
        #: How many events wait.
        self.waiting = waiting
        #: Whether they lie in a spool on the disk, from which a later start sends them.
        self.spooled = spooled


class NotWritten(GreffierError):
    """The logger ended before everything was written."""

    def __init__(self, message: str, events: Sequence[AuditEvent] = ()) -> None:
        super().__init__(message)
        #: What was not written, in order.
        self.events: List[AuditEvent] = list(events)


class GuardError(GreffierError):
    """Something must not be done."""


class Denied(GuardError, PermissionError):
    """A policy denies it. A `PermissionError`, so that an audited action that ends by it is recorded as denied."""

    def __init__(self, reason: str, request_id: Optional[str] = None) -> None:
        super().__init__(f"denied by Greffier: {reason}")
        #: Why, for people.
        self.reason = reason
        #: Joins it with the record.
        self.request_id = request_id


class NoDecision(GuardError):
    """There is no answer, or none that can be understood: do not act."""
