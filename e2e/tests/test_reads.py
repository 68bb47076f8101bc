"""Who reads the trail is on the trail; only those who may read it do; and hashes are for everyone."""

import base64
import json
import struct
import threading

import pytest

from harness import record, trail
from harness.api import EVENTS, fresh, messages, native
from harness.procs import wait_until


@pytest.fixture(scope="module")
def known(api, greffier, world, sdk, people):
    """A governed call, and a few events of one session."""
    with sdk.http(greffier, people["alice"]) as http:
        called = http.post("/tools/crm/search", json={"q": 1})
    assert called.status_code == 200, called.text
    session = f"s-{fresh()}"
    receipts = api("oscar").add([native(session_id=session) for _ in range(3)])
    wait_until(lambda: api("audra").get(f"/api/v1/proofs/{receipts[0]['id']}").status_code == 200, "the checkpoint covers it")
    return {"event": receipts[0]["id"], "call": called.headers["greffier-request-id"], "session": session}


READS = {
    "trail:search": lambda api, known: api.get(EVENTS, q="agent:loader"),
    "trail:facets": lambda api, known: api.get("/api/v1/facets", q="agent:loader", by="user"),
    "trail:export": lambda api, known: api.get("/api/v1/export", q="agent:loader"),
    "trail:event": lambda api, known: api.get(f"/api/v1/events/{known['event']}"),
    "trail:call": lambda api, known: api.get(f"/api/v1/calls/{known['call']}"),
    "trail:session": lambda api, known: api.get(f"/api/v1/sessions/{known['session']}"),
    "trail:sql": lambda api, known: api.ask("SELECT count(*) AS n FROM events"),
    "trail:activity": lambda api, known: api.get("/api/v1/activity", agent="loader"),
    "trail:findings": lambda api, known: api.get("/api/v1/findings"),
    "trail:proof": lambda api, known: api.get(f"/api/v1/proofs/{known['event']}"),
    "trail:list": lambda api, known: api.get("/api/v1/trails"),
    "trail:entries": lambda api, known: api.get("/trails/org_acme_corp/tile/entries/000.p/1"),
}
EXPORTS = {"trail:export"}
READERS = {
    "audra": {"read", "export"}, "oscar": {"read"}, "alice": {"read"}, "petra": {"read"}, "bob": set(), None: None,
}


def new(greffier, before, tenant="org_acme_corp"):
    return [event for event in greffier.events(tenant) if event["_index"] >= before]


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("name", READS)
def test_every_read_is_an_event(name, who, api, greffier, known):
    before = len(record.entries(greffier.data, "org_acme_corp"))
    reply = READS[name](api(who), known)
    events = new(greffier, before)
    if READERS[who] is None:
        assert reply.status_code == 401 and events == []
        return
    may = ("export" if name in EXPORTS else "read") in READERS[who]
    assert reply.status_code == (200 if may else 403), reply.text
    (event,) = events
    assert event["action"]["name"] == name and event["type"] == ("data.access" if may else "permission.denied")
    assert event["policy"]["decision"] == ("allow" if may else "deny")
    assert event["user"]["sub"] == who and event["user"]["verified"] and event["agent"]["id"] == "greffier"
    assert event["resource"]["uri"].startswith("audit://org_acme_corp/")
    # The answer names its record.
    _, index, leaf = reply.headers["greffier-receipt"].split(" ")
    assert int(index) == event["_index"]
    assert base64.b64decode(leaf) == trail.leaf_hash(record.entries(greffier.data)["org_acme_corp", int(index)])
    if not may:
        assert known["session"] not in reply.text and "loader" not in reply.text


def test_a_read_shows_itself(api):
    """A search finds the event that records it: who looks is among what is seen."""
    mark = f"needle {fresh()}"
    page = api("audra").told(EVENTS, q="agent:greffier type:data.access", limit=1)
    assert page["events"][0]["action"]["name"] == "trail:search" and page["events"][0]["user"]["sub"] == "audra"
    assert mark not in json.dumps(page)


def test_what_was_asked_is_kept_without_what_it_tells(api, greffier):
    """The question is a part; a number that was looked for is not left behind by looking for it."""
    mark = f"mark-{fresh()}"
    api("audra").told(EVENTS, q=f'"{mark}" "536-90-4399"')
    api("audra").rows(f"SELECT count(*) AS n FROM events WHERE user_sub = '536-90-4399' AND agent_id <> '{mark}'")
    asked = [json.loads(line) for line in api("audra").export("agent:greffier has:part", parts="true")]
    told = [json.dumps(event["parts"]) for event in asked if mark in json.dumps(event)]
    assert len(told) >= 2 and all("536-90-4399" not in text for text in told)


