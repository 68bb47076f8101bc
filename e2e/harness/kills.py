"""Rounds of kill -9 under load: writers that keep every receipt, a watcher that keeps every checkpoint, and the
directory held against both after each round, by readers of our own.

Receipts and checkpoints stay in this process: no crash of the server takes them away. Needs nothing but Python.
"""

import base64
import contextlib
import http.client
import json
import os
import random
import re
import threading
import time
import uuid

from . import trail, wal
from .procs import Process, free_port, wait_until

TENANTS = ("default", "acme")
NODE = "greffier"
CONFIG = """
listen = "127.0.0.1:{port}"
data = "{folder}/data"
keys = "{folder}/keys"

[policy]
dir = "{folder}/policies"

[ledger]
entries = 1024

[findings]
record = false
"""
# The longest that a round works before it is killed.
WORK = 1.0


class Writer(threading.Thread):
    """Records events one after the other. What was sent and not answered is sent again in the next round, with the
    same id: then it must be there once."""

    def __init__(self, rounds, number):
        super().__init__(daemon=True)
        self.rounds, self.number = rounds, number
        self.tenant = TENANTS[number % len(TENANTS)]
        self.dice = random.Random(f"{rounds.rounds} {number} {time.monotonic_ns()}")
        self.receipts = []
        self.last = None

    def run(self):
        token = self.rounds.tokens[self.tenant]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
        connection = http.client.HTTPConnection("127.0.0.1", self.rounds.port, timeout=5)
        while not self.rounds.over.is_set():
            waiting = self.rounds.unanswered.pop(self.number, None)
            # Now and then what has a receipt already: it must come back with the same.
            again = self.last if waiting is None and self.dice.randrange(10) == 0 else None
            event = waiting or again or self.event()
            try:
                connection.request("POST", "/api/v1/events", body=json.dumps(event), headers=headers)
                reply = connection.getresponse()
                answer = json.loads(reply.read())
                if reply.status != 200 or answer["errors"]:
                    raise OSError(f"{reply.status}: {answer}")
            except (OSError, http.client.HTTPException, ValueError):
                self.rounds.unanswered[self.number] = event
                connection.close()
                # A server that is starting, or gone.
                self.rounds.over.wait(0.02)
                continue
            for receipt in answer["receipts"]:
                self.receipts.append((self.tenant, receipt["index"], base64.b64decode(receipt["leaf"]), event["id"]))
            self.last = event
        connection.close()

    def event(self):
        return {
            "v": 1, "id": str(uuid.UUID(int=self.dice.getrandbits(128), version=4)),
            "time": "2026-03-06T14:32:07.891000Z", "type": "tool.call", "tenant": self.tenant,
            "user": {"sub": f"user-{self.number}"},
        }


class Watcher(threading.Thread):
    """Keeps every checkpoint that it can fetch."""

    def __init__(self, rounds):
        super().__init__(daemon=True)
        self.rounds = rounds
        self.notes = set()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.rounds.port, timeout=5)
        while not self.rounds.over.wait(0.03):
            for name in (*TENANTS, NODE):
                try:
                    connection.request("GET", f"/trails/{name}/checkpoint")
                    reply = connection.getresponse()
                    note = reply.read().decode()
                except (OSError, http.client.HTTPException):
                    connection.close()
                    break
                if reply.status == 200:
                    self.notes.add((name, note))
        connection.close()


class Trail:
    """What this process knows of one trail."""

    def __init__(self, name):
        self.name = name
        self.leaves, self.tree, self.roots = [], trail.Tree(), {0: trail.Tree().root()}

    def grow(self, leaves):
        """Takes in the trail's leaves from the beginning of its last full tile on."""
        start = len(self.leaves) // 256 * 256
        assert leaves[: len(self.leaves) - start] == self.leaves[start:], f"{self.name}: entries have changed"
        for leaf in leaves[len(self.leaves) - start:]:
            self.leaves.append(leaf)
            self.tree.add(leaf)
            self.roots[self.tree.size] = self.tree.root()


