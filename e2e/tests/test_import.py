"""Records of other recorders and old logs, brought in: each once, whatever happens on the way, and nothing lost."""

import gzip
import json
import os
import pty
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.api import LINES, Api, flat, fresh, lines, native
from harness.first_document import AuditEvent, AuditEventType, FileAuditBackend

SAMPLES = Path(__file__).parents[2] / "crates/greffier/testdata/import"
MILLION = int(os.environ.get("E2E_IMPORT_LINES", "0"))


@pytest.fixture
def token(tmp_path, people):
    path = tmp_path / "token"
    path.write_text(people["oscar"])
    return str(path)


def place(greffier, token):
    return ["--server", greffier.url, "--token-file", token]


def tally(done):
    return json.loads(done.stdout)


@pytest.mark.parametrize("name, recorded, passed_over", [
    ("agentgateway.log", 5, 2), ("litellm.jsonl", 4, 0), ("langfuse.jsonl", 5, 0)])
def test_what_others_recorded(name, recorded, passed_over, api, greffier, tmp_path, token):
    """Found out by itself, twice the same, and what cannot be an event is kept aside as it was."""
    sample = (SAMPLES / name).read_text()
    file = tmp_path / name
    file.write_text(sample)
    kind = name.split(".")[0]
    done = greffier.run("import", str(file), "-o", "json", *place(greffier, token))
    told = tally(done)
    refused = len(sample.splitlines()) - recorded - passed_over
    assert (told["recorded"], told["refused"], told["passed_over"]) == (recorded, refused, passed_over), done.stderr
    assert (done.returncode == 0) == (refused == 0)
    for line in re.findall(r"line (\d+): ", done.stderr):
        kept = [json.loads(kept) for kept in Path(f"{file}.refused").read_text().splitlines()]
        assert sample.splitlines()[int(line) - 1] in [one["text"] for one in kept]

    again = tally(greffier.run("import", str(file), "-o", "json", "--form", kind, *place(greffier, token)))
    assert (again["recorded"], again["repeated"]) == (0, recorded)

    rows = api("audra").search(f"protocol:{kind}")
    assert len(rows) == recorded
    assert all(row["source"]["channel"] == "import" for row in rows)
    assert not any(row.get("user", {}).get("verified") for row in rows), "what others say is a claim"


def test_nothing_of_a_record_is_lost(api, greffier, tmp_path, token):
    """What no field takes is in the metadata as it was written, but for what is secret."""
    mark = fresh()
    row = {"request_id": mark, "call_type": "completion", "startTime": "2026-03-06T14:32:07.891", "spend": 0.1,
           "model": "m", "api_key": "sk-live-0123456789abcdef", "odd": {"deep": [1, None, "x"]}, "cache_hit": "False",
           "messages": [{"role": "user", "content": "my SSN is 536-90-4399"}]}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    assert greffier.run("import", str(file), *place(greffier, token)).returncode == 0
    (line,) = api("audra").export(f"call:{mark}", format="native", parts="true")
    parts = {part["name"]: part for part in json.loads(line)["parts"]}
    kept = parts["metadata"]["json"]["litellm"]
    assert kept["odd"] == row["odd"] and kept["cache_hit"] == "False" and kept["spend"] == 0.1
    assert "sk-live" not in line and "536-90-4399" not in line
    assert parts["prompt"]["json"][0]["role"] == "user"


def anything(rng, depth=0):
    """A value that an agent may log: texts of any script, numbers of any size, what is nested."""
    texts = ["", "open orders", "Grüße, 世界 🌍", "line\nbreak\ttab \"quoted\" \\ \u2028", "<script>", "=1+1", "null"]
    plain = [None, True, False, 0, -1, 2**53 + 1, 2**70, 0.1, 1e-7, -2.5e22, 12.34567, 3.0, *texts]
    kind = rng.randrange(10) if depth < 3 else 0
    if kind < 6:
        return rng.choice(plain)
    if kind < 8:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = ["q", "limit", "Größe", "", "a.b/c~d", "x y"]
    return {name: anything(rng, depth + 1) for name in rng.sample(names, rng.randrange(4))}


