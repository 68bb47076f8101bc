"""Evidence packs: made from the files and from a server, and checked by Greffier and by hand."""

import base64
import hashlib
import hmac
import json
import subprocess
import uuid
import zipfile

import pytest

from harness import trail

ACME = "org_acme_corp"


@pytest.fixture(scope="module")
def stopped(binary, world, tmp_path_factory, sdk, people):
    """A few dozen calls of two tenants, partly sealed, cleanly stopped."""
    from harness.greffier import Greffier

    greffier = Greffier(binary, world, tmp_path_factory.mktemp("evidence"), more="\n[ledger]\nentries = 32\n").start()
    with sdk.http(greffier, people["alice"]) as http:
        for number in range(20):
            assert http.post("/tools/crm/search", json={"q": f"question {number}"}).status_code == 200
    greffier.stop()
    return greffier


@pytest.fixture
def trust(stopped, tmp_path):
    path = tmp_path / "kept-trust"
    path.write_bytes((stopped.data / "trust").read_bytes())
    return ("--trust", path)


def pack(greffier, out, *args, data=True):
    where = ("--data", greffier.data, "--keys", greffier.keys, "--tenant", ACME) if data else ()
    done = greffier.run("evidence", *args, "--out", out, *where)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def lines(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name.startswith("events/")]
        return [json.loads(line) for name in names for line in archive.read(name).splitlines()], archive.read("checkpoint").decode()


def root_of(run, first, size, proof):
    """The rule in docs/evidence-pack.md, and nothing else."""
    nodes, at, width, proof = list(run), first, size, list(proof)
    while width > 1:
        if at % 2:
            nodes.insert(0, proof.pop(0))
            at -= 1
        if (at + len(nodes)) % 2 and at + len(nodes) < width:
            nodes.append(proof.pop(0))
        pairs = [nodes[n:n + 2] for n in range(0, len(nodes), 2)]
        nodes = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
        at, width = at // 2, (width + 1) // 2
    assert proof == [] and len(nodes) == 1
    return nodes[0]


def check_by_hand(path):
    """Every entry and part of a pack with hashlib alone; what it shows."""
    records, note = lines(path)
    _origin, size, root = note.split("\n")[:3]
    run, shown = [], {}
    for record in records:
        if "run" in record:
            first, end = record["run"]
            proof = [base64.b64decode(text) for text in record["proof"]]
            assert len(run) == end - first
            assert root_of(run, first, int(size), proof) == base64.b64decode(root)
            run = []
        elif "leaf" in record:
            run.append(base64.b64decode(record["leaf"]))
        else:
            run.append(trail.leaf_hash(record["entry"].encode()))
            event = json.loads(record["entry"])
            if parts := record.get("parts"):
                commitments = [commitment(event, part) for part in parts]
                assert trail.tree_root(commitments).hex() == event["parts_root"]
                shown[record["index"]] = [part["name"] for part in parts if "content" in part]
    assert run == []
    return records, shown


def commitment(event, part):
    if "commitment" in part:
        return bytes.fromhex(part["commitment"])
    name, content = part["name"].encode(), base64.b64decode(part["content"])
    message = b"greffier/part/v1\0" + uuid.UUID(event["id"]).bytes
    message += len(name).to_bytes(2, "big") + name + len(content).to_bytes(8, "big") + content
    return hmac.new(bytes.fromhex(part["salt"]), message, hashlib.sha256).digest()


def test_what_a_search_finds(stopped, trust, tmp_path):
    path = pack(stopped, tmp_path / "alice.zip", "type:action.approved", "--parts", "parameters")
    records, shown = check_by_hand(path)
    found = [record for record in records if record.get("found")]
    assert len(found) == 20 and all(names == ["parameters"] for names in shown.values())
    checked = stopped.run("verify", path, *trust)
    assert checked.returncode == 0 and checked.stdout.endswith("\nVALID\n"), checked.stdout + checked.stderr
    assert "not complete" in checked.stdout and "parameters VALID" in checked.stdout
    # From inside the pack alone nothing is anchored.
    checked = stopped.run("verify", path)
    assert checked.returncode == 0 and "VALID, SELF-CONSISTENT, NOT ANCHORED" in checked.stdout
    told = [json.loads(line) for line in stopped.run("verify", path, *trust, "-o", "jsonl").stdout.splitlines()]
    assert told[-1]["verdict"] == "VALID" and len(told) == 21
    assert json.loads(told[0]["parts"][0]["content"])
    # Digests for sha256sum, plain words for people.
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
        assert "HOW TO CHECK IT BY HAND" in archive.read("README.txt").decode()
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True).returncode == 0
    # What was unpacked is a pack as well.
    assert stopped.run("verify", tmp_path / "out", *trust).returncode == 0


