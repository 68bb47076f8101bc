"""What nobody should find: numbers, tokens and keys, upstream, on disk, in output and in metrics."""

import json
import urllib.parse

import openai
import pytest

from harness.greffier import search, spellings
from harness.tools import END, chunk, head
from harness.upstream import ANTHROPIC_KEY, OPENAI_KEY

SSN, CARD, SPACED = "536-90-4399", "4111111111111111", "4111 1111 1111 1111"
SECRETS = [SSN, CARD, SPACED]
PROMPT = f"Say hello. My number is {SSN} and I pay with {CARD}."


def hidden(blob, values=SECRETS):
    """Asserts that no spelling of any value is in the bytes."""
    blob = blob if isinstance(blob, bytes) else blob.encode("utf-8", "surrogateescape")
    for value in values:
        for spelling in spellings(value):
            assert spelling not in blob, f"{value} as {spelling}"


def sse(*events):
    return [chunk(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n") for event in events]


def delta(**what):
    return {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1",
        "choices": [{"index": 0, "delta": what, "finish_reason": None}],
    }


def tell_openai(client):
    client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": f"The customer's card: {SPACED}"},
            {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
            {"role": "assistant", "content": None, "tool_calls": [{
                "id": "call_1", "type": "function",
                "function": {"name": "find", "arguments": json.dumps({"ssn": SSN, "card": int(CARD)})},
            }]},
            {"role": "tool", "tool_call_id": "call_1", "content": json.dumps({"ssn": SSN, "cards": [CARD]})},
            {"role": "user", "content": [
                {"type": "text", "text": "say hello"},
                {"type": "file", "file": {"filename": f"report {SSN}.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            ]},
        ],
        tools=[{"type": "function", "function": {"name": "find", "description": f"finds {SSN}", "parameters": {}}}],
        user=f"user-{SSN}", metadata={"note": CARD, SSN: "a key"},
        extra_headers={"openai-organization": f"org {SSN}", "x-note": SSN, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        extra_query={"note": SSN, "card": CARD},
    )


def tell_anthropic(client):
    client.messages.create(
        model="claude-sonnet-4-5", max_tokens=100, system=f"The number is {SSN}.",
        messages=[
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"ssn": SSN, "n": int(CARD)}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": f"{SSN}, {SPACED}"}]},
                {"type": "document", "title": f"{SSN}.txt", "source": {"type": "text", "media_type": "text/plain", "data": PROMPT}},
            ]},
        ],
        metadata={"user_id": SSN}, extra_headers={"anthropic-note": SSN}, extra_query={"note": SSN},
    )


def streamed_openai(client, text):
    got, calls = "", ""
    for part in client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}], stream=True,
    ):
        for choice in part.choices:
            got += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                calls += call.function.arguments or ""
    return got, calls


def tell_tool(http, tool="crm"):
    path = f"/tools/{tool}/patients/{SSN}/cards/{urllib.parse.quote(SPACED)}"
    return http.post(
        path, params={"ssn": SSN, "card": SPACED}, json={"ssn": SSN, "card": int(CARD), "note": "plain"},
        headers={"x-patient": SSN, "x-file-name": f"{SSN}.pdf", "cookie": f"c={SSN}"},
    )


