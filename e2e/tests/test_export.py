"""What leaves for elsewhere: in forms that tools of others take, once each, while more keeps coming."""

import csv
import hashlib
import io
import json
import threading

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from harness.api import Api, fresh, native

TYPES = (
    "agent.start agent.stop action.request action.approved action.denied action.executed action.failed tool.call "
    "tool.response data.access data.modify permission.check permission.denied error"
).split()
CLASSES = {
    6002: "application_lifecycle", 6003: "api_activity", 6005: "datastore_activity", 6008: "application_error",
}
EFFECTS = [None, "read", "create", "update", "delete", "execute"]


@pytest.fixture(scope="module")
def ocsf():
    """Complaints of the schema's own validator about one object."""
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    made = {}

    def complaints(event):
        profiles = tuple(event["metadata"].get("profiles", []))
        key = (event["class_uid"], profiles)
        if key not in made:
            schema = schemas.get_class_schema(CLASSES[event["class_uid"]], profiles=list(profiles))
            made[key] = Draft202012Validator(schema)
        return [f"{list(error.path)}: {error.message[:300]}" for error in made[key].iter_errors(event)]

    return complaints


def poor(kind, session):
    return {"id": fresh(), "time": "2026-03-06T14:32:07.891Z", "type": kind, "session_id": session}


def rich(kind, effect, session):
    """Every field that a producer may fill."""
    denied = kind in ("action.denied", "permission.denied")
    action = {"name": "crm:contacts:search", "kind": "tool", "method": "POST", "call_id": "call_1"}
    event = native(
        type=kind, session_id=session, request_id=f"req_{fresh()}",
        action=action | ({"effect": effect} if effect else {}),
        agent={"id": "crm | assistant=1", "version": "1.4.0", "tier": "batch"},
        user={"sub": "auth0|8f3a", "iss": "https://idp.example/", "roles": ["analyst", "on-call"]},
        resource={"uri": "crm://contacts/7", "classification": ["pii"]},
        trace={"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"},
        usage={"provider": "anthropic", "model": "claude-sonnet-4-5", "input_tokens": 1240, "output_tokens": 380,
               "cost_micros": 6700},
        source={"client": "suite/1", "protocol": "suite", "ip": "2001:db8::7"},
        content_safety={"pii_detected": True, "redactions": [
            {"action": "redact", "count": 2, "path": "/q", "stage": "input", "type": "US_SSN"}]},
        parts=[{"name": "parameters", "json": {"q": "a=b|c"}}],
    )
    decision = {"action.request": "pending", "action.approved": "allow"}.get(kind, "deny" if denied else "allow")
    event["policy"] = {"decision": decision, "rule": "a rule", "scopes": ["crm"], "version": "sha256:0"} | (
        {"reason": "no policy permits it"} if denied else {})
    status = {"action.request": "pending", "action.approved": "pending", "action.failed": "timeout"}
    event["outcome"] = {"status": "denied" if denied else status.get(kind, "success"), "duration_us": 342_999}
    if status.get(kind) == "timeout":
        event["outcome"] |= {"error": "upstream_timeout", "code": 504}
    return event


@pytest.fixture(scope="module")
def session(api):
    """Every type of event, poor and rich, with each effect."""
    name = f"export-{fresh()}"
    made = [poor(kind, name) for kind in TYPES]
    made += [rich(kind, effect, name) for kind in TYPES for effect in EFFECTS]
    api("oscar").add(made)
    return name, made


def test_ocsf_of_every_type_is_valid(session, api, ocsf):
    name, made = session
    events = [json.loads(line) for line in api("audra").export(f"session:{name}", format="ocsf")]
    assert len(events) == len(made)
    assert {event["metadata"]["event_code"] for event in events} == set(TYPES)
    for event, given in zip(events, made, strict=True):
        assert ocsf(event) == [], f"{event}"
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["metadata"]["uid"] == given["id"]
    assert ocsf(events[0] | {"activity_id": 1000}), "the validator does complain"


def test_ocsf_of_governed_calls_and_refusals(api, greffier, people, sdk, ocsf):
    """What Greffier recorded itself, of calls and of its own acts."""
    client = sdk.openai(greffier, people["alice"])
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "my SSN is 536-90-4399"}])
    events = [json.loads(line) for line in api("audra").export("channel:gateway", format="ocsf")]
    assert len(events) > 2
    for event in events:
        assert ocsf(event) == [], f"{event}"
    assert any(event.get("disposition_id") == 11 for event in events), "redacted is corrected"


