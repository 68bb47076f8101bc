"""Independent witnesses: what they vouch for, what their absence and their lies cost, and a backup they refuse."""

import json
import shutil

import httpx
import pytest

from harness import trail
from harness.api import LINES, Api, lines, native
from harness.procs import wait_until
from harness.witnesses import Liar, Witness, nowhere, section

TENANT = "org_acme_corp"


def anchoring(greffier):
    return httpx.get(f"{greffier.url}/readyz", trust_env=False).json()["anchoring"]


@pytest.fixture
def caller(people):
    return lambda greffier, who: Api(greffier, people[who])


@pytest.fixture
def village(install, caller, tmp_path):
    """An installation whose trails exist, and the makings of its witnesses."""
    made = []
    greffier = install()

    def witness(name):
        one = Witness(greffier, tmp_path / name, name, tmp_path / "trust")
        made.append(one)
        return one

    def liar(name):
        one = Liar(name, witness(f"{name}-key"))
        made.append(one)
        return one

    greffier.start()
    assert anchoring(greffier) == {"state": "UNANCHORED", "reason": "no witness is configured"}
    with caller(greffier, "oscar") as oscar:
        oscar.add([native()])
        refused = oscar.post(json.dumps(native()), LINES, level="witnessed")
        assert refused.status_code == 409 and refused.json()["error"]["code"] == "no_witnesses", refused.text
    greffier.stop()
    # Whoever runs a witness is told the logs' keys once.
    shutil.copy(greffier.data / "trust", tmp_path / "trust")
    yield greffier, witness, liar
    for one in made:
        one.stop()


def configure(greffier, *sections, anchor):
    text = greffier.config.read_text()
    greffier.config.write_text(text + "".join(sections) + "\n[anchor]\n" + anchor)


def test_two_of_three_vouch_while_one_is_away(village, caller, tmp_path):
    greffier, witness, _ = village
    a, b, away = witness("w1").start(), witness("w2").start(), witness("w3")
    configure(greffier, section(a), section(b), section(away, nowhere()), anchor='quorum = 2\nevery = "1s"\n')
    greffier.start()
    with caller(greffier, "oscar") as oscar, caller(greffier, "audra") as audra:
        answer = oscar.post(lines([native() for _ in range(20)]), LINES, level="witnessed").json()
        assert [taken["level"] for taken in answer["receipts"]] == ["witnessed"] * 20
        proof = audra.get(f"/api/v1/proofs/{answer['receipts'][0]['id']}")
        assert proof.headers["greffier-level"] == "witnessed"
        plain = oscar.add([native()])[0]
        assert "level" not in plain
        later = audra.get(f"/api/v1/proofs/{plain['id']}", level="witnessed")
        assert later.status_code == 200 and later.headers["greffier-level"] == "witnessed"
        unclear = audra.get(f"/api/v1/proofs/{plain['id']}", level="durable")
        assert unclear.status_code == 400
        activity = audra.get("/api/v1/activity", agent="loader")
        assert "greffier-anchoring" not in activity.headers
        assert activity.json()["anchoring"]["state"] == "ANCHORED"
    wait_until(lambda: anchoring(greffier)["state"] == "ANCHORED", "the node's own trail is cosigned")
    assert "greffier_anchored 1" in httpx.get(f"{greffier.url}/metrics", trust_env=False).text
    note = httpx.get(f"{greffier.url}/trails/{TENANT}/checkpoint", trust_env=False).text
    names = [line.split(" ")[1] for line in note.split("\n\n")[1].strip().split("\n")]
    assert sorted(names)[-2:] == ["witness.example/w1", "witness.example/w2"] and len(names) == 3
    greffier.stop()
    # The trust file now names the witnesses, and with it from outside the proof holds.
    trust = shutil.copy(greffier.data / "trust", tmp_path / "policy")
    (tmp_path / "proof").write_text(later.text)
    assert greffier.run("verify", tmp_path / "proof", "--trust", trust).returncode == 0
    checked = greffier.verify(None, "--trust", trust)
    assert checked.returncode == 0 and "\nANCHORED: cosigned by a quorum" in checked.stdout, checked.stdout + checked.stderr
    # The heads of the trails that grew stand on the node's own trail, a last time at the stop.
    heads = [event for event in greffier.events("greffier") if event["action"]["name"] == "node:heads"]
    assert heads and heads[-1]["resource"]["uri"] == "audit://greffier/heads"
    # Offline, too, a proof is made against the level that is asked for.
    wanted = answer["receipts"][0]["id"]
    for level in ("integrated", "witnessed"):
        made = greffier.run("prove", wanted, "--data", greffier.data, "--level", level)
        assert made.returncode == 0, made.stderr
        assert ("witness.example/w1" in made.stdout) == (level == "witnessed")


