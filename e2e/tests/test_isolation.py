"""Another tenant's data is out of reach, by whatever name it is asked for; and SQL only ever reads."""

import json
import secrets

import httpx
import pytest

from harness import record
from harness.api import EVENTS, LINES, Api, flat, governed, lines, native
from harness.procs import wait_until
from harness.tools import ToolServer

# In every field that can be asked for. What answers Acme must not hold it, and Acme never says it.
MARK = f"beta{secrets.token_hex(8)}"
# In the ids that Acme somehow learned, and asks for.
KEY = secrets.token_hex(8)


@pytest.fixture(scope="module")
def beta(api, greffier):
    """What org_beta has: its receipts."""
    documents = [
        native(
            agent={"id": f"{MARK}-agent"}, action={"name": f"{MARK}:read", "call_id": f"{MARK}-call"},
            resource={"uri": f"db://{MARK}"}, request_id=f"req-{number}-{KEY}", session_id=f"session-{KEY}",
            user={"sub": f"{MARK}-user", "roles": [MARK]}, source={"client": MARK},
            parts=[{"name": "parameters", "json": {"plan": f"{MARK} in {number}"}}],
        )
        for number in range(40)
    ]
    receipts = api("boris").add(documents)
    api("oscar").add([native(action={"name": "acme:read"}) for _ in range(40)])
    # Its checkpoint covers them, so that proofs could be had.
    wait_until(lambda: size_of(api("boris").get("/trails/org_beta/checkpoint")) >= 40, "the checkpoint covers them")
    assert len(api("boris").search(f"agent:{MARK}-agent")) == 40
    return receipts


def size_of(reply):
    return int(reply.text.split("\n")[1]) if reply.status_code == 200 else 0


@pytest.fixture(autouse=True)
def nothing_leaks(beta, greffier):
    yield
    greffier.assert_calm()


def clean(reply):
    """Asserts that an answer holds nothing of org_beta, and returns its status."""
    assert MARK not in reply.text, f"{reply.request.url}: {reply.text[:500]}"
    assert MARK not in str(reply.headers)
    return reply.status_code


READS = [
    EVENTS, "/api/v1/export", "/api/v1/findings", "/api/v1/activity?agent=loader", "/api/v1/tail",
]


@pytest.mark.parametrize("who", ["audra", "oscar", "alice", "petra"])
@pytest.mark.parametrize("path", READS)
def test_by_parameter(path, who, api):
    for name in ("org_beta", "ORG_BETA", "org_beta/", "../org_beta", "org_beta\0", "org_acme_corp,org_beta", "*"):
        more = dict(httpx.QueryParams(path.partition("?")[2]))
        with api(who).http.stream("GET", path, params={"tenant": name} | more) as reply:
            assert reply.status_code in (400, 403), f"{name}: {reply.status_code}"
            reply.read()
            clean(reply)


@pytest.mark.parametrize("header", ["x-tenant", "tenant", "greffier-tenant", "x-org-id", "x-greffier-trail", "cookie"])
def test_by_header(header, api):
    headers = {header: "org_beta", "host": "org_beta.test", "x-forwarded-user": "boris"}
    reply = api("audra").http.get(EVENTS, params={"limit": 1000}, headers=headers)
    assert clean(reply) == 200
    assert {event["tenant"] for event in reply.json()["events"]} == {"org_acme_corp"}


def test_by_path(api, beta):
    """What belongs to others answers as what does not exist: not even its existence shows."""
    known, unknown = beta[3]["id"], "00000000-0000-4000-8000-000000000000"
    for path, foreign, nothing in [
        ("/api/v1/events/{}", known, unknown),
        ("/api/v1/proofs/{}", known, unknown),
        ("/api/v1/calls/{}", f"req-3-{KEY}", "req-3-nothing"),
        ("/api/v1/sessions/{}", f"session-{KEY}", "session-nothing"),
    ]:
        for who in ("audra", "oscar"):
            answers = []
            for name in (foreign, nothing):
                reply = api(who).get(path.format(name))
                clean(reply)
                told = reply.json()
                told.get("error", {}).pop("request_id", None)
                answers.append((reply.status_code, json.dumps(told).replace(name, "…")))
            assert answers[0] == answers[1], f"{who} {path}"
            assert answers[0][0] == 404, answers
        assert api("boris").get(path.format(foreign)).status_code == 200
    acme = "/trails/org_acme_corp"
    for path in ("/api/v1/events/..%2f..%2forg_beta", "/trails/..%2forg_beta/checkpoint",
                 f"{acme}%2f..%2forg_beta/tile/entries/000", f"{acme}/%2e%2e/org_beta/tile/entries/000.p/40",
                 f"{acme}/../org_beta/tile/entries/000.p/40", f"{acme}/tile/../../org_beta/tile/entries/000.p/40"):
        assert clean(api("audra").get(path)) in (400, 403, 404), path


