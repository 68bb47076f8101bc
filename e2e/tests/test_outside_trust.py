"""What only somebody outside can notice: a trail signed anew, put back to yesterday, deleted, or cut.

In each case the directory agrees with itself, and `verify` says so and no more. With what an auditor kept elsewhere (a
trust policy, a checkpoint, receipts) it exits 5 and names what is wrong.
"""

import base64
import hashlib
import json
import re
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import wal
from harness.procs import wait_until

ACME, BETA = "org_acme_corp", "org_beta"


class Auditor:
    """Keeps a few small files."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.receipts = {}

    def keep(self, greffier, name):
        """What can be copied off a running or stopped node: its trust file, and each trail's checkpoint."""
        (self.folder / "trust").write_bytes((greffier.data / "trust").read_bytes())
        for trail in (greffier.data / "trails").iterdir():
            shutil.copy(trail / "checkpoint", self.folder / f"{name}-{trail.name}")

    def trust(self):
        return ("--trust", self.folder / "trust")

    def checkpoint(self, name, tenant=ACME):
        return ("--from", self.folder / f"{name}-{tenant}")

    def receipt(self, tenant=ACME):
        return ("--receipt", self.receipts[tenant])


def call(sdk, greffier, token):
    with sdk.http(greffier, token) as http:
        reply = http.post("/tools/crm/search", json={"q": 1})
    assert "greffier-receipt" in reply.headers, reply.text
    return reply.headers["greffier-receipt"]


@pytest.fixture(scope="module")
def history(binary, world, tmp_path_factory, sdk, people):
    """Two days of an installation: (it, what an auditor kept, a copy of the data as it was yesterday)."""
    from harness.greffier import Greffier

    folder = tmp_path_factory.mktemp("outside")
    greffier, auditor = Greffier(binary, world, folder / "node").start(), Auditor(folder / "auditor")
    for _ in range(3):
        auditor.receipts[ACME] = call(sdk, greffier, people["alice"])
        auditor.receipts[BETA] = call(sdk, greffier, people["boris"])
    greffier.stop()
    auditor.keep(greffier, "yesterday")
    yesterday = greffier.copy(folder / "yesterday")
    greffier.start()
    for _ in range(3):
        auditor.receipts[ACME] = call(sdk, greffier, people["alice"])
    greffier.stop()
    auditor.keep(greffier, "today")
    return greffier, auditor, yesterday


def agrees_with_itself(greffier, data):
    checked = greffier.verify(data)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0 and "SELF-CONSISTENT, NOT ANCHORED" in said, said


def is_found(greffier, data, evidence, words):
    checked = greffier.verify(data, *evidence)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 5 and "TAMPERING FOUND" in said, said
    assert words in said, said


def test_nothing_is_wrong(history):
    greffier, auditor, _ = history
    agrees_with_itself(greffier, greffier.data)
    for evidence in (
        auditor.trust(),
        (*auditor.trust(), *auditor.checkpoint("yesterday"), *auditor.checkpoint("today"), *auditor.receipt()),
        (*auditor.trust(), "--deep", "--keys", greffier.keys),
    ):
        checked = greffier.verify(greffier.data, *evidence)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert checked.stdout.endswith("\nVERIFIED\n"), checked.stdout
    # Evidence for one trail says nothing of the others.
    checked = greffier.verify(greffier.data, *auditor.checkpoint("today"))
    assert checked.returncode == 0 and "NOT ANCHORED: greffier, org_beta" in checked.stdout, checked.stdout
    # Many receipts in a file.
    receipts = auditor.folder / "receipts"
    receipts.write_text("".join(f"{receipt}\n" for receipt in auditor.receipts.values()))
    checked = greffier.verify(greffier.data, "--receipt", receipts)
    assert checked.returncode == 0 and "anchored by a receipt" in checked.stdout, checked.stdout


def test_signed_anew_with_another_key(history, tmp_path):
    """Whoever can write the files makes everything that is signed anew, with keys of his own."""
    greffier, auditor, _ = history
    data = greffier.copy(tmp_path / "data")
    sign_anew(data)
    agrees_with_itself(greffier, data)
    is_found(greffier, data, auditor.trust(), "no known key signed the note")
    is_found(greffier, data, auditor.checkpoint("today"), "signed anew with another key")


def sign_anew(data):
    keys, vkeys = {}, {}
    trust = (data / "trust").read_text()
    for old in re.findall(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", trust):
        origin = old.split("+", 1)[0]
        keys[origin] = Ed25519PrivateKey.generate()
        public = b"\x01" + keys[origin].public_key().public_bytes_raw()
        vkeys[origin] = hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4]
        trust = trust.replace(old, f"{origin}+{vkeys[origin].hex()}+{base64.b64encode(public).decode()}")

    def note(text, origin):
        blob = vkeys[origin] + keys[origin].sign(text.encode())
        return f"{text}\n\u2014 {origin} {base64.b64encode(blob).decode()}\n"

    old = hashlib.sha256((data / "trust").read_bytes()).hexdigest()
    (data / "trust").write_text(trust)
    new = hashlib.sha256(trust.encode()).hexdigest()
    for file in (data / "trails").glob("*/checkpoint"):
        text = file.read_text().rpartition("\n\n")[0] + "\n"
        file.write_text(note(text, text.split("\n", 1)[0]))
    (node,) = (origin for origin in keys if origin.endswith("/greffier"))
    previous = None
    for file in sorted((data / "manifests").glob("*.note")):
        head = json.loads(file.read_text().rpartition("\n\n")[0])
        if previous:
            head["previous"] = previous
        listing = file.with_suffix(".list")
        if listing.exists():
            listing.write_text(listing.read_text().replace(old, new))
            head["listing"]["sha256"] = hashlib.sha256(listing.read_bytes()).hexdigest()
        file.write_text(note(json.dumps(head, separators=(",", ":")) + "\n", node))
        previous = hashlib.sha256(file.read_bytes()).hexdigest()


