"""What is done about a finding, seen with real clients: tokens and their way back, types of one's own, another analyser."""

import json
import subprocess

import openai
import pytest

from harness.analyser import Analyser
from harness.greffier import spellings
from harness.tools import END, chunk, head

SSN, MAIL = "536-90-4399", "bob.jones@example.com"
RULES = """
[[safety.rule]]
class = "personal"
direction = "input"
action = "tokenise"
[[safety.rule]]
types = ["US_SSN"]
direction = "input"
tool = "crm:*"
action = "hash"
[[safety.entity]]
name = "BADGE_ID"
pattern = "B-[0-9]{4,6}"
context = ["badge"]
finds = ["badge B-1842"]
ignores = ["order B-1842"]
"""


def event(**delta):
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return chunk(f"data: {json.dumps(data)}\n\n")


def arguments(piece):
    return event(tool_calls=[{"index": 0, "id": None, "function": {"arguments": piece}}])


def ask(client, text, model="scripted-1"):
    """What a streamed answer says, and the arguments it calls a tool with."""
    got, calls = "", ""
    for part in client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], stream=True,
    ):
        for choice in part.choices:
            got += choice.delta.content or ""
            calls += "".join(call.function.arguments or "" for call in choice.delta.tool_calls or [])
    return got, calls


def test_a_model_sees_tokens_and_the_caller_its_values(install, world, sdk, alice):
    greffier = install(more=RULES).start()
    # The model answers letter by letter.
    said = "I wrote <EMAIL_ADDRESS_1> about <US_SSN_1> and <BADGE_ID_1>; I know 536-90-4398, <US_SSN_7>."
    args = '{"to":["<EMAIL_ADDRESS_1>"],"note":"a \\"<US_SSN_1>\\""}'
    world.scripted.play(
        head(), *[event(content=letter) for letter in said], *[arguments(letter) for letter in args],
        chunk("data: [DONE]\n\n"), END,
    )
    got, calls = ask(sdk.openai(greffier, alice), f"{MAIL}, {SSN}, badge B-1842, {MAIL}")
    assert got == f"I wrote {MAIL} about {SSN} and B-1842; I know <US_SSN>, <US_SSN_7>."
    assert json.loads(calls) == {"to": [MAIL], "note": f'a "{SSN}"'}
    sent = b"".join(world.scripted.requests).decode()
    assert "<EMAIL_ADDRESS_1>, <US_SSN_1>, badge <BADGE_ID_1>, <EMAIL_ADDRESS_1>" in sent

    # A tool gets hashes, the same ones each time.
    with sdk.http(greffier, alice) as http:
        world.tools.secret_reply = "nothing"
        known = len(world.tools.journal)
        for _ in range(2):
            assert http.post("/tools/crm/notes", json={"ssn": SSN, "n": 1}).status_code == 200
        first, second = (json.dumps(entry, default=str) for entry in world.tools.journal[known:])
        assert "<US_SSN:" in first and SSN not in first
        assert first[first.index("<US_SSN:"):][:25] == second[second.index("<US_SSN:"):][:25]

    greffier.stop()
    actions = {
        (found["type"], found["action"])
        for event in greffier.events() for found in (event.get("content_safety") or {}).get("redactions", [])
    }
    assert {("EMAIL_ADDRESS", "tokenise"), ("BADGE_ID", "tokenise"), ("US_SSN", "hash"), ("US_SSN", "redact")} <= actions
    blob = b"".join(file.read_bytes() for file in greffier.data.rglob("*") if file.is_file()) + greffier.outputs()
    for spelling in (*spellings(SSN), *spellings(MAIL)):
        assert spelling not in blob
    assert greffier.verify().returncode == 0


def test_another_analyser_is_asked_before_the_call(install, world, sdk, alice):
    analyser = Analyser(["Zoë Müller"])
    strict = install("strict", more=analyser.config("deny")).start()
    lax = install("lax", more=analyser.config("continue")).start()
    try:
        done = [head(), event(content="ok"), chunk("data: [DONE]\n\n"), END]
        world.scripted.play(*done)
        ask(sdk.openai(strict, alice), f"é Zoë Müller, {SSN}")
        sent = b"".join(world.scripted.requests).decode()
        assert json.dumps("é <PERSON>, <US_SSN>", ensure_ascii=False) in sent or "<PERSON>, <US_SSN>" in sent, sent
        assert "ller" not in sent
        assert len(analyser.asked) == 1, "a stream's reply is not asked about"

        for failing in ({"broken": (500, "no")}, {"broken": (200, "{}")}, {"slow": 3.0}):
            analyser.broken, analyser.slow = failing.get("broken"), failing.get("slow", 0.0)
            with pytest.raises(openai.APIStatusError) as refused:
                sdk.openai(strict, alice).chat.completions.create(
                    model="scripted-1", messages=[{"role": "user", "content": "hello"}])
            assert refused.value.status_code == 503 and "analyser_unavailable" in refused.value.response.text
            world.scripted.play(*done)
            assert ask(sdk.openai(lax, alice), "hello") == ("ok", "")
    finally:
        analyser.stop()
    strict.stop()
    lax.stop()
    denied = [event for event in strict.events() if event["type"] == "action.denied"]
    assert len(denied) == 3
    assert all("the other analyser did not answer" in event["policy"]["reason"] for event in denied)
    approved = [event for event in lax.events() if event["type"] == "action.approved"]
    assert len(approved) == 3
    assert all("metadata" in {part["name"] for part in event["parts"]} for event in approved)


def scan(own, *args, given=b""):
    return subprocess.run([own.binary, *args], input=given, capture_output=True, timeout=30, check=False, cwd=own.folder)


def test_scan_shows_what_it_finds(install):
    own = install(more=RULES)
    given = f'{{"id":1,"text":"badge B-1842"}}\nnot json\n{{"id":2,"text":"ssn {SSN}"}}\n'.encode()
    done = scan(own, "scan", "--explain", given=given)
    assert done.returncode == 1, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["spans"][0]["type"] == "BADGE_ID" and first["spans"][0]["label"] == "badge"
    assert second["spans"][0]["type"] == "US_SSN" and second["spans"][0]["rule"]
    assert b"line 2" in done.stderr and SSN.encode() not in done.stderr

    people = scan(own, "scan", "-o", "table", "--text", given=f"\x1b[2J call {SSN}\n".encode())
    assert people.returncode == 0 and b"\x1b" not in people.stdout
    assert f"[{SSN}](US_SSN)".encode() in people.stdout
    assert scan(own, "scan", "--text", "--fail-on", "badge_id", given=b"badge B-1842\n").returncode == 6
    assert scan(own, "scan", "--text", "--fail-on", "NOPE", given=b"").returncode == 2
    types = json.loads(scan(own, "scan", "--types", "-o", "json").stdout)
    assert {"type": "BADGE_ID", "class": "personal"}.items() <= types[-1].items()


def test_a_failing_example_is_an_error_with_its_place(install):
    own = install(more=RULES.replace('finds = ["badge B-1842"]', 'finds = ["badge B-18"]'))
    done = scan(own, "config", "check")
    assert done.returncode != 0
    told = (done.stdout + done.stderr).decode()
    assert "nothing of this type is found in this text" in told and "greffier.toml:" in told, told
