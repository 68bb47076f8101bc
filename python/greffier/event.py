"""What an agent did: the first document's event, and a few fields of ours behind its thirteen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Mapping, Optional

from . import _native


class AuditEventType(Enum):
    """The 14 types of events."""

    AGENT_START = "agent.start"
    AGENT_STOP = "agent.stop"
    ACTION_REQUEST = "action.request"
    ACTION_APPROVED = "action.approved"
    ACTION_DENIED = "action.denied"
    ACTION_EXECUTED = "action.executed"
    ACTION_FAILED = "action.failed"
    TOOL_CALL = "tool.call"
    TOOL_RESPONSE = "tool.response"
    DATA_ACCESS = "data.access"
    DATA_MODIFY = "data.modify"
    PERMISSION_CHECK = "permission.check"
    PERMISSION_DENIED = "permission.denied"
    ERROR = "error"


@dataclass
class AuditEvent:
    """One thing that an agent did.

    An event is read when it is logged: what happens to it later changes no record. Parameters, results and metadata may
    hold anything; what is no JSON is recorded as what it comes to (dataclasses as dicts, dates in ISO 8601, others by
    `str`), 64 levels deep and 100,000 values at most. What stands under a telling key (``password``, ``api_key``, …)
    becomes ``[REDACTED]`` wherever the event is written to.

    >>> event = AuditEvent(action="tool.search", parameters={"q": "orders", "logins": [{"password": "p"}]})
    >>> event.to_dict()["parameters"]
    {'q': 'orders', 'logins': [{'password': '[REDACTED]'}]}
    """

    #: A UUID; what makes sending an event twice harmless.
    event_id: str = field(default_factory=_native.event_id)
    #: When it happened: RFC 3339 to the microsecond; without an offset it is UTC.
    timestamp: str = field(default_factory=_native.now)
    event_type: AuditEventType = AuditEventType.ACTION_REQUEST
    #: The agent acting.
    agent_id: str = ""
    session_id: str = ""
    #: The human it is done for.
    user_id: Optional[str] = None
    #: What is done: ``tool.search``, ``process_request``.
    action: str = ""
    #: What is acted on: a URI.
    resource: Optional[str] = None
    #: With which arguments.
    parameters: Dict[str, Any] = field(default_factory=dict)
    #: What came of it: usually a text.
    result: Optional[Any] = None
    #: What went wrong, for people.
    error: Optional[str] = None
    #: How long it took, in milliseconds.
    duration_ms: Optional[float] = None
    metadata: Dict[str, Any] = field(default_factory=dict)

    #: Joins the request and the outcome of one action.
    request_id: Optional[str] = None
    #: What others call the action: a tool call's id.
    call_id: Optional[str] = None
    #: The family of action: ``tool``, ``llm``, ``data``, ``agent`` or ``admin``.
    kind: Optional[str] = None
    #: What it does to the resource: ``read``, ``create``, ``update``, ``delete`` or ``execute``.
    effect: Optional[str] = None
    #: How it ended, where the type does not say it: ``success``, ``failure``, ``denied``, ``cancelled``, ….
    status: Optional[str] = None
    #: What went wrong, as a word for machines.
    error_code: Optional[str] = None
    #: W3C trace context: 32 and 16 hex digits.
    trace_id: Optional[str] = None
    span_id: Optional[str] = None
    #: ``provider``, ``model``, ``input_tokens``, ``output_tokens``, ``cost_micros`` (millionths of a US dollar), ….
    usage: Optional[Dict[str, Any]] = None
    #: Who numbered the event, and its number from 0 on: set by the logger. A number that is missing was lost.
    producer: Optional[str] = None
    sequence: Optional[int] = None

    def to_dict(self) -> Dict[str, Any]:
        """The event as a file has it, sanitised: the first document's thirteen fields, then those of ours that are set.

        Raises `ValueError` for an id that is no UUID, a time that is none, or a type that is unknown.
        """
        fields: Dict[str, Any] = json.loads(_native.flat(self))
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AuditEvent:
        """The event that `to_dict` made this of; of what the first document's code wrote, too."""
        known = {name: fields[name] for name in cls.__dataclass_fields__ if fields.get(name) is not None}
        known["event_type"] = AuditEventType(fields["event_type"])
        trace, source = fields.get("trace") or {}, fields.get("source") or {}
        known.update({name: trace[name] for name in ("trace_id", "span_id") if name in trace})
        known.update({name: source[name] for name in ("producer", "sequence") if name in source})
        return cls(**known)
