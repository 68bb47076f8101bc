"""No record, no act: a data directory that cannot be written to."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from harness.procs import wait_until

ROOT = os.geteuid() == 0


def mount(*args):
    done = subprocess.run(["mount", *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@pytest.fixture
def small(tmp_path):
    """A file system of its own, 6 MiB."""
    if not ROOT:
        pytest.skip("mounting a file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def refused_everywhere(greffier, world, token, sdk):
    """Every door says 503 in its own words, and nothing reaches an upstream."""
    before = (world.reached(), len(world.tools.journal))
    with sdk.http(greffier, token) as http:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "say hello"}]}
        openai_says = http.post("/v1/chat/completions", json=body)
        streamed = http.post("/v1/chat/completions", json=body | {"stream": True})
        anthropic_says = http.post("/v1/messages", json=body | {"model": "claude-sonnet-4-5", "max_tokens": 9})
        tool_says = http.post("/tools/crm/search", json={"q": 1})
        ready = http.get("/readyz")
        alive = http.get("/healthz")
    replies = (openai_says, streamed, anthropic_says, tool_says)
    assert [reply.status_code for reply in replies] == [503] * 4, [reply.text for reply in replies]
    assert openai_says.json()["error"]["code"] == "not_recording"
    assert streamed.json()["error"]["code"] == "not_recording"
    assert anthropic_says.json()["type"] == "error"
    assert tool_says.json()["error"]["code"] == "not_recording"
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert (world.reached(), len(world.tools.journal)) == before, "an unrecorded call reached an upstream"


def call(sdk, greffier, token):
    with sdk.http(greffier, token) as http:
        return http.post("/tools/crm/search", json={"q": "x" * 2000}).status_code


def test_a_full_disk(small, install, world, sdk, alice):
    greffier = install(data=small / "data").start()
    assert call(sdk, greffier, alice) == 200
    ballast = small / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    wait_until(lambda: call(sdk, greffier, alice) == 503, "the disk is full")
    wait_until(lambda: greffier.get("/readyz") == 503, "/readyz says so")
    refused_everywhere(greffier, world, alice, sdk)
    greffier.assert_calm()

    ballast.unlink()
    wait_until(lambda: greffier.get("/readyz") == 200, "recording works again", 60)
    assert call(sdk, greffier, alice) == 200
    greffier.stop()
    # A decision may have found the last room, and its outcome none: the next start closes it.
    greffier.start().stop()
    assert greffier.verify().returncode == 0
    traces = [event for event in greffier.events("org_acme_corp") if event["type"] == "action.approved"]
    ended = [event for event in greffier.events("org_acme_corp") if event["type"] in ("action.executed", "action.failed")]
    assert len(traces) == len(ended)


@pytest.fixture
def failing(tmp_path):
    """An ext4 of its own, and a way to make it fail as real ones do: read-only from one moment to the next."""
    if not ROOT or shutil.which("mkfs.ext4") is None:
        pytest.skip("making a file system needs root and mkfs.ext4")
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    image.write_bytes(b"\0" * (32 << 20))
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    mount("-o", "loop,errors=remount-ro", image, folder)
    device = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == str(folder))
    trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    yield folder, lambda: trigger.write_text("the suite's")
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_turns_read_only(failing, install, world, sdk, alice):
    folder, fail = failing
    greffier = install(data=folder / "data").start()
    assert call(sdk, greffier, alice) == 200
    known = len(world.tools.journal)
    fail()
    assert call(sdk, greffier, alice) == 503, "the very first call on the broken disk"
    assert len(world.tools.journal) == known
    wait_until(lambda: greffier.get("/readyz") == 503, "/readyz says so")
    refused_everywhere(greffier, world, alice, sdk)
    greffier.assert_calm()
    # It can say nothing more on this disk, but what it said before is all there.
    greffier.kill()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_disk_fills_under_load(small, install, world, sdk, alice):
    """At the very moment at which space runs out, too: what reached the tool is on record."""
    greffier = install(data=small / "data").start()
    known = len(world.tools.journal)
    over = threading.Event()
    ballast = small / "ballast"
    ballast.write_bytes(b"\0" * (5 << 20))

    def load():
        with sdk.http(greffier, alice) as http:
            while not over.is_set():
                if http.post("/tools/crm/search", json={"q": "x" * 20_000}).status_code == 503:
                    return

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: greffier.get("/readyz") == 503, "the disk is full", 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    refused_everywhere(greffier, world, alice, sdk)
    reached = len(world.tools.journal) - known
    ballast.unlink()
    wait_until(lambda: greffier.get("/readyz") == 200, "recording works again", 60)
    greffier.stop()
    decided = [event for event in greffier.events("org_acme_corp") if event["type"] == "action.approved"]
    assert reached <= len(decided)
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_start_on_a_read_only_disk(small, install, world, sdk, alice):
    """It comes up, says what is wrong, lets nothing through, and recovers by itself."""
    greffier = install(data=small / "data").start()
    assert call(sdk, greffier, alice) == 200
    greffier.stop()
    mount("-o", "remount,ro", small)
    greffier.start(until="/healthz")
    assert greffier.get("/readyz") == 503
    refused_everywhere(greffier, world, alice, sdk)
    mount("-o", "remount,rw", small)
    wait_until(lambda: greffier.get("/readyz") == 200, "recording works again", 60)
    assert call(sdk, greffier, alice) == 200
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
