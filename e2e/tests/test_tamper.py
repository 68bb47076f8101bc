"""After a clean stop: any byte flipped in, or any removal of, a file that the signed state covers is found."""

import base64
import hashlib
import random
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import record, trail
from harness.procs import wait_until


@pytest.fixture(scope="module")
def stopped(binary, world, tmp_path_factory, alice):
    """An installation with a few hundred entries, most of them sealed, cleanly stopped."""
    import httpx

    from harness.greffier import Greffier

    greffier = Greffier(binary, world, tmp_path_factory.mktemp("tamper"), more="\n[ledger]\nentries = 128\n").start()
    with httpx.Client(base_url=greffier.url, trust_env=False, headers={"authorization": f"Bearer {alice}"}) as http:
        for number in range(150):
            assert http.post("/tools/crm/search", json={"q": number}).status_code == 200
    wait_until(lambda: len(record.sealed(greffier.data).get("org_acme_corp", [])) == 2, "the full segments are sealed")
    greffier.stop()
    return greffier


def files(data):
    return sorted(file for file in data.rglob("*") if file.is_file())


def covered(file):
    """Locks and scratch files guard a running process; they say nothing about what happened."""
    return "lock" not in file.name.lower() and not file.name.endswith(".tmp")


def places(size):
    """First, last, the middle, and a few by chance."""
    dice = random.Random(size)
    return sorted({0, size - 1, size // 2, *(dice.randrange(size) for _ in range(3))})


def test_untouched(stopped):
    checked = stopped.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SELF-CONSISTENT, NOT ANCHORED" in checked.stdout + checked.stderr


def test_trust_from_outside(stopped, tmp_path):
    """With the verifier keys that somebody kept elsewhere; and with somebody else's."""
    trust = tmp_path / "trust"
    own = (stopped.data / "trust").read_text()
    trust.write_text(own)
    anchored = stopped.verify(stopped.data, "--trust", trust, "--keys", stopped.keys)
    assert anchored.returncode == 0, anchored.stdout + anchored.stderr
    assert "NOT ANCHORED" not in anchored.stdout + anchored.stderr

    # Another key under the same name: nothing that it did not sign may pass.
    def other(found):
        name = found[0].split("+", 1)[0]
        key = b"\x01" + Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
        return f"{name}+{key_id}+{base64.b64encode(key).decode()}"

    trust.write_text(re.sub(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", other, own))
    assert trust.read_text() != own
    assert stopped.verify(stopped.data, "--trust", trust).returncode == 5


def test_every_flip_and_removal_is_found(stopped, tmp_path):
    copy = stopped.copy(tmp_path / "data")
    unnoticed, unnamed, tried = [], [], 0
    for file in filter(covered, files(copy)):
        name = str(file.relative_to(copy))
        whole = file.read_bytes()

        def judge(what, name=name):
            nonlocal tried
            tried += 1
            checked = stopped.verify(copy)
            if checked.returncode != 5:
                unnoticed.append(f"{name}: {what}: exit {checked.returncode}")
            elif name not in checked.stdout + checked.stderr:
                unnamed.append(f"{name}: {what}: {(checked.stdout + checked.stderr)[-300:]}")

        for place in places(len(whole)) if whole else []:
            flipped = bytearray(whole)
            flipped[place] ^= 1 << (place % 8)
            file.write_bytes(flipped)
            judge(f"byte {place} of {len(whole)} flipped")
        if whole:
            file.write_bytes(whole[:-1])
            judge("last byte cut off")
            file.write_bytes(whole + whole[-1:])
            judge("a byte added")
        file.unlink()
        judge("removed")
        file.write_bytes(whole)
    assert tried > 30
    assert unnoticed == [], "\n".join(unnoticed)
    assert unnamed == [], "\n".join(unnamed)
    assert stopped.verify(copy).returncode == 0, "and the mended copy is good again"


def test_others_can_check_it_too(stopped):
    """With hashlib and an Ed25519 nobody here wrote: the tree, its tiles at every level, and the signature."""
    keys = re.findall(r"\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", (stopped.data / "trust").read_text())
    assert keys, "no verifier key is shown anywhere"
    trails = sorted((stopped.data / "trails").iterdir())
    assert [folder.name for folder in trails] == ["greffier", "org_acme_corp"]
    for folder in trails:
        origin, size, root, text, signatures = trail.checkpoint(folder)
        assert origin.endswith(f"/{folder.name}")
        leaves = trail.leaves(folder, size)
        assert trail.tree_root(leaves) == root
        assert any(trail.signed_by(text, signatures, key) for key in keys), f"{folder.name}: nobody's signature"
        entries = record.entries(stopped.data, folder.name)
        assert [trail.leaf_hash(entries[folder.name, index]) for index in range(size)] == leaves


def test_a_proof_stands_alone(stopped, tmp_path):
    """`prove` writes a C2SP tlog-proof; `verify` checks it offline, and notices a change in it."""
    event = next(event for event in stopped.events("org_acme_corp") if event["type"] == "action.approved")
    proof = tmp_path / "event.tlog-proof"
    done = stopped.run("prove", event["id"], "--data", stopped.data, "--out", proof)
    assert done.returncode == 0, done.stderr
    text = proof.read_text()
    assert text.startswith("c2sp.org/tlog-proof@v1\n")
    trust = tmp_path / "trust"
    trust.write_bytes((stopped.data / "trust").read_bytes())
    for args in ((proof,), (proof, "--trust", trust)):
        good = stopped.run("verify", *args)
        assert good.returncode == 0 and "VALID" in good.stdout + good.stderr, good.stdout + good.stderr
    with_parts = stopped.run("prove", event["id"], "--data", stopped.data, "--keys", stopped.keys)
    assert with_parts.returncode == 0 and len(with_parts.stdout) > len(text)
    wrong = 0
    for place in range(0, len(text), 7):
        letter = "A" if text[place] != "A" else "B"
        proof.write_text(text[:place] + letter + text[place + 1:])
        wrong += stopped.run("verify", proof, "--trust", trust).returncode not in (1, 5)
    assert wrong == 0, f"{wrong} changed proofs pass"
    missing = stopped.run("prove", "00000000-0000-7000-8000-000000000000", "--data", stopped.data)
    assert missing.returncode == 3, missing.stderr
