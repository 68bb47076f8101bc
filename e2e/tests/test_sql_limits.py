"""SQL of people who are not trusted: what it may not do, what it may not cost, and that it stops when they hang up."""

import concurrent.futures
import time

import httpx
import pytest

from harness.api import Api, fresh, native
from harness.procs import wait_until

MEMORY = 48
QUERY = f'\n[query]\nmemory = "{MEMORY}MiB"\ntimeout = "8s"\nconcurrent = 2\n'
EVENTS = 6_000
# Beside the pool: batches that are being made, answers that are being written, and what the allocator keeps.
ALLOWED = 192
PAD = "x" * 900

ESCAPES = [
    "DROP TABLE events", "CREATE TABLE t AS SELECT 1", "CREATE VIEW v AS SELECT 1", "INSERT INTO events VALUES (1)",
    "UPDATE events SET index = 0", "DELETE FROM events", "TRUNCATE events", "COPY events TO '/tmp/greffier-escape.parquet'",
    "COPY (SELECT 1) TO '/tmp/greffier-escape.csv' STORED AS CSV",
    "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION '/etc/passwd'", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'file:///etc/passwd'", "SELECT * FROM 'http://127.0.0.1/x.parquet'", "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')", "SELECT * FROM parquet_metadata('/x')",
    "SELECT * FROM 'greffier://segments/trails/org_beta/segments/x.parquet'", "SELECT * FROM org_beta.events",
    "SELECT * FROM greffier.org_beta.events", "SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.df_settings",
    "SHOW TABLES", "SHOW ALL", "SET datafusion.execution.batch_size = 1", "PREPARE p AS SELECT 1", "EXPLAIN ANALYZE SELECT * FROM events",
    "SELECT 1; DROP TABLE events", "SELECT version()", "SELECT input_file_name() FROM events",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
]
BOMBS = [
    "SELECT repeat('x', 2000000000)", "SELECT lpad('x', 2000000000)", "SELECT rpad('x', 2000000000, 'y')",
    "SELECT generate_series(1, 2000000000)", "SELECT * FROM generate_series(1, 2000000000)", "SELECT * FROM range(0, 2000000000)",
    "SELECT array_repeat(1, 2000000000)", "SELECT array_resize([1], 2000000000, 0)", "SELECT replace(entry, 'a', entry) FROM events",
    "SELECT regexp_replace(entry, '.', entry, 'g') FROM events", "SELECT count(*) FROM events a, events b, events c",
    "SELECT count(*) FROM events a JOIN events b ON a.index < b.index",
    "SELECT string_agg(entry, ',') OVER () FROM events", "SELECT index, (SELECT string_agg(entry, ',') FROM events) FROM events",
    "SELECT " + "entry || " * 40 + "entry FROM events", "SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT " + "- " * 5000 + "1",
    "SELECT 1 WHERE 1 IN (" + "1," * 50_000 + "1)", "SELECT 1" + " UNION ALL SELECT 1" * 5000,
    # These are questions that one may ask; what they cost is bounded while they run.
    "SELECT a.entry FROM events a JOIN events b ON a.tenant = b.tenant ORDER BY a.entry",
    "SELECT count(DISTINCT a.entry || b.entry) FROM events a JOIN events b ON a.tenant = b.tenant",
    "SELECT entry, count(*) FROM events GROUP BY entry ORDER BY entry", "SELECT array_agg(entry) FROM events",
    "SELECT string_agg(entry, '') FROM events", "SELECT DISTINCT entry FROM events ORDER BY entry",
    "SELECT entry, row_number() OVER (PARTITION BY tenant ORDER BY entry) FROM events",
    "SELECT a.index + b.index FROM events a JOIN events b ON a.tenant = b.tenant JOIN events c ON a.tenant = c.tenant",
    "SELECT regexp_like(entry, '(((((x{1,50}){1,50}){1,50}){1,50}){1,50})') FROM events",
    "SELECT count(*) FROM events WHERE entry LIKE '%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%y'",
]


def peak(greffier):
    """The most memory that the process has had so far, in MiB."""
    with open(f"/proc/{greffier.process.child.pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


@pytest.fixture(scope="module")
def filled(binary, world, people, tmp_path_factory):
    """A trail of some MiB, of which a third is sealed."""
    from harness.greffier import Greffier

    greffier = Greffier(binary, world, tmp_path_factory.mktemp("limits"), more=QUERY + "\n[ledger]\nentries = 1024\n").start()
    with Api(greffier, people["oscar"], timeout=120) as operator:
        for _ in range(0, EVENTS, 500):
            operator.add([native(resource={"uri": f"pad://{fresh()}/{PAD}"}) for _ in range(500)])
    yield greffier
    greffier.assert_calm()
    greffier.stop()


@pytest.mark.parametrize("statement", ESCAPES)
def test_what_is_more_than_reading_is_refused(statement, filled, people):
    with Api(filled, people["audra"], timeout=60) as api:
        reply = api.ask(statement)
    assert reply.status_code == 400, reply.text[:500]
    assert reply.json()["error"]["code"] in ("sql_refused", "sql_syntax")
    assert "root:" not in reply.text


def test_memory_is_bounded_whatever_is_asked(filled, people):
    """All of them, two at a time, while events go on being recorded: the process stays within what it may have."""
    with Api(filled, people["audra"], timeout=120) as api, Api(filled, people["oscar"], timeout=30) as operator:
        # What ordinary questions take is not the bombs' doing.
        api.rows("SELECT count(*) AS n FROM events")
        before = peak(filled)

        def ask(statement):
            while True:
                reply = api.ask(statement)
                if reply.status_code != 503:
                    return statement, reply
                time.sleep(0.05)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(ask, statement) for statement in BOMBS]
            while not all(done.done() for done in asked):
                # A receipt within the client's 30 seconds, whatever the engine is busy with.
                operator.add([native()])
                time.sleep(0.2)
        for done in asked:
            statement, reply = done.result()
            told = f"{statement[:80]}: {reply.status_code} {reply.text[:200]}"
            assert reply.status_code in (200, 400, 422, 504), told
            assert len(reply.content) < 64 * 1024 * 1024, told
        grown = peak(filled) - before
    assert grown < MEMORY + ALLOWED, f"{grown} MiB more than before"
    filled.assert_calm()


def test_a_question_stops_when_its_caller_hangs_up(install, people):
    """With room for one statement, the next one is answered long before the first would have ended."""
    greffier = install(more='\n[query]\ntimeout = "10m"\nconcurrent = 1\n').start()
    heavy = ("SELECT count(a.index + b.index + c.index) FROM events a JOIN events b ON a.tenant = b.tenant "
             "JOIN events c ON a.tenant = c.tenant JOIN events d ON a.tenant = d.tenant")
    with Api(greffier, people["oscar"]) as operator:
        operator.add([native() for _ in range(400)])
    with Api(greffier, people["audra"], timeout=1) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.ask(heavy)
    with Api(greffier, people["audra"], timeout=60) as patient:
        assert patient.value("SELECT count(*) AS n FROM events WHERE agent_id = 'loader'") == 400
        # Both were asked, and both are on record.
        asked = wait_until(lambda: patient.search("agent:greffier tool:trail:sql"), "the questions are on record")
    assert len(asked) == 2
    greffier.assert_calm()