def test_by_trail(api, beta):
    """Hashes are for everyone; entries are not."""
    trails = api("audra").told("/api/v1/trails")
    assert "org_acme_corp" in json.dumps(trails) and "org_beta" not in json.dumps(trails)
    size = size_of(api().get("/trails/org_beta/checkpoint"))
    for path in (f"tile/entries/000.p/{size}", "tile/entries/000", "tile/entries/000.p/1", "entries/000", "segments/0",
                 f"tile/%65ntries/000.p/{size}", f"tile//entries/000.p/{size}", f"tile/entries/x000/000.p/{size}"):
        for who in ("audra", "oscar", None):
            reply = api(who).get(f"/trails/org_beta/{path}")
            assert clean(reply) in (400, 401, 403, 404), f"{who} {path}: {reply.status_code}"
    assert MARK.encode() in api("boris").get(f"/trails/org_beta/tile/entries/000.p/{size}").content


def test_by_body(api, greffier, beta):
    """No event on another trail, and nothing of one through an id that is taken there."""
    before = record.entries(greffier.data, "org_beta")
    foreign = {"sub": "x", "org": "org_beta"}
    for document in (native(tenant="org_beta"), governed(user=foreign), native(tenant="ORG_BETA"),
                     flat(tenant="org_beta") | {"event_id": beta[0]["id"]}, native(id=beta[1]["id"])):
        reply = api("oscar").post(lines([document]), LINES)
        assert clean(reply) in (200, 400), reply.text
        for receipt in reply.json()["receipts"]:
            assert receipt["tenant"] == "org_acme_corp" and not receipt["repeated"]
    assert record.entries(greffier.data, "org_beta") == before
    for body in ({"query": "SELECT 1", "tenant": "org_beta"}, {"query": "SELECT * FROM events", "trail": "org_beta"}):
        reply = api("audra").http.post("/api/v1/sql", json=body)
        assert clean(reply) in (200, 400)
    reply = api("audra").http.post("/api/v1/sql", params={"tenant": "org_beta"}, json={"query": "SELECT 1"})
    assert clean(reply) == 403


def test_by_cursor(api, beta):
    theirs = api("boris").told(EVENTS, q="type:tool.call", limit=5)["next"]
    ours = api("audra").told(EVENTS, q="type:tool.call", limit=5)["next"]
    assert clean(api("audra").get(EVENTS, q="type:tool.call", limit=5, cursor=theirs)) == 400
    assert clean(api("audra").get(EVENTS, q="", limit=5, cursor=ours)) == 400, "nor under another search"
    assert clean(api("audra").get(EVENTS, q="type:tool.call", limit=5, cursor=ours)) == 200
    dice = secrets.SystemRandom()
    for _ in range(50):
        place = dice.randrange(len(ours))
        forged = ours[:place] + dice.choice("0123456789abcdef-") + ours[place + 1:]
        if forged != ours:
            assert clean(api("audra").get(EVENTS, q="type:tool.call", limit=5, cursor=forged)) == 400, forged


def test_by_search(api, beta):
    for query in ("", "agent:*", "-agent:loader", "channel:sdk", "index:0..100000", "type:tool.call", "since:1d", "tool:*",
                  "session:session-*", "request:req-*", "resource:db://*", f"id:{beta[5]['id']}", '"db://"'):
        for page in api("audra").pages(query):
            assert MARK not in json.dumps(page), query
            assert {event["tenant"] for event in page} <= {"org_acme_corp"}, query
    assert clean(api("audra").get(EVENTS, q="tenant:org_beta")) == 400
    assert not any(MARK in line for line in api("audra").export("", parts="true"))


# Reads that are allowed: they see one tenant, however they are put.
HARMLESS = [
    "SELECT * FROM events",
    "SELECT * FROM events WHERE tenant = 'org_beta'",
    "SELECT * FROM events WHERE tenant <> 'org_acme_corp' OR 1 = 1",
    "SELECT a.*, b.tenant AS t FROM events a JOIN events b ON a.type = b.type AND a.id = b.id",
    "SELECT entry FROM events UNION ALL SELECT entry FROM events WHERE tenant = 'org_beta'",
    "SELECT * FROM (SELECT tenant, agent_id FROM events) x WHERE x.tenant LIKE '%beta%'",
    "SELECT (SELECT max(agent_id) FROM events WHERE tenant = 'org_beta') AS m",
    "WITH beta AS (SELECT * FROM events WHERE tenant = 'org_beta') SELECT agent_id FROM beta",
    "SELECT DISTINCT tenant, resource_uri, session_id, user_sub FROM \"events\"",
    "SELECT count(*) AS n FROM events e WHERE EXISTS (SELECT 1 FROM events f WHERE f.tenant = 'org_beta')",
    "VALUES (1), (2)",
]