def test_no_value_reaches_a_model_and_none_stays(install, world, sdk, alice, monkeypatch):
    greffier = install(tool_action="flag").start()
    openai_client, anthropic_client = sdk.openai(greffier, alice), sdk.anthropic(greffier, alice)
    sent = len(world.models.tap.sent)
    known = len(world.tools.journal)
    journalled = len(world.models.journal())

    # Into models: nothing of it arrives.
    tell_openai(openai_client)
    tell_anthropic(anthropic_client)

    # Out of models: split across chunks, in text and in the arguments of a tool call.
    text, _ = streamed_openai(openai_client, "tell me the numbers")
    hidden(text)
    assert text.startswith("The number is ") and text.endswith("keep them safe please."), text
    _, arguments = streamed_openai(openai_client, "look up the patient")
    hidden(arguments)
    assert json.loads(arguments)["active"] is True, "the arguments are still JSON"
    for prompt in ("tell me the numbers", "look up the patient"):
        with anthropic_client.messages.stream(
            model="claude-sonnet-4-5", max_tokens=100, messages=[{"role": "user", "content": prompt}],
        ) as stream:
            hidden(stream.get_final_message().model_dump_json())
        whole = openai_client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
        hidden(whole.model_dump_json())
    with pytest.raises(openai.RateLimitError) as limited:
        openai_client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "too many"}])
    hidden(limited.value.response.text)

    # One character at a time, with the number also straddling two pieces of one event.
    pieces = sse(*[delta(content=letter) for letter in f"it is {SSN}, and {SPACED}."], delta(content=""), "[DONE]")
    world.scripted.play(head(), *pieces, END)
    scripted = openai_client.chat.completions.create(
        model="scripted-1", messages=[{"role": "user", "content": f"x {SSN}"}], stream=True,
    )
    got = "".join(part.choices[0].delta.content or "" for part in scripted if part.choices)
    hidden(got)
    assert got.startswith("it is ") and got.endswith(".")

    # A tool under `flag` needs what a model must not see: it gets its arguments whole.
    with sdk.http(greffier, alice) as http:
        world.tools.secret_reply = f"{SSN} {SPACED}"
        reply = tell_tool(http)
        assert reply.status_code == 200, reply.text
        assert http.get("/tools/crm/leak").json()["patient"] == world.tools.secret_reply
        assert http.get("/healthz").status_code == 200
        metrics = http.get("/metrics").content
        # Escapes that are broken, or that nobody needed, hide nothing.
        http.get(f"/tools/crm/%zz;{SSN}/5%33{SSN[2:]}", params={"n": CARD}).raise_for_status()
        http.get("/tools/crm/x?n=" + "".join(f"%{byte:02x}" for byte in SSN.encode()) + "&%" + SSN).raise_for_status()
        # What is refused or broken must not be kept either.
        http.post("/v1/chat/completions", content=f'{{"model": "gpt-4o", "messages": "{SSN}", {CARD}')
        http.get(f"/no/such/{SSN}", params={"n": CARD})
        http.get(f"/tools/nobody-{CARD}/x/{SSN}")
        http.post("/v1/chat/completions", json={"model": f"gpt-{SSN}", "messages": [{"role": "user", "content": "say hello"}]})
    with sdk.http(greffier, f"{SSN}.{CARD}.x") as stranger:
        stranger.get(f"/tools/crm/{SSN}", headers={"user-agent": f"agent {SSN}", "greffier-session-id": SSN})
    seen = world.tools.journal[known]
    assert json.loads(seen["body"]) == {"ssn": SSN, "card": int(CARD), "note": "plain"}
    assert SSN in seen["path"] and urllib.parse.parse_qs(seen["query"])["card"] == [SPACED]
    assert dict(seen["headers"])["x-patient"] == SSN

    # The wire and the upstream's own journal.
    wire = world.models.tap.sent[sent:]
    hidden(wire)
    hidden(b"".join(world.scripted.requests))
    received = [(seen["path"], seen["headers"], seen["body"]) for seen in world.models.journal()[journalled:]]
    assert len(received) > 8
    hidden(json.dumps(received))
    assert OPENAI_KEY.encode() in wire and ANTHROPIC_KEY.encode() in wire, "the upstream's own keys travel"
    everywhere = wire + b"".join(world.scripted.requests) + json.dumps(world.tools.journal[known:]).encode()
    assert alice.encode() not in everywhere, "the caller's token travelled"

    # What is left behind, running and stopped: data, output, metrics.
    greffier.assert_calm()
    left = [*SECRETS, alice, OPENAI_KEY, ANTHROPIC_KEY]
    hidden(metrics, left)
    hidden(greffier.outputs(), left)
    assert search(greffier.data, left) == []
    greffier.stop()
    assert greffier.verify().returncode == 0
    hidden(greffier.outputs(), left)
    assert search(greffier.folder, left) == [], "anywhere in the installation, keys and configuration included"
    found = [event for event in greffier.events("org_acme_corp") if event.get("content_safety", {}).get("pii_detected")]
    types = {redaction["type"] for event in found for redaction in event["content_safety"]["redactions"]}
    assert {"US_SSN", "CREDIT_CARD"} <= types
    stages = {redaction["stage"] for event in found for redaction in event["content_safety"]["redactions"]}
    assert stages == {"input", "output"}


def test_a_tool_under_redact_does_not_see_it(install, world, sdk, alice):
    greffier = install(tool_action="redact").start()
    known = len(world.tools.journal)
    with sdk.http(greffier, alice) as http:
        world.tools.secret_reply = f"{SSN} {SPACED}"
        assert tell_tool(http).status_code == 200
        leak = http.get("/tools/crm/leak")
        assert leak.status_code == 200
        hidden(leak.text)
    seen = world.tools.journal[known]
    hidden(json.dumps(seen))
    body = json.loads(seen["body"])
    assert body["note"] == "plain" and body["ssn"] == "<US_SSN>"
    assert dict(seen["headers"])["x-patient"] == "<US_SSN>"


def test_a_blocked_type_stops_the_call(install, world, sdk, alice):
    greffier = install(rules='rules = { CREDIT_CARD = "block" }').start()
    client = sdk.openai(greffier, alice)
    before = world.reached()
    with pytest.raises(openai.PermissionDeniedError) as blocked:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"card {CARD}"}])
    hidden(blocked.value.response.text)
    assert world.reached() == before
    # And in a stream it ends the stream, before the number and not after.
    got = ""
    with pytest.raises(openai.APIError):
        for part in client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "tell me the numbers"}], stream=True,
        ):
            got += (part.choices[0].delta.content or "") if part.choices else ""
    hidden(got)
    assert got.startswith("The number is ")
    greffier.stop()
    assert search(greffier.data, SECRETS) == []
