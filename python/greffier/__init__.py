"""Greffier for Python: agents put on record what they do, and ask before they do it.

Names and fields are those of the document that this began with, so that its code runs with only the import changed. An
`AuditEvent` is logged by an `AsyncAuditLogger`, which hands it to an `AuditBackend`: a file (`FileAuditBackend`), a
Greffier server (`RemoteAuditBackend`), or a ledger in the same process (`LedgerAuditBackend`). An `AuditedAgent` logs
what it is about to do and how that ended, within a `context`; a `Guard` asks a server first.

The work is done by the Rust SDK (`greffier._native`), on threads that need no interpreter.
"""

from . import _native
from .agent import Action, AuditedAgent
from .analysis import AuditAnalyzer
from .backend import AuditBackend, FileAuditBackend, LedgerAuditBackend, RemoteAuditBackend
from .context import Context, context, current_context
from .decorator import audited
from .errors import (
    BackendFailed,
    Denied,
    GreffierError,
    GuardError,
    NoDecision,
    NotDurable,
    NotFlushed,
    NotLogged,
    NotWritten,
    QueryFailed,
    Rejected,
    Unavailable,
)
from .event import AuditEvent, AuditEventType
from .guard import Guard, Permit
from .handler import AuditHandler
from .logger import AsyncAuditLogger, Metrics

__all__ = [
    "Action",
    "AsyncAuditLogger",
    "AuditAnalyzer",
    "AuditBackend",
    "AuditEvent",
    "AuditEventType",
    "AuditHandler",
    "AuditedAgent",
    "BackendFailed",
    "Context",
    "Denied",
    "FileAuditBackend",
    "GreffierError",
    "Guard",
    "GuardError",
    "LedgerAuditBackend",
    "Metrics",
    "NoDecision",
    "NotDurable",
    "NotFlushed",
    "NotLogged",
    "NotWritten",
    "Permit",
    "QueryFailed",
    "Rejected",
    "RemoteAuditBackend",
    "Unavailable",
    "audited",
    "context",
    "current_context",
]

# What is looked up once is looked up now: a process forked in the middle would wait for a thread that it does not have.
_native.prepare()