def mapping(rng):
    return {f"p{number}": anything(rng) for number in range(rng.randrange(4))}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_the_first_documents_log_comes_out_as_it_went_in(api, greffier, people, tmp_path, token):
    """Written by that document's own code, imported, exported as `flat`: each line has the same values."""
    rng, log, session = random.Random(7), tmp_path / "agent_audit.jsonl", f"first-{fresh()}"
    backend = FileAuditBackend(str(log))
    for number in range(400):
        event = AuditEvent(
            event_type=rng.choice(list(AuditEventType)), session_id=session, action=rng.choice(["", "tool.search", "read"]),
            agent_id=rng.choice(["", "agent-001"]), user_id=rng.choice([None, "auth0|8f3a", "alice"]),
            resource=rng.choice([None, "crm://contacts/7", "/var/data/a b.csv", "orders"]), parameters=mapping(rng),
            result=rng.choice([None, "success", "", "3 deals\n2 open"]), error=rng.choice([None, None, "it broke: 7"]),
            duration_ms=rng.choice([None, 0.0, 12.34567890123, 342, 0.0009, 1e9]), metadata=mapping(rng))
        if number % 5 == 0:
            # Python leaves the fraction out where it is zero.
            event.timestamp = f"2026-03-06T14:{number % 60:02}:07"
        if number % 7 == 0:
            event.parameters |= {"api_key": "sk-12345", "auth": {"Token": 1, "n": number}}
        backend.write(event)
    done = greffier.run("import", str(log), "-o", "json", *place(greffier, token))
    assert done.returncode == 0, done.stderr
    assert tally(done) == {"recorded": 400, "repeated": 0, "refused": 0, "passed_over": 0}

    audra, out = tmp_path / "audra", tmp_path / "out.jsonl"
    audra.write_text(people["audra"])
    done = greffier.run("export", f"session:{session}", "--format", "flat", "--parts", "--out", str(out),
                        "--server", greffier.url, "--token-file", str(audra))
    assert done.returncode == 0, done.stderr
    # Not by `splitlines`: JSON may hold what Python takes for the end of a line.
    given, came = log.read_text().split("\n"), out.read_text().split("\n")
    assert given.pop() == came.pop() == ""
    for one, other in zip(given, came, strict=True):
        assert json.loads(other) == json.loads(one)
        assert list(json.loads(other)) == list(json.loads(one)), "and in the same order"


def test_bad_lines_are_told_and_kept(api, greffier, tmp_path, token):
    file = tmp_path / "mixed.jsonl"
    bad = ['{"id": "no', json.dumps(native(type="tool.cal")), "\xff\xfe"]
    text = lines([native()]) + bad[0] + "\n" + lines([flat()]) + bad[1] + "\n"
    file.write_bytes(text.encode() + bad[2].encode("latin1") + b"\n" + lines([native()]).encode())
    aside = tmp_path / "aside"
    done = greffier.run("import", str(file), "-o", "json", "--refused", str(aside), *place(greffier, token))
    assert done.returncode == 1
    assert tally(done) == {"recorded": 3, "repeated": 0, "refused": 3, "passed_over": 0}
    kept = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [(one["line"], one.get("text")) for one in kept] == [(2, bad[0]), (4, bad[1]), (5, None)]
    assert kept[2]["base64"] == "//4="
    assert aside.stat().st_mode & 0o77 == 0, "what it holds may be personal"


def test_killed_and_run_again(api, greffier, tmp_path, token):
    """Goes on where it was, and what was sent twice is recorded once."""
    mark = f"killed-{fresh()}"
    count = 30_000
    file, position = tmp_path / "long.jsonl", tmp_path / "position"
    with file.open("w") as out:
        for _ in range(count):
            out.write(json.dumps(flat(session_id=mark)) + "\n")
    command = [str(greffier.binary), "import", str(file), "-o", "json", "--position", str(position),
               *place(greffier, token)]
    behind = 0
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if position.exists() and json.loads(position.read_text())["place"]["bytes"] > behind:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0:
            break
        behind = json.loads(position.read_text())["place"]["bytes"]
        assert behind > 0
    done = greffier.run("import", str(file), "-o", "json", "--position", str(position), *place(greffier, token))
    assert done.returncode == 0, done.stderr
    told = tally(done)
    assert told["recorded"] + told["repeated"] < count, "it went on, and did not begin anew"
    assert int(api("audra").value(f"select count(*) from events where session_id = '{mark}'")) == count
    # A log grows: the next run takes what is new.
    with file.open("a") as out:
        out.write(json.dumps(flat(session_id=mark)) + "\n")
    more = tally(greffier.run("import", str(file), "-o", "json", "--position", str(position), *place(greffier, token)))
    assert (more["recorded"], more["repeated"]) == (1, 0)
    # The position of one file is no position of another.
    other = tmp_path / "other.jsonl"
    other.write_text(lines([native() for _ in range(100)]))
    wrong = greffier.run("import", str(other), "--position", str(position), *place(greffier, token))
    assert wrong.returncode == 2 and "position of another import" in wrong.stderr


def test_a_bar_on_a_terminal_and_nowhere_else(greffier, tmp_path, token):
    file = tmp_path / "long.jsonl"
    file.write_text(lines([native() for _ in range(2_500)]))
    command = [str(greffier.binary), "import", str(file), *place(greffier, token)]
    mine, theirs = pty.openpty()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, timeout=120)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(mine, 65_536):
            shown += piece
    except OSError:
        pass  # How a terminal says that nobody writes to it any more.
    os.close(mine)
    assert done.returncode == 0, shown
    percents = [int(found) for found in re.findall(rb"\[#*\.*\] +(\d+) %  \d+ recorded", shown)]
    assert len(percents) >= 3 and percents == sorted(percents) and percents[-1] == 100, shown
    assert b"\x1b[2K" in shown and shown.endswith(b"\x1b[2K"), "it is taken away at the end"
    done = greffier.run("import", str(file), *place(greffier, token))
    assert "%" not in done.stderr and "\x1b" not in done.stderr


