"""OpenAI's responses, and its smaller interfaces, through the `openai` SDK."""

import json

import openai
import pytest

from harness.tools import events, whole

SSN, CARD = "536-90-4399", "4111 1111 1111 1111"
MODEL = "gpt-5-mini"
LOOK_UP = [{"type": "function", "name": "find_patient", "parameters": {"type": "object"}, "strict": False}]
USAGE = {
    "input_tokens": 1240, "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
    "output_tokens": 380, "output_tokens_details": {"reasoning_tokens": 256}, "total_tokens": 1620,
}


@pytest.fixture
def client(sdk, greffier, alice):
    return sdk.openai(greffier, alice)


def both(greffier, request_id):
    """The decision and the outcome of a call."""
    found = [event for event in greffier.events() if event.get("request_id") == request_id]
    assert len(found) == 2, [event["type"] for event in found]
    return found


def response(status="completed", text="Hello.", usage=None, **more):
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_suite_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-5-mini-2025-08-07",
        "output": [message] if status == "completed" else [], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "usage": usage,
    } | more


def test_create(client, greffier, world, alice):
    seen = len(world.models.tap.sent)
    reply = client.responses.with_raw_response.create(model=MODEL, input="say hello", extra_body={"nobody_knows": [2.50]})
    assert reply.parse().output_text == "Hello from upstream."
    assert alice.encode() not in world.models.tap.sent[seen:]
    decision, ended = both(greffier, reply.headers["greffier-request-id"])
    assert decision["source"]["protocol"] == "openai.responses" and decision["user"]["sub"] == "alice"
    assert decision["policy"]["rule"] == "role:analyst may ask any model"
    assert ended["usage"]["provider"] == "openai" and ended["usage"]["output_tokens"] > 0


def test_what_is_asked_is_inspected(client, greffier, world):
    seen = len(world.models.tap.sent)
    reply = client.responses.with_raw_response.create(model=MODEL, input=[{"role": "user", "content": f"say hello to {SSN}"}])
    assert SSN.encode() not in world.models.tap.sent[seen:]
    decision, _ = both(greffier, reply.headers["greffier-request-id"])
    assert [found["type"] for found in decision["content_safety"]["redactions"]] == ["US_SSN"]


def test_stream_says_the_same_however_often(client, greffier):
    with client.responses.with_streaming_response.create(model=MODEL, input="tell me the numbers", stream=True) as reply:
        request_id = reply.headers["greffier-request-id"]
        seen = list(reply.parse())
    text = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
    assert text == "The number is <US_SSN> and the card is <CREDIT_CARD>, keep them safe please."
    said = [event.text for event in seen if event.type == "response.output_text.done"]
    said += [event.part.text for event in seen if event.type == "response.content_part.done"]
    said += [event.item.content[0].text for event in seen if event.type == "response.output_item.done"]
    assert said and set(said) == {text}
    assert seen[-1].type == "response.completed" and seen[-1].response.output_text == text
    assert not any(value in event.model_dump_json() for event in seen for value in (SSN, CARD))
    _, ended = both(greffier, request_id)
    assert {found["type"] for found in ended["content_safety"]["redactions"]} == {"US_SSN", "CREDIT_CARD"}


def test_tool_arguments_streamed(client):
    with client.responses.stream(model=MODEL, input="look up the patient", tools=LOOK_UP) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.function_call_arguments.delta")
        final = stream.get_final_response()
    arguments = next(item for item in final.output if item.type == "function_call").arguments
    assert arguments == deltas
    assert json.loads(arguments) == {"ssn": "<US_SSN>", "card": "<CREDIT_CARD>", "active": True}


def test_usage_and_cost(client, greffier, world):
    world.scripted.play(*whole(response(usage=USAGE)))
    reply = client.responses.with_raw_response.create(model="scripted-gpt", input="hello")
    _, ended = both(greffier, reply.headers["greffier-request-id"])
    # 216 fresh at 0.25, 1024 cached at 0.025, 380 out at 2.00 dollars a million.
    assert ended["usage"] == {
        "provider": "openai", "model": "gpt-5-mini-2025-08-07", "input_tokens": 1240, "output_tokens": 380,
        "cache_read_tokens": 1024, "cache_write_tokens": 0, "reasoning_tokens": 256, "cost_micros": 840,
    }


def test_a_failed_response_is_a_failure(client, greffier, world):
    failed = response("failed", error={"code": "server_error", "message": f"lost {SSN}"})
    world.scripted.play(*events({"type": "response.failed", "sequence_number": 0, "response": failed}))
    with client.responses.with_streaming_response.create(model="scripted-gpt", input="hello", stream=True) as reply:
        request_id = reply.headers["greffier-request-id"]
        (event,) = list(reply.parse())
    assert event.response.error.message == "lost <US_SSN>"
    _, ended = both(greffier, request_id)
    assert ended["type"] == "action.failed" and ended["outcome"]["error"] == "upstream_error"