def test_a_liar_and_an_absent_witness_make_no_quorum_and_no_delay(village, caller):
    greffier, witness, liar = village
    honest, lies = witness("w1").start(), liar("w2")
    configure(
        greffier, section(honest), section(lies), section(witness("w3"), nowhere()),
        anchor='quorum = 2\nevery = "1s"\nstale_after = "2s"\n',
    )
    greffier.start()
    with caller(greffier, "oscar") as oscar, caller(greffier, "audra") as audra:
        answer = oscar.post(lines([native()]), LINES, level="integrated").json()
        assert answer["receipts"][0]["level"] == "integrated"
        wait_until(lambda: lies.asked > 0, "the liar was asked")
        late = audra.get(f"/api/v1/proofs/{answer['receipts'][0]['id']}", level="witnessed")
        assert late.status_code == 504 and late.json()["error"]["code"] == "level_not_reached", late.text
        findings = audra.get("/api/v1/findings")
        assert findings.headers["greffier-anchoring"].startswith("UNANCHORED")
        assert findings.json()["anchoring"]["state"] == "UNANCHORED"
        assert oscar.add([native()])
    assert anchoring(greffier)["state"] == "UNANCHORED"
    assert greffier.get("/readyz") == 200
    greffier.stop()
    # Every report says it, whatever else it says.
    where = ("--data", greffier.data, "--tenant", TENANT)
    assert "\nUNANCHORED: " in greffier.verify(None).stdout
    assert "UNANCHORED" in greffier.run("activity", "--agent", "loader", *where).stdout
    told = json.loads(greffier.run("activity", "--agent", "loader", *where, "-o", "json").stdout)
    assert told["anchoring"]["state"] == "UNANCHORED" and told["anchoring"]["reason"]
    assert "\nUNANCHORED: " in greffier.run("findings", *where).stdout
    quiet = greffier.run("findings", *where, "-o", "csv")
    assert "UNANCHORED" not in quiet.stdout.splitlines()[0] and "UNANCHORED: " in quiet.stderr
    assert not (greffier.data / "trails" / TENANT / "cosigned").exists()
    assert b"does not hold under its configured key" in greffier.outputs()


def test_a_required_trail_shows_only_what_is_witnessed(village, caller):
    greffier, witness, _ = village
    one = witness("w1")
    configure(greffier, section(one), anchor=f'every = "1s"\nrequire = ["{TENANT}"]\n')
    greffier.start()
    checkpoint = f"{greffier.url}/trails/{TENANT}/checkpoint"
    assert httpx.get(checkpoint, trust_env=False).status_code == 404
    assert httpx.get(f"{greffier.url}/trails/greffier/checkpoint", trust_env=False).status_code == 200
    one.start()
    with caller(greffier, "oscar") as oscar:
        assert oscar.add([native()])[0]["level"] == "witnessed"
    note = httpx.get(checkpoint, trust_env=False).text
    assert "witness.example/w1" in note


def test_yesterdays_copy_is_refused(village, caller, tmp_path):
    greffier, witness, _ = village
    one = witness("w1").start()
    configure(greffier, section(one), anchor='every = "1s"\n')
    greffier.start()
    with caller(greffier, "oscar") as oscar:
        assert oscar.post(lines([native()]), LINES, level="witnessed").status_code == 200
    greffier.stop()
    backup = greffier.copy(tmp_path / "yesterday")
    greffier.start()
    with caller(greffier, "oscar") as oscar:
        assert oscar.post(lines([native()]), LINES, level="witnessed").status_code == 200
    greffier.stop()
    today = greffier.copy(tmp_path / "today")
    shutil.rmtree(greffier.data)
    shutil.copytree(backup, greffier.data)
    before = trail.checkpoint(greffier.data / "trails" / TENANT)
    with pytest.raises(AssertionError) as refused:
        greffier.start()
    greffier.process = None
    words = str(refused.value)
    assert "ended with 5" in words and "witness `w1` has cosigned" in words and "restored backup" in words, words
    assert trail.checkpoint(greffier.data / "trails" / TENANT) == before, "nothing was signed"
    # While its witness is away it starts; once the witness is back, it stops recording.
    one.stop()
    greffier.start()
    one.start()
    wait_until(lambda: greffier.get("/readyz") == 503, "the witness is heard")
    told = httpx.get(f"{greffier.url}/readyz", trust_env=False).json()
    assert "witness `w1` has cosigned" in told["recording"], told
    greffier.kill()
    # With the newest data all is well.
    shutil.rmtree(greffier.data)
    shutil.copytree(today, greffier.data)
    greffier.start()
