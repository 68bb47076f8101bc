"""`on_record_failure`: what may go on while the disk is full does, and its trail says so before anything else."""

import json
import os
import signal
import subprocess
import threading

import pytest

from harness.api import Api
from harness.procs import wait_until

TENANT = "org_acme_corp"
NOTHING = {"continuing": False, "classes": ["invoke_model", "call_tool"], "accounted": 0, "counted": 0, "late": 0}
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "say hello"}]}
# A tool whose data is not classified, beside the suite's own, whose data is.
GOES_ON = """
[on_record_failure]
default = "continue"

[[tool]]
name = "registry"
base_url = "{tools}"
"""


@pytest.fixture
def small(tmp_path):
    """A file system of its own, 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


class Disk:
    """A disk that fills up and gets room again."""

    def __init__(self, folder):
        self.ballast = folder / "ballast"

    def fill(self):
        with self.ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass

    def empty(self):
        self.ballast.unlink()


@pytest.fixture
def place(small, install, world):
    """An installation where everything that may go on does, and its disk."""
    return install(data=small / "data", more=GOES_ON.format(tools=world.tools.url)).start(), Disk(small)


def read(http):
    return http.get("/tools/registry/entries")


def until_full(greffier, disk, http):
    """Fills the disk until calls go unrecorded: their replies."""
    disk.fill()
    unrecorded = []

    def full():
        reply = read(http)
        assert reply.status_code == 200, reply.text
        if reply.headers["greffier-receipt"] == "unrecorded":
            unrecorded.append(reply)
        disk.fill()
        return greffier.get("/readyz") == 503

    wait_until(full, "the disk is full", 60)
    return unrecorded


def told(greffier, audra):
    """The gaps of the trail, each with the events in its account, asked of the running server."""
    with Api(greffier, audra) as api:
        gaps = [json.loads(line) for line in api.export("tool:gap", parts="true")]
    for gap in gaps:
        parts = {part["name"]: part for part in gap["parts"]}
        lines = parts["account"]["text"].splitlines() if "account" in parts else []
        gap["account"] = [json.loads(line) for line in lines]
        gap["metadata"] = parts["metadata"]["json"]
    return gaps


def test_reads_go_on_and_the_gap_tells_of_each(place, world, sdk, alice, people):
    greffier, disk = place
    with sdk.http(greffier, alice) as http:
        assert read(http).headers["greffier-receipt"].startswith(f"{TENANT} ")
        unrecorded = until_full(greffier, disk, http)
        for _ in range(20):
            unrecorded.append(read(http))
        unrecorded.append(http.post("/v1/chat/completions", json=CHAT))
        assert [reply.status_code for reply in unrecorded] == [200] * len(unrecorded), unrecorded[-1].text
        assert {reply.headers["greffier-receipt"] for reply in unrecorded} == {"unrecorded"}

        before = (world.reached(), len(world.tools.journal))
        refused = [
            http.post("/tools/registry/entries", json={}),
            http.put("/tools/registry/entries/1", json={}),
            http.delete("/tools/registry/entries/1"),
            http.get("/tools/crm/contacts"),
            http.get("/tools/registry/entries", params={"q": "536-90-4399"}),
            http.post("/v1/chat/completions", json=CHAT | {"tools": []}),
            http.get("/api/v1/events"),
        ]
        assert [reply.status_code for reply in refused] == [503] * len(refused), [reply.text for reply in refused]
        assert {reply.json()["error"]["code"] for reply in refused} == {"not_recording"}
        assert (world.reached(), len(world.tools.journal)) == before, "a refused call reached an upstream"

        said = http.get("/readyz").json()
        assert (said["ready"], said["unrecorded"]["continuing"]) == (False, True)
        assert (said["unrecorded"]["accounted"], said["unrecorded"]["counted"]) == (len(unrecorded), 0)
        metrics = http.get("/metrics").text
        assert f"greffier_unrecorded_accounted {len(unrecorded)}\n" in metrics and "greffier_continuing 1\n" in metrics

        disk.empty()
        wait_until(lambda: greffier.get("/readyz") == 200, "recording works again", 60)
        assert read(http).headers["greffier-receipt"].startswith(f"{TENANT} ")
        wait_until(lambda: http.get("/readyz").json()["unrecorded"] == NOTHING, "the account is written")

    gaps = told(greffier, people["audra"])
    (gap,) = gaps
    assert gap["resource"]["uri"] == f"audit://{TENANT}/gap" and gap["agent"]["id"] == "greffier"
    decided = [event for event in gap["account"] if event["type"] == "action.approved"]
    ended = [event for event in gap["account"] if event["type"] == "action.executed"]
    ids = [reply.headers["greffier-request-id"] for reply in unrecorded]
    assert [event["request_id"] for event in decided] == ids == [event["request_id"] for event in ended]
    assert all(event["user"]["sub"] == "alice" and event["policy"]["rule"] for event in decided)
    # A call whose decision was the last one to be recorded may have ended too late for its outcome.
    late = gap["metadata"]["outcomes_late"]
    assert gap["metadata"]["accounted"] == len(ids) and "No space left" in gap["metadata"]["reason"]
    greffier.assert_calm()
    greffier.stop()

    # Nothing came between the last recorded call and the gap.
    trail = greffier.events(TENANT)
    at = next(event["_index"] for event in trail if event["action"]["name"] == "gap")
    assert all(event["time"] >= gap["time"] for event in trail[at + 1:])
    assert [event["type"] for event in trail[at + 1:at + 1 + late]] == ["action.executed"] * late
    assert not {event.get("request_id") for event in trail} & set(ids)
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = greffier.run("search", "tool:gap", "--data", greffier.data, "--tenant", TENANT, "-o", "json")
    assert found.returncode == 0, found.stderr
    assert [event["id"] for event in json.loads(found.stdout)] == [gap["id"]]


def test_a_stop_that_loses_the_account_says_so(place, sdk, alice):
    greffier, disk = place
    with sdk.http(greffier, alice) as http:
        unrecorded = until_full(greffier, disk, http)
        unrecorded += [read(http) for _ in range(3)]
    lost = sum(reply.headers["greffier-receipt"] == "unrecorded" for reply in unrecorded)
    code = greffier.process.stop(timeout=60)
    greffier.process = None
    assert code == 1
    assert f"{lost} calls were made unrecorded" in greffier.outputs().decode()
    disk.empty()
    greffier.start()
    greffier.stop()
    assert greffier.verify().returncode == 0


def test_a_kill_loses_the_account_and_nothing_else(place, sdk, alice, people):
    greffier, disk = place
    with sdk.http(greffier, alice) as http:
        recorded = read(http).headers["greffier-request-id"]
        until_full(greffier, disk, http)
    greffier.process.stop(signal.SIGKILL)
    greffier.process = None
    disk.empty()
    greffier.start()
    assert told(greffier, people["audra"]) == []
    assert recorded in {event.get("request_id") for event in greffier.events(TENANT)}
    greffier.stop()
    assert greffier.verify().returncode == 0


def test_under_load_every_call_is_somewhere(place, world, sdk, alice, people):
    """The disk fills and gets room twice while four callers read: each reply's call is on the trail or in a gap."""
    greffier, disk = place
    over, replies, turns = threading.Event(), [], []

    def load():
        with sdk.http(greffier, alice) as http:
            while not over.is_set():
                turn = len(turns)
                reply = read(http)
                replies.append((reply.status_code, reply.headers.get("greffier-receipt"), reply.headers["greffier-request-id"], turn))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            turns.append("full")

            def unrecorded():
                disk.fill()
                return any(receipt == "unrecorded" and turn == len(turns) for _, receipt, _, turn in replies)

            def recorded_again():
                state = probe.get("/readyz")
                return state.status_code == 200 and state.json()["unrecorded"] == NOTHING

            # Slow machines too: a call that begins in this turn goes unrecorded, and its gap is written before the next turn.
            wait_until(unrecorded, "a call goes unrecorded", 60)
            disk.empty()
            with sdk.http(greffier) as probe:
                wait_until(recorded_again, "the account is written", 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    gaps = told(greffier, people["audra"])
    greffier.stop()
    trail = [event for event in greffier.events(TENANT) if event["type"].startswith("action.")]
    accounted = [event for gap in gaps for event in gap["account"]]
    where = {}
    for place_, events in (("trail", trail), ("gap", accounted)):
        for event in events:
            where.setdefault(event["request_id"], []).append((event["type"], place_))
    assert {status for status, *_ in replies} == {200}
    for _, receipt, request, _ in replies:
        (decided, place_of_decision), (ended, _) = sorted(where[request])
        assert (decided, ended) == ("action.approved", "action.executed"), where[request]
        assert (receipt == "unrecorded") == (place_of_decision == "gap"), (receipt, where[request])
    assert len(gaps) >= 2 and greffier.verify().returncode == 0