# Names that lead nowhere, whatever stands behind them on disk or on the net.
NAMES = [
    "org_beta", "org_beta.events", '"org_beta"', '"org_beta"."events"', "org_beta.public.events", "trails.org_beta",
    '"trails/org_beta"', '"trails/org_beta/segments"', "public.org_beta", '"events@org_beta"', "greffier",
    "greffier.events", "information_schema.tables", "information_schema.columns", "information_schema.df_settings",
    "information_schema.routines", "INFORMATION_SCHEMA.SCHEMATA", "pg_catalog.pg_tables", "sqlite_master",
    "datafusion.information_schema.tables", "'{data}/wal/00000000000000000001.wal'",
    '"{data}/trails/org_beta/checkpoint"', "'{data}/trails/org_beta/segments/*.parquet'",
    "'file://{data}/trails/org_beta/segments/'", '"file://{data}/manifest"', "'/etc/passwd'", '"/etc/passwd"',
    "'../../etc/passwd'", "'{url}/beta.csv'", '"{url}/beta.parquet"', "'s3://bucket/beta.parquet'",
    "'http://169.254.169.254/latest/meta-data/'", "read_parquet('{data}/trails/org_beta/segments/*.parquet')",
    "read_csv('/etc/passwd')", "read_json('{url}/x.json')", "parquet_scan('{data}/x.parquet')", "glob('{data}/*')",
    "parquet_metadata('{data}/x.parquet')", "metadata_cache()", "statistics_cache()", "list_files_cache()",
    "url('{url}')", "generate_series(1, 100000000000)", "range(1, 100000000000)",
]

# Statements that are no reads.
STATEMENTS = [
    "CREATE TABLE x AS SELECT * FROM events", "CREATE VIEW x AS SELECT * FROM events", "CREATE DATABASE x",
    "CREATE SCHEMA x", "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '{data}/trails/org_beta/segments/'",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{url}/x.csv'", "CREATE OR REPLACE TABLE events AS VALUES (1)",
    "CREATE FUNCTION f() RETURNS INT RETURN 1", "CREATE INDEX i ON events (id)", "DROP TABLE events",
    "DROP VIEW events", "DROP SCHEMA public CASCADE", "ALTER TABLE events RENAME TO x", "TRUNCATE TABLE events",
    "INSERT INTO events VALUES (1)", "INSERT INTO events SELECT * FROM events",
    "INSERT OVERWRITE events SELECT * FROM events", "UPDATE events SET tenant = 'org_beta'", "DELETE FROM events",
    "MERGE INTO events USING events e ON false WHEN MATCHED THEN DELETE", "COPY events TO '{data}/stolen.parquet'",
    "COPY (SELECT 1) TO '{data}/../stolen.csv' STORED AS CSV", "COPY events TO '{url}/x.csv'",
    "COPY events FROM '/etc/passwd'", "UNLOAD (SELECT 1) TO '{data}/../stolen.csv'",
    "SET datafusion.execution.batch_size = 1", "SET datafusion.catalog.information_schema = true", "RESET ALL",
    "SET TIME ZONE 'UTC'", "SHOW TABLES", "SHOW ALL", "SHOW COLUMNS FROM events",
    "SHOW datafusion.execution.batch_size", "SHOW CREATE TABLE events", "SHOW FUNCTIONS",
    "EXPLAIN ANALYZE SELECT * FROM events", "EXPLAIN ANALYZE VERBOSE SELECT 1", "ANALYZE TABLE events",
    "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p", "BEGIN", "COMMIT", "START TRANSACTION", "ROLLBACK",
    "USE org_beta", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE events",
    "SELECT 1; COPY events TO '{data}/../stolen.csv'", "GRANT SELECT ON events TO PUBLIC", "CALL x()",
    "LOAD DATA INPATH 'x' INTO TABLE events", "ATTACH 'x' AS y", "INSTALL httpfs", "VACUUM",
    "DESCRIBE org_beta.events", "SELECT * INTO x FROM events",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x", "/* x */ DROP /* y */ TABLE events",
    "-- x\nDROP TABLE events", ";", "--", "SELECT", "no sql at all",
]

