"""What happened elsewhere comes in as a claim: each line for itself, once, and never as if Greffier had said it."""

import base64
import json

import pytest

from harness import record, trail
from harness.api import FORMS, LINES, flat, fresh, governed, lines, native
from harness.greffier import search

SSN = "536-90-4399"


def size(greffier, tenant="org_acme_corp"):
    return len(record.entries(greffier.data, tenant))


def on_trail(greffier, tenant="org_acme_corp"):
    return {event["_index"]: event for event in greffier.events(tenant)}


@pytest.mark.parametrize("shape", ["one", "array", "lines"])
@pytest.mark.parametrize("form", FORMS)
def test_forms_and_shapes(form, shape, api, greffier):
    count = 1 if shape == "one" else 7
    documents = [FORMS[form]() for _ in range(count)]
    body = {"one": lambda: documents[0], "array": lambda: documents, "lines": lambda: lines(documents)}[shape]()
    reply = api("oscar").post(body, LINES if shape == "lines" else "application/json")
    assert reply.status_code == 200, reply.text
    receipts, errors = reply.json()["receipts"], reply.json()["errors"]
    assert errors == []
    assert [receipt["line"] for receipt in receipts] == list(range(1, count + 1))
    first = receipts[0]["index"]
    assert [receipt["index"] for receipt in receipts] == list(range(first, first + count)), "order is kept"

    # What the receipt says is what lies on disk, read by others.
    entries = record.entries(greffier.data, "org_acme_corp")
    for receipt, given in zip(receipts, documents, strict=True):
        entry = entries["org_acme_corp", receipt["index"]]
        assert base64.b64decode(receipt["leaf"]) == trail.leaf_hash(entry)
        assert receipt["receipt"] == f"org_acme_corp {receipt['index']} {receipt['leaf']}"
        event = json.loads(entry)
        assert event["id"] == receipt["id"] and event["tenant"] == "org_acme_corp"
        assert event["source"]["channel"] == "sdk" and event["recorded_at"] >= event["time"]
        assert not event.get("user", {}).get("verified") and not event.get("agent", {}).get("verified")
        if form != "governed":
            assert event["id"] == given["id" if form == "native" else "event_id"]
        # And the next read has it, in the form it came in.
        shown = api("audra").told(f"/api/v1/events/{receipt['id']}")
        assert receipt["id"] in json.dumps(shown)


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_in_comes_out(form, api):
    """Every value, in the form it was sent; unknown fields too."""
    mark = f"unknown-{fresh()}"
    given = FORMS[form](**{"x_unknown": {"note": mark, "numbers": [1, 2.5, None]}})
    (receipt,) = api("oscar").add([given])
    query = f"id:{receipt['id']}"
    (line,) = api("audra").export(query, format=form, parts="true")
    got = json.loads(line)
    if form == "native":
        ours = ("recorded_at", "parts_root", "source", "tenant", "v", "parts")
        assert {name: got[name] for name in given if name in got and name not in ours} | {
            "x_unknown": got.get("x_unknown")} == given | {"x_unknown": given["x_unknown"]}
    else:
        assert got == given


def test_mixed_forms_in_one_body(api):
    receipts = api("oscar").add([native(), flat(), governed(), native()])
    assert len({receipt["id"] for receipt in receipts}) == 4


def test_a_broken_line_loses_only_itself(api, greffier):
    bad = {
        2: (json.dumps(native(type="tool.cal")), "type"),
        4: ("{not json", "document"),
        5: (json.dumps(native(time="yesterday")), "time"),
        7: (json.dumps(flat(event_id="7")), "event_id"),
        8: (json.dumps(governed(policy={"decision": "perhaps"})), "policy.decision"),
        9: ("[]", "document"),
        10: (json.dumps({"hello": "world"}), "document"),
    }
    body = [bad[number][0] if number in bad else json.dumps(native()) for number in range(1, 12)]
    before = size(greffier)
    reply = api("oscar").post("\n".join(body), LINES)
    assert reply.status_code == 207, reply.text
    answer = reply.json()
    assert [receipt["line"] for receipt in answer["receipts"]] == [n for n in range(1, 12) if n not in bad]
    errors = {error["line"]: error for error in answer["errors"]}
    assert sorted(errors) == sorted(bad)
    for number, (_, field) in bad.items():
        assert errors[number]["field"] == field, errors[number]
        assert errors[number]["message"] and "tool.cal" not in errors[number]["message"].split(",")[0]
    assert size(greffier) == before + 4, "and nothing else came on the trail"


