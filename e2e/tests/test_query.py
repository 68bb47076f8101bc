"""Random questions: Greffier and DuckDB over the exported events give the same answers, hot and sealed, and while events
arrive."""

import csv
import itertools
import json
import os
import random
import re
import threading
from datetime import datetime

import pytest

from harness import record
from harness.api import LINES, Api, lines
from harness.greffier import Greffier
from harness.mirror import Mirror
from harness.procs import wait_until
from harness.questions import FACETS, aggregate, event, search

EVENTS = int(os.environ.get("E2E_QUERY_EVENTS", "1000"))
SEARCHES = int(os.environ.get("E2E_SEARCHES", "50"))
AGGREGATES = int(os.environ.get("E2E_AGGREGATES", "25"))
SEGMENT = 128
# Where entries lie, whether filters go down to the files, and whether indexes say where texts may stand.
SEALED = f"\n[ledger]\nentries = {SEGMENT}\n"
INDEXED = "sealed, indexed"
ARRIVING = "sealed, while events arrive"
INDEXING = SEALED + "\n[query]\nngram_index = true\n"
KINDS = {
    "hot": "", "sealed": SEALED, "sealed, no pushdown": SEALED + "\n[query]\npushdown = false\n", INDEXED: INDEXING,
    ARRIVING: INDEXING,
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")


class Place:
    """One installation with its events, asked through the API and mirrored in DuckDB."""

    def __init__(self, greffier, people, folder, documents):
        self.ids = {document["id"] for document in documents}
        self.greffier, self.api = greffier, Api(greffier, people["audra"], timeout=120)
        with Api(greffier, people["oscar"], timeout=120) as operator:
            for at in range(0, len(documents), 500):
                operator.add(documents[at:at + 500])
        # Questions leave events of their own, by `greffier`: those are not asked for.
        exported = self.api.export("channel:sdk", parts="true")
        assert sorted(json.loads(line)["id"] for line in exported) == sorted(self.ids), "the export has each event once"
        self.mirror = Mirror(exported, folder)

    def found(self, text):
        """The ids that a search finds."""
        ids = [event["id"] for event in self.api.search(text)]
        assert len(ids) == len(set(ids)), f"{text}: an event twice"
        return set(ids) & self.ids

    def differ(self, sql):
        """Both answers to a question, if they differ."""
        expected = table(self.mirror.rows(sql))
        got = table(list(row.values()) for row in self.api.rows(sql))
        return None if got == expected else f"{sql}\n  greffier {got[:4]}\n  duckdb   {expected[:4]}"


class Arrivals:
    """Events that nobody asks for, in another channel, without an end: segments are sealed under the questions."""

    def __init__(self, greffier, token):
        self.api, self.stopped, self.sent = Api(greffier, token, timeout=120), threading.Event(), 0
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self):
        dice = random.Random("arrivals")
        while not self.stopped.wait(0.1):
            documents = [event(dice) | {"agent": {"id": "arrivals"}, "type": "tool.call", "session_id": "arrivals"} for _ in range(8)]
            for document in documents:
                document.pop("outcome", None), document.pop("policy", None)
            reply = self.api.post(lines(documents), LINES, channel="import")
            assert reply.status_code == 200, reply.text
            self.sent += len(documents)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.api.http.close()
        assert self.sent > 100, "too few events arrived: nothing was tested"


def plain(value):
    """A value as both may tell it; times are in UTC."""
    if isinstance(value, str) and INSTANT.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return f"{value:.9g}" if isinstance(value, float) else value


def table(rows):
    """Rows in an order of their own, for questions that ask for none."""
    return sorted(([plain(value) for value in row] for row in rows), key=repr)


