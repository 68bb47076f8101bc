"""Actions that another framework begins and ends under an id of its own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Callable, Optional

from .agent import Action, AuditedAgent, set_result
from .event import AuditEvent

#: Actions that may be open: some 30 MiB of them. What a framework never ends must not take memory for ever.
MAX_OPEN = 10_000


class Runs:
    """The actions of one agent that are under way. One that is pushed out by too many others failed: how it ended was
    not said."""

    def __init__(self, agent: AuditedAgent) -> None:
        self.agent = agent
        self._open: OrderedDict[str, Action] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, run: str, name: str, **fields: Any) -> None:
        """Logs the request of an action."""
        action = self.agent.action(name, call_id=run, **fields)
        self.agent.logger.log(action.prepare())
        action.begun()
        with self._lock:
            self._open[run] = action
            lost = self._open.popitem(last=False)[1] if len(self._open) > MAX_OPEN else None
        if lost is not None:
            event = lost.ended(RuntimeError("how it ended was not said"))
            event.error_code, event.status = "abandoned", "unknown"
            self.agent.logger.log(event)

    def end(
        self,
        run: str,
        *,
        result: Any = None,
        error: Optional[BaseException] = None,
        fill: Optional[Callable[[AuditEvent], None]] = None,
    ) -> None:
        """Logs its outcome. One that was never begun has none."""
        with self._lock:
            action = self._open.pop(run, None)
        if action is None:
            return
        if result is not None:
            set_result(action.event, result)
        if fill is not None:
            fill(action.event)
        self.agent.logger.log(action.ended(error))