def test_yesterdays_copy(history):
    greffier, auditor, yesterday = history
    agrees_with_itself(greffier, yesterday)
    is_found(greffier, yesterday, (*auditor.trust(), *auditor.checkpoint("today")), "were signed for")
    is_found(greffier, yesterday, auditor.receipt(), "the tail was cut")
    # Keys alone cannot tell today from yesterday, and do not pretend to.
    assert greffier.verify(yesterday, *auditor.trust()).returncode == 0
    assert greffier.verify(yesterday, *auditor.trust(), *auditor.checkpoint("yesterday")).returncode == 0


def test_a_tenants_trail_is_gone(history, install, sdk, people):
    """Made anew by whoever holds the keys, without the trail of one tenant."""
    greffier, auditor, _ = history
    other = install("without")
    shutil.rmtree(other.keys)
    shutil.copytree(greffier.keys, other.keys)
    other.start()
    call(sdk, other, people["alice"])
    other.stop()
    agrees_with_itself(other, other.data)
    is_found(other, other.data, auditor.trust(), f"trail {BETA}: the trail is missing")
    is_found(other, other.data, auditor.receipt(BETA), f"trail {BETA}: the trail is missing")
    is_found(other, other.data, auditor.checkpoint("yesterday", BETA), f"trail {BETA}")


def test_the_tail_is_cut(install, sdk, people):
    """What no checkpoint covers yet leaves no trace in the directory; its receipt knows better."""
    greffier = install("cut").start()
    call(sdk, greffier, people["alice"])
    for _ in range(10):
        wait_until(lambda: greffier.verify().returncode == 0, "a checkpoint covers it")
        receipt = call(sdk, greffier, people["alice"])
        greffier.kill()
        cut_the_last_entries(greffier.data)
        checked = greffier.verify()
        if checked.returncode == 0:
            break
        # A checkpoint was quicker: then the cut is found without anybody's help.
        assert "were signed for" in checked.stdout, checked.stdout
        shutil.rmtree(greffier.data)
        greffier.start()
    else:
        pytest.fail("a checkpoint was always quicker")
    assert "NOT ANCHORED" in checked.stdout
    is_found(greffier, greffier.data, ("--receipt", receipt), "the tail was cut")


def cut_the_last_entries(data):
    file = sorted((data / "wal").glob("*.wal"))[-1]
    raw = file.read_bytes()
    offset, ends = wal.HEADER, []
    while frame := wal._frame(raw, offset):
        ends.append(offset)
        offset = frame[0]
    # The call's two entries: its decision and its outcome.
    file.write_bytes(raw[:ends[-2]])


def test_an_entry_is_another(history):
    """A receipt of an entry that was never there."""
    greffier, auditor, _ = history
    tenant, index, _ = auditor.receipts[ACME].split(" ")
    leaf = base64.b64encode(bytes(32)).decode()
    is_found(greffier, greffier.data, ("--receipt", f"{tenant} {index} {leaf}"), "another one than the receipt's")


def test_one_event(history):
    greffier, auditor, _ = history
    event = next(event for event in greffier.events(ACME) if event["type"] == "action.executed")
    checked = greffier.verify(greffier.data, "--event", event["id"])
    assert checked.returncode == 0 and "VALID, SELF-CONSISTENT, NOT ANCHORED" in checked.stdout, checked.stdout
    checked = greffier.verify(greffier.data, "--event", event["id"], *auditor.trust(), "--keys", greffier.keys)
    assert checked.returncode == 0 and checked.stdout.endswith("\nVALID\n"), checked.stdout
    unknown = "00000000-0000-7000-8000-000000000000"
    assert greffier.verify(greffier.data, "--event", unknown).returncode == 3


def test_what_is_no_evidence(history, tmp_path):
    greffier, auditor, _ = history
    for evidence in (
        ("--receipt", "acme seven hash"),
        ("--from", auditor.folder / "trust"),
        (*auditor.trust(), "--require-witnessed"),
        ("--require-witnessed",),
    ):
        checked = greffier.verify(greffier.data, *evidence)
        assert checked.returncode == 2, (evidence, checked.stdout + checked.stderr)


def test_a_proof_against_what_was_kept(history, tmp_path):
    greffier, auditor, _ = history
    tenant, index, leaf = auditor.receipts[ACME].split(" ")
    event = next(event for event in greffier.events(ACME) if event["_index"] == int(index))
    proof = tmp_path / "x.tlog-proof"
    assert greffier.run("prove", event["id"], "--data", greffier.data, "--out", proof).returncode == 0
    for evidence in (auditor.receipt(), auditor.checkpoint("today"), auditor.trust()):
        checked = greffier.run("verify", proof, *evidence)
        assert checked.returncode == 0 and checked.stdout.endswith("\nVALID\n"), checked.stdout + checked.stderr
    wrong = base64.b64encode(bytes(32)).decode()
    assert greffier.run("verify", proof, "--receipt", f"{tenant} {index} {wrong}").returncode == 5