def test_withheld_is_withheld(stopped, trust, tmp_path):
    path = pack(stopped, tmp_path / "bare.zip", "type:action.approved")
    records, shown = check_by_hand(path)
    assert not any(shown.values())
    with zipfile.ZipFile(path) as archive:
        raw = b"".join(archive.read(name) for name in archive.namelist())
    assert b"question 1" not in raw and base64.b64encode(b"question 1")[:12] not in raw
    assert "parameters WITHHELD" in stopped.run("verify", path, *trust).stdout


def test_completeness(stopped, trust, tmp_path):
    whole = pack(stopped, tmp_path / "whole.zip", "type:action.approved", "--whole-range")
    records, _ = check_by_hand(whole)
    assert len([record for record in records if "run" in record]) == 1
    assert any("leaf" in record for record in records)
    checked = stopped.run("verify", whole, *trust)
    assert checked.returncode == 0 and "complete for the entries" in checked.stdout, checked.stdout
    in_full = pack(stopped, tmp_path / "range.zip", "type:action.approved", "--range", "3-20", "--in-full")
    records, _ = check_by_hand(in_full)
    assert [record["index"] for record in records if "index" in record] == list(range(3, 21))
    assert not any("leaf" in record for record in records)
    assert "complete for the entries 3 to 20: each of them is here, in full" in stopped.run("verify", in_full, *trust).stdout
    # A range beyond the checkpoint is nobody's to prove.
    done = stopped.run("evidence", "", "--range", "0-100000", "--out", tmp_path / "x.zip", "--data", stopped.data, "--tenant", ACME)
    assert done.returncode == 2, done.stderr


def test_a_folder(stopped, trust, tmp_path):
    pack(stopped, f"{tmp_path}/folder/", "type:action.approved", "--all-parts")
    folder = tmp_path / "folder"
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.txt", "SHA256SUMS", "checkpoint", "events", "pack.json", "trust",
    ]
    assert stopped.run("verify", folder, *trust).returncode == 0
    (folder / "more").write_text("")
    assert stopped.run("verify", folder, *trust).returncode == 5


def test_any_change_exits_5(stopped, trust, tmp_path):
    path = pack(stopped, tmp_path / "small.zip", "type:action.approved", "--range", "0-3", "--parts", "parameters")
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 60)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
        checked = stopped.run("verify", path, *trust)
        assert checked.returncode == 5, (place, checked.stdout + checked.stderr)
    path.write_bytes(good[:-1])
    assert stopped.run("verify", path, *trust).returncode == 5
    path.write_bytes(good)
    assert stopped.run("verify", path, *trust).returncode == 0


def test_nothing_found_proves_nothing(stopped, tmp_path):
    done = stopped.run("evidence", "user:nobody", "--out", tmp_path / "x.zip", "--data", stopped.data, "--tenant", ACME)
    assert done.returncode == 3, done.stderr


def test_from_a_server(install, sdk, people, tmp_path):
    """Authorised like an export, and on the trail before a byte of it is sent."""
    greffier = install("server").start()
    with sdk.http(greffier, people["alice"]) as http:
        for number in range(3):
            assert http.post("/tools/crm/search", json={"q": number}).status_code == 200
    token = tmp_path / "token"
    token.write_text(people["audra"])
    where = ("--server", greffier.url, "--token-file", token)
    from harness.procs import wait_until
    out = tmp_path / "served.zip"
    wait_until(
        lambda: greffier.run("evidence", "type:action.approved", "--parts", "parameters", "--out", out, *where).returncode == 0,
        "a checkpoint covers them",
    )
    _, shown = check_by_hand(out)
    assert shown and all(names == ["parameters"] for names in shown.values())
    recorded = [event for event in greffier.events(ACME) if event.get("action", {}).get("name") == "trail:evidence"]
    assert recorded and recorded[-1]["user"]["sub"] == "audra" and recorded[-1]["type"] == "data.access"
    token.write_text(people["oscar"])
    denied = greffier.run("evidence", "type:action.approved", "--out", tmp_path / "no.zip", *where)
    assert denied.returncode == 4, denied.stderr
    assert not (tmp_path / "no.zip").exists()
    trust = tmp_path / "trust"
    trust.write_bytes((greffier.data / "trust").read_bytes())
    assert greffier.run("verify", out, "--trust", trust).returncode == 0