SERVER_ONLY = {
    "recorded_at": native(recorded_at="2026-01-01T00:00:00Z"),
    "user.verified": native(user={"sub": "eve", "verified": True}),
    "agent.verified": native(agent={"id": "eve", "verified": True}),
    "source.channel": native(source={"channel": "gateway"}),
    "source.node": native(source={"node": "node-1"}),
    "agent.id": native(agent={"id": "greffier"}),
    "agent_id": flat(agent_id=" Greffier "),
    "resource.uri": native(resource={"uri": "audit://org_acme_corp/events"}),
    "resource": flat(resource="POLICY://x"),
    "action.resource": governed(action={"tool": "x", "resource": "key://x"}),
    "parts_root": native(parts_root="0" * 64),
    "tenant": native(tenant="org_beta"),
    "user.org": governed(user={"sub": "eve", "org": "org_beta"}),
}


@pytest.mark.parametrize("field", SERVER_ONLY)
def test_what_only_greffier_may_say(field, api, greffier):
    before = size(greffier), size(greffier, "org_beta")
    reply = api("oscar").post(SERVER_ONLY[field])
    assert reply.status_code == 400, reply.text
    (error,) = reply.json()["errors"]
    assert error["field"] == field and error["message"], error
    assert (size(greffier), size(greffier, "org_beta")) == before, "and nothing was recorded"


@pytest.mark.parametrize("form", ["native", "flat"])
def test_again_is_the_same_receipt(form, api, greffier):
    documents = [FORMS[form]() for _ in range(5)]
    first = api("oscar").add(documents)
    before = size(greffier)
    for again in (documents, documents[::-1], [documents[2]] * 3):
        told = {receipt["id"]: receipt for receipt in api("oscar").add(again)}
        for receipt in first:
            if receipt["id"] in told:
                known = told[receipt["id"]]
                assert (known["index"], known["leaf"], known["repeated"]) == (receipt["index"], receipt["leaf"], True)
    assert size(greffier) == before
    assert not any(receipt["repeated"] for receipt in first)


def test_again_after_a_restart(install, people):
    """Whoever was cut off sends all of it again."""
    from harness.api import Api

    own = install().start()
    documents = [native() for _ in range(20)]
    with Api(own, people["oscar"]) as api:
        first = api.add(documents)
    own.kill()
    own.start()
    with Api(own, people["oscar"]) as api:
        again = api.add(documents)
    assert [receipt["receipt"] for receipt in again] == [receipt["receipt"] for receipt in first]
    assert all(receipt["repeated"] for receipt in again)


def test_two_accounts_of_one_id(api, greffier):
    one = native(action={"name": "pay:small"})
    (receipt,) = api("oscar").add([one])
    known = on_trail(greffier)
    reply = api("oscar").post(one | {"action": {"name": "pay:large"}})
    assert reply.status_code == 409, reply.text
    (error,) = reply.json()["errors"]
    assert error["code"] == "conflict" and reply.json()["receipts"] == []
    # In one body with others only that line is refused.
    reply = api("oscar").post(lines([native(), one | {"type": "data.access"}, one, native()]), LINES)
    assert reply.status_code == 207, reply.text
    assert [error["line"] for error in reply.json()["errors"]] == [2]
    assert [taken["repeated"] for taken in reply.json()["receipts"]] == [False, True, False]

    now = on_trail(greffier)
    assert [event["action"]["name"] for event in now.values() if event["id"] == one["id"]] == ["pay:small"]
    told = [event for index, event in now.items() if index not in known and event["type"] == "error"]
    assert len(told) == 2 and all(one["id"] in event["resource"]["uri"] for event in told), "a conflict is an event"
    assert all(event["agent"]["id"] == "greffier" and event["user"]["sub"] == "oscar" for event in told)
    assert receipt["id"] == one["id"]


@pytest.mark.parametrize(("who", "status"), [("bob", 403), ("audra", 403), ("petra", 403), (None, 401), ("oscar", 200)])
def test_who_may(who, status, api, greffier):
    document = native()
    before = size(greffier)
    reply = api(who).post(document)
    assert reply.status_code == status, reply.text
    events = [event for event in on_trail(greffier).values() if event["_index"] >= before]
    if status == 200:
        assert [event["id"] for event in events] == [document["id"]]
    elif status == 403:
        (denied,) = events
        assert (denied["type"], denied["policy"]["decision"]) == ("permission.denied", "deny")
        assert denied["user"]["sub"] == who and denied["policy"]["reason"]
    else:
        assert events == []


