"""What is erased is nowhere, what is not is there as before, and every proof holds, old and new."""

import json
import shutil
import zipfile
from datetime import datetime, timedelta, timezone

import pytest

from harness.api import Api, flat, fresh, native
from harness.contents import mentions, opened
from harness.procs import wait_until

TENANT = "org_acme_corp"
BASIS, REASON = "GDPR Art. 17(1)(b)", "consent withdrawn"


@pytest.fixture
def node(install, people):
    """A node that seals early, and its API by person."""
    greffier = install(more="\n[ledger]\nentries = 16\n").start()
    made = {}

    def api(name):
        made.setdefault(name, Api(greffier, people[name]))
        return made[name]

    yield greffier, api
    for client in made.values():
        client.http.close()


def told(marker, **fields):
    """An event whose contents hold a marker, for ingest."""
    return native(note=f"it is {marker}", **fields)


def ask(client, target, **more):
    return client.http.post("/api/v1/erasures", json={
        "target": target, "legal_basis": BASIS, "reason": REASON, "dry_run": False} | more)


def approve(client, erasure):
    return client.http.post(f"/api/v1/erasures/{erasure}/approve", json={})


def erase(api, target):
    """Asks as one person and approves as another; the entry that ordered it."""
    asked = ask(api("petra"), target)
    assert asked.status_code == 202, asked.text
    done = approve(api("paula"), asked.json()["id"])
    assert done.status_code == 200, done.text
    return done.json()["by"]


def proof(greffier, event, out, keys=True):
    path = greffier.folder / out
    more = ["--keys", greffier.keys] if keys else []
    done = greffier.run("prove", event, "--data", greffier.data, "--out", path, *more)
    assert done.returncode == 0, done.stderr
    return path


def holds(greffier, path):
    done = greffier.run("verify", path, "--trust", greffier.data / "trust")
    assert done.returncode == 0, done.stdout + done.stderr


def verdict(greffier):
    done = greffier.run("verify", greffier.data, "--keys", greffier.keys, "-o", "json")
    return done.returncode, json.loads(done.stdout)


def fill(greffier, sdk, people, api):
    """Markers by kind, hot and sealed, through the gateway and by ingest."""
    marks = {name: f"marker-{name}-{fresh()}" for name in ("user", "subject", "event", "part", "kept")}
    client = sdk.openai(greffier, people["alice"])
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"say hello {marks['user']}"}])
    with sdk.http(greffier, people["alice"]) as http:
        http.post("/tools/crm/contacts/search", json={"q": marks["user"]}).raise_for_status()
    ids = {name: fresh() for name in marks}
    documents = [
        told(marks["subject"], id=ids["subject"], resource={"subjects": ["patient 7"]}),
        told(marks["event"], id=ids["event"]),
        flat(event_id=ids["part"], parameters={"note": marks["part"]}, metadata={"note": marks["part"]}), told(marks["kept"], id=ids["kept"]),
    ]
    api("oscar").add(documents)
    # The first of them are sealed, later ones in the log.
    api("oscar").add([native() for _ in range(40)])
    api("oscar").add([told(marks["subject"], resource={"subjects": ["patient 7", "patient 8"]})])
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"say hello {marks['user']}"}])
    return marks, ids


