"""The drill of docs/backup.md: copies taken under load, a machine lost, everything acknowledged back elsewhere."""

import json
import shutil
import threading

import httpx
import pytest

from harness import record
from harness.api import Api, native
from harness.procs import wait_until

WRITERS = 4
# Small segments: sealing, merging and the removal of log files go on while copies are taken.
SEALING = """
[ledger]
entries = 64
"""


class Load:
    """Writers that send events without a pause, and note each receipt that they were given."""

    def __init__(self, greffier, token):
        self.receipts = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(greffier, token)) for _ in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _write(self, greffier, token):
        with Api(greffier, token, timeout=10) as api:
            while not self.over.is_set():
                try:
                    for receipt in api.add([native() for _ in range(20)]):
                        self.receipts[receipt["id"]] = receipt["index"]
                except httpx.HTTPError:
                    # Killed in the middle: nothing was promised.
                    continue

    def more(self, count):
        known = len(self.receipts)
        wait_until(lambda: len(self.receipts) >= known + count, "events are acknowledged", 60)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def done(result, code=0):
    assert result.returncode == code, result.stdout + result.stderr
    return result


def backup(greffier, to, *more, code=0):
    return done(greffier.run("backup", "--to", to, *more, "--config", greffier.config, "-o", "json"), code)


def restore(greffier, *args, code=0):
    return done(greffier.run("restore", *args, "--config", greffier.config, "-o", "json"), code)


def test_drill(install, people, tmp_path):
    greffier = install(more=SEALING).start()
    copies, keys = tmp_path / "copies", tmp_path / "keys-elsewhere"
    load = Load(greffier, people["oscar"])
    try:
        load.more(400)
        wait_until((greffier.data / "trails/org_acme_corp/checkpoint").exists, "a checkpoint", 10)
        trust = tmp_path / "trust"
        shutil.copy(greffier.data / "trust", trust)
        first = json.loads(backup(greffier, copies).stdout)
        load.more(400)
        before = dict(load.receipts)
        second = json.loads(backup(greffier, copies).stdout)
        backup(greffier, keys, "--keys")
        load.more(100)
    finally:
        greffier.kill()
        load.stop()
    assert first["linked"] == 0 and second["linked"] > 0, "the second copy shares what never changes"

    # The copy verifies as it lies there, and holds no key.
    done(greffier.verify(second["copy"], "--trust", trust))
    secret = (greffier.keys / "signing.key").read_bytes().strip()
    for file in copies.rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes()
    assert {file.name for file in copies.rglob("*.key*")} == set()

    # Another machine: only the copies and the configuration came along.
    shutil.rmtree(greffier.data)
    shutil.rmtree(greffier.keys)
    other = install("elsewhere")
    shutil.rmtree(other.keys)
    told = json.loads(restore(
        other, "--from", copies, "--to", other.data, "--keys", keys, "--keys-to", other.keys, "--trust", trust,
    ).stdout)
    assert told["verified"] and told["anchored"] and told["copy"] == second["copy"]
    other.start()
    on_trail = {event["id"]: event["_index"] for event in other.events("org_acme_corp")}
    lost = {id: index for id, index in before.items() if on_trail.get(id) != index}
    assert before and not lost, f"{len(lost)} of {len(before)} acknowledged events are not in the copy"

    # It goes on from there: reads, writes, seals, and stops cleanly.
    with Api(other, people["oscar"]) as api:
        api.add([native() for _ in range(100)])
    with Api(other, people["audra"]) as api:
        assert api.told(f"/api/v1/events/{next(iter(before))}")
    other.assert_calm()
    other.stop()
    done(other.verify(None, "--trust", trust, "--keys", other.keys))
    node = [event["action"]["name"] for event in other.events("greffier") if "action" in event]
    assert "node:unclean_stop" in node, "that it goes on from a copy of a running node is on record"


def test_stopped_node(install, people, tmp_path):
    """From a clean stop the copy is the same directory, covered to the last file."""
    greffier = install(more=SEALING).start()
    with Api(greffier, people["oscar"]) as api:
        api.add([native() for _ in range(150)])
    greffier.stop()
    copy = json.loads(backup(greffier, tmp_path / "copies").stdout)["copy"]
    names = {str(file.relative_to(greffier.data)) for file in greffier.data.rglob("*") if file.is_file()}
    restored = tmp_path / "restored"
    restore(greffier, "--from", copy, "--to", restored)
    assert {str(file.relative_to(restored)) for file in restored.rglob("*") if file.is_file()} == names
    assert record.entries(restored) == record.entries(greffier.data)
    assert "stopped cleanly" in done(greffier.verify(restored)).stdout


@pytest.fixture
def stopped(install, people):
    greffier = install().start()
    with Api(greffier, people["oscar"]) as api:
        api.add([native()])
    greffier.stop()
    return greffier


def test_folders_stay_apart(stopped, tmp_path):
    copies, keys, foreign = tmp_path / "copies", tmp_path / "keys-elsewhere", tmp_path / "foreign"
    backup(stopped, copies)
    backup(stopped, keys, "--keys")
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("do not touch")
    backup(stopped, copies, "--keys", code=1)
    backup(stopped, keys, code=1)
    backup(stopped, foreign, code=1)
    for inside in (stopped.data / "copies", stopped.keys / "copies", stopped.data.parent):
        backup(stopped, inside, code=2)
        backup(stopped, inside, "--keys", code=2)
    assert [file.name for file in foreign.iterdir()] == ["thesis.txt"]
    done(stopped.verify())
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys.glob("*/*"))
    assert "remove" in backup(stopped, keys, "--keys").stderr, "an earlier copy of the keys is named"

    # Nothing is restored over anything, and only data is data.
    restore(stopped, "--from", copies, "--to", foreign, code=1)
    restore(stopped, "--from", keys, "--to", tmp_path / "new", code=1)
    restore(stopped, "--from", tmp_path / "nowhere", "--to", tmp_path / "new", code=1)


def test_an_interrupted_backup_counts_for_nothing(stopped, tmp_path):
    copies = tmp_path / "copies"
    copy = json.loads(backup(stopped, copies).stdout)["copy"]
    left = copies / "unfinished-20260306T143208.000000Z"
    shutil.copytree(copy, left)
    assert json.loads(restore(stopped, "--from", copies, "--to", tmp_path / "new").stdout)["copy"] == copy
    backup(stopped, copies)
    assert not left.exists()


def test_a_changed_copy_is_not_called_restored(stopped, tmp_path):
    copies = tmp_path / "copies"
    copy = json.loads(backup(stopped, copies).stdout)["copy"]
    changed = tmp_path / "changed"
    shutil.copytree(copy, changed)
    log = next(changed.glob("wal/*.wal"))
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    told = json.loads(restore(stopped, "--from", changed, "--to", tmp_path / "new", code=5).stdout)
    assert not told["verified"] and any("wal/" in problem for problem in told["problems"])
