"""An agent whose actions are on record: asked for before, and how they ended after."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextvars import Token
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Type

from . import _native
from ._plain import text
from .context import Context, _current
from .event import AuditEvent, AuditEventType
from .logger import AsyncAuditLogger

#: Characters of a result that are kept, as in the first document.
RESULT_CHARS = 1_000
#: What the first document counts as a modification.
MODIFYING = ("write", "delete", "update")
EFFECTS = {"read": "read", "create": "create", "write": "update", "update": "update", "delete": "delete"}


class AuditedAgent:
    """An agent, its session, and where its actions are logged.

    >>> import tempfile
    >>> from greffier import AsyncAuditLogger, FileAuditBackend
    >>> backend = FileAuditBackend(tempfile.mkdtemp() + "/audit.jsonl")
    >>> with AsyncAuditLogger(backend) as logger:
    ...     agent = AuditedAgent("agent-001", logger)
    ...     with agent.audit_context("process_request", user_input="hello"):
    ...         pass  # Agent actions here.
    >>> [event.event_type.value for event in backend.query({"agent_id": "agent-001"})]
    ['action.request', 'action.executed']
    """

    def __init__(self, agent_id: str, logger: AsyncAuditLogger, *, session_id: Optional[str] = None) -> None:
        self.agent_id = agent_id
        self.logger = logger
        #: The session, unless the context says another.
        self.session_id = session_id or _native.event_id()

    def event(self, event_type: AuditEventType, **fields: Any) -> AuditEvent:
        """An event of this agent, in the current context; nothing is logged yet."""
        event = AuditEvent(event_type=event_type, agent_id=self.agent_id, **fields)
        _current.get().fill(event)
        event.session_id = event.session_id or self.session_id
        return event

    def start(self, **metadata: Any) -> None:
        """Logs that it starts."""
        self.logger.log(self.event(AuditEventType.AGENT_START, metadata=metadata))

    def stop(self, **metadata: Any) -> None:
        """Logs that it stops."""
        self.logger.log(self.event(AuditEventType.AGENT_STOP, metadata=metadata))

    def audit_context(self, action: str, /, **metadata: Any) -> Action:
        """Puts an action on record, for ``with`` and ``async with``: see `Action`."""
        return self.action(action, metadata=metadata)

    def action(
        self,
        name: str,
        *,
        resource: Optional[str] = None,
        parameters: Optional[Mapping[str, Any]] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        **fields: Any,
    ) -> Action:
        """As `audit_context`, with more to say of the action before it is taken: any field of an `AuditEvent`."""
        event = self.event(
            AuditEventType.ACTION_REQUEST,
            action=name,
            resource=resource,
            parameters=dict(parameters or {}),
            metadata=dict(metadata or {}),
            **fields,
        )
        return Action(self, event)

    def log_tool_call(self, tool_name: str, parameters: Dict[str, Any], result: Any, duration_ms: float) -> None:
        """Logs a tool call that is over; ``duration_ms`` in milliseconds. Of a result the first 1,000 characters are
        kept; the metadata of a longer one has its whole length and SHA-256 (``result_chars``, ``result_digest``)."""
        event = self.event(
            AuditEventType.TOOL_CALL,
            action=f"tool.{tool_name}",
            parameters=parameters,
            duration_ms=duration_ms,
            kind="tool",
        )
        set_result(event, result)
        self.logger.log(event)

    def log_data_access(self, resource: str, operation: str, details: Optional[Dict[str, Any]] = None) -> None:
        """Logs an access to data: ``write``, ``delete`` and ``update`` as a modification."""
        modifies = operation in MODIFYING
        self.logger.log(
            self.event(
                AuditEventType.DATA_MODIFY if modifies else AuditEventType.DATA_ACCESS,
                action=operation,
                resource=resource,
                parameters=details or {},
                kind="data",
                effect=EFFECTS.get(operation),
            )
        )


def set_result(event: AuditEvent, result: Any) -> None:
    """Sets a result as a text of bounded length, and says of a longer one what it was."""
    if isinstance(result, str):
        said = result
    elif result is None or isinstance(result, (int, float)):
        said = str(result)
    else:
        # As a text nobody would look into it for keys any more.
        said = json.dumps(_native.redact(result), ensure_ascii=False)
    event.result = said[:RESULT_CHARS]
    if len(said) > RESULT_CHARS:
        digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
        event.metadata = {**event.metadata, "result_chars": len(said), "result_digest": f"sha256:{digest}"}


class Action:
    """One action: its request is logged before, and how it ended after, however it ends.

    ``with`` gives the event of the outcome, to which anything may be added: ``event.result``, ``event.metadata[…]``.
    Its type says how it ended: ``action.executed``, ``permission.denied`` after a `PermissionError`, ``action.failed``
    after any other exception, with status ``cancelled`` where a task was cancelled. Exceptions go on their way.
    What is done within has the action's span, if there is a trace.

    With ``fail_closed``, an action whose request cannot be logged is not begun, and one whose outcome cannot be logged
    ends by `NotLogged`.
    """

    def __init__(self, agent: AuditedAgent, event: AuditEvent) -> None:
        self._logger = agent.logger
        self.event = event
        self._began = 0.0
        self._token: Optional[Token[Context]] = None

    def prepare(self) -> AuditEvent:
        """The request, before it is logged."""
        here, event = _current.get(), self.event
        if here.trace_id is not None:
            within = here.within_span()
            event.trace_id, event.span_id = within.trace_id, within.span_id
        event.request_id = event.request_id or f"req_{_native.event_id().replace('-', '')}"
        return event

    def begun(self) -> AuditEvent:
        """The outcome, to be filled: the request is logged."""
        self._began = time.perf_counter()
        event = self.event
        event.event_id, event.metadata = _native.event_id(), dict(event.metadata)
        return event

    def ended(self, error: Optional[BaseException] = None) -> AuditEvent:
        """The outcome, before it is logged: how the action ended."""
        event = self.event
        event.timestamp = _native.now()
        event.duration_ms = round((time.perf_counter() - self._began) * 1e3, 3)
        if error is None:
            event.event_type = AuditEventType.ACTION_EXECUTED
            event.result = "success" if event.result is None else event.result
            return event
        event.error = text(error) or type(error).__name__
        event.error_code = type(error).__name__
        event.event_type = AuditEventType.ACTION_FAILED
        if isinstance(error, PermissionError):
            event.event_type = AuditEventType.PERMISSION_DENIED
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            event.error, event.error_code, event.status = "it was cancelled", "cancelled", "cancelled"
        return event

    def _enter(self) -> None:
        event, here = self.event, _current.get()
        self._token = _current.set(Context(here.session_id, here.user_id, event.trace_id, event.span_id))

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                _current.reset(token)
            except ValueError:
                # It ends in another task than it began in, which has a context of its own.
                pass

    def __enter__(self) -> AuditEvent:
        self._logger.log(self.prepare())
        self._enter()
        return self.begun()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._leave()
        try:
            self._logger.log(self.ended(error))
        except Exception:
            # What broke off the action says more.
            if error is None:
                raise

    async def __aenter__(self) -> AuditEvent:
        await self._logger.alog(self.prepare())
        self._enter()
        return self.begun()

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._leave()
        try:
            # A cancelled task that may be cancelled again must not lose the outcome: it is handed over at once.
            await asyncio.shield(self._logger.alog(self.ended(error)))
        except Exception:
            if error is None:
                raise
