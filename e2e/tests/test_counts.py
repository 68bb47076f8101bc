"""Ingest, governed calls, sealing, queries and kill -9 at once: everything that was acknowledged is there, once."""

import base64
import json
import os
import random
import threading
import time

import httpx

from harness import record, trail
from harness.api import LINES, Api, lines, native
from harness.procs import wait_until

INGEST = int(os.environ.get("E2E_INGEST", "20000"))
WRITERS = 16
KILLS = 3
BATCH = 500
TRAIL = "org_acme_corp"
DENSE = """SELECT count(*) AS n, count(DISTINCT "index") AS d, min("index") AS low, max("index") AS high,
           count(DISTINCT id) AS ids FROM events"""


class Work:
    """What all threads share: whom to ask, when to stop, and what went wrong in them."""

    def __init__(self, greffier, people):
        self.greffier, self.people = greffier, people
        self.over = threading.Event()
        self.errors = []
        self.threads = []

    def run(self, body, *args):
        def guarded():
            try:
                body(self, *args)
            except BaseException as error:  # noqa: BLE001: whatever it is, the test must tell
                self.errors.append(f"{body.__name__}: {error!r}")
                self.over.set()

        thread = threading.Thread(target=guarded)
        self.threads.append(thread)
        thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()


class Load:
    """Sends every batch until it is acknowledged: again, and again, whatever happens between."""

    def __init__(self, documents):
        self.batches = [documents[at:at + BATCH] for at in range(0, len(documents), BATCH)]
        self.receipts = {}
        self.lock = threading.Lock()

    def send(self, work, part, parts):
        with Api(work.greffier, work.people["oscar"], timeout=20) as api:
            for batch in self.batches[part::parts]:
                body = lines(batch)
                while not work.over.is_set():
                    try:
                        reply = api.post(body, LINES)
                    except httpx.HTTPError:
                        time.sleep(0.05)
                        continue
                    if reply.status_code == 200:
                        break
                    assert reply.status_code in (429, 503), f"{reply.status_code} {reply.text[:500]}"
                    time.sleep(0.05)
                else:
                    return
                taken = reply.json()["receipts"]
                assert [receipt["id"] for receipt in taken] == [document["id"] for document in batch]
                with self.lock:
                    self.receipts |= {receipt["id"]: receipt for receipt in taken}


def govern(work, number, receipts):
    """A caller of a tool that asks without a pause, and notes each receipt it was given."""
    headers = {"authorization": f"Bearer {work.people['alice']}"}
    with httpx.Client(base_url=work.greffier.url, trust_env=False, timeout=10, headers=headers) as http:
        while not work.over.is_set():
            try:
                reply = http.post("/tools/crm/search", json={"writer": number})
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if "greffier-receipt" in reply.headers:
                receipts.append((reply.headers["greffier-request-id"], reply.headers["greffier-receipt"]))
            # Sixteen writers must leave the machine some air, or nothing else moves.
            time.sleep(0.02)


def watch(work, load, seen):
    """Asks in a loop: nothing that was acknowledged before the question is missing, and nothing comes twice."""
    dice = random.Random(1)
    with Api(work.greffier, work.people["audra"], timeout=60) as api:
        while not work.over.is_set():
            known = dict(load.receipts)
            try:
                kind = dice.choice(["sql", "sql", "recent", "pages"])
                if kind == "sql":
                    (row,) = api.rows(DENSE)
                    assert row["low"] == 0 and dense(row), f"a hole or a double: {row}"
                    loaded = api.value("SELECT count(*) AS n FROM events WHERE agent_id = 'loader'")
                    assert len(known) <= loaded <= INGEST, f"{loaded} of {len(known)}"
                elif kind == "recent" and known:
                    asked = sorted(dice.sample(sorted(known), min(len(known), 50)))
                    found = [event["id"] for event in api.search(f"id:{','.join(asked)}")]
                    assert sorted(found) == asked, f"{len(found)} of {len(asked)}"
                elif kind == "pages":
                    # A page is taken from a snapshot of its own; what is older than the first never changes.
                    got = [receipt["index"] for page in receipts(api, "agent:loader", 4) for receipt in page]
                    assert got == sorted(set(got), reverse=True), "a page repeats or is out of order"
                    if got:
                        between = {receipt["index"] for receipt in known.values() if got[-1] <= receipt["index"]}
                        assert between <= set(got), f"{len(between - set(got))} are missing"
                seen[kind] = seen.get(kind, 0) + 1
            except httpx.HTTPError:
                time.sleep(0.05)
            except AssertionError as error:
                # A server that was just killed, or is just starting, answers nothing: that is no wrong answer.
                if not any(f": {status} " in str(error) for status in (502, 503)):
                    raise


