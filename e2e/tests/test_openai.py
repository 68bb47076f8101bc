"""The `openai` SDK, unchanged, by base URL alone."""

import base64
import json

import openai
import pytest

from harness.tools import whole

WEATHER = [{
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}]


def ask(client, text, model="gpt-4o-mini", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


@pytest.fixture
def client(sdk, greffier, alice):
    return sdk.openai(greffier, alice)


def outcome(greffier, request_id):
    """The decision and the outcome of a call, from the log."""
    both = [event for event in greffier.events() if event.get("request_id") == request_id]
    assert len(both) == 2, f"{request_id} left {[event['type'] for event in both]}"
    return both


def test_chat(client, greffier, world, alice):
    seen = len(world.models.tap.sent)
    reply = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "say hello"}], seed=7,
        extra_body={"a_field_nobody_knows": {"kept": [1, 2.50, None]}},
    )
    assert reply.parse().choices[0].message.content == "Hello from upstream."
    tenant, index, leaf = reply.headers["greffier-receipt"].split(" ")
    assert tenant == "org_acme_corp" and int(index) >= 0 and len(base64.b64decode(leaf)) == 32

    decision, ended = outcome(greffier, reply.headers["greffier-request-id"])
    assert (decision["type"], ended["type"]) == ("action.approved", "action.executed")
    assert decision["_index"] == int(index)
    assert decision["user"] == {
        "sub": "alice", "iss": world.idp.url, "roles": ["analyst"], "verified": True,
    }
    assert decision["policy"]["rule"] == "role:analyst may ask any model"
    assert decision["policy"]["version"].startswith("sha256:")
    assert "llm:invoke" in decision["policy"]["scopes"]
    assert decision["source"]["channel"] == "gateway"
    usage = ended["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (1200, 340)
    assert usage["cost_micros"] > 0, "gpt-4o-mini is in the price table"
    assert ended["outcome"]["status"] == "success" and ended["outcome"]["code"] == 200

    wire = world.models.tap.sent[seen:]
    assert alice.encode() not in wire, "the caller's token went upstream"
    sent = world.models.journal()[-1]["body"]
    assert sent["a_field_nobody_knows"] == {"kept": [1, 2.50, None]} and sent["seed"] == 7
    assert b'{"kept": [1, 2.5, null]}' in wire or b'{"kept":[1,2.5,null]}' in wire


@pytest.mark.parametrize("usage", [True, False], ids=["usage asked for", "usage not asked for"])
def test_stream(client, greffier, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "say hello"}], stream=True, **options,
    ) as response:
        request_id = response.headers["greffier-request-id"]
        chunks = list(response.parse())
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello from upstream."
    # What the caller did not ask for is counted all the same, and not shown.
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([1540] if usage else [])
    assert all(chunk.choices for chunk in chunks) or usage
    _, ended = outcome(greffier, request_id)
    assert (ended["usage"]["input_tokens"], ended["usage"]["output_tokens"]) == (1200, 340)


def test_tools(client):
    question = {"role": "user", "content": "what is the weather"}
    asked = client.chat.completions.create(model="gpt-4o", messages=[question], tools=WEATHER).choices[0]
    assert asked.finish_reason == "tool_calls"
    call = asked.message.tool_calls[0]
    assert call.function.name == "get_weather" and json.loads(call.function.arguments)["city"] == "Ghent"
    answer = {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 21}'}
    final = client.chat.completions.create(
        model="gpt-4o", messages=[question, asked.message.model_dump(exclude_none=True), answer], tools=WEATHER,
    )
    assert final.choices[0].message.content == "It is 21 degrees in Ghent."


def test_tools_streamed(client):
    arguments = ""
    for chunk in ask(client, "what is the weather", tools=WEATHER, stream=True):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            arguments += call.function.arguments or ""
    assert json.loads(arguments) == {"city": "Ghent", "unit": "celsius"}


def test_models(client):
    assert "gpt-4o" in [model.id for model in client.models.list()]


def test_one_model(client, world, greffier):
    world.scripted.play(*whole({"id": "scripted-gpt", "object": "model", "created": 1, "owned_by": "suite"}))
    reply = client.models.with_raw_response.retrieve("scripted-gpt")
    assert reply.parse().owned_by == "suite"
    assert world.scripted.requests[-1].startswith(b"GET /v1/models/scripted-gpt ")
    decision, ended = outcome(greffier, reply.headers["greffier-request-id"])
    assert decision["action"] == {"name": "models:get", "kind": "llm", "effect": "read"} and "usage" not in ended
    with pytest.raises(openai.PermissionDeniedError):
        client.models.retrieve("gpt-secret")


def test_errors_keep_their_meaning(client):
    with pytest.raises(openai.RateLimitError) as limited:
        ask(client, "too many")
    assert limited.value.response.headers.get("retry-after") == "1"
    assert "536-90-4399" not in str(limited.value), "an upstream's error is inspected too"
    with pytest.raises(openai.InternalServerError):
        ask(client, "break down")


def test_an_unknown_model_is_not_found(client, world):
    before = world.reached()
    with pytest.raises(openai.NotFoundError) as missing:
        ask(client, "say hello", model="model-of-nobody")
    assert missing.value.code and missing.value.body["message"]
    assert world.reached() == before


def test_policy_denies(client, greffier, world):
    before = world.reached()
    with pytest.raises(openai.PermissionDeniedError) as denied:
        ask(client, "say hello", model="gpt-secret")
    assert world.reached() == before
    request_id = denied.value.response.headers["greffier-request-id"]
    (event,) = [event for event in greffier.events() if event.get("request_id") == request_id]
    assert event["type"] == "action.denied" and event["outcome"]["status"] == "denied"
    assert event["policy"]["rule"] == "nobody asks the secret model" and event["policy"]["reason"]
    assert denied.value.response.headers["greffier-receipt"].startswith(f"org_acme_corp {event['_index']} ")


def test_without_a_matching_policy_everything_is_denied(sdk, greffier, world):
    before = world.reached()
    with pytest.raises(openai.PermissionDeniedError):
        ask(sdk.openai(greffier, world.idp.user("bob")), "say hello")
    assert world.reached() == before


def test_delegation_names_the_agent(sdk, greffier, world, alice):
    token = world.idp.exchange(world.idp.exchange(alice, "agent-001"), "agent-002")
    reply = sdk.openai(greffier, token).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "say hello"}],
    )
    decision, _ = outcome(greffier, reply.headers["greffier-request-id"])
    assert decision["user"]["sub"] == "alice"
    assert decision["agent"]["id"] == "agent-002" and decision["agent"]["verified"] is True
    assert [actor["sub"] for actor in decision["agent"]["via"]] == ["agent-001"]


def test_a_service_has_no_user(sdk, greffier, world):
    reply = sdk.openai(greffier, world.idp.service()).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "say hello"}],
    )
    decision, _ = outcome(greffier, reply.headers["greffier-request-id"])
    assert "user" not in decision and decision["agent"]["id"] == "agent-001"


def test_tenants_have_trails_of_their_own(sdk, greffier, world):
    reply = sdk.openai(greffier, world.idp.user("carol")).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "say hello"}],
    )
    assert reply.headers["greffier-receipt"].startswith("org_beta ")
    assert all(event["tenant"] == "org_beta" for event in greffier.events("org_beta"))
