"""The `google-genai` SDK, unchanged, by base URL alone."""

import base64

import httpx
import pytest
from google.genai import errors, types

from harness.tools import END, chunk, events, head, whole

SSN = "536-90-4399"
MODEL = "gemini-2.5-flash"
USAGE = {
    "promptTokenCount": 1240, "cachedContentTokenCount": 1024, "candidatesTokenCount": 124, "thoughtsTokenCount": 256,
    "totalTokenCount": 1620,
}


@pytest.fixture
def client(sdk, greffier, alice):
    return sdk.gemini(greffier, alice)


def last(greffier):
    """The latest decision and its outcome."""
    events = [event for event in greffier.events() if event.get("source", {}).get("protocol", "").startswith("gemini.")]
    return events[-2:]


def reply(*parts, finish=None, usage=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate], "usageMetadata": usage or {"promptTokenCount": 20, "totalTokenCount": 20},
        "modelVersion": MODEL, "responseId": "r1",
    }


def test_generate(sdk, greffier, world, alice):
    # aimock knows this version of the API alone.
    client = sdk.gemini(greffier, alice, api_version="v1beta")
    seen = len(world.models.tap.sent)
    got = client.models.generate_content(model=MODEL, contents=f"say hello to {SSN}")
    assert got.text
    wire = world.models.tap.sent[seen:]
    assert alice.encode() not in wire and SSN.encode() not in wire
    decision, ended = last(greffier)
    assert (decision["type"], ended["type"]) == ("action.approved", "action.executed")
    assert decision["source"]["protocol"] == "gemini.content" and decision["user"]["sub"] == "alice"
    assert decision["resource"]["uri"] == f"model://{MODEL}"
    assert [found["type"] for found in decision["content_safety"]["redactions"]] == ["US_SSN"]


def test_usage_and_cost(client, greffier, world):
    world.scripted.play(*whole(reply({"text": f"It is {SSN}."}, finish="STOP", usage=USAGE)))
    got = client.models.generate_content(model="scripted-gemini", contents="hello")
    assert got.text == "It is <US_SSN>."
    _, ended = last(greffier)
    # 216 fresh at 0.30, 1024 cached at 0.03, 380 out at 2.50 dollars a million.
    assert ended["usage"] == {
        "provider": "gemini", "model": MODEL, "input_tokens": 1240, "output_tokens": 380, "cache_read_tokens": 1024,
        "reasoning_tokens": 256, "cost_micros": 1046,
    }


def test_stream(client, greffier, world):
    world.scripted.play(*events(
        reply({"text": "She gave 536-90", "thought": True}), reply({"text": "-4399.", "thought": True}),
        reply({"text": "Her number is 536-9"}), reply({"text": "0-4399, look"}),
        reply({"functionCall": {"name": "find", "args": {"ssn": SSN}}}),
        reply({"text": " it up."}, finish="STOP", usage=USAGE), named=False,
    ))
    parts = []
    for piece in client.models.generate_content_stream(model="scripted-gemini", contents="hello"):
        parts += piece.candidates[0].content.parts
    assert "".join(part.text for part in parts if part.text and not part.thought) == "Her number is <US_SSN>, look it up."
    assert "".join(part.text for part in parts if part.text and part.thought) == "She gave <US_SSN>."
    assert [part.function_call.args for part in parts if part.function_call] == [{"ssn": "<US_SSN>"}]
    _, ended = last(greffier)
    assert ended["outcome"]["status"] == "success" and ended["usage"]["output_tokens"] == 380


def test_a_stream_as_one_array(greffier, world, alice):
    pieces = [reply({"text": "it is 536-9"}), reply({"text": "0-4399."}, finish="STOP", usage=USAGE)]
    array = httpx.Response(200, json=pieces).content
    world.scripted.play(head("application/json"), *(chunk(array[at:at + 7]) for at in range(0, len(array), 7)), END)
    url = f"{greffier.url}/v1beta/models/scripted-gemini:streamGenerateContent"
    got = httpx.post(url, json={"contents": [{"parts": [{"text": "hello"}]}]}, headers={"x-goog-api-key": alice}, trust_env=False)
    texts = [part["text"] for piece in got.json() for part in piece["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == "it is <US_SSN>."


def test_a_stream_that_breaks_off_says_so(client, greffier, world):
    world.scripted.play(*events(reply({"text": "it is 536-9"}), named=False))
    with pytest.raises(errors.APIError) as cut:
        list(client.models.generate_content_stream(model="scripted-gemini", contents="hello"))
    assert "stream_cut" in str(cut.value)
    assert last(greffier)[1]["outcome"]["error"] == "stream_cut"


def test_tokens_and_embeddings(client, greffier, world):
    world.scripted.play(*whole({"totalTokens": 14}))
    assert client.models.count_tokens(model="scripted-gemini", contents=f"of {SSN}").total_tokens == 14
    assert SSN.encode() not in world.scripted.requests[-1]
    assert "usage" not in last(greffier)[1]
    values = [0.4111111111111111 + number / 1000 for number in range(64)]
    world.scripted.play(*whole({"embeddings": [{"values": values}]}))
    got = client.models.embed_content(model="scripted-gemini", contents=f"of {SSN}")
    assert got.embeddings[0].values == values
    assert last(greffier)[0]["action"]["name"] == "embed"


def test_a_picture_comes_through_whole_and_is_recorded_by_digest(client, greffier, world):
    picture = bytes(0x80 | number * 37 % 128 for number in range(5000))
    world.scripted.play(*whole(reply({"text": "A picture."}, finish="STOP")))
    part = types.Part.from_bytes(data=picture, mime_type="image/png")
    client.models.generate_content(model="scripted-gemini", contents=["what is it", part])
    assert base64.urlsafe_b64encode(picture) in world.scripted.requests[-1]


def test_errors_keep_their_meaning(client, world):
    before = world.reached()
    with pytest.raises(errors.ClientError) as missing:
        client.models.generate_content(model="model-of-nobody", contents="hello")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
    assert world.reached() == before


@pytest.mark.parametrize("how", ["query alone", "query and header"])
def test_a_token_in_the_query(greffier, world, alice, how):
    world.scripted.play(*whole(reply({"text": "Hello."}, finish="STOP")))
    headers = {} if how == "query alone" else {"x-goog-api-key": alice}
    url = f"{greffier.url}/v1beta/models/scripted-gemini:generateContent"
    got = httpx.post(url, params={"key": alice}, json={"contents": []}, headers=headers, trust_env=False)
    if how == "query alone":
        assert got.status_code == 200 and alice.encode() not in world.scripted.requests[-1]
    else:
        assert got.status_code == 400 and "token_in_query" in got.json()["error"]["message"]
        assert not world.scripted.requests


def test_policy_denies(sdk, greffier, world):
    client = sdk.gemini(greffier, world.idp.user("bob"))
    with pytest.raises(errors.ClientError) as denied:
        client.models.generate_content(model=MODEL, contents="hello")
    assert (denied.value.code, denied.value.status) == (403, "PERMISSION_DENIED")