def dense(row):
    """Whether every index is there, and every id, once."""
    return row["n"] == row["d"] == row["ids"] == row["high"] + 1


def receipts(api, query, pages):
    """The places of the events of the first pages of a search."""
    cursor = {}
    for _ in range(pages):
        page = api.told("/api/v1/events", q=query, limit=1000, receipts="true", **cursor)
        yield page["receipts"]
        if page.get("next") is None:
            return
        cursor = {"cursor": page["next"]}


def test_everything_acknowledged_is_there_once(install, people):
    greffier = install(more="\n[ledger]\nentries = 4096\n").start()
    documents = [native(agent={"id": "loader"}, action={"name": f"load:{number % 50}"}) for number in range(INGEST)]
    work, load, governed, seen = Work(greffier, people), Load(documents), [], {}
    for part in range(2):
        work.run(lambda work, part=part: load.send(work, part, 2))
    for number in range(WRITERS):
        work.run(govern, number, governed)
    work.run(watch, load, seen)
    try:
        for kill in range(1, KILLS + 1):
            share = len(documents) * kill // (KILLS + 1)
            reached = lambda share=share: work.over.is_set() or len(load.receipts) >= share  # noqa: E731
            wait_until(reached, f"{share} are acknowledged", 900)
            greffier.kill()
            greffier.start()
        wait_until(lambda: work.over.is_set() or len(load.receipts) == INGEST, "all are acknowledged", 900)
        wait_until(lambda: work.over.is_set() or seen.get("pages", 0) >= 2, "it was looked at", 120)
    finally:
        work.over.set()
        work.join()
    assert work.errors == [], "\n".join(work.errors)
    assert len(seen) == 3 and governed, f"{seen}: the test did not test what it should"
    greffier.assert_calm()
    sealed = record.sealed(greffier.data)
    assert len(sealed.get(TRAIL, [])) >= min(INGEST // 4096, KILLS), "sealing was running"

    # By every way that there is, it is what the receipts say.
    wanted = {document["id"] for document in documents}
    with Api(greffier, people["audra"], timeout=300) as api:
        (row,) = api.rows(DENSE)
        assert dense(row), row
        assert api.value("SELECT count(DISTINCT id) AS n FROM events WHERE agent_id = 'loader'") == INGEST
        assert api.value("SELECT count(*) AS n FROM events WHERE agent_id = 'loader'") == INGEST
        by_search = [event["id"] for event in api.search("agent:loader")]
        assert len(by_search) == INGEST and set(by_search) == wanted
        by_export = [json.loads(line)["id"] for line in api.export("agent:loader")]
        assert by_export == by_search[::-1]
        governed_by = "FROM events WHERE channel = 'gateway' AND type"
        calls = api.value(f"SELECT count(DISTINCT request_id) AS n {governed_by} = 'action.approved'")
        ended = api.value(f"SELECT count(*) AS n {governed_by} IN ('action.executed', 'action.failed')")
    greffier.stop()
    told = greffier.run("export", "agent:loader", "--data", greffier.data, "--tenant", TRAIL, timeout=300)
    assert told.returncode == 0, told.stderr
    assert [json.loads(line)["id"] for line in told.stdout.splitlines()] == by_export

    # And what the receipts say is what lies on disk, under the tree that was signed.
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    _, size, root, _, _ = trail.checkpoint(greffier.data / "trails" / TRAIL)
    leaves = trail.leaves(greffier.data / "trails" / TRAIL, size)
    assert trail.tree_root(leaves) == root
    entries = record.entries(greffier.data, TRAIL)
    assert sorted(index for _, index in entries) == list(range(size))
    for receipt in load.receipts.values():
        assert json.loads(entries[TRAIL, receipt["index"]])["id"] == receipt["id"]
        assert leaves[receipt["index"]] == base64.b64decode(receipt["leaf"])
    for request, receipt in governed:
        name, index, leaf = receipt.split(" ")
        assert name == TRAIL and leaves[int(index)] == base64.b64decode(leaf)
        assert json.loads(entries[TRAIL, int(index)])["request_id"] == request
    decided = {request for request, _ in governed}
    assert len(decided) == len(governed) <= calls == ended