TOO_LARGE = {
    "a line": lambda: (b"x" * (33 << 20), LINES),
    "too many in an array": lambda: (json.dumps([native()] * 10_001).encode(), "application/json"),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_too_large(what, api, greffier):
    before = size(greffier)
    reply = api("oscar").post(*TOO_LARGE[what]())
    assert reply.status_code == 413, reply.text
    assert reply.json()["error"]["message"]
    # Nothing of it; but who sent it, and why it was refused.
    (event,) = [event for event in on_trail(greffier).values() if event["_index"] >= before]
    assert (event["type"], event["action"]["name"], event["outcome"]["code"]) == ("error", "malformed", 413)
    assert event["request_id"] == reply.headers["greffier-request-id"] and event["user"]["verified"]
    greffier.assert_calm()


def test_one_field_too_large(api, greffier):
    before = size(greffier)
    reply = api("oscar").post([native(action={"name": "x" * 257}), native(session_id="s" * 300), native()])
    assert reply.status_code == 207, reply.text
    assert [(error["line"], error["field"]) for error in reply.json()["errors"]] == [(1, "action.name"), (2, "session_id")]
    assert size(greffier) == before + 1


HOSTILE = {
    "empty": b"", "blank": b" \n\n ", "no JSON": b"hello", "a number": b"42", "null": b"null", "an empty array": b"[]",
    "an array with no end": b'[{"a":1}', "invalid UTF-8": b'{"type":"\xff"}', "UTF-16": json.dumps(native()).encode("utf-16"),
    "deep": b"[" * 100_000, "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "duplicate keys": json.dumps(native())[:-1].encode() + b', "type": "error"}',
    "NUL": json.dumps(native(action={"name": "a\0b"})).encode(),
    "a lone surrogate": json.dumps(native()).replace("suite:load", r"\ud800").encode(),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_bodies(what, api, greffier):
    before = size(greffier)
    reply = api("oscar").post(HOSTILE[what])
    assert reply.status_code == 400, f"{reply.status_code} {reply.text}"
    document = reply.json()
    assert document.get("error", {}).get("message") or document["errors"][0]["message"]
    assert size(greffier) == before
    greffier.assert_calm()


def test_what_no_leaf_may_hold(api, greffier):
    """Sensitive values and secrets under telling keys, wherever a producer puts them."""
    secret = f"hunter2-{fresh()}"
    api("oscar").add([
        native(action={"name": f"pay {SSN}"}, session_id=SSN, resource={"uri": f"crm://people/{SSN}?ssn={SSN}"},
               parts=[{"name": "parameters", "json": {"ssn": SSN, "password": secret, "deep": [{"api_key": secret}]}}]),
        flat(action=f"pay {SSN}", parameters={"text": SSN, "token": secret}, error=f"no such {SSN}",
             metadata={"client_secret": secret, "note": SSN}),
        governed(action={"tool": "x", "parameters": {"credential": secret, "q": SSN}}, sessionNote=SSN),
    ])
    assert search(greffier.data, [SSN, secret]) == []
    assert SSN.encode() not in greffier.outputs() and secret.encode() not in greffier.outputs()


def test_the_command_imports(greffier, people, tmp_path, api):
    """`greffier import` over the wire, and again."""
    documents = [native() for _ in range(50)] + [flat() for _ in range(50)]
    file, token = tmp_path / "events.jsonl", tmp_path / "token"
    file.write_text(lines(documents))
    token.write_text(people["oscar"])
    before = size(greffier)
    for _ in range(2):
        done = greffier.run("import", file, "--server", greffier.url, "--token-file", token)
        assert done.returncode == 0, done.stderr
    assert size(greffier) == before + 100
    imported = [event for event in on_trail(greffier).values() if event["_index"] >= before]
    assert {event["source"]["channel"] for event in imported} <= {"sdk", "import"}
    file.write_text(lines([native(type="nothing")]))
    bad = greffier.run("import", file, "--server", greffier.url, "--token-file", token)
    assert bad.returncode == 1 and "type" in bad.stdout + bad.stderr
