"""What the OpenAI Agents SDK traces as actions on record. Needs ``openai-agents``.

.. code-block:: python

    agents.add_trace_processor(AuditTracingProcessor(agent))
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from agents.tracing import Span, Trace, TracingProcessor

from ._runs import Runs
from .agent import AuditedAgent
from .event import AuditEvent, AuditEventType

#: Spans that are actions: how they are named, and of which family they are.
ACTIONS = {
    "function": ("tool", "tool"),
    "generation": ("llm", "llm"),
    "response": ("llm", "llm"),
    "handoff": ("handoff", "agent"),
}


class AuditTracingProcessor(TracingProcessor):
    """Records tools, models and handoffs of the SDK as actions of ``agent``, its agents as starts and stops, and its
    guardrails as permission checks. The session is the trace's group, or the trace; the call's id is the span. The SDK
    goes on whatever a processor says: for what must not be done off the record use `audited`, or a `Guard`."""

    def __init__(self, agent: AuditedAgent) -> None:
        self.agent = agent
        self._runs = Runs(agent)

    def on_trace_start(self, trace: Trace) -> None:
        """Nothing is done yet."""

    def on_trace_end(self, trace: Trace) -> None:
        """Everything was said by its spans."""

    def on_span_start(self, span: Span[Any]) -> None:
        """Something is about to be done."""
        data = span.span_data
        if data.type in ACTIONS:
            what, kind = ACTIONS[data.type]
            name = getattr(data, "name", None) or getattr(data, "model", None) or data.type
            self._runs.begin(span.span_id, f"{what}.{name}", kind=kind, session_id=span.trace_id, parameters=said(data))
        elif data.type == "agent":
            self._tell(AuditEventType.AGENT_START, span, data.name)

    def on_span_end(self, span: Span[Any]) -> None:
        """It is done."""
        data = span.span_data
        if data.type == "agent":
            self._tell(AuditEventType.AGENT_STOP, span, data.name)
        elif data.type == "guardrail":
            self._tell(
                AuditEventType.PERMISSION_CHECK, span, data.name, result="triggered" if data.triggered else "passed"
            )
        elif data.type in ACTIONS:
            error = RuntimeError(span.error["message"]) if span.error else None
            self._runs.end(span.span_id, result=result(data), error=error, fill=lambda event: fill(event, data))

    def _tell(self, kind: AuditEventType, span: Span[Any], name: str, result: Optional[str] = None) -> None:
        self.agent.logger.log(
            self.agent.event(kind, action=name, session_id=span.trace_id, call_id=span.span_id, result=result)
        )

    def force_flush(self) -> None:
        """Waits, five seconds at most, until what was recorded is durable."""
        self.agent.logger.flush()

    def shutdown(self) -> None:
        """The SDK ends; the logger is its owner's."""
        self.agent.logger.flush()


def said(data: Any) -> Dict[str, Any]:
    """What a span is asked with."""
    if data.type == "handoff":
        return {"from": data.from_agent, "to": data.to_agent}
    return {} if data.input is None else {"input": data.input}


def result(data: Any) -> Any:
    """What came of it."""
    if data.type == "response":
        return getattr(data.response, "output_text", None)
    return getattr(data, "output", None)


def fill(event: AuditEvent, data: Any) -> None:
    """What is known only at the end."""
    event.parameters = said(data)
    if data.type == "handoff":
        return
    used = getattr(data, "usage", None) or {}
    model = getattr(data, "model", None) or getattr(getattr(data, "response", None), "model", None)
    usage = {"model": model, "input_tokens": used.get("input_tokens"), "output_tokens": used.get("output_tokens")}
    event.usage = {name: value for name, value in usage.items() if value is not None} or None
