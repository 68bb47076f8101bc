"""Upstreams that fail, stall and break off, and callers that leave: each leaves its outcome on the trail."""

import json
import threading

import httpx
import openai
import pytest

from harness.procs import wait_until
from harness.tools import END, chunk, head

MESSAGES = [{"role": "user", "content": "say hello"}]


def delta(text):
    return chunk("data: " + json.dumps({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }) + "\n\n")


def ask(client, model, **more):
    return client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, **more)


def ended(greffier, request_id):
    """The outcome of a call, as soon as it is there; its decision came before."""
    def both():
        found = [event for event in greffier.events() if event.get("request_id") == request_id]
        return found if len(found) > 1 else None

    decision, outcome = wait_until(both, f"the outcome of {request_id}")
    assert decision["type"] == "action.approved"
    return outcome


def test_nobody_listens_upstream(greffier, sdk, alice):
    with pytest.raises(openai.APIStatusError) as failed:
        ask(sdk.openai(greffier, alice), "dead-1")
    assert failed.value.status_code == 502
    outcome = ended(greffier, failed.value.response.headers["greffier-request-id"])
    assert outcome["type"] == "action.failed" and outcome["outcome"]["status"] == "failure"
    assert failed.value.response.headers["greffier-receipt"]


def test_upstream_errors(greffier, sdk, alice):
    client = sdk.openai(greffier, alice)
    for prompt, status in (("too many", 429), ("break down", 500)):
        with pytest.raises(openai.APIStatusError) as failed:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
        assert failed.value.status_code == status
        outcome = ended(greffier, failed.value.response.headers["greffier-request-id"])
        assert outcome["type"] == "action.failed" and outcome["outcome"]["code"] == status


def test_an_upstream_that_never_answers(greffier, world, sdk, alice):
    world.scripted.play(hold := threading.Event())
    with pytest.raises(openai.APIStatusError) as failed:
        ask(sdk.openai(greffier, alice), "scripted-1")
    hold.set()
    assert failed.value.status_code == 504
    outcome = ended(greffier, failed.value.response.headers["greffier-request-id"])
    assert outcome["outcome"]["status"] == "timeout", outcome


def test_an_upstream_that_stalls_in_the_middle(greffier, world, sdk, alice):
    world.scripted.play(head(), delta("Once"), delta(" upon"), hold := threading.Event())
    got = ""
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        reply = ask(sdk.openai(greffier, alice), "scripted-1", stream=True)
        request_id = reply.headers["greffier-request-id"]
        for part in reply.parse():
            got += part.choices[0].delta.content or ""
    hold.set()
    outcome = ended(greffier, request_id)
    assert outcome["type"] == "action.failed" and outcome["outcome"]["status"] == "timeout", outcome
    assert got.startswith("Once")


@pytest.mark.parametrize("framed", [True, False], ids=["the connection breaks", "no terminal event"])
def test_a_stream_that_is_cut(framed, greffier, world, sdk, alice):
    world.scripted.play(head(), delta("Once"), delta(" upon"), *([None] if framed else [END]))
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        reply = ask(sdk.openai(greffier, alice), "scripted-1", stream=True)
        request_id = reply.headers["greffier-request-id"]
        for _ in reply.parse():
            pass
    outcome = ended(greffier, request_id)
    assert outcome["type"] == "action.failed" and outcome["outcome"]["status"] == "failure", outcome


def test_a_reply_that_is_no_json(greffier, world, sdk, alice):
    world.scripted.play(head("application/json"), chunk("<html>536-90-4399"), END)
    with sdk.http(greffier, alice) as http:
        reply = http.post("/v1/chat/completions", json={"model": "scripted-1", "messages": MESSAGES})
    assert "536-90-4399" not in reply.text
    ended(greffier, reply.headers["greffier-request-id"])


def test_garbage_in_a_stream(greffier, world, sdk, alice):
    world.scripted.play(head(), chunk(b"data: {\xff\xfe\n\ndata: not json 536-90-4399\n\n" + b"x" * 5000 + b"\n\n"), END)
    with sdk.http(greffier, alice) as http:
        try:
            reply = http.post("/v1/chat/completions", json={"model": "scripted-1", "messages": MESSAGES, "stream": True})
            assert "536-90-4399" not in reply.text
        except httpx.HTTPError:
            pass
    greffier.assert_calm()


def test_a_redirect_is_not_followed(greffier, world, sdk, alice):
    """The upstream's key must not go where a reply points."""
    known = len(world.tools.journal)
    where = f"HTTP/1.1 307 X\r\nlocation: {world.tools.url}/stolen\r\ncontent-length: 0\r\n\r\n".encode()
    world.scripted.play(where)
    with sdk.http(greffier, alice) as http:
        http.post("/v1/chat/completions", json={"model": "scripted-1", "messages": MESSAGES})
    assert len(world.tools.journal) == known


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_that_leaves(stream, greffier, world, sdk, alice):
    """In the middle of a stream, or while waiting: upstream is let go, and the outcome says who left."""
    hold = threading.Event()
    world.scripted.play(*([head(), delta("Once")] if stream else []), hold, *[delta(" more")] * 50)
    client = sdk.http(greffier, alice)
    body = {"model": "scripted-1", "messages": MESSAGES, "stream": stream}
    known = {event.get("request_id") for event in greffier.events("org_acme_corp")}
    if stream:
        with client.stream("POST", "/v1/chat/completions", json=body) as reply:
            assert reply.status_code == 200
            next(reply.iter_raw())
    else:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json=body, timeout=0.5)
    client.close()
    hold.set()
    decision = next(event for event in greffier.events("org_acme_corp") if event.get("request_id") not in known)
    outcome = ended(greffier, decision["request_id"])
    assert outcome["outcome"]["status"] == "cancelled", outcome


def test_the_last_word_waits_for_the_record(greffier, world, sdk, alice):
    """A stream's terminal event comes only when its outcome is durable."""
    world.scripted.play(
        head(), delta("Once"), chunk('data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"scripted-1",'
                                     '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'),
        chunk("data: [DONE]\n\n"), END,
    )
    body = {"model": "scripted-1", "messages": MESSAGES, "stream": True}
    with sdk.http(greffier, alice) as http, http.stream("POST", "/v1/chat/completions", json=body) as reply:
        request_id, said = reply.headers["greffier-request-id"], ""
        for piece in reply.iter_text():
            said += piece
            if "[DONE]" in said:
                on_record = [event for event in greffier.events() if event.get("request_id") == request_id]
                assert len(on_record) == 2, "the end of the stream came before its outcome was on record"
    assert said.count("[DONE]") == 1
