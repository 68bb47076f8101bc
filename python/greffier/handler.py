"""Records of the standard library's `logging` as audit events: for programs that log already."""

from __future__ import annotations

import logging
from typing import Any, Dict

from .agent import AuditedAgent
from .errors import NotLogged
from .event import AuditEvent, AuditEventType

#: What `logging` itself puts into a record; what else is there was given as ``extra``.
USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Extras that are fields of an event; all others are parameters.
FIELDS = (
    "action",
    "resource",
    "user_id",
    "session_id",
    "request_id",
    "call_id",
    "result",
    "duration_ms",
    "kind",
    "effect",
)


class AuditHandler(logging.Handler):
    """Puts log records on record as events of an agent. Give it to a logger of its own, as ``audit``.

    ``extra`` may name the fields of an event (``event_type``, ``action``, ``resource``, ``user_id``, …); what else it
    holds are parameters. Without a type a record is a ``tool.call``, and from `logging.ERROR` on an ``error``; without
    an action, the logger's name. The message, the level and the logger's name are metadata.

    .. code-block:: python

        audit = logging.getLogger("audit")
        audit.addHandler(AuditHandler(agent))
        audit.info("read", extra={"event_type": "data.access", "resource": "crm://orders"})
    """

    def __init__(self, agent: AuditedAgent, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.agent = agent

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a record; raises `NotLogged` only if the agent's logger fails closed."""
        # What this package says of a logger must not go through it.
        if record.name == "greffier" or record.name.startswith("greffier."):
            return
        try:
            self.agent.logger.log(self.event(record))
        except NotLogged:
            raise
        except Exception:
            self.handleError(record)

    def event(self, record: logging.LogRecord) -> AuditEvent:
        """The event that a record becomes."""
        said: Dict[str, Any] = {name: value for name, value in vars(record).items() if name not in USUAL}
        failed = record.levelno >= logging.ERROR
        kind = said.pop("event_type", AuditEventType.ERROR if failed else AuditEventType.TOOL_CALL)
        fields = {name: said.pop(name) for name in FIELDS if name in said}
        fields.setdefault("action", record.name)
        message = record.getMessage()
        if failed:
            error = record.exc_info[1] if record.exc_info else None
            fields["error"] = message if error is None else f"{message}: {error}"
        metadata = {"message": message, "level": record.levelname, "logger": record.name}
        return self.agent.event(AuditEventType(kind), parameters=said, metadata=metadata, **fields)

    def flush(self) -> None:
        """Waits, five seconds at most, until what was logged is durable."""
        self.agent.logger.flush()
