"""The exported events in DuckDB, with the columns that Greffier's SQL has: a second opinion on every question.

The columns are made from the exported JSON by what stands here alone.
"""

import json

import duckdb


def _at(*path):
    """The value at a path of an event, or None."""
    def get(event):
        for name in path:
            event = event.get(name) if isinstance(event, dict) else None
        return event
    return get


def _texts(*path, each=lambda item: item):
    get = _at(*path)
    return lambda event: [each(item) for item in get(event) or []]


def _flag(*path):
    """A flag that is left out where it is false."""
    parent, get = _at(*path[:-1]), _at(*path)
    return lambda event: None if parent(event) is None else bool(get(event))


def _found(event):
    """Findings of inspection; None where nothing was inspected."""
    safety = event.get("content_safety")
    return None if safety is None else safety.get("redactions", [])


def _redactions(event):
    found = _found(event)
    return None if found is None else sum(one["count"] for one in found)


def _attempts(event):
    outcome = event.get("outcome")
    return None if outcome is None else len(outcome.get("attempts", []))


TEXT, NUMBER, TIME, TRUTH, TEXTS = "VARCHAR", "BIGINT", "TIMESTAMP", "BOOLEAN", "VARCHAR[]"
COLUMNS = {
    "id": (TEXT, _at("id")), "time": (TIME, _at("time")), "recorded_at": (TIME, _at("recorded_at")),
    "type": (TEXT, _at("type")), "tenant": (TEXT, _at("tenant")), "request_id": (TEXT, _at("request_id")),
    "session_id": (TEXT, _at("session_id")), "trace_id": (TEXT, _at("trace", "trace_id")),
    "user_sub": (TEXT, _at("user", "sub")), "user_roles": (TEXTS, _texts("user", "roles")),
    "user_verified": (TRUTH, _flag("user", "verified")), "agent_id": (TEXT, _at("agent", "id")),
    "agent_tier": (TEXT, _at("agent", "tier")), "agent_version": (TEXT, _at("agent", "version")),
    "agent_verified": (TRUTH, _flag("agent", "verified")),
    "agent_via": (TEXTS, _texts("agent", "via", each=lambda actor: actor["sub"])),
    "action_name": (TEXT, _at("action", "name")), "action_kind": (TEXT, _at("action", "kind")),
    "action_effect": (TEXT, _at("action", "effect")), "action_method": (TEXT, _at("action", "method")),
    "call_id": (TEXT, _at("action", "call_id")), "resource_uri": (TEXT, _at("resource", "uri")),
    "resource_classification": (TEXTS, _texts("resource", "classification")),
    "resource_subjects": (TEXTS, _texts("resource", "subjects")),
    "decision": (TEXT, _at("policy", "decision")), "rule": (TEXT, _at("policy", "rule")), "reason": (TEXT, _at("policy", "reason")),
    "scopes": (TEXTS, _texts("policy", "scopes")), "pii_detected": (TRUTH, _flag("content_safety", "pii_detected")),
    "redaction_types": (TEXTS, lambda event: sorted({one["type"] for one in _found(event) or []})),
    "redaction_count": (NUMBER, _redactions), "provider": (TEXT, _at("usage", "provider")), "model": (TEXT, _at("usage", "model")),
    "input_tokens": (NUMBER, _at("usage", "input_tokens")), "output_tokens": (NUMBER, _at("usage", "output_tokens")),
    "cost_micros": (NUMBER, _at("usage", "cost_micros")), "status": (TEXT, _at("outcome", "status")),
    "code": (NUMBER, _at("outcome", "code")), "error": (TEXT, _at("outcome", "error")),
    "duration_us": (NUMBER, _at("outcome", "duration_us")), "attempts": (NUMBER, _attempts),
    "channel": (TEXT, _at("source", "channel")), "node": (TEXT, _at("source", "node")), "ip": (TEXT, _at("source", "ip")),
    "client": (TEXT, _at("source", "client")), "protocol": (TEXT, _at("source", "protocol")),
    "part_names": (TEXTS, _texts("parts", each=lambda part: part["name"])),
    # No column of Greffier's: what its searches open.
    "contents": (TEXTS, _texts("parts", each=lambda part: part["text"])),
}
# What free text is looked for in.
ANYWHERE = [
    "id", "type", "request_id", "session_id", "trace_id", "user_sub", "agent_id", "agent_version", "agent_tier", "action_name",
    "action_kind", "action_effect", "action_method", "call_id", "resource_uri", "decision", "rule", "reason", "provider",
    "model", "status", "error", "channel", "node", "ip", "client", "protocol",
]
ANYWHERE_LISTS = [
    "user_roles", "agent_via", "resource_classification", "resource_subjects", "scopes", "redaction_types", "part_names",
]


class Mirror:
    """A DuckDB with one table, `events`; its times are in UTC."""

    def __init__(self, lines, folder):
        self.db = duckdb.connect()
        file = folder / "mirror.jsonl"
        with file.open("w") as out:
            for event in map(json.loads, lines):
                row = {name: of(event) for name, (_, of) in COLUMNS.items()}
                out.write(json.dumps(row) + "\n")
        types = ", ".join(f"{name}: '{kind}'" for name, (kind, _) in COLUMNS.items())
        self.db.execute(
            f"CREATE TABLE events AS SELECT * FROM read_json('{file}', format = 'newline_delimited', columns = {{{types}}})",
        )

    def rows(self, sql, *values):
        return self.db.execute(sql, list(values)).fetchall()

    def ids(self, where, values):
        """The ids of the events that fulfil a condition."""
        return {row[0] for row in self.rows(f"SELECT id FROM events WHERE {where}", *values)}
