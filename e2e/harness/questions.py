"""Random events, and random questions about them: as a search, and as the condition of SQL that means the same."""

from datetime import UTC, datetime, timedelta

from .api import fresh
from .mirror import ANYWHERE, ANYWHERE_LISTS

DAYS = 20
START = datetime(2026, 3, 1, tzinfo=UTC)

# Values that search and SQL might take for something else.
ODD = [
    "100%", "a_c", "abc", "a\\b", "ab", 'say "hi"', "it's", "naïve", "ΑΒΓ", "日本", "x:y:z", "-minus", "a,b", "a b", "A B",
    "null", "*", "(x)", "1..2", ">5",
]
AGENTS = ["crm-assistant", "crm_assistant", "etl", "ETL", "planner", *ODD[:6]]
ACTIONS = ["crm:contacts:search", "crm:contacts:delete", "crm:deals:search", "ehr:read", "chat", "pay", *ODD]
USERS = ["alice", "bob", "auth0|8f3a", "Alice", *ODD[3:9]]
TYPES = [
    "agent.start", "agent.stop", "action.request", "action.approved", "action.denied", "action.executed",
    "action.failed", "tool.call", "tool.response", "data.access", "data.modify", "permission.check",
    "permission.denied", "error",
]
# What the type of an event promises about its outcome and its decision.
STATUS = {
    "action.request": ["pending"], "action.approved": ["pending"], "action.denied": ["denied"],
    "permission.denied": ["denied"], "action.executed": ["success"],
    "action.failed": ["failure", "timeout", "cancelled", "unknown", "denied"],
}
DECISION = {
    "action.request": ["pending"], "action.approved": ["allow", "redact"], "action.denied": ["deny"],
    "permission.denied": ["deny"],
}


# What contents say: words that fields have as well, and others.
SAID = ["a pelican", "Pelican Island", "CRM", "100% of it", "a_c", "naïve", "日本", "the people", "a\\b", "gpt-4o", "us_ssn", "nothing"]


def event(dice):
    """Any event that ingest takes: each field there or not."""
    one, some = dice.choice, lambda values: dice.sample(values, dice.randrange(len(values) + 1))
    kind = one(TYPES)
    redactions = [
        {"action": "redact", "count": dice.randrange(1, 5), "stage": "input", "type": one(["US_SSN", "EMAIL", "IBAN"])}
        for _ in range(dice.randrange(3))
    ]
    fields = {
        "request_id": (0.6, f"req-{dice.randrange(300)}"),
        "session_id": (0.6, f"s-{dice.randrange(40)}"),
        "agent": (0.9, {
            "id": one(AGENTS), "tier": one(["interactive", "background"]), "via": [{"sub": one(AGENTS)}] * dice.randrange(3),
        }),
        "action": (0.9, {
            "name": one(ACTIONS), "kind": one(["tool", "llm", "data"]), "effect": one(["read", "update", "delete"]),
        }),
        "resource": (0.6, {
            "uri": f"db://{one(['people', 'deals', 'Ärzte'])}/{dice.randrange(9)}", "classification": some(["pii", "phi"]),
        }),
        "user": (0.6, {"sub": one(USERS), "roles": some(["analyst", "auditor", "night shift"])}),
        "policy": (0.4, {
            "decision": one(DECISION.get(kind, ["allow", "redact"])), "rule": one(["r1", "role:analyst may"]),
            "scopes": some(["a:b", "c"]),
        }),
        "outcome": (0.7, {
            "status": one(STATUS.get(kind, ["success", "failure", "timeout"])), "code": one([200, 404, 500, -32601, 0]),
            "duration_us": one([0, 1, 999, 1_000, 342_000, 2_000_000, 60_000_000]), "error": one(["timeout", "x"]),
        }),
        "usage": (0.4, {
            "model": one(["gpt-4o", "claude-sonnet-4-5", "gpt_4o"]), "input_tokens": dice.randrange(2000),
            "output_tokens": dice.randrange(500), "cost_micros": one([0, 1, 6700, 50_000, 1_000_000]),
        }),
        "content_safety": (0.2, {"pii_detected": True, "redactions": redactions}),
        "source": (0.6, {"client": one(["sdk/1", "Sdk/2"]), "ip": one(["10.0.0.1", "::1"])}),
    }
    told = {"id": fresh(), "type": kind, "time": moment(dice)} | {
        name: value for name, (share, value) in fields.items() if dice.random() < share
    }
    if dice.random() < 0.5:
        names = dice.sample(["parameters", "result", "prompt"], dice.randrange(1, 3))
        told["parts"] = [{"name": name, "text": " ".join(dice.sample(SAID, dice.randrange(1, 5)))} for name in names]
    return told