def test_unreadable_questions(api, greffier):
    """Each says what is wrong, and none is a fault of the server."""
    for path, params, word in [
        (EVENTS, {"q": "usr:alice"}, "user"), (EVENTS, {"q": "type:tool.cal"}, "tool.call"),
        (EVENTS, {"q": 'tool:"a'}, "quote"), (EVENTS, {"q": "cost:>much"}, "cost"),
        (EVENTS, {"q": "since:yesteday"}, "yesterday"), (EVENTS, {"q": "x" * 5000}, ""),
        (EVENTS, {"limit": "0"}, "limit"), (EVENTS, {"limit": "1001"}, "limit"), (EVENTS, {"limit": "x"}, "limit"),
        (EVENTS, {"cursor": "x"}, "cursor"), (EVENTS, {"format": "xml"}, "format"), (EVENTS, {"qq": "x"}, "q"),
        ("/api/v1/activity", {"agent": "x", "user": "y"}, "user"), ("/api/v1/activity", {"agent": "x", "since": "?"}, "since"),
        ("/api/v1/events/7", {}, "UUID"), ("/api/v1/export", {"format": "pdf"}, "format"),
    ]:
        reply = api("audra").get(path, **params)
        assert reply.status_code == 400, f"{path} {params}: {reply.status_code} {reply.text}"
        error = reply.json()["error"]
        assert error["code"] and word in error["message"] + str(error.get("hint")), error
    assert api("audra").http.delete(EVENTS).status_code == 405
    assert api("audra").get("/api/v1/nothing").status_code == 404
    greffier.assert_calm()


def test_a_call_and_a_session(api, known):
    call = api("audra").told(f"/api/v1/calls/{known['call']}")
    types = [entry["event"]["type"] for entry in call["events"]]
    assert types == ["action.approved", "action.executed"]
    assert len(call["calls"]) == 1 and call["calls"][0]["user"] == "alice"
    session = api("audra").told(f"/api/v1/sessions/{known['session']}")
    indexes = [entry["index"] for entry in session["events"]]
    assert indexes == sorted(indexes) and len(indexes) == 3


def test_people_and_subjects_are_found_by_name(api, greffier):
    """The trail has references in their place. A server tells them, and whoever has the keys beside the files."""
    email, patient = f"{fresh()}@example.com", f"P-{fresh()}"
    receipts = api("oscar").add([native(user={"sub": email}, resource={"uri": "ehr://x", "subjects": [patient]}), native()])
    query, expected = f"user:{email} subject:{patient}", [receipts[0]["id"]]
    assert [event["id"] for event in api("audra").search(query)] == expected
    files = ("--data", greffier.data, "--tenant", "org_acme_corp", "-o", "jsonl")
    done = greffier.run("search", query, *files, "--keys", greffier.keys)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == expected, done.stderr
    done = greffier.run("search", query, *files)
    assert (done.returncode, done.stdout) == (2, "") and "--keys" in done.stderr, "an empty answer would be taken for one"


def test_the_node_has_a_trail_of_its_own(api, greffier):
    """Operators may read it, auditors of a tenant may not."""
    page = api("oscar").told(EVENTS, tenant="greffier", q="tool:node:start")
    assert page["events"] and {event["tenant"] for event in page["events"]} == {"greffier"}
    assert api("audra").get(EVENTS, tenant="greffier").status_code == 403


class Tail(threading.Thread):
    """An open stream on a thread of its own; what came so far is in `got`."""

    def __init__(self, api, q="", last=None):
        super().__init__(daemon=True)
        self.api, self.q, self.last = api, q, last
        self.got, self.open, self.over = [], threading.Event(), threading.Event()
        self.start()

    def run(self):
        with self.api.tail(self.q, self.last) as stream:
            assert stream.status_code == 200, stream.read()
            self.open.set()
            for index, event in messages(stream):
                self.got.append((int(index), event))
                if self.over.is_set():
                    return


def test_tail(api, greffier):
    """Events come as they are recorded, each once, in order, and a caller that comes back goes on where it was."""
    from harness.api import Api

    token = api("audra").http.headers["authorization"].removeprefix("Bearer ")
    name = f"tail:{fresh()}"
    watcher = Tail(Api(greffier, token), f"tool:{name}")
    assert watcher.open.wait(20)
    sent = []
    for _ in range(5):
        wanted, other = {"name": name}, {"name": "tail:other"}
        receipts = api("oscar").add([native(action=action) for action in (wanted, other, wanted)])
        sent += [receipts[0]["index"], receipts[2]["index"]]
    api("boris").add([native(action={"name": name})])
    wait_until(lambda: len(watcher.got) >= len(sent), "all of them came")
    watcher.over.set()
    assert [index for index, _ in watcher.got] == sent
    assert {event["tenant"] for _, event in watcher.got} == {"org_acme_corp"}

    again = Tail(Api(greffier, token), f"tool:{name}", last=sent[3])
    wait_until(lambda: len(again.got) >= len(sent) - 4, "the rest came again")
    again.over.set()
    assert [index for index, _ in again.got] == sent[4:]
    for who, status in (("bob", 403), (None, 401)):
        with api(who).tail() as stream:
            assert stream.status_code == status


