"""Where events go: a file, a Greffier server, a ledger of one's own, or whatever a program writes itself."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from . import _lifetime, _native
from .event import AuditEvent

#: A file, or its name.
StrPath = Union[str, "os.PathLike[str]"]
#: A token, a file that holds one, or a function that gives one: asked for with each request.
Token = Union[str, "os.PathLike[str]", Callable[[], str]]

#: Events of one answer, unless another number is asked for: some 300 MiB of them.
LIMIT = 100_000


class AuditBackend(ABC):
    """Stores audit events. Programs may write their own: one event at a time, from a thread of the logger's."""

    @abstractmethod
    def write(self, event: AuditEvent) -> None:
        """Stores an event. After an exception the same event comes again, but for `Rejected`, which gives it up."""

    @abstractmethod
    def query(self, filters: Dict[str, Any]) -> List[AuditEvent]:
        """The events whose fields have these values, in the order in which they were recorded."""


class Recorder(AuditBackend):
    """A backend of this package: `FileAuditBackend`, `RemoteAuditBackend` or `LedgerAuditBackend`."""

    def __init__(self, open_native: Callable[[], _native.Backend]) -> None:
        self._open = open_native
        self._native: Optional[_native.Backend] = open_native()
        _lifetime.reopen_after_fork(self)

    def native(self) -> _native.Backend:
        """The backend itself, opened anew in a process that was forked."""
        if self._native is None:
            self._native = self._open()
        return self._native

    def forked(self) -> None:
        """This process was forked: locks may be held by threads that it does not have."""
        if self._native is not None:
            self._native.leak()
            self._native = None

    def write(self, event: AuditEvent) -> None:
        """Writes an event and waits for it. Raises `BackendFailed`, `Rejected`, or `ValueError` for an event that is
        none."""
        self.native().write(event)

    def query(
        self,
        filters: Optional[Mapping[str, Any]] = None,
        *,
        since: Optional[str] = None,
        until: Optional[str] = None,
        limit: int = LIMIT,
    ) -> List[AuditEvent]:
        """The events whose fields have these values, from ``since`` on and before ``until`` (RFC 3339); the newest
        ``limit`` of them, in the order in which they were recorded. Raises `QueryFailed` or `BackendFailed`."""
        return self.native().query(dict(filters or {}), since=since, until=until, limit=limit)

    def flush(self) -> None:
        """Makes what was written durable. Raises `NotDurable`."""
        self.native().flush()


class FileAuditBackend(Recorder):
    """A file of JSON Lines, as the first document writes it; each batch of a logger is one write at its end.

    ``max_bytes``: the file is set aside, under the time of its last event, before it has more. ``max_age``: or when it
    is older than so many seconds. ``numbered``: lines say who numbered the event and how (``source``), by which a loss
    can be proved. Nothing is ever removed. Processes may share a file. `query` reads the file and those that were set
    aside, the newest first, no more than it needs.
    """

    def __init__(
        self,
        log_path: StrPath,
        *,
        max_bytes: int = 256 << 20,
        max_age: Optional[float] = None,
        numbered: bool = True,
    ) -> None:
        self.log_path = os.fspath(log_path)
        super().__init__(
            lambda: _native.Backend.file(self.log_path, max_bytes=max_bytes, max_age=max_age, numbered=numbered)
        )


class RemoteAuditBackend(Recorder):
    """A Greffier server, over HTTP: batches, compressed, each event under its own id, so that none is doubled.

    ``url`` as in ``https://greffier.example``; a token travels over ``https`` or to this machine only. ``timeout``: how
    long an answer is waited for, in seconds. Give the logger a ``spool`` folder, and events lie on the disk while the
    server is away. What is asked of a server (`query`) comes without contents, and takes a token that may read.
    """

    def __init__(self, url: str, *, token: Optional[Token] = None, timeout: float = 30.0) -> None:
        self.url = url
        super().__init__(lambda: _native.Backend.remote(url, token=token, timeout=timeout))


class LedgerAuditBackend(Recorder):
    """A tamper-evident trail of one's own, in this process: ``greffier verify`` checks it, offline.

    ``keys`` must be another folder than ``directory``, best on another disk: whoever has both can forge. One process at
    a time has a ledger open; a forked process has it not. Close it (or use ``with``), or the next start finds that it
    was not stopped cleanly.
    """

    def __init__(
        self, directory: StrPath, keys: StrPath, *, tenant: str = "default", node: str = "greffier-python"
    ) -> None:
        super().__init__(
            lambda: _native.Backend.ledger(os.fspath(directory), keys=os.fspath(keys), tenant=tenant, node=node)
        )

    def close(self) -> None:
        """Closes it cleanly: loggers that write to it are shut down before. Raises `BackendFailed`."""
        self.native().close()

    def __enter__(self) -> LedgerAuditBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