def test_an_access_request_says_what_is_held_and_what_was_erased(node, sdk, people):
    greffier, api = node
    fill(greffier, sdk, people, api)
    sub = next(event["user"]["sub"] for event in greffier.events(TENANT) if event["action"]["name"] == "chat")
    today = datetime.now(timezone.utc).date()
    period = ("--from", str(today - timedelta(days=1)), "--to", str(today + timedelta(days=1)))
    where = ("--data", greffier.data, "--tenant", TENANT, "--keys", greffier.keys)

    def reported(*whom):
        last, note = len(greffier.events(TENANT)), greffier.data / "trails" / TENANT / "checkpoint"
        wait_until(lambda: note.exists() and int(note.read_text().split("\n")[1]) >= last, "a checkpoint")
        done = greffier.run("report", "gdpr", *period, *whom, *where, "-o", "json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        return {claim["control"]: claim for claim in report["claims"] if claim["control"].startswith("person_")}

    before = reported("--user", sub)
    named = [event for event in greffier.events(TENANT) if event.get("user", {}).get("sub") == sub]
    assert before["person_events"]["population"] == len(named) > 0
    assert {row["recipient"] for row in before["person_recipients"]["table"]} >= {"openai", "crm"}
    assert before["person_erasures"]["verdict"] == before["person_copies"]["verdict"] == "NOT ASSESSED"
    about = reported("--subject", "patient 7")
    assert about["person_events"]["figures"]["as_subject"] == 2 and "patient 7" not in json.dumps(about)

    by = erase(api, {"user": sub})
    assert api("petra").http.get("/api/v1/subjects", params={"user": sub}).status_code == 200
    after = reported("--user", sub)
    (erasure,) = after["person_erasures"]["table"]
    assert after["person_erasures"]["verdict"] == "EVIDENCED" and erasure["ordered_by_entry"] == by
    assert erasure["done_by_entry"] > by and after["person_erasures"]["figures"]["carried_out"] == 1
    assert after["person_copies"]["population"] > 0
    # What was erased of one event of the person's is found as well.
    (event,) = [event["id"] for event in greffier.events(TENANT) if len(event.get("resource", {}).get("subjects", [])) == 2]
    erase(api, {"event": event})
    assert reported("--subject", "patient 8")["person_erasures"]["figures"]["carried_out"] == 1
    # The proofs of what the report shows go with it.
    pack = greffier.folder / "alice.zip"
    done = greffier.run("evidence", "--report", "gdpr", *period, "--user", sub, "--out", pack, *where)
    assert done.returncode == 0, done.stderr
    checked = greffier.run("verify", pack, "--trust", greffier.data / "trust")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with zipfile.ZipFile(pack) as archive:
        page = archive.read("report.html").decode()
    assert "person_erasures" in page and f"user {sub}" in page


def test_erased_is_nowhere_and_every_proof_holds(node, sdk, people):
    greffier, api = node
    marks, ids = fill(greffier, sdk, people, api)
    everywhere = lambda marker: mentions(marker, greffier.folder / "greffier-data", greffier.data, greffier.keys)  # noqa: E731
    assert all(everywhere(mark) for mark in marks.values()), "the search must be able to find what is there"
    # Some are sealed, others in the log, and all are signed for.
    last = len(greffier.events(TENANT))
    wait_until(lambda: list(greffier.data.glob(f"trails/{TENANT}/parts/*.parquet")), "sealed parts")
    wait_until(lambda: int((greffier.data / "trails" / TENANT / "checkpoint").read_text().split("\n")[1]) >= last, "a checkpoint")
    before = {name: proof(greffier, ids[name], f"{name}-before.proof") for name in ("subject", "event", "part", "kept")}

    # A dry run says what it would take, and takes nothing.
    plan = ask(api("petra"), {"subject": "patient 7"}, dry_run=True)
    assert plan.status_code == 200 and plan.json()["events"] == 2, plan.text
    assert everywhere(marks["subject"])

    part = "parameters"
    by = {
        "user": erase(api, {"user": next(e for e in greffier.events(TENANT) if e.get("user", {}).get("roles") == ["analyst"])["user"]["sub"]}),
        "subject": erase(api, {"subject": "patient 7"}),
        "event": erase(api, {"event": ids["event"]}),
    }
    for name in by:
        assert not everywhere(marks[name]), f"{name} is still there"
    by["part"] = erase(api, {"part": {"event": ids["part"], "name": part}})
    left = {place[2]: content for place, content in opened(greffier.data, greffier.keys).items() if marks["part"].encode() in content}
    assert part not in left and left, "the other part of the event is still there"
    assert everywhere(marks["kept"])

    # A reader is told so, by entry.
    shown = {shown["name"]: shown for shown in api("audra").told(f"/api/v1/events/{ids['part']}")["parts"]}
    assert shown[part]["gone"] == f"erased by entry {by['part']}"
    assert all("gone" not in other for name, other in shown.items() if name != part)
    shown = api("audra").told(f"/api/v1/events/{ids['event']}")["parts"]
    assert shown and all(part["gone"] == f"erased by entry {by['event']}" for part in shown)
    kept = api("audra").told(f"/api/v1/events/{ids['kept']}")["parts"]
    assert marks["kept"] in json.dumps(kept)

    # Each has its order and its outcome on the trail.
    listed = api("audra").told("/api/v1/erasures")["erasures"]
    assert [erasure["state"] for erasure in listed] == ["done"] * 4
    assert {erasure["by"] for erasure in listed} == set(by.values())
    assert all(erasure["asked_by"] != erasure["decided_by"] for erasure in listed)

    # Whoever acts again is recorded again.
    again = f"marker-again-{fresh()}"
    with sdk.http(greffier, people["alice"]) as http:
        http.post("/tools/crm/contacts/search", json={"q": again}).raise_for_status()
    assert everywhere(again)

    greffier.stop()
    for name, path in before.items():
        holds(greffier, path)
        holds(greffier, proof(greffier, ids[name], f"{name}-after.proof"))
    code, report = verdict(greffier)
    assert code == 0 and report["problems"] == [], report
    answers = {absent["answer"] for absent in report["absent"] if absent["trail"] == TENANT}
    assert answers == {f"ERASED by entry {entry}" for entry in by.values()}

    # And after a restart.
    greffier.start()
    assert not any(everywhere(marks[name]) for name in ("user", "subject", "event"))
    assert everywhere(marks["kept"]) and everywhere(again)


def test_a_second_person_is_needed(node):
    greffier, api = node
    marker = f"marker-{fresh()}"
    (receipt,) = api("oscar").add([told(marker)])
    target = {"event": receipt["id"]}
    # Neither roles nor persons may be one.
    assert ask(api("audra"), target).status_code == 403
    assert ask(api("petra"), target, reason="").status_code == 400
    asked = ask(api("paula"), target)
    assert asked.status_code == 202, asked.text
    erasure = asked.json()["id"]
    for name, status in (("paula", 403), ("petra", 403), ("oscar", 403), ("boris", 403)):
        assert approve(api(name), erasure).status_code == status, name
    assert marker.encode() in b"".join(opened(greffier.data, greffier.keys).values())

    # What waits outlives the process.
    greffier.kill()
    greffier.start()
    waiting = api("audra").told(f"/api/v1/erasures/{erasure}")
    assert waiting["state"] == "pending", waiting
    asked = ask(api("petra"), target)
    assert approve(api("paula"), asked.json()["id"]).status_code == 200
    denied = ask(api("petra"), {"event": receipt["id"]}).json()["id"]
    assert api("paula").http.post(f"/api/v1/erasures/{denied}/deny", json={}).json()["state"] == "denied"
    assert approve(api("paula"), denied).status_code == 409
    assert approve(api("paula"), fresh()).status_code == 404
    kinds = [event["type"] for event in greffier.events(TENANT) if event.get("request_id") == denied]
    assert kinds == ["action.request", "action.denied"]


def test_a_hold_refuses(node):
    greffier, api = node
    marker = f"marker-{fresh()}"
    (receipt,) = api("oscar").add([told(marker, resource={"subjects": ["patient 9"]})])
    place = lambda **body: api("petra").http.post("/api/v1/holds", json=body)  # noqa: E731
    held = place(scope={"subject": "patient 9"}, reason="case 12/3")
    assert held.status_code == 201, held.text
    assert ask(api("petra"), {"event": receipt["id"]}, dry_run=True).json()["held"] == [held.json()["id"]]
    assert ask(api("petra"), {"event": receipt["id"]}).status_code == 409
    greffier.kill()
    greffier.start()
    assert ask(api("petra"), {"event": receipt["id"]}).status_code == 409
    (listed,) = api("audra").told("/api/v1/holds")["holds"]
    assert listed["id"] == held.json()["id"]
    assert marker.encode() in b"".join(opened(greffier.data, greffier.keys).values())
    released = api("petra").http.post(f"/api/v1/holds/{listed['id']}/release", json={"reason": "case closed"})
    assert released.status_code == 200, released.text
    # A hold that comes between asking and approving refuses too.
    asked = ask(api("petra"), {"event": receipt["id"]}).json()["id"]
    again = place(scope={"event": receipt["id"]}, reason="case 12/4").json()["id"]
    assert approve(api("paula"), asked).status_code == 409
    api("petra").http.post(f"/api/v1/holds/{again}/release", json={"reason": "case closed"})
    assert approve(api("paula"), asked).status_code == 200
    assert marker.encode() not in b"".join(opened(greffier.data, greffier.keys).values())


def test_an_older_copy_learns_what_was_erased(node, people, sdk):
    greffier, api = node
    marker = f"marker-{fresh()}"
    (receipt,) = api("oscar").add([told(marker)])
    with sdk.http(greffier, people["alice"]) as http:
        http.post("/tools/crm/contacts/search", json={"q": marker}).raise_for_status()
    sub = next(e for e in greffier.events(TENANT) if e.get("user", {}).get("roles") == ["analyst"])["user"]["sub"]
    greffier.stop()
    old = greffier.copy(greffier.folder / "old")
    greffier.start()
    erase(api, {"event": receipt["id"]})
    erase(api, {"user": sub})
    greffier.stop()
    assert not mentions(marker, greffier.data, greffier.data, greffier.keys)
    shutil.rmtree(greffier.data)
    shutil.move(old, greffier.data)
    assert b"".join(opened(greffier.data, greffier.keys).values()).count(marker.encode()) > 0
    greffier.start()
    assert not mentions(marker, greffier.data, greffier.data, greffier.keys)
    states = [erasure["state"] for erasure in api("audra").told("/api/v1/erasures")["erasures"]]
    assert states == ["done", "done"]
    greffier.stop()
    code, report = verdict(greffier)
    assert code == 0 and report["problems"] == [], report


def test_subject_access_shows_all_and_is_on_record(node):
    greffier, api = node
    marker = f"marker-{fresh()}"
    api("oscar").add([told(f"{marker}-{n}", resource={"subjects": ["patient 5"]}) for n in range(40)] + [told(f"other-{marker}")])
    reply = api("petra").get("/api/v1/subjects", subject="patient 5")
    assert reply.status_code == 200, reply.text
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert len(lines) == 40 and all(f"{marker}-{n}" in json.dumps(line["parts"]) for n, line in enumerate(lines))
    seen = greffier.events(TENANT)[-1]
    assert seen["action"]["name"] == "subject:access" and seen["resource"]["uri"].startswith(f"audit://{TENANT}/subjects/ref:")
    assert "patient" not in json.dumps(seen)
    assert api("bob").get("/api/v1/subjects", subject="patient 5").status_code == 403
    assert api("boris").get("/api/v1/subjects", subject="patient 5").text == ""
    assert api("petra").get("/api/v1/subjects").status_code == 400


def test_the_command_line(node, people):
    greffier, api = node
    (receipt,) = api("oscar").add([told("a marker", resource={"subjects": ["patient 5"]})])
    token = {}
    for name in ("petra", "paula"):
        token[name] = greffier.folder / f"{name}.token"
        token[name].write_text(people[name])
    at = lambda name: ("--server", greffier.url, "--token-file", token[name])  # noqa: E731

    def run(*args, code=0):
        done = greffier.run(*args)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    assert "1 events, 1 parts" in run("erase", "subject", "patient 5", "--dry-run", *at("petra"))
    run("erase", "event", receipt["id"], *at("petra"), code=2)
    hold = run("hold", "add", "--event", receipt["id"], "--reason", "case", *at("petra")).strip()
    run("erase", "event", receipt["id"], "--basis", BASIS, "--reason", REASON, *at("petra"), code=1)
    assert hold in run("hold", "list", *at("petra"))
    run("hold", "release", hold, "--reason", "closed", *at("petra"))
    assert "a marker" in run("subject", "--subject", "patient 5", *at("petra"))
    erasure = run("erase", "event", receipt["id"], "--basis", BASIS, "--reason", REASON, *at("petra")).strip()
    run("erase", "approve", erasure, *at("petra"), code=4)
    assert "erased by entry" in run("erase", "approve", erasure, *at("paula"))
    listed = {listed["id"]: listed["state"] for listed in json.loads(run("erase", "list", "-o", "json", *at("petra")))}
    assert listed.pop(erasure) == "done" and list(listed.values()) == ["denied"], "what the hold refused stays listed"
    assert "a marker" not in run("subject", "--subject", "patient 5", *at("petra"))


def test_contents_expire_by_class(install, people, world):
    """Seconds instead of years: what is kept longer, and what is held, stays."""
    more = """
[ledger]
entries = 8

[retention]
parts = "3s"
classes = { phi = "1h" }
shorten_after = "0s"
"""
    greffier = install(more=more).start()
    with Api(greffier, people["oscar"]) as oscar, Api(greffier, people["petra"]) as petra:
        short, long, held = (f"marker-{fresh()}" for _ in range(3))
        receipts = oscar.add([
            told(short), told(long, resource={"classification": ["phi"]}), told(held, resource={"subjects": ["patient 1"]}),
            *[native() for _ in range(20)],
        ])
        placed = petra.http.post("/api/v1/holds", json={"scope": {"subject": "patient 1"}, "reason": "case"})
        assert placed.status_code == 201, placed.text
        there = lambda marker: mentions(marker, greffier.data, greffier.data, greffier.keys)  # noqa: E731
        assert there(short) and there(long) and there(held)
        wait_until(lambda: not there(short), "the contents expire", timeout=40)
        assert there(long) and there(held)
        (gone,) = petra.told(f"/api/v1/events/{receipts[0]['id']}")["parts"]
        assert gone["gone"].startswith("expired by entry ")
        by = int(gone["gone"].rsplit(" ", 1)[1])
    greffier.stop()
    code, report = verdict(greffier)
    assert code == 0 and report["problems"] == [], report
    assert f"EXPIRED by entry {by}" in {absent["answer"] for absent in report["absent"]}


def test_a_pack_says_what_was_erased_and_by_which_entry(node, tmp_path):
    greffier, api = node
    part, event, kept = fresh(), fresh(), fresh()
    api("oscar").add([flat(event_id=part, parameters={"note": "one"}, metadata={"note": "two"})])
    api("oscar").add([told("three", id=event), told("four", id=kept)])
    by = {part: erase(api, {"part": {"event": part, "name": "parameters"}}), event: erase(api, {"event": event})}
    greffier.stop()
    pack = tmp_path / "pack.zip"
    where = ("--data", greffier.data, "--keys", greffier.keys, "--tenant", TENANT)
    made = greffier.run("evidence", "", "--all-parts", "--whole-range", "--out", pack, *where)
    assert made.returncode == 0, made.stderr
    checked = greffier.run("verify", pack, "--trust", greffier.data / "trust", "-o", "jsonl")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    *events, last = [json.loads(line) for line in checked.stdout.splitlines()]
    parts = {told["event"]["id"]: {part["name"]: part["status"] for part in told["parts"]} for told in events if told["event"]}
    assert parts[part]["parameters"] == f"ERASED (by entry {by[part]})" and parts[part]["metadata"] == "VALID"
    assert set(parts[event].values()) == {f"ERASED (by entry {by[event]})"}
    assert set(parts[kept].values()) == {"VALID"}
    assert {by[part], by[event]} <= {told["index"] for told in events if told["event"]}
    assert last["verdict"] == "VALID" and last["figures"]["parts_gone"] == 2


def test_entries_expire_from_the_start_of_a_trail(install, people):
    """The start goes, with its tiles left: what remains is found, proven and verified, and what is gone says so."""
    more = """
[ledger]
entries = 8

[retention]
entries = "4s"
shorten_after = "0s"
"""
    greffier = install(more=more).start()
    with Api(greffier, people["oscar"]) as oscar, Api(greffier, people["petra"]) as petra:
        marker = f"marker-{fresh()}"
        receipts = oscar.add([told(marker), *[native() for _ in range(30)]])
        checkpoint = lambda: petra.http.get(f"/trails/{TENANT}/checkpoint")  # noqa: E731
        wait_until(lambda: checkpoint().status_code == 200, "a checkpoint")
        kept = checkpoint().text
        there = lambda: mentions(marker, greffier.data, greffier.data, greffier.keys)  # noqa: E731
        assert there()
        # What comes later lets the older segments be whole ones that are old.
        wait_until(lambda: oscar.add([native()]) and not there(), "the entries expire", timeout=60)
        assert petra.http.get(f"/api/v1/events/{receipts[0]['id']}").status_code == 404
        gone = petra.http.get(f"/trails/{TENANT}/tile/entries/000.p/8")
        assert gone.status_code == 410 and "kept from entry" in gone.text, gone.text
        assert petra.http.get(f"/trails/{TENANT}/tile/0/000.p/8").status_code == 200
        assert len(petra.http.get("/api/v1/events?limit=3").json()["events"]) == 3
    greffier.stop()
    (greffier.folder / "kept").write_text(kept)
    done = greffier.run("verify", greffier.data, "--trust", greffier.data / "trust", "--from", greffier.folder / "kept", "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["problems"] == [], report
    (trail,) = [trail for trail in report["trails"] if trail["name"] == TENANT]
    assert trail["expired"]["before"] >= 8 and trail["expired"]["answer"].startswith("EXPIRED by entry "), trail
    rows = json.loads(greffier.run("retention", "--config", greffier.config, "-o", "json").stdout)
    (row,) = [row for row in rows if row["trail"] == TENANT]
    assert row["first"] == trail["expired"]["before"], rows
