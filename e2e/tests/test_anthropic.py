"""The `anthropic` SDK, unchanged, by base URL alone."""

import anthropic
import pytest

MODEL = "claude-sonnet-4-5"
TOOL = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


@pytest.fixture
def client(sdk, greffier, alice):
    return sdk.anthropic(greffier, alice)


def ask(client, text, **more):
    return client.messages.create(
        **{"model": MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": text}]} | more,
    )


def test_messages(client, greffier, world, alice):
    seen = len(world.models.tap.sent)
    reply = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=256, messages=[{"role": "user", "content": "say hello"}],
    )
    assert reply.parse().content[0].text == "Hello from upstream."
    assert alice.encode() not in world.models.tap.sent[seen:]
    request_id = reply.headers["greffier-request-id"]
    decision, ended = [event for event in greffier.events() if event.get("request_id") == request_id]
    assert decision["source"]["protocol"] == "anthropic.messages"
    assert (ended["usage"]["input_tokens"], ended["usage"]["output_tokens"]) == (1200, 340)
    assert ended["usage"]["provider"] == "anthropic" and ended["usage"]["model"] == MODEL
    assert ended["usage"]["cost_micros"] > 0


def test_stream(client):
    with client.messages.stream(
        model=MODEL, max_tokens=256, messages=[{"role": "user", "content": "say hello"}],
    ) as stream:
        assert "".join(stream.text_stream) == "Hello from upstream."
        assert stream.get_final_message().stop_reason == "end_turn"


def test_tools(client):
    question = {"role": "user", "content": "what is the weather"}
    asked = ask(client, "", messages=[question], tools=TOOL)
    call = next(block for block in asked.content if block.type == "tool_use")
    assert asked.stop_reason == "tool_use" and call.input == {"city": "Ghent", "unit": "celsius"}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21"}]}
    final = ask(client, "", messages=[question, {"role": "assistant", "content": asked.content}, result], tools=TOOL)
    assert final.content[0].text


def test_tools_streamed(client):
    with client.messages.stream(
        model=MODEL, max_tokens=256, messages=[{"role": "user", "content": "what is the weather"}], tools=TOOL,
    ) as stream:
        final = stream.get_final_message()
    assert next(block for block in final.content if block.type == "tool_use").input["city"] == "Ghent"


def test_models(client):
    assert [model.id for model in client.models.list()]


def test_errors_keep_their_meaning(client):
    with pytest.raises(anthropic.RateLimitError):
        ask(client, "too many")
    with pytest.raises(anthropic.NotFoundError) as missing:
        ask(client, "say hello", model="model-of-nobody")
    assert missing.value.body["type"] == "error" and missing.value.body["error"]["type"] == "not_found_error"


def test_policy_denies(sdk, greffier, world):
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        ask(sdk.anthropic(greffier, world.idp.user("bob")), "say hello")
    assert denied.value.body["error"]["type"] == "permission_error"


def test_a_bearer_is_as_good_as_a_key(greffier, alice):
    client = anthropic.Anthropic(base_url=greffier.url, auth_token=alice, max_retries=0)
    assert ask(client, "say hello").content[0].text == "Hello from upstream."
