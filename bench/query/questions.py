"""What is asked: each question once in the SQL of each engine, with the column names of a segment.

`{entry}` is the text of an entry, `{p99}` the 99th percentile of the durations, approximate in all three. `lookup` is the
path of Greffier's own interface for the same rows, where it has one; what nobody can look up there goes through SQL.
"""

WEEK = "time >= TIMESTAMP '2026-10-12 00:00:00' AND time < TIMESTAMP '2026-10-19 00:00:00'"
DAY = "time >= TIMESTAMP '2026-10-14 00:00:00' AND time < TIMESTAMP '2026-10-15 00:00:00'"


class Question:
    """`reads`: whether what Greffier recorded of these very reads may be rows of the answer."""

    def __init__(self, name, sql, lookup=None, reads=False):
        self.name, self.sql, self.lookup, self.reads = name, sql, lookup, reads


QUESTIONS = [
    Question("events by type", "SELECT type, count(*) AS n FROM {events} GROUP BY type ORDER BY n DESC", reads=True),
    Question(
        "tools by user, one week",
        "SELECT user_sub, action_name, count(*) AS n FROM {events} "
        f"WHERE action_kind = 'tool' AND {WEEK} GROUP BY user_sub, action_name ORDER BY n DESC, user_sub, action_name LIMIT 20",
    ),
    Question(
        "one user's day, columns",
        "SELECT time, type, action_name, decision, status, duration_us FROM {events} "
        f"WHERE user_sub = '{{user}}' AND {DAY} ORDER BY index LIMIT 1000",
    ),
    Question(
        "one user's day, whole events",
        f"SELECT {{entry}} AS entry FROM {{events}} WHERE user_sub = '{{user}}' AND {DAY} ORDER BY index DESC LIMIT 100",
        "/api/v1/events?limit=100&q=user:{user_quoted} on:2026-10-14",
    ),
    Question("event by id", "SELECT {entry} AS entry FROM {events} WHERE id = '{id}'", "/api/v1/events/{id}"),
    Question("call by request id", "SELECT {entry} AS entry FROM {events} WHERE request_id = '{request}'", "/api/v1/calls/{request}"),
    Question("session by id, columns", "SELECT time, type, action_name, status FROM {events} WHERE session_id = '{session}' ORDER BY index"),
    Question(
        "session by id, whole events",
        "SELECT {entry} AS entry FROM {events} WHERE session_id = '{session}' ORDER BY index",
        "/api/v1/sessions/{session}",
    ),
    Question(
        "cost per agent per day",
        "SELECT date_trunc('day', time) AS day, agent_id, sum(cost_micros) AS cost, count(*) AS n FROM {events} "
        "GROUP BY day, agent_id ORDER BY day, agent_id",
        reads=True,
    ),
    Question(
        "denials by rule, one week",
        f"SELECT rule, user_sub, count(*) AS n FROM {{events}} WHERE decision = 'deny' AND {WEEK} "
        "GROUP BY rule, user_sub ORDER BY n DESC, rule, user_sub LIMIT 20",
    ),
    Question(
        "99th percentile of durations by tool",
        "SELECT action_name, count(*) AS n, {p99} AS p99 FROM {events} GROUP BY action_name ORDER BY n DESC, action_name LIMIT 20",
    ),
    Question(
        "people per agent",
        "SELECT agent_id, count(DISTINCT user_sub) AS people FROM {events} GROUP BY agent_id ORDER BY people DESC, agent_id LIMIT 20",
    ),
    Question(
        "failures, newest first",
        "SELECT {entry} AS entry FROM {events} WHERE status = 'failure' ORDER BY index DESC LIMIT 100",
        "/api/v1/events?limit=100&q=status:failure",
    ),
    Question(
        "text within one day's events",
        f"SELECT count(*) AS n FROM {{events}} WHERE {DAY} AND {{entry}} LIKE '%records/000f%'",
    ),
    Question("text within all events", "SELECT count(*) AS n FROM {events} WHERE {entry} LIKE '%records/000f%'"),
]
