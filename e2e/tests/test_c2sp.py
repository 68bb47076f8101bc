"""Trails and witnesses, checked over HTTP by a reader that was written from the specifications alone."""

import json
import os
import random
import shutil
import subprocess
import threading

import pytest

import c2sp
from c2sp import Checkpoint, Key, Note, Policy, Proof, Refused, Signer, Tree
from harness.api import LINES, Api, lines, native
from harness.greffier import Greffier
from harness.procs import wait_until
from harness.witness import Witness

SIZE = int(os.environ.get("E2E_C2SP", "3000"))
BATCH = 2_000
TRAIL = "org_acme_corp"
MUTATIONS = 1_000


class Audit:
    """One trail as it was at one checkpoint, and some checkpoints kept from before."""

    def __init__(self, greffier, people, api):
        self.greffier, self.api = greffier, api
        # Who audits has the keys from somewhere else than from whom is audited.
        self.policy = Policy.parse((greffier.data / "trust").read_text())
        (self.log,) = [key for key in self.policy.logs if key.name.endswith(f"/{TRAIL}")]
        self.kept = []
        self.load(people["oscar"])
        self.note = self.kept[-1]
        self.head = c2sp.open_checkpoint(self.note, self.log)
        self.files = {}
        self.leaves = c2sp.check_tiles(self.head.size, self.head.root, self.fetch)
        self.entries = c2sp.check_bundles(self.leaves, self.fetch)
        self.tree = Tree(self.leaves)

    def load(self, token):
        """Fills the trail, and keeps a checkpoint after each batch: most cross the edge of a tile."""
        with Api(self.greffier, token) as api:
            sent = 0
            for batch in [1, 254, 1, 1, 300, *[BATCH] * (SIZE // BATCH + 1)]:
                batch = min(batch, SIZE - sent)
                reply = api.post(lines([native() for _ in range(batch)]), LINES) if batch else None
                assert reply is None or reply.status_code == 200, reply.text[:500]
                sent += batch
                self.kept.append(wait_until(lambda: self.covering(sent), f"a checkpoint of {sent} entries"))

    def covering(self, size):
        reply = self.get("checkpoint")
        if reply.status_code == 404:
            return None
        assert reply.status_code == 200, reply.text
        return reply.text if c2sp.open_checkpoint(reply.text, self.log).size >= size else None

    def get(self, path, **more):
        return self.api.http.get(f"/trails/{TRAIL}/{path}", **more)

    def fetch(self, path):
        reply = self.get(path)
        assert reply.status_code == 200, f"{path}: {reply.status_code} {reply.text}"
        assert reply.headers["content-type"] == "application/octet-stream"
        assert "immutable" in reply.headers["cache-control"]
        self.files[path] = reply.content
        return reply.content


@pytest.fixture(scope="module")
def audit(binary, world, people, tmp_path_factory):
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("c2sp")).start()
    with Api(greffier, people["oscar"]) as api:
        # The first event makes the trail, and its key known.
        api.add([native()])
    wait_until(lambda: f"/{TRAIL}+" in (greffier.data / "trust").read_text(), "the trail's key is known")
    with Api(greffier, people["audra"]) as api:
        yield Audit(greffier, people, api)
    greffier.assert_calm()
    greffier.stop()


def test_every_entry_is_in_the_signed_tree(audit):
    assert audit.head.size >= SIZE and len(audit.entries) == audit.head.size
    # By the definition, from the entries, with nothing of the tiles.
    assert Tree([c2sp.leaf_hash(entry) for entry in audit.entries]).root() == audit.head.root
    known = {json.loads(entry)["tenant"] for entry in audit.entries}
    assert known == {TRAIL}


def test_what_is_served_is_what_the_specification_says(audit):
    reply = audit.get("checkpoint")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "max-age=2" in reply.headers["cache-control"]
    head = audit.api.http.head(f"/trails/{TRAIL}/checkpoint")
    assert head.status_code == 200 and head.content == b"" and int(head.headers["content-length"]) > 0
    size = audit.head.size
    beyond = size // c2sp.WIDTH + 100
    missing = [
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/0", "tile/0/0000", "tile/00/000",
        "tile/0/x000/000", "tile/64/000", "tile/8/000", "tile/-1/000", "tile/0/000.p/", "tile/0/000.p/5/",
        f"tile/0/{c2sp.tile_name(beyond)}", f"tile/0/{c2sp.tile_name(beyond, 1)}", "tile/entries/000.p/0",
        f"tile/entries/{c2sp.tile_name(beyond)}", "tile/entries/0", "tile/data/000", "tile/",
    ]
    for path in missing:
        reply = audit.get(path)
        assert reply.status_code == 404, f"{path}: {reply.status_code}"
        assert "immutable" not in reply.headers.get("cache-control", ""), path
    # Of a full tile its beginnings are there too, for whoever holds an older checkpoint.
    for kept in audit.kept:
        old = c2sp.open_checkpoint(kept, audit.log)
        found = c2sp.check_tiles(old.size, old.root, audit.fetch)
        assert found == audit.leaves[:old.size]
    # Hashes are for everyone, entries are not.
    with Api(audit.greffier) as nobody:
        assert nobody.http.get(f"/trails/{TRAIL}/tile/0/000").status_code == 200
        assert nobody.http.get(f"/trails/{TRAIL}/tile/entries/000").status_code == 401
    packed = audit.get("tile/entries/000", headers={"accept-encoding": "gzip"})
    plain = audit.get("tile/entries/000", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.content == plain.content == audit.files["tile/entries/000"]


def test_every_kept_checkpoint_is_a_prefix(audit):
    heads = [c2sp.open_checkpoint(note, audit.log) for note in audit.kept]
    for old in [Checkpoint(audit.log.name, 0, c2sp.sha256(b"")), *heads]:
        for new in heads:
            if old.size <= new.size:
                proof = audit.tree.consistency(old.size, new.size)
                c2sp.check_consistency(old.size, new.size, old.root, new.root, proof)


def test_proofs(audit, tmp_path):
    chosen = random.Random(7).sample(range(audit.head.size), 20) + [0, 255, 256, audit.head.size - 1]
    for index in chosen:
        entry = audit.entries[index]
        reply = audit.api.get(f"/api/v1/proofs/{json.loads(entry)['id']}")
        assert reply.status_code == 200 and reply.headers["content-type"] == "text/plain; charset=utf-8"
        proof = Proof.parse(reply.text)
        assert proof.text == reply.text and proof.index == index
        head = proof.check(entry, audit.policy)
        if head == audit.head:
            assert proof.path == audit.tree.inclusion(index, head.size)
        with pytest.raises(Refused):
            proof.check(entry + b" ", audit.policy)
    done = audit.greffier.run("prove", json.loads(audit.entries[3])["id"], "--data", audit.greffier.data)
    assert done.returncode == 0, done.stderr
    assert Proof.parse(done.stdout).check(audit.entries[3], audit.policy).size >= audit.head.size


# --- Witnesses ---


class Log:
    """A log of our own, which can lie: its tree, and another one that begins like it."""

    def __init__(self, origin):
        self.signer = Signer(origin, b"\7" * 32)
        self.tree = Tree([c2sp.leaf_hash(b"%d" % n) for n in range(2_000)])
        self.fork = Tree([c2sp.leaf_hash(b"%d" % n) if n < 10 else b"\0" * 32 for n in range(2_000)])

    @property
    def origin(self):
        return self.signer.key.name

    def head(self, size, fork=False):
        return Checkpoint(self.origin, size, (self.fork if fork else self.tree).root(0, size))

    def body(self, old, new, fork=False):
        proof = (self.fork if fork else self.tree).consistency(old, new) if old <= new else []
        return c2sp.add_checkpoint(old, proof, self.signer.sign(self.head(new, fork)))


@pytest.fixture
def witnesses(binary, tmp_path):
    made = []

    def make(name, *logs, more=()):
        words = [word for log in logs for word in ("--log", str(log))]
        made.append(Witness(binary, tmp_path / name, f"{name}.example", [*words, *more]))
        return made[-1].start()

    yield make
    for witness in made:
        witness.stop()


@pytest.fixture
def log():
    return Log("log.example/own")


def cosigned(witness, body):
    """The line that a witness must answer with, checked."""
    reply = witness.ask(body)
    assert reply.status_code == 200, f"{reply.status_code} {reply.text}"
    note = body.partition("\n\n")[2]
    (signed,) = Note.parse(note + reply.text).signers([Key.parse(witness.vkey)]).items()
    assert signed[1] > 1_700_000_000, "the time of now"
    return reply.text


def refused(witness, body, status):
    reply = witness.ask(body)
    assert reply.status_code == status, f"{reply.status_code} {reply.text}"
    assert not reply.text.startswith(c2sp.EM_DASH), "a refusal that signs"
    return reply


def conflict(witness, body, size):
    reply = refused(witness, body, 409)
    assert reply.headers["content-type"] == "text/x.tlog.size"
    assert reply.text == f"{size}\n"


def test_two_witnesses_cosign_a_trail(audit, witnesses, tmp_path):
    """From nothing, by way of every checkpoint that was kept, to one that an auditor with a quorum accepts."""
    both = [witnesses(name, audit.log) for name in ("one", "two")]
    heads = sorted({c2sp.open_checkpoint(note, audit.log).size: note for note in audit.kept}.items())
    for witness in both:
        latest = 0
        for size, note in heads:
            # A log that does not know where the witness is asks with nothing, and is told.
            if latest:
                conflict(witness, c2sp.add_checkpoint(0, [], note), latest)
            line = cosigned(witness, c2sp.add_checkpoint(latest, audit.tree.consistency(latest, size), note))
            latest = size
            shown = witness.shown(c2sp.origin_hash(audit.log.name))
            assert shown.status_code == 200 and shown.headers["content-type"] == "text/plain; charset=utf-8"
            assert shown.text == note + line
        assert witness.shown(c2sp.origin_hash("nobody")).status_code == 404

    size, note = heads[-1]
    again = [cosigned(witness, c2sp.add_checkpoint(size, [], note)) for witness in both]
    keys = "".join(f"witness {n} {witness.vkey}\n" for n, witness in enumerate(both))
    trust = f"log {audit.log}\n{keys}group both all 0 1\nquorum both\n"
    policy = Policy.parse(trust)
    assert policy.check(note + "".join(again)).size == size
    for short in ([], again[:1], again[1:], again[:1] * 2):
        with pytest.raises(Refused):
            policy.check(note + "".join(short))

    # Greffier's own verifier says the same of a proof against that checkpoint.
    entry = audit.entries[42]
    extra = Proof.parse(audit.api.get(f"/api/v1/proofs/{json.loads(entry)['id']}").text).extra
    (tmp_path / "trust").write_text(trust)
    for lines_, code in ((again, (0,)), (again[:1], (1, 5)), ([], (1, 5))):
        proof = Proof(extra, 42, audit.tree.inclusion(42, size), note + "".join(lines_))
        (tmp_path / "proof").write_text(proof.text)
        done = audit.greffier.run("verify", tmp_path / "proof", "--trust", tmp_path / "trust")
        assert done.returncode in code, f"{done.returncode}: {done.stdout}{done.stderr}"


def test_each_fault_has_its_answer(witnesses, log):
    witness = witnesses("one", log.signer.key)
    good = log.body(0, 100)
    other = Log("log.example/other")
    impostor = Signer(log.origin, b"\x08" * 32)
    forged = log.signer.sign(log.head(100)).replace("\n100\n", "\n101\n")
    for _ in range(2):
        refused(witness, other.body(0, 100), 404)
        refused(witness, c2sp.add_checkpoint(0, [], impostor.sign(log.head(100))), 403)
        refused(witness, c2sp.add_checkpoint(0, [], forged), 403)
        cut = log.signer.sign(log.head(100)) + impostor.line("else\n")[:-3] + "\n"
        refused(witness, c2sp.add_checkpoint(0, [], cut), 400)
        refused(witness, log.body(101, 100), 400)
        for broken in ("", "old\n\n", good.replace("old 0", "old 00", 1), good.replace("old ", "old", 1), good[:-1],
                       good.replace("\n\n", "\n", 1), good.replace("old 0", "old -1", 1), good.replace("\n", "\r\n"),
                       "old 0\n" + "A" * 43 + "=\n" * 64 + good[5:], good.replace("old 0", f"old {1 << 64}", 1)):
            refused(witness, broken, 400)
        conflict(witness, log.body(7, 100), 0)
        refused(witness, c2sp.add_checkpoint(0, [b"\0" * 32], log.signer.sign(log.head(100))), 422)
        unrooted = Checkpoint(log.origin, 0, b"\7" * 32)
        refused(witness, c2sp.add_checkpoint(0, [], log.signer.sign(unrooted)), 422)
        assert witness.shown(c2sp.origin_hash(log.origin)).status_code == 404, "nothing was cosigned"
    # A stranger's line beside the log's is passed over.
    cosigned(witness, c2sp.add_checkpoint(0, [], log.signer.sign(log.head(100)) + impostor.line(log.head(100).text)))
    proof = log.tree.consistency(100, 300)
    newer = log.signer.sign(log.head(300))
    for wrong in ([], proof[:-1], [*proof, b"\0" * 32], proof[::-1], log.tree.consistency(99, 300)):
        refused(witness, c2sp.add_checkpoint(100, wrong, newer), 422)
    refused(witness, log.body(100, 100, fork=True), 422)
    refused(witness, log.body(100, 300, fork=True), 422)
    conflict(witness, log.body(99, 300), 100)
    conflict(witness, log.body(0, 50), 100)
    cosigned(witness, log.body(100, 300))
    conflict(witness, log.body(100, 300), 300)
    for method, path, status in (("GET", "add-checkpoint", 405), ("PUT", "add-checkpoint", 405), ("GET", "", 404),
                                 ("POST", c2sp.origin_hash(log.origin) + "/checkpoint", 405), ("GET", "../x", 404)):
        assert witness.http.request(method, f"{witness.url}/{path}").status_code == status
    assert witness.http.head(f"{witness.url}/{c2sp.origin_hash(log.origin)}/checkpoint").status_code == 200
    assert witness.http.post(f"{witness.url}/add-checkpoint", content=b"\xff" * 10).status_code == 400
    assert witness.http.post(f"{witness.url}/add-checkpoint", content=b"a" * 200_000).status_code == 413


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_fork_is_refused_after_a_restart(how, witnesses, log):
    witness = witnesses("one", log.signer.key)
    size = 20
    cosigned(witness, log.body(0, size))
    for grown in range(30, 130, 10):
        cosigned(witness, log.body(size, grown))
        size = grown
        getattr(witness, how)()
        witness.start()
        shown = witness.shown(c2sp.origin_hash(log.origin)).text
        assert c2sp.open_checkpoint(shown, log.signer.key) == log.head(size)
        assert Note.parse(shown).signers([Key.parse(witness.vkey)])
        refused(witness, log.body(size, size + 50, fork=True), 422)
        refused(witness, log.body(size, size, fork=True), 422)
        conflict(witness, log.body(0, size + 50, fork=True), size)
        conflict(witness, log.body(15, size + 50, fork=True), size)


def test_nothing_signed_is_forgotten_when_killed_at_work(witnesses, log):
    """A log asks on and on while its witness is killed: what it got a cosignature for, the witness remembers."""
    witness = witnesses("one", log.signer.key)
    cosigned(witness, log.body(0, 20))
    signed = [20]

    def ask(stop):
        while not stop.is_set() and signed[-1] < 1_990:
            try:
                cosigned(witness, log.body(signed[-1], signed[-1] + 1))
            except Exception:  # noqa: BLE001: whatever a killed process leaves a client with
                return
            signed.append(signed[-1] + 1)

    for _ in range(15):
        before, stop = len(signed), threading.Event()
        asking = threading.Thread(target=ask, args=(stop,))
        asking.start()
        wait_until(lambda: len(signed) >= before + 3, "some cosignatures")
        witness.kill()
        stop.set()
        asking.join()
        witness.start()
        shown = witness.shown(c2sp.origin_hash(log.origin)).text
        known = c2sp.open_checkpoint(shown, log.signer.key)
        # One more may have been written whose answer never came.
        assert signed[-1] <= known.size <= signed[-1] + 1 and known == log.head(known.size)
        refused(witness, log.body(known.size, known.size + 5, fork=True), 422)
        signed.append(known.size)


def test_a_witness_that_forgot_does_not_start(witnesses, log, binary):
    witness = witnesses("one", log.signer.key)
    cosigned(witness, log.body(0, 100))
    vkey = witness.vkey
    record = witness.state / "checkpoints" / c2sp.origin_hash(log.origin)
    argv = [binary, "witness", "--dir", witness.state, "--listen", "127.0.0.1:0", "--log", log.signer.key]
    second = run(*argv)
    assert second.returncode == 1 and "another witness runs" in second.stderr, second.stderr
    assert run(binary, "witness", "key", "--dir", witness.state).stdout.strip() == vkey
    witness.stop()
    kept = witness.state.with_name("kept")
    shutil.copytree(witness.state, kept)
    good = record.read_bytes()
    damages = {
        "flipped": lambda: record.write_bytes(good.replace(b"\n100\n", b"\n101\n")),
        "cut": lambda: record.write_bytes(good[:-1]),
        "empty": lambda: record.write_bytes(b""),
        "gone": record.unlink,
        "all gone": lambda: shutil.rmtree(record.parent),
        "no list": (witness.state / "origins").unlink,
        "key open": lambda: (witness.state / "witness.key").chmod(0o644),
    }
    for what, damage in damages.items():
        damage()
        done = run(*argv)
        assert done.returncode == 1 and done.stdout == "", f"{what}: {done.stdout}{done.stderr}"
        assert "panicked" not in done.stderr
        shutil.rmtree(witness.state)
        shutil.copytree(kept, witness.state)
    witness.start()
    assert witness.vkey == vkey
    conflict(witness, log.body(0, 200, fork=True), 100)


def test_where_it_listens_and_what_it_is_called(binary, log, tmp_path):
    key = str(log.signer.key)
    made = run(binary, "witness", "init", "--dir", tmp_path / "w", "--name", "w.example")
    assert made.returncode == 0 and Key.parse(made.stdout.strip()).kind == c2sp.COSIGNATURE
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600
    assert run(binary, "witness", "init", "--dir", tmp_path / "w", "--name", "w.example").returncode == 1
    assert run(binary, "witness", "key", "--dir", tmp_path / "nowhere").returncode == 3
    for more in (
        ["--log", key, "--listen", "0.0.0.0:0"],
        ["--log", key, "--name", "other.example"],
        ["--log", made.stdout.strip()],
        ["--log", key.replace("own", "none")],
        [],
    ):
        done = run(binary, "witness", "--dir", tmp_path / "w", *more)
        assert done.returncode == 2, f"{more}: {done.returncode} {done.stderr}"
    assert run(binary, "witness", "--dir", tmp_path / "new", "--log", key).returncode == 2, "a name is missing"
    assert run(binary, "witness", "--log", key).returncode == 2, "a folder is missing"


def run(*argv):
    return subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=60, check=False)


# --- Whatever is changed is noticed ---


def changed(good, dice):
    """The same bytes with something else in them."""
    while True:
        raw = bytearray(good)
        at = dice.randrange(len(raw))
        match dice.randrange(5):
            case 0:
                raw[at] ^= 1 << dice.randrange(8)
            case 1:
                del raw[at]
            case 2:
                raw.insert(at, dice.choice(b" \n=A0\x00\xff"))
            case 3:
                del raw[at:]
            case 4:
                other = dice.randrange(len(raw))
                raw[at], raw[other] = raw[other], raw[at]
        if bytes(raw) != good:
            return bytes(raw)


def test_every_mutation_is_refused(audit, witnesses):
    """Checkpoints, cosignatures, proofs, tiles and bundles as they were served, each changed a little."""
    dice = random.Random(20261121)
    both = [witnesses(name, audit.log) for name in ("one", "two")]
    note, size, root = audit.note, audit.head.size, audit.head.root
    full = note + "".join(cosigned(witness, c2sp.add_checkpoint(0, [], note)) for witness in both)
    keys = "".join(f"witness {n} {witness.vkey}\n" for n, witness in enumerate(both))
    policy = Policy.parse(f"log {audit.log}\n{keys}group both all 0 1\nquorum both\n")

    def checkpoint(raw):
        assert policy.check(raw) == audit.head

    def proof(index):
        good = Proof(None, index, audit.tree.inclusion(index, size), full)

        def check(raw):
            text = decoded(raw)
            Proof.parse(text).check(audit.entries[index], policy)
        return good.text.encode(), check

    def request(old, new):
        """As another witness of the specification would take it."""
        older, newer = (c2sp.open_checkpoint(audit.kept[at], audit.log) for at in (old, new))
        body = c2sp.add_checkpoint(older.size, audit.tree.consistency(older.size, newer.size), audit.kept[new])

        def check(raw):
            head, blank, rest = decoded(raw).partition("\n\n")
            first, *path = head.split("\n")
            c2sp.need(blank and first == f"old {older.size}", "another old size")
            found = c2sp.open_checkpoint(rest, audit.log)
            c2sp.check_consistency(older.size, found.size, older.root, found.root, c2sp.hashes(path))
        return body.encode(), check

    def file(path):
        def check(raw):
            fetch = {**audit.files, path: raw}.__getitem__
            leaves = c2sp.check_tiles(size, root, fetch) if "entries" not in path else audit.leaves
            if "entries" in path:
                index = int("".join(c for c in path.split(".p/")[0] if c.isdigit()))
                width = min(c2sp.WIDTH, size - index * c2sp.WIDTH)
                found = [c2sp.leaf_hash(entry) for entry in c2sp.read_bundle(raw, width)]
                c2sp.need(found == leaves[index * c2sp.WIDTH:index * c2sp.WIDTH + width], "other entries")
        return audit.files[path], check

    paths = [f"tile/{level}/{c2sp.tile_name(index, width)}" for level, index, width in c2sp.tiles(size)]
    bundles = [f"tile/entries/{path.removeprefix('tile/0/')}" for path in paths if path.startswith("tile/0/")]
    # Each tile is checked with all others: of a large trail a few will do.
    few = 40 if size < 10_000 else 3
    subjects = [(full.encode(), checkpoint)] * 300
    subjects += [proof(dice.randrange(size)) for _ in range(300)] + [proof(0), proof(size - 1)] * 30
    subjects += [request(old, new) for old in range(3) for new in range(3, len(audit.kept))] * 30
    subjects += [file(dice.choice(paths)) for _ in range(few)] + [file(paths[-1])] * few
    subjects += [file(dice.choice(bundles)) for _ in range(200)]
    assert len(subjects) >= MUTATIONS
    for good, check in subjects:
        check(good)
        bad = changed(good, dice)
        with pytest.raises(Refused):
            check(bad)


def decoded(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