class Published:
    """A trail as the monitoring prefix serves it, with what `harness.trail` asks of a folder."""

    def __init__(self, api, name, path=""):
        self.api, self.name, self.path = api, name, path

    def __truediv__(self, more):
        return Published(self.api, self.name, f"{self.path}/{more}")

    def read_bytes(self):
        reply = self.api.get(f"/trails/{self.name}{self.path}")
        assert reply.status_code == 200, f"{self.path}: {reply.status_code} {reply.text}"
        return reply.content

    def read_text(self):
        return self.read_bytes().decode()


def test_anyone_verifies_what_is_published(api, greffier, known):
    """Without a token: the checkpoint, its signature, and the tree of the tiles. The entries take one."""
    api("oscar").add([native() for _ in range(300)])
    size = len(record.entries(greffier.data, "org_acme_corp"))
    nobody = Published(api(), "org_acme_corp")
    wait_until(lambda: trail.checkpoint(nobody)[1] >= size, "the checkpoint covers them")
    origin, size, root, text, signatures = trail.checkpoint(nobody)
    assert origin.endswith("/org_acme_corp")
    key = next(word for word in (greffier.data / "trust").read_text().split() if word.startswith(f"{origin}+"))
    assert trail.signed_by(text, signatures, key)
    leaves = trail.leaves(nobody, size)
    assert trail.tree_root(leaves) == root
    # Level 1 is what level 0 adds up to.
    if size >= 256:
        width = size // 256
        tile = (nobody / trail.tile_path(1, 0, width)).read_bytes()
        assert tile == b"".join(trail.tree_root(leaves[at * 256:at * 256 + 256]) for at in range(width))

    bundles = [(number, min(256, size - number * 256)) for number in range((size + 255) // 256)]
    for number, width in bundles:
        path = f"/trails/org_acme_corp/{trail.tile_path('entries', number, width)}"
        assert api().get(path).status_code == 401
        assert api("bob").get(path).status_code == 403
        assert api("boris").get(path).status_code in (403, 404)
        raw, entries = api("audra").get(path).content, []
        while raw:
            (length,) = struct.unpack_from(">H", raw)
            entries.append(raw[2:2 + length])
            raw = raw[2 + length:]
        assert [trail.leaf_hash(entry) for entry in entries] == leaves[number * 256:number * 256 + width]


def test_a_proof_from_the_api(api, greffier, known, tmp_path):
    """What the read API proves, the command verifies offline, against keys kept elsewhere."""
    proof = api("audra").get(f"/api/v1/proofs/{known['event']}")
    assert proof.status_code == 200 and proof.text.startswith("c2sp.org/tlog-proof@v1\n")
    file, trust = tmp_path / "event.tlog-proof", tmp_path / "trust"
    file.write_text(proof.text)
    trust.write_bytes((greffier.data / "trust").read_bytes())
    checked = greffier.run("verify", file, "--trust", trust)
    assert checked.returncode == 0 and "VALID" in checked.stdout + checked.stderr, checked.stdout + checked.stderr


def test_a_proof_by_command(people, greffier, known, tmp_path):
    """From a server or from its files: the same event, proved to whoever trusts the log's key."""
    token, proof = tmp_path / "token", tmp_path / "event.proof"
    token.write_text(people["audra"])
    for place in (("--server", greffier.url, "--token-file", token), ("--data", greffier.data)):
        done = greffier.run("prove", known["event"], *place, "--out", proof)
        assert done.returncode == 0, done.stderr
        done = greffier.run("verify", proof, "-o", "json")
        assert done.returncode == 0 and json.loads(done.stdout)["event"]["id"] == known["event"], done.stdout
    done = greffier.run("prove", fresh(), "--server", greffier.url, "--token-file", token)
    assert done.returncode == 3, done.stderr


def test_the_document_describes_what_is_served(api):
    described = api().told("/openapi.json")
    assert described["openapi"].startswith("3.")
    for path in (EVENTS, "/api/v1/sql", "/api/v1/tail", "/api/v1/export", "/trails/{tenant}/checkpoint"):
        assert path in described["paths"], path
    assert "post" in described["paths"][EVENTS] and "get" in described["paths"][EVENTS]
