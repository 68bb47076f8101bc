"""What the record says: the first document's three analyses, over any backend."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Tuple

from .backend import AuditBackend, Recorder
from .errors import QueryFailed
from .event import AuditEvent, AuditEventType

#: Events that one analysis reads: some 1.5 GiB of them. A part of them would be a wrong answer, so more are an error.
MAX_EVENTS = 500_000
#: The first document's thresholds.
RAPID_ACTIONS = 10
RAPID_WITHIN = timedelta(seconds=1)
FAILURE_RATE = 0.3
DENIALS = 5


def instant(text: str) -> datetime:
    """A time as events have it: RFC 3339, or a date; UTC without an offset."""
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


class AuditAnalyzer:
    """The first document's analyses, with its names and fields. Times are RFC 3339 or dates, UTC without an offset, and
    both ends of a period belong to it. An action of ours leaves a request and an outcome: where actions or failures are
    counted, the two count once. Raises `QueryFailed` beyond 500,000 events: choose a shorter period."""

    def __init__(self, backend: AuditBackend) -> None:
        self.backend = backend

    def get_agent_activity(
        self, agent_id: str, start_time: Optional[str] = None, end_time: Optional[str] = None
    ) -> Dict[str, Any]:
        """What one agent did: ``total_events``, ``by_type``, ``errors`` (events), ``avg_duration_ms`` (milliseconds),
        ``unique_actions``."""
        events = self._events({"agent_id": agent_id}, start_time, end_time)
        durations = [event.duration_ms for event in events if event.duration_ms]
        return {
            "agent_id": agent_id,
            "total_events": len(events),
            "by_type": dict(Counter(event.event_type.value for event in events)),
            "errors": [event for event in events if event.error],
            "avg_duration_ms": sum(durations) / len(durations) if durations else 0,
            "unique_actions": len({event.action for event in events}),
        }

    def detect_anomalies(self, agent_id: str) -> List[Dict[str, Any]]:
        """What is unusual about an agent: ten actions within a second (each such window), more than 30 % failures, more
        than five denials."""
        events = without_answered_requests(self._events({"agent_id": agent_id}))
        anomalies: List[Dict[str, Any]] = []
        times = sorted((instant(event.timestamp), event.timestamp) for event in events)
        for (first, said), (last, _) in zip(times, times[RAPID_ACTIONS - 1 :]):
            if last - first < RAPID_WITHIN:
                anomalies.append(
                    {
                        "type": "rapid_actions",
                        "timestamp": said,
                        "description": "10+ actions in less than 1 second",
                    }
                )
        failures = sum(1 for event in events if event.error)
        if failures > len(events) * FAILURE_RATE:
            anomalies.append(
                {
                    "type": "high_failure_rate",
                    "rate": failures / len(events),
                    "description": "Failure rate above 30%",
                }
            )
        denials = sum(1 for event in events if event.event_type is AuditEventType.PERMISSION_DENIED)
        if denials > DENIALS:
            anomalies.append(
                {"type": "permission_issues", "count": denials, "description": "Multiple permission denials"}
            )
        return anomalies

    def generate_compliance_report(self, start_date: str, end_date: str) -> Dict[str, Any]:
        """What happened in a period: how many events, agents, accesses to data, denials and errors, and the ten actions
        and resources named most."""
        events = self._events({}, start_date, end_date)
        counts = Counter(event.event_type for event in events)
        return {
            "period": {"start": start_date, "end": end_date},
            "total_events": len(events),
            "unique_agents": len({event.agent_id for event in events}),
            "data_access_events": counts[AuditEventType.DATA_ACCESS] + counts[AuditEventType.DATA_MODIFY],
            "security_events": counts[AuditEventType.PERMISSION_DENIED],
            "errors": sum(1 for event in events if event.error),
            "top_actions": top([event.action for event in events]),
            "top_resources": top([event.resource for event in events if event.resource]),
        }

    def _events(
        self, filters: Dict[str, Any], start: Optional[str] = None, end: Optional[str] = None
    ) -> List[AuditEvent]:
        since, until = instant(start) if start else None, instant(end) if end else None
        if isinstance(self.backend, Recorder):
            # The first instant behind the period, which is not asked for.
            behind = until + timedelta(microseconds=1) if until else None
            found = self.backend.query(
                filters,
                since=since.isoformat() if since else None,
                until=behind.isoformat() if behind else None,
                limit=MAX_EVENTS + 1,
            )
        else:
            found = self.backend.query(filters)
        if len(found) > MAX_EVENTS:
            raise QueryFailed(f"more than {MAX_EVENTS} events: choose a shorter period")
        if since is None and until is None:
            return found
        times = ((instant(event.timestamp), event) for event in found)
        return [event for time, event in times if (since is None or since <= time) and (until is None or time <= until)]


def without_answered_requests(events: List[AuditEvent]) -> List[AuditEvent]:
    """Without the requests whose outcome is there, so that an action counts once."""
    request = AuditEventType.ACTION_REQUEST
    answered = {event.request_id for event in events if event.request_id and event.event_type is not request}
    return [event for event in events if event.event_type is not request or event.request_id not in answered]


def top(items: List[str], count: int = 10) -> List[Tuple[str, int]]:
    """The items named most, and how often."""
    return Counter(items).most_common(count)