class Rounds:
    """One installation, and what was promised of it."""

    def __init__(self, binary, folder, writers=16, seed=None):
        self.binary, self.folder, self.writers = binary, folder, writers
        self.dice = random.Random(seed)
        self.port = free_port()
        self.over = threading.Event()
        self.unanswered = {}
        self.receipts, self.ids, self.checkpoints = {}, {}, set()
        self.trails = {name: Trail(name) for name in (*TENANTS, NODE)}
        self.rounds = self.answers = self.in_start = 0
        self.run("init", "--dir", folder / "made")
        for part in ("policies", "greffier-keys"):
            (folder / "made" / part).rename(folder / part.removeprefix("greffier-"))
        self.config = folder / "greffier.toml"
        self.config.write_text(CONFIG.format(port=self.port, folder=folder))
        self.tokens = {name: self.run(
            "token", "--config", self.config, "--sub", "writer", "--role", "operator", "--tenant", name, "--ttl", "24h",
        ).strip() for name in TENANTS}

    def run(self, *args):
        """A command, to its end."""
        process = Process("command", [self.binary, *args], self.folder / "output", cwd=self.folder)
        code = process.child.wait(300)
        words = process.stdout.read_text()
        process.stdout.unlink()
        errors = process.stderr.read_text()
        process.stderr.unlink()
        assert code == 0, f"{args}: exit {code}: {words}{errors}"
        return words

    def serve(self):
        return Process("serve", [self.binary, "serve", "--config", self.config], self.folder / "output", cwd=self.folder)

    def ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def round(self):
        """Starts, works, kills, and checks what is left."""
        process = self.serve()
        self.over.clear()
        threads = [Writer(self, number) for number in range(self.writers)]
        watcher = Watcher(self)
        try:
            if self.dice.randrange(10) == 0:
                # In the middle of a start.
                time.sleep(self.dice.uniform(0, 0.4))
                self.in_start += 1
            else:
                process.ready(self.ready, 60)
                for thread in (*threads, watcher):
                    thread.start()
                wait_until(lambda: any(thread.receipts for thread in threads), "something is recorded", 30)
                time.sleep(self.dice.uniform(0, WORK))
        finally:
            process.child.kill()
            process.child.wait()
            self.over.set()
            for thread in (*threads, watcher):
                if thread.ident:
                    thread.join()
        self.rounds += 1
        errors = process.stderr.read_bytes()
        assert b"panicked" not in errors, errors[-2000:]
        process.stderr.unlink()
        fresh = [receipt for thread in threads for receipt in thread.receipts]
        self.answers += len(fresh)
        for tenant, index, leaf, event in fresh:
            known = self.receipts.setdefault((tenant, index), leaf)
            assert known == leaf, f"round {self.rounds}: {tenant} {index} was given twice"
            place = self.ids.setdefault((tenant, event), index)
            assert place == index, f"round {self.rounds}: event {event} is at {place} and at {index}"
        self.checkpoints |= watcher.notes
        self.check_round(fresh, watcher.notes)

    def leaves(self, name, start):
        """A trail's leaf hashes from `start` on: what is signed from the tiles, what follows from the log."""
        folder = self.folder / "data" / "trails" / name
        leaves = []
        if (folder / "checkpoint").exists():
            _, size, *_ = trail.checkpoint(folder)
            for index in range(start // 256, (size + 255) // 256):
                width = min(256, size - index * 256)
                raw = (folder / trail.tile_path(0, index, width)).read_bytes()
                leaves += [raw[at:at + 32] for at in range(0, len(raw), 32)]
        return leaves

    def check_round(self, fresh, notes):
        """The receipts and checkpoints of this round against the directory; entries seen before may not change."""
        log = {}
        if (self.folder / "data" / "wal").exists():
            for name, index, entry in wal.entries(self.folder / "data"):
                log[name, index] = trail.leaf_hash(entry)
        for known in self.trails.values():
            known.grow(self.leaves(known.name, len(known.leaves) // 256 * 256))
            size = len(known.leaves)
            for (name, index), leaf in log.items():
                assert name != known.name or index >= size or known.leaves[index] == leaf, f"{name} {index}: log and tiles differ"
        for tenant, index, leaf, _ in fresh:
            leaves = self.trails[tenant].leaves
            found = leaves[index] if index < len(leaves) else log.get((tenant, index))
            assert found == leaf, f"round {self.rounds}: {tenant} {index} was acknowledged and is {'gone' if found is None else 'another'}"
        for name, note in notes:
            self.check_checkpoint(name, note)

    def check_checkpoint(self, name, note):
        _, size, root = note.split("\n")[:3]
        found = self.trails[name].roots.get(int(size))
        assert found == base64.b64decode(root), f"round {self.rounds}: checkpoint {name} {size} is of another tree"

    def finish(self):
        """A clean stop, and everything there ever was once more: the trees made anew from nothing."""
        process = self.serve()
        process.ready(self.ready, 60)
        assert process.stop() == 0
        self.run("verify", self.folder / "data")
        self.trails = {name: Trail(name) for name in self.trails}
        for known in self.trails.values():
            known.grow(self.leaves(known.name, 0))
        for (tenant, index), leaf in self.receipts.items():
            assert self.trails[tenant].leaves[index] == leaf, f"{tenant} {index} was acknowledged and is gone"
        for name, note in self.checkpoints:
            self.check_checkpoint(name, note)


def machine():
    """What this ran on, in a line."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    kernel = os.uname()
    return f"{os.cpu_count()} × {model[1] if model else kernel.machine}, {kernel.sysname} {kernel.release.split('-')[0]}"
