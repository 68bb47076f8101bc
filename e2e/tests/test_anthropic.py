"""The `anthropic` SDK, unchanged, by base URL alone."""

import base64

import anthropic
import pytest

from harness.tools import events, whole

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


def test_count_tokens(client, greffier, world):
    world.scripted.play(*whole({"input_tokens": 14}))
    counted = client.messages.with_raw_response.count_tokens(
        model="scripted-claude", messages=[{"role": "user", "content": "of 536-90-4399"}],
    )
    assert counted.parse().input_tokens == 14
    assert b"536-90" not in world.scripted.requests[-1] and b"/v1/messages/count_tokens" in world.scripted.requests[-1]
    both = [e for e in greffier.events() if e.get("request_id") == counted.headers["greffier-request-id"]]
    assert both[0]["action"] == {"name": "tokens:count", "kind": "llm", "effect": "read"} and "usage" not in both[1]


def test_thinking_tools_and_cache(client, greffier, world):
    signature = base64.b64encode(bytes(0x80 | number * 37 % 128 for number in range(3000))).decode()
    usage = {
        "input_tokens": 10, "cache_creation_input_tokens": 3000, "cache_read_input_tokens": 4000, "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
    }
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }

    def delta(index, **fields):
        return {"type": "content_block_delta", "index": index, "delta": fields}

    def block(index, **fields):
        return {"type": "content_block_start", "index": index, "content_block": fields}

    world.scripted.play(*events(
        {"type": "message_start", "message": message},
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="She gave 536-90"), delta(0, type="thinking_delta", thinking="-4399."),
        delta(0, type="signature_delta", signature=signature),
        {"type": "content_block_stop", "index": 0},
        block(1, type="tool_use", id="toolu_1", name="find", input={}),
        delta(1, type="input_json_delta", partial_json='{"ssn": "536-9'),
        delta(1, type="input_json_delta", partial_json='0-4399"}'),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {
            "output_tokens": 500, "output_tokens_details": {"thinking_tokens": 300}}},
        {"type": "message_stop"},
    ))
    with client.messages.stream(
        model="scripted-claude", max_tokens=2000, messages=[{"role": "user", "content": "look her up"}], tools=TOOL,
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        thought, call = stream.get_final_message().content
        request_id = stream.response.headers["greffier-request-id"]
    assert (thought.thinking, thought.signature) == ("She gave <US_SSN>.", signature)
    assert call.input == {"ssn": "<US_SSN>"}
    _, ended = [event for event in greffier.events() if event.get("request_id") == request_id]
    # 10 fresh at 3.00, 4000 read at 0.30, 1000 for 5 minutes at 3.75, 2000 for an hour at 6.00, 500 out at 15.00.
    assert ended["usage"] == {
        "provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "input_tokens": 7010, "output_tokens": 500,
        "cache_read_tokens": 4000, "cache_write_tokens": 3000, "reasoning_tokens": 300, "cost_micros": 24480,
    }