def test_a_background_response_is_its_owners_and_counted_once(sdk, client, greffier, world):
    own = {"id": "resp_suite_2"}
    world.scripted.play(*whole(response("queued", background=True, **own)))
    queued = client.responses.create(model="scripted-gpt", input="hello", background=True)
    other = sdk.openai(greffier, world.idp.user("carol"))
    asked = len(world.scripted.requests)
    for forbidden in (
        lambda: other.responses.retrieve(queued.id),
        lambda: other.responses.delete(queued.id),
        lambda: other.responses.input_items.list(queued.id),
        lambda: other.responses.create(model="scripted-gpt", input="and?", previous_response_id=queued.id),
    ):
        with pytest.raises(openai.NotFoundError):
            forbidden()
    assert len(world.scripted.requests) == asked

    world.scripted.play(*whole(response(text=f"It is {SSN}.", usage=USAGE, **own)))
    looks = [client.responses.with_raw_response.retrieve(queued.id) for _ in range(2)]
    assert [look.parse().output_text for look in looks] == ["It is <US_SSN>."] * 2
    ended = [both(greffier, look.headers["greffier-request-id"])[1] for look in looks]
    assert ended[0]["usage"]["cost_micros"] == 840 and "usage" not in ended[1]
    assert ended[0]["action"] == {"name": "responses:get", "kind": "llm", "effect": "read", "call_id": queued.id}
    assert b"GET /v1/responses/resp_suite_2 " in world.scripted.requests[-1]

    world.scripted.play(*whole({"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}))
    assert list(client.responses.input_items.list(queued.id)) == []
    world.scripted.play(*whole(response("cancelled", **own)))
    assert client.responses.cancel(queued.id).status == "cancelled"
    assert world.scripted.requests[-1].startswith(b"POST /v1/responses/resp_suite_2/cancel ")
    world.scripted.play(*whole({"id": queued.id, "object": "response", "deleted": True}))
    client.responses.delete(queued.id)
    assert world.scripted.requests[-1].startswith(b"DELETE /v1/responses/resp_suite_2 ")


def test_input_tokens(client, greffier, world):
    world.scripted.play(*whole({"object": "response.input_tokens", "input_tokens": 14}))
    reply = client.responses.input_tokens.with_raw_response.count(model="scripted-gpt", input=f"it is {SSN}")
    assert reply.parse().input_tokens == 14
    assert world.scripted.requests[-1].startswith(b"POST /v1/responses/input_tokens ") and SSN.encode() not in world.scripted.requests[-1]
    decision, ended = both(greffier, reply.headers["greffier-request-id"])
    assert decision["source"]["protocol"] == "openai.input_tokens" and "usage" not in ended
    assert decision["action"] == {"name": "tokens:count", "kind": "llm", "effect": "read"}


def test_compaction(sdk, client, greffier, world):
    sealed = "gAAAAAB" + "4111111111111111" * 4
    compacted = {"id": "resp_suite_3", "object": "response.compaction", "created_at": 1, "usage": USAGE, "output": [
        {"id": "cmp_1", "type": "compaction", "encrypted_content": sealed}]}
    world.scripted.play(*whole(compacted))
    history = [{"role": "user", "content": f"it is {SSN}"}]
    reply = client.responses.with_raw_response.compact(model="scripted-gpt", input=history)
    assert reply.parse().output[0].encrypted_content == sealed, "what only the provider can read passes whole"
    assert SSN.encode() not in world.scripted.requests[-1]
    decision, ended = both(greffier, reply.headers["greffier-request-id"])
    assert decision["action"]["name"] == "compact" and decision["source"]["protocol"] == "openai.compaction"
    assert (ended["usage"]["input_tokens"], ended["usage"]["reasoning_tokens"]) == (1240, 256)

    # Nobody goes on from what is another's, or counts it.
    world.scripted.play(*whole(response("queued", background=True, id="resp_suite_4")))
    kept = client.responses.create(model="scripted-gpt", input="hello", background=True)
    other = sdk.openai(greffier, world.idp.user("carol"))
    asked = len(world.scripted.requests)
    for forbidden in (other.responses.compact, other.responses.input_tokens.count):
        with pytest.raises(openai.NotFoundError):
            forbidden(model="scripted-gpt", previous_response_id=kept.id)
    assert len(world.scripted.requests) == asked


def test_embeddings(client, greffier, world):
    values = [0.4111111111111111 + number / 1000 for number in range(64)]
    world.scripted.play(*whole({
        "object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
        "data": [{"object": "embedding", "index": 0, "embedding": values}],
    }))
    reply = client.embeddings.with_raw_response.create(model="scripted-embed", input=f"of {SSN}", encoding_format="float")
    assert reply.parse().data[0].embedding == values, "a vector holds no values to be found"
    assert SSN.encode() not in world.scripted.requests[-1]
    decision, ended = both(greffier, reply.headers["greffier-request-id"])
    assert decision["action"]["name"] == "embed" and decision["source"]["protocol"] == "openai.embeddings"
    assert (ended["usage"]["input_tokens"], ended["usage"]["cost_micros"]) == (1000, 20)


def test_completions(client, greffier, world):
    choice = {"index": 0, "text": f" is {SSN}", "logprobs": None, "finish_reason": "stop"}
    reply = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-3.5-turbo-instruct"}
    world.scripted.play(*whole(reply | {"choices": [choice], "usage": {
        "prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}}))
    got = client.completions.with_raw_response.create(model="scripted-gpt", prompt="it")
    assert got.parse().choices[0].text == " is <US_SSN>"
    _, ended = both(greffier, got.headers["greffier-request-id"])
    assert ended["usage"]["cost_micros"] == 3500
    pieces = [reply | {"choices": [choice | {"text": text, "finish_reason": None}]} for text in ("it is 536-9", "0-4399.")]
    world.scripted.play(*events(*pieces, named=False)[:-1], b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    streamed = client.completions.create(model="scripted-gpt", prompt="it", stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == "it is <US_SSN>."


def test_moderations(client, greffier, world):
    world.scripted.play(*whole({"id": "modr-1", "model": "omni-moderation-latest", "results": []}))
    reply = client.moderations.with_raw_response.create(model="scripted-omni", input=f"of {SSN}")
    assert reply.parse().results == []
    assert SSN.encode() not in world.scripted.requests[-1]
    decision, ended = both(greffier, reply.headers["greffier-request-id"])
    assert decision["action"]["name"] == "moderate" and "usage" not in ended


def test_policy_denies(client, world):
    before = world.reached()
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.create(model="gpt-secret", input="say hello")
    assert world.reached() == before