EVIL_FUNCTIONS = [
    "SELECT version() AS v, current_database() AS d", "SELECT pg_read_file('/etc/passwd')",
    "SELECT load_extension('x')", "SELECT getenv('SUITE_OPENAI_KEY')", "SELECT current_setting('data_directory')",
    "SELECT read_text('/etc/passwd')", "SELECT http_get('{url}')", "SELECT lo_import('/etc/passwd')",
]


@pytest.fixture(scope="module")
def lure():
    """A server that nobody may ask for anything."""
    server = ToolServer()
    yield server
    server.stop()


@pytest.mark.parametrize("sql", HARMLESS)
def test_sql_sees_one_tenant(sql, api):
    reply = api("audra").ask(sql)
    assert clean(reply) == 200, reply.text
    for row in reply.json()["rows"]:
        assert row.get("tenant", "org_acme_corp") == "org_acme_corp"
        assert row.get("m") is None and row.get("n", 0) == 0


def refused(reply, lure):
    status = clean(reply)
    assert status == 400, f"{status} {reply.text[:500]}"
    error = reply.json()["error"]
    assert error["code"] in ("sql_refused", "sql_syntax") and error["message"], error
    assert "root:" not in reply.text and "panicked" not in reply.text
    assert lure.journal == [], "something was fetched"
    return error["code"]


@pytest.mark.parametrize("name", NAMES)
def test_sql_finds_nothing_by_name(name, api, greffier, lure):
    for sql in (f"SELECT * FROM {name}", f"SELECT e.id FROM events e, {name} x",
                f"SELECT id FROM events UNION SELECT * FROM {name}", f"SELECT (SELECT count(*) FROM {name}) AS n"):
        sql = sql.replace("{data}", str(greffier.data)).replace("{url}", lure.url)
        refused(api("audra").ask(sql), lure)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_sql_only_reads(sql, api, greffier, lure):
    before = {file for file in greffier.folder.rglob("*") if "wal" not in file.parts and "tile" not in file.parts}
    count = api("audra").value("SELECT count(*) AS n FROM events WHERE type = 'tool.call'")
    sql = sql.replace("{data}", str(greffier.data)).replace("{url}", lure.url)
    refused(api("audra").ask(sql), lure)
    after = {file for file in greffier.folder.rglob("*") if "wal" not in file.parts and "tile" not in file.parts}
    assert not any("stolen" in file.name for file in after - before)
    assert api("audra").value("SELECT count(*) AS n FROM events WHERE type = 'tool.call'") == count


@pytest.mark.parametrize("sql", EVIL_FUNCTIONS)
def test_sql_functions_reach_nothing(sql, api, lure):
    reply = api("audra").ask(sql.replace("{url}", lure.url))
    if "version()" in sql and reply.status_code == 200:
        assert clean(reply) == 200
        return
    refused(reply, lure)


ENDLESS = {
    "a recursion": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "a product": "SELECT count(*) FROM " + ", ".join(f"events e{number}" for number in range(9)),
    "a long text": "SELECT repeat(repeat('x', 1000000), 1000000) AS x",
    "deep brackets": "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "a long sum": "SELECT " + " + ".join(["1"] * 20000),
    "a large list": "SELECT array_agg(concat(a.id, b.id)) AS x FROM events a, events b, events c, events d",
    "a large result": "SELECT a.*, b.* FROM events a CROSS JOIN events b CROSS JOIN events c",
}
BOUNDS = '\n[query]\ntimeout = "3s"\nmemory = "64MiB"\n'


def test_sql_is_bounded(install, people):
    """What would never end is stopped, and the node serves on."""
    own = install(more=BOUNDS).start()
    with Api(own, people["oscar"], timeout=30) as api:
        api.add([native() for _ in range(2000)])
        for what, sql in ENDLESS.items():
            reply = api.ask(sql)
            if what in ("a large result", "a long sum", "deep brackets") and reply.status_code == 200:
                assert what != "a large result" or reply.json()["truncated"], what
                continue
            assert reply.status_code in (400, 413, 422, 503, 504), f"{what}: {reply.status_code} {reply.text[:300]}"
            code = reply.json()["error"]["code"]
            assert code in ("sql_refused", "sql_syntax", "bad_request", "too_large", "timeout"), reply.text
        assert api.value("SELECT count(*) AS n FROM events WHERE type = 'tool.call'") == 2000
    own.assert_calm()
