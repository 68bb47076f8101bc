"""The read API as a plain client sees it: searches to their last page, tables, exports, streams."""

import json
import uuid
from datetime import UTC, datetime

import httpx

EVENTS = "/api/v1/events"
LINES = "application/x-ndjson"


class Api:
    """One caller at one Greffier."""

    def __init__(self, greffier, token=None, timeout=60):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=greffier.url, trust_env=False, headers=headers, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def get(self, path, **params):
        """A GET, whatever comes of it."""
        return self.http.get(path, params=params)

    def told(self, path, **params):
        """The JSON that a GET must answer with."""
        reply = self.get(path, **params)
        assert reply.status_code == 200, f"{path} {params}: {reply.status_code} {reply.text}"
        return reply.json()

    def post(self, body, media="application/json", **params):
        """Events in, whatever comes of it."""
        body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return self.http.post(EVENTS, content=body, headers={"content-type": media}, params=params)

    def add(self, documents):
        """Events in, one a line, all of which must be recorded: their receipts, in order."""
        reply = self.post(lines(documents), LINES)
        assert reply.status_code == 200, f"{reply.status_code} {reply.text[:2000]}"
        answer = reply.json()
        assert answer["errors"] == [] and len(answer["receipts"]) == len(documents), reply.text[:2000]
        return answer["receipts"]

    def pages(self, q="", limit=1000, **params):
        """The pages of a search, newest first."""
        cursor = {}
        while True:
            page = self.told(EVENTS, q=q, limit=limit, **params, **cursor)
            yield page["events"]
            if page.get("next") is None:
                return
            cursor = {"cursor": page["next"]}

    def search(self, q="", **params):
        """All that a search finds, newest first."""
        return [event for page in self.pages(q, **params) for event in page]

    def ask(self, sql):
        """SQL, whatever comes of it."""
        return self.http.post("/api/v1/sql", json={"query": sql})

    def rows(self, sql):
        """The rows that SQL must answer with."""
        reply = self.ask(sql)
        assert reply.status_code == 200, f"{sql}: {reply.status_code} {reply.text}"
        table = reply.json()
        assert not table.get("truncated"), f"{sql}: truncated"
        return table["rows"]

    def value(self, sql):
        """The one value that SQL must answer with."""
        (row,) = self.rows(sql)
        (value,) = row.values()
        return value

    def export(self, q="", **params):
        """The lines of an export, to its end."""
        with self.http.stream("GET", "/api/v1/export", params={"q": q, **params}) as reply:
            assert reply.status_code == 200, reply.read()
            return list(filter(None, reply.iter_lines()))

    def tail(self, q="", last=None):
        """An open stream of events; read it with `messages`."""
        headers = {} if last is None else {"last-event-id": str(last)}
        return self.http.stream("GET", "/api/v1/tail", params={"q": q}, headers=headers)


def messages(stream):
    """Server-sent events as (id, document), comments left out."""
    known = {}
    for line in stream.iter_lines():
        if line:
            name, _, value = line.partition(":")
            known[name] = value.removeprefix(" ")
        else:
            if "data" in known:
                yield known.get("id"), json.loads(known["data"])
            known = {}


def lines(documents):
    """One document a line."""
    return "".join(json.dumps(document) + "\n" for document in documents)


def fresh():
    """An id nobody used."""
    return str(uuid.uuid4())


def now():
    """This moment, as events write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def native(**fields):
    """A small event in native form."""
    return {
        "id": fresh(), "time": now(), "type": "tool.call", "agent": {"id": "loader"}, "action": {"name": "suite:load"},
    } | fields


def flat(**fields):
    """The first document's event."""
    return {
        "event_id": fresh(), "timestamp": now(), "event_type": "action.executed", "agent_id": "loader",
        "session_id": "", "user_id": None, "action": "suite_load", "resource": "file:///etc/motd", "parameters": {"n": 1},
        "result": "success", "error": None, "duration_ms": 12.34567, "metadata": {"run": "e2e"},
    } | fields


def governed(**fields):
    """The second document's entry."""
    return {
        "timestamp": now(), "requestId": f"req_{fresh()}", "user": {"sub": "auth0|8f3a", "role": "analyst"},
        "action": {"tool": "crm:contacts:search", "method": "POST", "parameters": {"query": "pipeline"}},
        "policy": {"decision": "allow", "rule": "role:analyst grants tool:crm:read", "scopes": ["tool:crm:read"]},
        "contentSafety": {"piiDetected": False, "redactions": []},
        "usage": {"model": "claude-sonnet-4-5-20250929", "inputTokens": 1240, "outputTokens": 380, "estimatedCost": 0.0067},
        "outcome": {"status": 200, "durationMs": 342},
    } | fields


FORMS = {"native": native, "flat": flat, "governed": governed}
