"""The logger: takes events without waiting for where they go, and sees to it that they get there, in order."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Type, TypeVar, Union

from . import _lifetime, _native
from .backend import AuditBackend, Recorder, StrPath
from .errors import NotFlushed, NotLogged, NotWritten
from .event import AuditEvent

_log = logging.getLogger("greffier")
#: Seconds between two warnings of one logger: an agent's own log is not to be flooded.
WARN_EVERY = 60.0
Logger = TypeVar("Logger", bound="AsyncAuditLogger")


class Metrics(NamedTuple):
    """What a logger has done since its start."""

    #: Events that `log` took over.
    logged: int
    #: Events that the backend has; with a spool also those that an earlier start left.
    written: int
    #: Events that wait for the backend now.
    waiting: int
    #: Bytes of them in the spool.
    spooled_bytes: int
    #: Events that `log` did not take over: they are not on record.
    refused: int
    #: Events that the backend will never take.
    rejected: int
    #: Attempts to write that failed, each of a batch.
    failed: int
    #: Files of the spool in which damage was found; they are kept beside it.
    damaged: int
    #: Why the last attempt failed; none once one succeeded.
    reason: Optional[str]


class AsyncAuditLogger:
    """Logs events without waiting for where they go.

    `log` takes microseconds; a thread without Python writes batches of ``batch_size`` events, or what came in within
    ``interval`` seconds. What becomes of events that the backend cannot take yet is chosen by ``overflow``:

    ================= ========== ==================================== =================================================
    overflow          waits in   a killed process loses               no room
    ================= ========== ==================================== =================================================
    ``block``         memory     what waits                           `log` waits for ``patience`` seconds, then refuses
    ``refuse``        memory     what waits                           refused at once
    ``write_through`` nothing    nothing that `log` returned for      `log` waits for the backend
    ``spool``         files      nothing that `log` returned for      refused
    ================= ========== ==================================== =================================================

    ``buffer_size``: events that may wait in memory. ``spool``: a folder, for events that wait for a server that is
    away, and are sent by a later start if this one ends before; it holds at most ``spool_max_bytes``. ``producer``:
    names this start among others; made up otherwise. ``on_rejected(line, reason)``: is told of each event that the
    backend will never take. ``exit_timeout``: seconds that the end of the process waits for what is not written.

    Nothing here raises an exception into the agent, unless ``fail_closed`` is set: then an event that cannot be logged
    is a `NotLogged`, before anything is done that would not be on record. Otherwise it is counted (`metrics`) and told
    to ``logging.getLogger("greffier")``, once a minute at most.

    It ends by itself when the process does; ``with`` and ``async with`` end it earlier. In a forked process it begins
    anew, under another producer's name, with nothing of what waits in the process that was forked.
    """

    def __init__(
        self,
        backend: AuditBackend,
        buffer_size: int = 8_192,
        *,
        batch_size: Optional[int] = None,
        interval: float = 0.1,
        overflow: Optional[str] = None,
        patience: float = 5.0,
        spool: Optional[StrPath] = None,
        spool_max_bytes: int = 1 << 30,
        producer: Optional[str] = None,
        on_rejected: Optional[Callable[[str, str], object]] = None,
        fail_closed: bool = False,
        exit_timeout: float = 5.0,
    ) -> None:
        self.backend = backend
        self.fail_closed = fail_closed
        self.exit_timeout = exit_timeout
        #: What a shutdown in vain could not write.
        self.unwritten: List[AuditEvent] = []
        self._options: Dict[str, Any] = {
            "buffer": buffer_size,
            "batch": batch_size,
            "every": interval,
            "overflow": overflow or ("block" if spool is None else "spool"),
            "patience": patience,
            "spool": spool,
            "spool_max_bytes": spool_max_bytes,
            "producer": producer,
            "on_rejected": on_rejected,
        }
        self._unreadable = 0
        self._warned = -WARN_EVERY
        self._closed = False
        self._native: Union[_native.Logger, _Forked]
        self._start()
        _lifetime.reopen_after_fork(self)

    def _start(self) -> None:
        backend = self.backend
        if isinstance(backend, Recorder) and type(backend).write is Recorder.write:
            native = backend.native()
        else:
            # One at a time: after an exception nobody would know which of more were written.
            native, self._options["batch"] = _native.Backend.python(backend), 1
        self._native = _native.Logger(native, **self._options)
        _lifetime.close_at_exit(self)

    def log(self, event: AuditEvent) -> None:
        """Takes an event over. It is read now, numbered, and written after those before it."""
        try:
            self._native.log(event)
        except Exception as error:
            self._not_logged(error)

    async def alog(self, event: AuditEvent) -> None:
        """`log` for a coroutine: what has to be waited for is waited for on a thread."""
        try:
            if not self._native.log_at_once(event):
                await asyncio.to_thread(self._native.log, event)
        except Exception as error:
            self._not_logged(error)

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits, ``timeout`` seconds at most, until all that was logged before is with the backend and durable there:
        what a killed process cannot lose any more. Says whether that is so; with ``fail_closed`` a `NotFlushed`
        does."""
        try:
            self._native.flush(timeout)
        except Exception as error:
            return self._in_vain(error)
        return True

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Takes nothing more, and waits until all is written. What lies in a spool by then is left to the next start;
        what lay in memory is in `unwritten`. Says whether nothing was lost; with ``fail_closed`` a `NotWritten`
        does."""
        self._closed = True
        try:
            self._native.shutdown(timeout)
        except Exception as error:
            if isinstance(error, NotWritten):
                self.unwritten.extend(error.events)
            return self._in_vain(error)
        return True

    async def aflush(self, timeout: float = 5.0) -> bool:
        """`flush` for a coroutine: on a thread."""
        return await asyncio.to_thread(self.flush, timeout)

    async def ashutdown(self, timeout: float = 5.0) -> bool:
        """`shutdown` for a coroutine: on a thread."""
        return await asyncio.to_thread(self.shutdown, timeout)

    @property
    def metrics(self) -> Metrics:
        """What it has done so far."""
        metrics = self._native.metrics()
        metrics["refused"] += self._unreadable
        return Metrics(**metrics)

    @property
    def producer(self) -> str:
        """The name under which it numbers its events."""
        return self._native.producer

    def _not_logged(self, error: Exception) -> None:
        if not isinstance(error, NotLogged):
            self._unreadable += 1
            error = NotLogged(f"the event was not logged: {error}")
        self._tell(error)
        if self.fail_closed:
            raise error

    def _in_vain(self, error: Exception) -> bool:
        self._tell(error)
        if self.fail_closed:
            raise error
        return False

    def _tell(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned >= WARN_EVERY:
            self._warned = now
            # An error may quote what an agent was told.
            _log.warning("%s", repr(str(error))[1:-1])

    def forked(self) -> None:
        """This process was forked: the thread that writes is not here."""
        if not self._closed:
            self._native.leak()
            # The next use opens it, and the backend, anew.
            self._native = _Forked(self)
            self._unreadable = 0

    def at_exit(self) -> None:
        """The process ends."""
        if not self._closed and not isinstance(self._native, _Forked):
            try:
                self.shutdown(self.exit_timeout)
            except (NotFlushed, NotWritten):
                pass

    def __enter__(self: Logger) -> Logger:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        self._leave(kind)

    async def __aenter__(self: Logger) -> Logger:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        await asyncio.to_thread(self._leave, kind)

    def _leave(self, kind: Optional[Type[BaseException]]) -> None:
        try:
            self.shutdown()
        except NotWritten:
            # What broke off the work says more.
            if kind is None:
                raise


class _Forked:
    """In the place of a logger of another process, until somebody uses it."""

    def __init__(self, logger: AsyncAuditLogger) -> None:
        self._logger = logger
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._logger._native is self:
                self._logger._start()
        return getattr(self._logger._native, name)