@pytest.fixture(scope="module", params=KINDS)
def place(request, binary, world, people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("query")
    greffier = Greffier(binary, world, folder / "greffier", more=KINDS[request.param]).start()
    place = Place(greffier, people, folder, [event(random.Random(number)) for number in range(EVENTS)])
    if request.param == "hot":
        assert record.sealed(greffier.data) == {}
    else:
        sealed = lambda: len(record.sealed(greffier.data).get("org_acme_corp", []))  # noqa: E731
        wait_until(lambda: sealed() >= EVENTS // SEGMENT, "the trail is sealed", 60)
    if request.param == INDEXED:
        indexes = lambda: len(list((greffier.data / "ngrams" / "org_acme_corp").glob("*")))  # noqa: E731
        wait_until(lambda: indexes() >= EVENTS // SEGMENT, "the segments are indexed", 60)
    arrivals = Arrivals(greffier, people["oscar"]) if request.param == ARRIVING else None
    yield place
    if arrivals is not None:
        before = len(record.sealed(greffier.data)["org_acme_corp"])
        arrivals.stop()
        assert before > EVENTS // SEGMENT, "nothing was sealed under the questions"
    place.api.http.close()
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_random_searches(place):
    wrong, hits = [], 0
    for number in range(SEARCHES):
        text, condition, values = search(random.Random(number))
        expected, got = place.mirror.ids(condition, values), place.found(text)
        hits += bool(expected)
        if got != expected:
            wrong.append(f"{number}: {text}   [{condition} {values}]: {len(got)}, not {len(expected)}; "
                         f"missing {sorted(expected - got)[:2]}, too many {sorted(got - expected)[:2]}")
    assert wrong == [], "\n".join(wrong)
    assert hits > SEARCHES // 2, "too few searches find anything: they test nothing"


@pytest.mark.parametrize(("text", "condition"), [
    ("tool:chat tool:pay", "action_name IN ('chat', 'pay')"),
    ("tool:chat,pay tool:crm:*", "action_name IN ('chat', 'pay') OR action_name LIKE 'crm:%'"),
    ("tool:chat action:pay", "action_name IN ('chat', 'pay')"),
    ("tool:crm:contacts:search", "action_name = 'crm:contacts:search'"),
    ("tool:crm:* -tool:crm:contacts:delete", "action_name LIKE 'crm:%' AND action_name <> 'crm:contacts:delete'"),
    ("-tool:chat", "action_name IS DISTINCT FROM 'chat'"),
    ("-tool:chat -tool:pay", "action_name IS NULL OR action_name NOT IN ('chat', 'pay')"),
    ("-tool:chat,pay", "action_name IS NULL OR action_name NOT IN ('chat', 'pay')"),
    ("duration:>1ms duration:<2s", "duration_us > 1000 AND duration_us < 2000000"),
    ("code:200 code:404", "code IN (200, 404)"),
    ("agent:ETL", "agent_id = 'ETL'"),
    ("user:auth0|8f3a", "user_sub = 'auth0|8f3a'"),
    ('tool:"*"', "action_name = '*'"),
    ("-has:user has:session", "user_sub IS NULL AND session_id IS NOT NULL"),
])
def test_terms_of_one_field(text, condition, place):
    """Alternatives in one field, bounds that narrow, and both with others."""
    expected = place.mirror.ids(condition, [])
    assert expected and place.found(text) == expected


def test_pages_of_any_size(place):
    everything = [event["id"] for event in place.api.search("channel:sdk")]
    assert set(everything) == place.ids
    for limit in (7, 100, 999):
        pages = itertools.islice(place.api.pages("channel:sdk", limit=limit), 5)
        assert [event["id"] for page in pages for event in page] == everything[:5 * limit]
    exported = [json.loads(line)["id"] for line in place.api.export("channel:sdk")]
    assert exported == everything[::-1], "an export is in the order of the trail"


INSIDE = "coalesce(array_to_string(contents, chr(31)), '') ILIKE '%pelican%'"


@pytest.mark.parametrize(("words", "condition"), [
    ("pelican", INSIDE),
    ("-pelican", f"NOT {INSIDE}"),
    ("PELICAN tool:crm:*", f"{INSIDE} AND action_name LIKE 'crm:%'"),
    ("content:pelican text:chat,pay", f"{INSIDE} AND (action_name IN ('chat', 'pay'))"),
])
def test_words_mean_the_same_everywhere(words, condition, place, tmp_path):
    """Contents are looked into by pages, counts and exports alike."""
    text = f"{words} channel:sdk"
    expected = [event["id"] for event in place.api.search(text, limit=37)]
    assert expected and set(expected) == place.mirror.ids(condition, [])
    told = place.api.told("/api/v1/facets", q=text, by="type", per="day")
    assert told["contents_searched"] and told["total"]["events"] == len(expected)
    assert sum(step["events"] for step in told["histogram"]) == len(expected)
    assert sum(value["events"] for value in told["facets"][0]["values"]) == len(expected)
    assert [json.loads(line)["id"] for line in place.api.export(text)] == expected[::-1]
    table = list(csv.DictReader(place.api.export(text, format="csv")))
    assert [row["id"] for row in table] == expected[::-1]
    file = tmp_path / "found.parquet"
    file.write_bytes(place.api.get("/api/v1/export", q=text, format="parquet").content)
    assert [row[0] for row in place.mirror.rows(f"SELECT id FROM '{file}' ORDER BY index")] == expected[::-1]


def test_files_say_what_they_leave_closed(place):
    """Without keys a word is looked for in the texts alone, and the command says so."""
    found = {}
    for keys in [(), ("--keys", place.greffier.keys)]:
        done = place.greffier.run(
            "search", "pelican channel:sdk", "--data", place.greffier.data, "--tenant", "org_acme_corp", *keys, "-o", "json",
        )
        assert ("--keys" in done.stderr) == (not keys), done.stderr
        found[bool(keys)] = {event["id"] for event in json.loads(done.stdout)}
    assert found[False] == set() and found[True] <= place.found("pelican")


def test_random_counts(place):
    """Counts by value and by day are those of GROUP BY."""
    wrong = []
    for number in range(SEARCHES):
        dice = random.Random(f"counts {number}")
        text, condition, values = search(dice)
        # A condition of its own would narrow nothing that a random term on channels already says.
        if "channel:" in text or "tz:" in text:
            continue
        fields = dice.sample(sorted(FACETS), 3)
        told = place.api.told("/api/v1/facets", q=f"{text} channel:sdk", by=",".join(fields), per="day", limit=10000)
        where = f"({condition}) AND channel = 'sdk'"
        (expected,) = place.mirror.rows(f"SELECT count(*), coalesce(sum((decision = 'deny')::INT), 0) FROM events WHERE {where}", *values)
        got = [(told["total"]["events"], told["total"]["denied"])]
        if got != [expected]:
            wrong.append(f"{number}: {text}: {got}, not {expected}")
        for field, facet in zip(fields, told["facets"], strict=True):
            counted = place.mirror.rows(
                f"SELECT v, count(*) FROM (SELECT {FACETS[field]} AS v FROM events WHERE {where}) WHERE v IS NOT NULL GROUP BY v",
                *values,
            )
            got = {one["value"]: one["events"] for one in facet["values"]}
            if got != dict(counted) or facet["other"] != 0:
                wrong.append(f"{number}: {text} by {field}: {got}, not {dict(counted)}")
        days = place.mirror.rows(f"SELECT date_trunc('day', time), count(*) FROM events WHERE {where} GROUP BY 1", *values)
        got = {plain(step["time"]): step["events"] for step in told["histogram"] if step["events"]}
        if got != {plain(datetime.combine(day, datetime.min.time()) if not isinstance(day, datetime) else day): n for day, n in days}:
            wrong.append(f"{number}: {text} per day: {got}")
    assert wrong == [], "\n".join(wrong)


def test_random_aggregates(place):
    wrong = [place.differ(aggregate(random.Random(number))) for number in range(AGGREGATES)]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("sql", [
    """SELECT a.type AS x, b.type AS y, count(*) AS n FROM events a JOIN events b ON a.request_id = b.request_id
       WHERE a.id < b.id AND a.channel = 'sdk' AND b.channel = 'sdk' GROUP BY a.type, b.type""",
    """SELECT agent_id, n, rank() OVER (ORDER BY n DESC, agent_id) AS r FROM (SELECT agent_id, count(*) AS n FROM events
       WHERE channel = 'sdk' AND agent_id IS NOT NULL GROUP BY agent_id) t""",
    """WITH days AS (SELECT date_trunc('day', time) AS d, count(*) AS n FROM events WHERE channel = 'sdk' GROUP BY 1)
       SELECT d, n, sum(n) OVER (ORDER BY d) AS s FROM days""",
    """SELECT id FROM events WHERE channel = 'sdk' AND user_sub IN
       (SELECT user_sub FROM events WHERE decision = 'deny' AND channel = 'sdk')""",
    """SELECT type FROM events WHERE channel = 'sdk' EXCEPT
       SELECT type FROM events WHERE status = 'success' AND duration_us > 1000000 AND channel = 'sdk' AND code = 0""",
    "SELECT id, time, duration_us FROM events WHERE channel = 'sdk' ORDER BY time DESC, id LIMIT 50 OFFSET 20",
])
def test_joins_and_windows(sql, place):
    assert place.mirror.rows(sql), "it finds nothing, and tests nothing"
    assert place.differ(sql) is None


@pytest.mark.parametrize("agent", ["etl", "ETL", "crm-assistant", "nobody"])
def test_activity_agrees(agent, place):
    """Activity counts what SQL counts."""
    told = place.api.told("/api/v1/activity", agent=agent)
    failed = "status IN ('failure', 'timeout', 'unknown') OR type IN ('error', 'action.failed')"
    (expected,) = place.mirror.rows(
        f"SELECT count(*), count(DISTINCT action_name), count(*) FILTER (WHERE {failed}), count(DISTINCT user_sub), "
        "avg(duration_us) / 1000, max(duration_us) / 1000 FROM events WHERE agent_id = ?", agent,
    )
    names = ("total_events", "unique_actions", "errors_total", "unique_users", "avg_duration_ms", "max_duration_ms")
    assert [told.get(name) for name in names] == pytest.approx(list(expected), abs=0.001)
    assert told["by_type"] == dict(
        place.mirror.rows("SELECT type, count(*) FROM events WHERE agent_id = ? GROUP BY 1", agent))


@pytest.mark.parametrize(("asked", "column", "value"), [
    ("user", "user_sub", "alice"), ("tool", "action_name", "chat"), (None, "tenant", None),
])
def test_activity_of_others_agrees(asked, column, value, place):
    """So does that of a user, of a tool, and of the whole tenant."""
    value = value or place.mirror.rows("SELECT any_value(tenant) FROM events")[0][0]
    told = place.api.told("/api/v1/activity", **({asked: value} if asked else {}))
    # What arrives meanwhile is of an agent of its own, and so is what the questions leave.
    agents = {one["name"]: one["count"] for one in told["agents"] if one["name"] not in ("arrivals", "greffier")}
    assert agents == dict(place.mirror.rows(
        f"SELECT agent_id, count(*) FROM events WHERE {column} = ? AND agent_id IS NOT NULL GROUP BY 1", value)) != {}
    assert told["unique_agents"] >= len(agents) and told["total_events"] >= sum(agents.values())