def moment(dice):
    """Any microsecond of the days."""
    time = START + timedelta(microseconds=dice.randrange(DAYS * 86_400_000_000))
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def quoted(value):
    """A value as a search writes it literally."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def like(pattern):
    """Our wildcard as LIKE has it."""
    return "".join({"%": "\\%", "_": "\\_", "\\": "\\\\", "*": "%"}.get(c, c) for c in pattern)


# Field, column, values; where wildcards make sense, `True`.
TEXTS = [
    ("agent", "agent_id", AGENTS, True), ("tool", "action_name", ACTIONS, True), ("user", "user_sub", USERS, True),
    ("session", "session_id", ["s-1", "s-2", "s-39"], True), ("request", "request_id", ["req-1", "req-299", "req-x"], True),
    ("model", "model", ["gpt-4o", "gpt_4o"], True), ("rule", "rule", ["r1", "role:analyst may"], True),
    ("resource", "resource_uri", ["db://people/1", "db://Ärzte/3"], True), ("client", "client", ["sdk/1", "Sdk/2"], True),
    ("ip", "ip", ["10.0.0.1", "::1"], False), ("error", "error", ["timeout", "x", "nothing"], False),
    ("type", "type", TYPES, False), ("decision", "decision", ["allow", "deny", "redact", "pending"], False),
    ("kind", "action_kind", ["tool", "llm", "data"], False), ("effect", "action_effect", ["read", "delete"], False),
    ("status", "status", ["success", "failure", "timeout", "denied"], False),
    ("channel", "channel", ["sdk", "gateway"], False),
]
LISTS = [
    ("role", "user_roles", ["analyst", "night shift"]), ("class", "resource_classification", ["pii", "phi"]),
    ("scope", "scopes", ["a:b", "c"]), ("redaction", "redaction_types", ["US_SSN", "EMAIL"]),
    ("pii", "redaction_types", ["US_SSN", "IBAN"]),
]
TOKENS = "CASE WHEN input_tokens IS NULL THEN output_tokens ELSE input_tokens + coalesce(output_tokens, 0) END"
NUMBERS = [
    ("code", "code", [("200", 200), ("404", 404), ("-32601", -32601), ("0", 0)]),
    ("cost", "cost_micros", [("0", 0), ("0.0067", 6700), ("0.05", 50_000), ("1", 1_000_000)]),
    ("duration", "duration_us", [("0s", 0), ("999us", 999), ("1ms", 1_000), ("342ms", 342_000), ("2s", 2_000_000)]),
    ("tokens", TOKENS, [("0", 0), ("500", 500), ("1000", 1000), ("2400", 2400)]),
]
PRESENT = [
    ("user", "user_sub"), ("error", "error"), ("session", "session_id"), ("cost", "cost_micros"), ("decision", "decision"),
]
FLAGS = [
    ("pii:true", "pii_detected"), ("pii:false", "NOT pii_detected"),
    ("verified:false", "NOT coalesce(user_verified, agent_verified)"),
]
CONTENTS = "contents"
TOLD = [*ANYWHERE, *ANYWHERE_LISTS]
LISTED = {*ANYWHERE_LISTS, CONTENTS}
WORDS = ["pelican", "Pelican island", "crm", "CRM", "People", "gpt-4", "a_c", "100%", "\\", "analyst", "us_ssn", "it's", "10.0", "日本", "pii"]


def _text(dice):
    name, column, values, wild = dice.choice(TEXTS)
    if wild and dice.random() < 0.4:
        value = dice.choice(values)
        cut = dice.randrange(len(value) + 1)
        pattern = dice.choice([value[:cut] + "*", "*" + value[cut:], value[:cut] + "*" + value[cut + 1:]])
        if any(c.isspace() or c in '",' for c in pattern) or "**" in pattern:
            pattern = "crm:*"
        return f"{name}:{pattern}", f"{column} LIKE ? ESCAPE '\\'", [like(pattern)]
    chosen = dice.sample(values, min(len(values), dice.randrange(1, 4)))
    return f"{name}:" + ",".join(map(quoted, chosen)), f"{column} IN ({', '.join('?' * len(chosen))})", chosen


def _list(dice):
    name, column, values = dice.choice(LISTS)
    value = dice.choice(values)
    return f"{name}:{quoted(value)}", f"list_contains({column}, ?)", [value]


def _number(dice):
    name, column, values = dice.choice(NUMBERS)
    (low, least), (high, most) = sorted(dice.sample(values, 2), key=lambda pair: pair[1])
    return dice.choice([
        (f"{name}:>{low}", f"{column} > ?", [least]), (f"{name}:>={low}", f"{column} >= ?", [least]),
        (f"{name}:<{high}", f"{column} < ?", [most]), (f"{name}:<={high}", f"{column} <= ?", [most]),
        (f"{name}:{low}..{high}", f"{column} BETWEEN ? AND ?", [least, most]), (f"{name}:{low}", f"{column} = ?", [least]),
    ])


def _time(dice):
    days = sorted(dice.randrange(DAYS) for _ in range(2))
    first, last, after, second = (
        (START + timedelta(days=day)).date().isoformat() for day in (days[0], days[1], days[1] + 1, days[0] + 1)
    )
    instant = moment(dice)
    return dice.choice([
        (f"time:{first}..{last}", f"time >= TIMESTAMP '{first}' AND time < TIMESTAMP '{after}'", []),
        (f"time:{first}", f"time >= TIMESTAMP '{first}' AND time < TIMESTAMP '{second}'", []),
        (f"since:{first}", f"time >= TIMESTAMP '{first}'", []), (f"since:{instant}", f"time >= TIMESTAMP '{instant}'", []),
        (f"time:>{instant}", f"time > TIMESTAMP '{instant}'", []),
        (f"on:{first}", f"time >= TIMESTAMP '{first}' AND time < TIMESTAMP '{second}'", []),
        (f"before:{first}", f"time < TIMESTAMP '{first}'", []), (f"after:{last}", f"time >= TIMESTAMP '{after}'", []),
        (f"before:{instant}", f"time < TIMESTAMP '{instant}'", []), (f"until:{last}", f"time < TIMESTAMP '{after}'", []),
        ("on:2026-03", "time >= TIMESTAMP '2026-03-01' AND time < TIMESTAMP '2026-04-01'", []),
        ("on:2026-Q2,2025", "time >= TIMESTAMP '2026-04-01' OR time < TIMESTAMP '2026-01-01'", []),
        (f"on:{first} tz:+05:30",
         f"time >= TIMESTAMP '{first}' - INTERVAL 330 MINUTE AND time < TIMESTAMP '{second}' - INTERVAL 330 MINUTE", []),
    ])


def _within(places, value):
    places = [f"array_to_string({place}, chr(31))" if place in LISTED else place for place in places]
    conditions = " OR ".join(f"{place} ILIKE ? ESCAPE '\\'" for place in places)
    return f"({conditions})", [f"%{like(value)}%"] * len(places)


def _anywhere(dice):
    """A word, in the texts of the event or in its contents; in one of the two alone."""
    name, places = dice.choice([("", [*TOLD, CONTENTS]), ("", [*TOLD, CONTENTS]), ("text:", TOLD), ("content:", [CONTENTS])])
    value = dice.choice([word for word in WORDS if len(word) > 1])
    return name + quoted(value), *_within(places, value)


def _has(dice):
    name, column = dice.choice(PRESENT)
    return f"has:{name}", f"{column} IS NOT NULL", []


def _flag(dice):
    return *dice.choice(FLAGS), []


KINDS = [_text, _text, _text, _list, _number, _has, _flag, _time, _anywhere]


def search(dice):
    """A search of one to three terms, some negated, as a condition and its values."""
    texts, conditions, values, used = [], [], [], set()
    wanted = dice.randrange(1, 4)
    while len(texts) < wanted:
        text, condition, bound = dice.choice(KINDS)(dice)
        # Values of one field are alternatives, also across terms: that has a test of its own.
        name = text.split(":")[0]
        # So are the names of the time, and a zone is that of the whole search.
        name = "time" if name in ("since", "until", "on", "before", "after") else name
        if name in used:
            continue
        used.add(name)
        if dice.random() < 0.25:
            text, condition = f"-{text}", f"({condition}) IS NOT TRUE"
        texts.append(text)
        conditions.append(f"({condition})")
        values += bound
    return " ".join(texts), " AND ".join(conditions), values


# What counts are kept by: the field, and the column of one value or of several.
FACETS = {
    "type": "type", "agent": "agent_id", "tool": "action_name", "user": "user_sub", "decision": "decision", "status": "status",
    "code": "code", "role": "unnest(user_roles)", "class": "unnest(resource_classification)", "pii": "pii_detected",
    "session": "session_id", "redactions": "redaction_count",
}

GROUPS = [
    "type", "agent_id", "action_name", "user_sub", "decision", "status", "model", "channel", "date_trunc('day', time)",
    "pii_detected", "action_kind", "date_trunc('week', time)", "date_trunc('hour', recorded_at)", "date_trunc('month', time)",
    "lower(agent_id)", "decision = 'deny'", "session_id", "cost_micros > 1000", "length(action_name)", "code",
]
MEASURES = [
    "count(*)", "count(duration_us)", "sum(cost_micros)", "min(duration_us)", "max(duration_us)", "avg(duration_us)",
    "sum(input_tokens + output_tokens)", "count(DISTINCT user_sub)", "count(DISTINCT session_id)", "min(action_name)",
    "max(user_sub)", "sum(CASE WHEN decision = 'deny' THEN 1 ELSE 0 END)", "count(*) FILTER (WHERE status = 'failure')",
    "min(id)", "max(time)", "min(recorded_at)", "avg(cost_micros) FILTER (WHERE pii_detected)", "sum(length(action_name))",
    "count(CASE WHEN status = 'failure' THEN 1 END)", "max(0 - duration_us)",
]
WHERES = [
    "type LIKE 'action.%'", "duration_us > 1000", "user_sub IS NOT NULL", "user_sub = 'alice' OR decision = 'deny'",
    "action_name IN ('chat', 'pay', 'it''s')", "NOT (status = 'success')", "action_name LIKE 'crm:%:search'",
    "lower(agent_id) = 'etl'", "resource_uri LIKE '%Ärzte%'", "cost_micros BETWEEN 1 AND 50000", "length(action_name) > 4",
    "coalesce(code, 0) <> 200", "time >= TIMESTAMP '2026-03-05 12:00:00' AND time < TIMESTAMP '2026-03-11'", "id > '8'",
    "agent_id IS DISTINCT FROM 'etl'", "request_id = 'req-7'",
    "session_id IN (SELECT session_id FROM events WHERE type = 'error' AND channel = 'sdk')",
]


def aggregate(dice):
    """A question of SQL that groups, counts and filters."""
    group, where = dice.sample(GROUPS, dice.randrange(3)), dice.sample(WHERES, dice.randrange(3))
    columns = [f"{what} AS g{n}" for n, what in enumerate(group)]
    columns += [f"{what} AS m{n}" for n, what in enumerate(dice.sample(MEASURES, dice.randrange(1, 4)))]
    conditions = " AND ".join([*(f"({condition})" for condition in where), "channel = 'sdk'"])
    by = f" GROUP BY {', '.join(group)}" if group else ""
    having = " HAVING count(*) > 2" if group and dice.random() < 0.3 else ""
    return f"SELECT {', '.join(columns)} FROM events WHERE {conditions}{by}{having}"
