"""Asking before acting: a Greffier server decides by its policies, puts the question on record, and then answers."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, Mapping, Optional

from . import _lifetime, _native
from .backend import Token
from .context import current_context


class Guard:
    """Asks a Greffier server for decisions. It is cooperative, as every hook is: whoever leaves the question out can
    act without it, and the record says so (``source.channel`` is ``hook``). Whoever gets no answer does not act.

    ``url`` and ``token`` as for a `RemoteAuditBackend`; ``timeout``: how long a decision is waited for, in seconds.

    .. code-block:: python

        guard = Guard("https://greffier.example", token=pathlib.Path("/run/greffier/token"))
        with guard.ask("crm:contacts:search", {"q": "open orders"}) as permit:
            permit.result = search(**permit.parameters)
        show(permit.result)
    """

    def __init__(self, url: str, *, token: Optional[Token] = None, timeout: float = 30.0) -> None:
        self.url, self._token, self._timeout = url, token, timeout
        self._native: Optional[_native.Guard] = self._open()
        _lifetime.reopen_after_fork(self)

    def _open(self) -> _native.Guard:
        return _native.Guard(self.url, token=self._token, timeout=self._timeout)

    def forked(self) -> None:
        """This process was forked: the thread that speaks HTTP is not here."""
        if self._native is not None:
            self._native.leak()
            self._native = None

    def ask(
        self,
        tool: str,
        parameters: Optional[Mapping[str, Any]] = None,
        *,
        session_id: Optional[str] = None,
        call_id: Optional[str] = None,
    ) -> Permit:
        """May this tool be used, with these parameters? Its name is the one that policies know: ``server:tool``.
        ``call_id``: what question and outcome share; made up otherwise. Waits for the decision, which is on record by
        then. Raises `Denied` (a `PermissionError`) or `NoDecision`."""
        if self._native is None:
            self._native = self._open()
        session_id = session_id or current_context().session_id
        return Permit(self._native.ask(tool, dict(parameters or {}), session_id=session_id, call_id=call_id))

    async def aask(
        self,
        tool: str,
        parameters: Optional[Mapping[str, Any]] = None,
        *,
        session_id: Optional[str] = None,
        call_id: Optional[str] = None,
    ) -> Permit:
        """`ask` for a coroutine: on a thread."""
        return await asyncio.to_thread(self.ask, tool, parameters, session_id=session_id, call_id=call_id)


class Permit:
    """What may be done, and is on record as decided. Use its ``parameters``: they may be others than were asked for.

    Say what came of it: by `executed` or `failed`, or with ``with``, at whose end `result` is told, or the exception.
    """

    def __init__(self, native: _native.Permit) -> None:
        self._native = native
        #: The parameters to act with.
        self.parameters: Dict[str, Any] = native.parameters
        #: What came of it: set it within ``with``; afterwards it is what may be shown to a model.
        self.result: Any = None

    @property
    def request_id(self) -> Optional[str]:
        """Joins it with the record."""
        return self._native.request_id

    @property
    def receipt(self) -> Optional[str]:
        """The decision's receipt: trail, index, leaf hash."""
        return self._native.receipt

    def executed(self, result: Any) -> Any:
        """Says that it was done, and what came of it; gives what of that may be shown to a model: the result itself, or
        one in which something was redacted. Raises `NoDecision`: then show nothing."""
        return self._native.executed(result)

    def failed(self, error: object) -> None:
        """Says that it failed. Raises `NoDecision` if the server did not hear it."""
        self._native.failed(error)

    async def aexecuted(self, result: Any) -> Any:
        """`executed` for a coroutine: on a thread."""
        return await asyncio.to_thread(self.executed, result)

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if error is None:
            result, self.result = self.result, None
            self.result = self.executed(result)
            return
        try:
            self.failed(error)
        except Exception:
            # What broke off the work says more; the server closes what was left open.
            pass

    async def __aenter__(self) -> Permit:
        return self

    async def __aexit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)