def test_cef_has_one_line_an_event_and_escapes(session, api):
    name, made = session
    text = api("audra").get("/api/v1/export", q=f"session:{name}", format="cef").text
    rows = text.splitlines()
    assert len(rows) == len(made) and text.endswith("\n")
    assert all(row.startswith("CEF:0|Greffier|Greffier|") for row in rows)
    assert "cs1=crm | assistant\\=1 cs1Label=agent" in rows[-1]


def test_aat_chains_hold(session, api):
    name, made = session
    rows = api("audra").export(f"session:{name}", format="aat")
    heads = {}
    for row in rows:
        record = json.loads(row)
        # RFC 8785 of what has no numbers but integers and no names beyond ASCII.
        canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        key = (record["agent_id"], record["session_id"])
        before = heads.get(key)
        assert record["prev_hash"] == (before and hashlib.sha256(before[1].encode()).hexdigest())
        assert record["parent_record_id"] == (before and before[0])
        heads[key] = (record["record_id"], canonical)
    assert len(rows) == len(made) + len(heads)
    assert {json.loads(row)["action_type"] for row in rows} == {
        "lifecycle", "tool_call", "tool_response", "decision", "escalation", "error"}


def test_csv_is_read_by_others(session, api):
    name, made = session
    text = api("audra").get("/api/v1/export", q=f"session:{name}", format="csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == [event["id"] for event in made]


def test_nothing_is_missed_or_doubled_while_more_comes(api, greffier, tmp_path, people):
    """Exports with a cursor beside four writers, over the command line and the API."""
    writers, each, mark = 4, 30, f"flood-{fresh()}"
    sent, stop = [], threading.Event()

    def write():
        for _ in range(each):
            documents = [native(session_id=mark) for _ in range(20)]
            api("oscar").add(documents)
            sent.extend(document["id"] for document in documents)

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    token = tmp_path / "token"
    token.write_text(people["audra"])
    found, cursor, by_api = [], tmp_path / "cursor", []
    after = {}
    while True:
        stop.set() if not any(thread.is_alive() for thread in threads) else None
        last = stop.is_set()
        done = greffier.run("export", f"session:{mark}", "--server", greffier.url, "--token-file", str(token),
                            "--cursor", str(cursor), "--format", "ocsf")
        assert done.returncode == 0, done.stderr
        found += [json.loads(line)["metadata"]["uid"] for line in done.stdout.splitlines()]
        reply = api("audra").get("/api/v1/export", q=f"session:{mark}", format="native", **after)
        by_api += [json.loads(line)["id"] for line in reply.text.splitlines()]
        after = {"after": reply.headers["greffier-export-next"]}
        if last:
            break
    assert len(found) == len(set(found)) == writers * each * 20
    assert set(found) == set(sent)
    assert len(by_api) == len(set(by_api)) and set(by_api) == set(sent)


def test_a_cursor_holds_over_the_border_of_sealed_and_open(api, install, people):
    """What is sealed between two exports is neither missed nor told again, nor is what comes after a restart."""
    mine = install("border").start()
    with Api(mine, people["oscar"]) as oscar, Api(mine, people["audra"]) as audra:
        mark = f"border-{fresh()}"
        found, after = [], {}
        for round in range(4):
            oscar.add([native(session_id=mark) for _ in range(50)])
            reply = audra.get("/api/v1/export", q=f"session:{mark}", format="csv", **after)
            assert reply.status_code == 200, reply.text
            found += [row["id"] for row in csv.DictReader(io.StringIO(reply.text))]
            after = {"after": reply.headers["greffier-export-next"]}
            if round == 1:
                mine.stop()
                mine.start()
        assert len(found) == len(set(found)) == 200


def test_a_cursor_of_another_search_is_refused(api, greffier):
    reply = api("audra").get("/api/v1/export", q="type:error", format="ocsf")
    cursor = reply.headers["greffier-export-next"]
    other = api("audra").get("/api/v1/export", q="type:tool.call", format="ocsf", after=cursor)
    assert other.status_code == 400 and other.json()["error"]["code"] == "bad_cursor"