@pytest.mark.skipif(not MILLION, reason="E2E_IMPORT_LINES=1000000 asks for it")
def test_very_many_lines(install, people, tmp_path):
    mine = install("many").start()
    path = tmp_path / "token"
    path.write_text(people["oscar"])
    file = tmp_path / "many.jsonl"
    with file.open("w") as out:
        for _ in range(MILLION):
            out.write(json.dumps(flat()) + "\n")
    done = mine.run("import", str(file), "-o", "json", *place(mine, str(path)), timeout=3600)
    assert done.returncode == 0 and tally(done)["recorded"] == MILLION, done.stderr


def test_ingest_of_a_stream_in_gzip(api, greffier):
    """A body that comes bit by bit, compressed: recorded while it comes, every line answered."""
    documents = [native() for _ in range(5_000)]
    body = gzip.compress(lines(documents).encode())

    def pieces():
        for at in range(0, len(body), 7_000):
            yield body[at:at + 7_000]

    reply = api("oscar").http.post("/api/v1/events", content=pieces(), headers={
        "content-type": LINES, "content-encoding": "gzip", "greffier-sent-at": "2026-01-01T00:00:00Z"})
    assert reply.status_code == 200, reply.text[:500]
    receipts = reply.json()["receipts"]
    assert [receipt["id"] for receipt in receipts] == [document["id"] for document in documents]
    shown = api("audra").told(f"/api/v1/events/{receipts[0]['id']}")
    assert shown["event"]["source"]["skew_us"] > 0 and shown["standing"] == "claim"


def test_a_bomb_is_refused(api, greffier):
    zeros = gzip.compress(b" " * (64 << 20))
    assert len(zeros) < 100_000
    for media in (LINES, "application/json"):
        reply = api("oscar").http.post("/api/v1/events", content=zeros, headers={
            "content-type": media, "content-encoding": "gzip"})
        assert reply.status_code == 413, reply.text
        (event,) = api("audra").search(f"request:{reply.headers['greffier-request-id']}")
        assert (event["action"]["name"], event["outcome"]["code"]) == ("malformed", 413), "who sends such is known"
    reply = api("oscar").http.post("/api/v1/events", content=b"{}", headers={"content-encoding": "br"})
    assert reply.status_code == 415


def test_a_gap_in_a_producers_numbers(api, greffier, people, tmp_path, token):
    producer = f"worker-{fresh()}"

    def numbered(*numbers):
        return api("oscar").post(lines([native(source={"producer": producer, "sequence": n}) for n in numbers]), LINES)

    numbered(0, 1)
    (told,) = numbered(4, 7).json()["producers"]
    assert told["gaps"] == [{"first": 2, "last": 3}, {"first": 5, "last": 6}] and told["known_from"] == 0
    (told,) = numbered(2, 3).json()["producers"]
    assert told["gaps"] == [{"first": 5, "last": 6}]
    # The trail says so, too: over the API, and offline.
    audra = tmp_path / "audra"
    audra.write_text(people["audra"])
    for where in (["--server", greffier.url, "--token-file", str(audra)],
                  ["--data", str(greffier.data), "--tenant", "org_acme_corp"]):
        done = greffier.run("producers", "-o", "json", "--fail-on-gaps", *where)
        assert done.returncode == 6, done.stderr
        (one,) = [one for one in json.loads(done.stdout) if one["producer"] == producer]
        assert (one["events"], one["last"], one["missing"]) == (6, 7, 2)


def test_one_id_of_two_producers(api, greffier):
    shared = fresh()
    a = native(id=shared, source={"producer": "a-" + shared, "sequence": 0})
    b = native(id=shared, source={"producer": "b-" + shared, "sequence": 0}, session_id="b")
    first, second = api("oscar").add([a, b])
    assert first["id"] == shared and second["given"] == shared and second["id"] != shared
    again = api("oscar").add([b, a])
    assert {one["receipt"] for one in again} == {first["receipt"], second["receipt"]}
    assert all(one["repeated"] for one in again)


def test_server_restarted_in_the_middle(install, people):
    """A sender that keeps its ids and sends again what it has no receipt for: each event exactly once."""
    mine = install("restarted").start()
    documents = [native(session_id="restart") for _ in range(20_000)]
    waiting = [documents[at:at + 500] for at in range(0, len(documents), 500)]
    stopped = False
    while waiting:
        with Api(mine, people["oscar"]) as oscar:
            while waiting:
                if len(waiting) == 20 and not stopped:
                    stopped = True
                    mine.kill()
                    mine.start()
                    break
                oscar.add(waiting[0])
                waiting.pop(0)
    with Api(mine, people["audra"]) as audra:
        assert int(audra.value("select count(*) from events where session_id = 'restart'")) == len(documents)
        assert int(audra.value("select count(distinct id) from events where session_id = 'restart'")) == len(documents)
