"""What logging audit events costs in Python: in the first document's way, with the standard library's `logging`, and with
the package `greffier`, where the Python that runs this has it (its wheel in release).

One line of JSON per case on standard output, as `benches/client_load.rs` prints them. `document` is written from the first
document's description: a queue, a daemon thread, and for each event the file opened, one line of `json.dumps` appended,
the file closed. It is counted until the thread has written all; nothing is synced, as there is no `flush` in it.
"""

import datetime
import json
import logging
import queue
import sys
import tempfile
import threading
import time
import uuid

try:
    import greffier
except ImportError:
    greffier = None

EVENTS = 100_000
SENSITIVE = ("password", "token", "secret", "key", "credential")


def sanitised(parameters):
    hidden = lambda name: any(word in name.lower() for word in SENSITIVE)
    nested = lambda value: sanitised(value) if isinstance(value, dict) else value
    return {name: "[REDACTED]" if hidden(name) else nested(value) for name, value in parameters.items()}


def event(number):
    return {
        "event_id": str(uuid.uuid4()),
        "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "event_type": "tool.call",
        "agent_id": "crm-assistant",
        "session_id": "0199c0de-5e55-7000-8000-000000000001",
        "user_id": "auth0|8f3a2b1c9d4e5f6a",
        "action": "tool.search",
        "resource": "crm://contacts",
        "parameters": {"query": "pipeline status this quarter", "limit": number, "api_key": "sk-1234567890abcdef"},
        "result": "3 deals, 2 of them open",
        "error": None,
        "duration_ms": 342.125,
        "metadata": {},
    }


def line(event):
    return json.dumps({**event, "parameters": sanitised(event["parameters"])})


class Document:
    """A bounded queue; who finds it full writes itself."""

    def __init__(self, path):
        self.path, self.lock, self.running = path, threading.Lock(), True
        self.queue = queue.Queue(maxsize=100)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def write(self, event):
        with self.lock, open(self.path, "a", encoding="utf-8") as file:
            file.write(line(event) + "\n")

    def log(self, event):
        try:
            self.queue.put_nowait(event)
        except queue.Full:
            self.write(event)

    def work(self):
        batch = []
        while self.running or not self.queue.empty():
            try:
                batch.append(self.queue.get(timeout=0.05))
            except queue.Empty:
                pass
            if len(batch) >= 10 or self.queue.empty():
                for one in batch:
                    self.write(one)
                batch = []

    def close(self):
        self.running = False
        self.thread.join()


class Logging:
    """A FileHandler whose message is the line."""

    def __init__(self, path):
        self.handler = logging.FileHandler(path, encoding="utf-8")
        self.handler.setFormatter(logging.Formatter("%(message)s"))
        self.logger = logging.Logger("audit")
        self.logger.addHandler(self.handler)

    def log(self, event):
        self.logger.info(line(event))

    def close(self):
        self.handler.close()


class Greffier:
    """The package, to a file: `log` reads the event, and a thread without Python writes it."""

    def __init__(self, path):
        self.log_to = greffier.AsyncAuditLogger(greffier.FileAuditBackend(path), fail_closed=True)
        self.log = self.log_to.log

    @staticmethod
    def event(number):
        fields = event(number)
        return greffier.AuditEvent(**{**fields, "event_type": greffier.AuditEventType.TOOL_CALL})

    def close(self):
        self.log_to.flush(60)
        self.log_to.shutdown(60)


def case(name, kind, events):
    made = getattr(kind, "event", event)
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/audit.jsonl"
        log = kind(path)
        costs = []
        began = time.perf_counter()
        for number in range(events):
            one = made(number)
            start = time.perf_counter_ns()
            log.log(one)
            costs.append(time.perf_counter_ns() - start)
        logged = time.perf_counter() - began
        log.close()
        done = time.perf_counter() - began
        with open(path, encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        if lines != events:
            sys.exit(f"{name}: {lines} lines of {events} events")
    costs.sort()
    at = lambda share: round(costs[int((len(costs) - 1) * share)] / 1e3, 2)
    print(json.dumps({
        "case": name, "threads": 1, "rate": None, "events": events, "logged_per_s": round(events / logged),
        "durable_per_s": round(events / done), "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": at(1),
    }))


def main():
    events = EVENTS // 10 if "quick" in sys.argv else EVENTS
    case("Python, the first document's way", Document, events)
    case("Python, logging.FileHandler", Logging, events)
    if greffier is None:
        print("the package greffier is not there: it is left out", file=sys.stderr)
    else:
        case("Python, greffier", Greffier, events)


main()
