"""The keys that sign: shown, replaced under a running server, retired, and never left open to others."""

import json
import os
import shutil

from harness import trail
from harness.api import Api, native
from harness.procs import wait_until


def keys(greffier, *args, code=0):
    done = greffier.run("keys", *args, "--config", greffier.config, "-o", "json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def vkeys(rows, of, state="in force"):
    return {row["generation"]: row["vkey"] for row in rows if row.get("trail") == of and row["state"] == state}


def signed_by(greffier, vkey, of="org_acme_corp"):
    """Whether this key signed the checkpoint, by a reader that is not ours."""
    _, _, _, text, signatures = trail.checkpoint(greffier.data / "trails" / of)
    return trail.signed_by(text, signatures, vkey)


def changes(greffier):
    """What the node's trail says of its keys, in order."""
    node = [event for event in greffier.events("greffier") if event.get("resource", {}).get("uri", "").startswith("key://")]
    assert all(event["agent"] == {"id": "greffier", "verified": True} for event in node)
    return [(event["action"]["name"], event["resource"]["uri"]) for event in node]


def test_rotation_under_a_running_server(install, people, tmp_path):
    greffier = install().start()
    trust = {}

    def kept(name):
        trust[name] = tmp_path / f"trust-{name}"
        shutil.copy(greffier.data / "trust", trust[name])

    with Api(greffier, people["oscar"]) as api:
        api.add([native()])
        wait_until(lambda: (greffier.data / "trails/org_acme_corp/checkpoint").exists(), "a checkpoint", 10)
        kept("before")
        old = vkeys(keys(greffier, "show"), "org_acme_corp")[1]
        assert signed_by(greffier, old)

        # Both sign while the old one is on its way out.
        both = vkeys(keys(greffier, "rotate"), "org_acme_corp")
        assert set(both) == {1, 2} and both[1] == old
        wait_until(lambda: signed_by(greffier, both[2]), "the new key signs", 10)
        assert signed_by(greffier, old)
        assert "two generations sign already" in keys(greffier, "rotate", code=1)
        api.add([native()])
        kept("overlap")

        # Then only the new one.
        after = keys(greffier, "retire")
        assert set(vkeys(after, "org_acme_corp")) == {2} and set(vkeys(after, "org_acme_corp", "retired")) == {1}
        wait_until(lambda: not signed_by(greffier, old), "the old key signs no more", 10)
        assert signed_by(greffier, both[2])
        wait_until(lambda: old not in (greffier.data / "trust").read_text(), "the old key is trusted no more", 10)
        api.add([native()])
        kept("after")
        assert greffier.verify(None, "--trust", trust["before"]).returncode == 0, "beside the running server"
    greffier.assert_calm()
    greffier.stop()
    assert changes(greffier) == [("key:rotate", "key://signing/2"), ("key:retire", "key://signing/1")]

    # Trust of any time follows the key that it knows to the one that signs now, and proofs of before hold.
    for name, policy in trust.items():
        checked = greffier.verify(None, "--trust", policy, "--keys", greffier.keys)
        assert checked.returncode == 0 and "\nVERIFIED" in checked.stdout, f"{name}: {checked.stdout}"
    # A stranger's trust follows nothing.
    stranger = install("stranger").start()
    stranger.stop()
    assert greffier.verify(None, "--trust", stranger.data / "trust").returncode == 5
    # No secret is in anything that was said, and none in the data.
    for file in greffier.keys.glob("signing*"):
        secret = file.read_bytes().strip()
        assert secret not in greffier.outputs()
        assert not any(secret in found.read_bytes() for found in greffier.data.rglob("*") if found.is_file())


def test_rotation_of_a_stopped_node(install):
    greffier = install().start()
    greffier.stop()
    before = trail.checkpoint(greffier.data / "trails/greffier")
    rows = keys(greffier, "rotate")
    assert set(vkeys(rows, "greffier")) == {1} and set(vkeys(rows, "greffier", "waiting")) == {2}
    assert "waits to be recorded" in keys(greffier, "rotate", code=1)
    assert trail.checkpoint(greffier.data / "trails/greffier") == before and greffier.verify().returncode == 0
    greffier.start()
    wait_until(lambda: changes(greffier), "it is on record", 10)
    greffier.stop()
    new = vkeys(keys(greffier, "show"), "greffier")
    assert set(new) == {1, 2} and all(signed_by(greffier, key, "greffier") for key in new.values())
    assert changes(greffier) == [("key:rotate", "key://signing/2")]
    assert greffier.verify().returncode == 0


def test_keys_that_others_can_read_are_refused(install):
    greffier = install()
    for name, mode, fix in (("master.key", 0o644, "600"), ("signing.key", 0o640, "600"), (".", 0o755, "700")):
        path = greffier.keys / name
        right = path.stat().st_mode & 0o777
        os.chmod(path, mode)
        said = keys(greffier, "show", code=1)
        assert f"chmod {fix}" in said
        served = greffier.run("serve", "--config", greffier.config, timeout=20)
        assert served.returncode == 1 and f"chmod {fix}" in served.stderr
        os.chmod(path, right)
    assert {row["mode"] for row in keys(greffier, "show")} == {"600"}


def test_keys_are_made_once(install, tmp_path):
    greffier = install()
    before = {file.name: file.read_bytes() for file in greffier.keys.iterdir()}
    assert "exist already" in keys(greffier, "generate", code=1)
    assert {file.name: file.read_bytes() for file in greffier.keys.iterdir()} == before
    done = greffier.run("keys", "generate", "--dir", tmp_path / "fresh", "--config", greffier.config)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o700
