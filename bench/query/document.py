"""The first document's analyses in its own way: document.py activity|anomalies|report FILE AGENT START END

The whole file is read into objects for each question; what it gets wrong stays wrong, because its time is what is measured.
Prints how many seconds it took and the most memory held.
"""

import dataclasses
import json
import resource
import sys
import time
from collections import Counter
from datetime import datetime


@dataclasses.dataclass
class Event:
    event_id: str
    timestamp: str
    event_type: str
    agent_id: str
    session_id: str
    user_id: str | None
    action: str
    resource: str | None
    parameters: dict
    result: str | None
    error: str | None
    duration_ms: float | None
    metadata: dict


def read(path, agent=None):
    found = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            one = json.loads(line.strip())
            if agent is None or one.get("agent_id") == agent:
                found.append(Event(**{field.name: one.get(field.name) for field in dataclasses.fields(Event)}))
    return found


def activity(path, agent, start, end):
    events = [one for one in read(path, agent) if start <= one.timestamp <= end]
    durations = [one.duration_ms for one in events if one.duration_ms]
    return {
        "total_events": len(events),
        "by_type": Counter(one.event_type for one in events),
        "errors": [one for one in events if one.error],
        "avg_duration_ms": sum(durations) / len(durations) if durations else 0,
        "unique_actions": len({one.action for one in events}),
    }


def anomalies(path, agent, start, end):
    events = read(path, agent)
    found = []
    times = sorted(one.timestamp for one in events)
    for place in range(len(times) - 10):
        window = times[place : place + 10]
        if (datetime.fromisoformat(window[-1]) - datetime.fromisoformat(window[0])).seconds < 1:
            found.append(("rapid_actions", window[0]))
    failures = [one for one in events if one.error]
    if len(failures) > len(events) * 0.3:
        found.append(("high_failure_rate", len(failures)))
    denials = [one for one in events if one.event_type == "permission.denied"]
    if len(denials) > 5:
        found.append(("permission_issues", len(denials)))
    return found


def report(path, agent, start, end):
    events = [one for one in read(path) if start <= one.timestamp <= end]
    return {
        "total_events": len(events),
        "unique_agents": len({one.agent_id for one in events}),
        "data_access_events": len([one for one in events if one.event_type in ("data.access", "data.modify")]),
        "security_events": len([one for one in events if one.event_type == "permission.denied"]),
        "errors": len([one for one in events if one.error]),
        "top_actions": Counter(one.action for one in events).most_common(10),
        "top_resources": Counter(one.resource for one in events if one.resource).most_common(10),
    }


def main():
    what, *given = sys.argv[1:]
    start = time.perf_counter()
    {"activity": activity, "anomalies": anomalies, "report": report}[what](*given)
    took = time.perf_counter() - start
    print(json.dumps({"s": took, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


main()
