"""Agents under telemetry: what their SDKs export stands on the trail as claims, once, and apart from what was enforced."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from harness.upstream import ANTHROPIC_KEY, OPENAI_KEY

HERE = Path(__file__).parent.parent
PAYLOADS = HERE.parent / "crates/api/testdata/otlp"


@pytest.fixture
def emit(greffier, world, people):
    """Runs a program under telemetry, its model calls through Greffier or straight to the provider."""

    def run(what, *, governed=False, **more):
        session = f"sess-{uuid.uuid4()}"
        model = greffier.url if governed else world.models.url
        env = {
            "PATH": os.environ["PATH"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{greffier.url}/otlp",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{people['oscar']}",
            "OTEL_SERVICE_NAME": f"svc-{session}",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
            "OPENAI_BASE_URL": f"{model}/v1",
            "OPENAI_API_KEY": people["alice"] if governed else OPENAI_KEY,
            "ANTHROPIC_BASE_URL": model,
            "ANTHROPIC_API_KEY": people["alice"] if governed else ANTHROPIC_KEY,
            "INGEST": f"{greffier.url}/v1/traces/ingest",
            "TOKEN": people["oscar"],
            "SESSION": session,
        }
        done = subprocess.run([sys.executable, HERE / "emitters/emit.py", what], env=env | more, cwd=HERE,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and "ailed to export" not in done.stderr, done.stderr
        return session

    return run


def told(api, query):
    """What a search of claims finds, oldest first."""
    return api("audra").search(f"channel:otlp {query}")[::-1]


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_a_tool_call(compression, emit, api):
    session = emit("tool", OTEL_EXPORTER_OTLP_COMPRESSION=compression)
    events = told(api, f"session:{session}")
    assert [event["type"] for event in events] == ["agent.start", "tool.call", "tool.response", "agent.stop"]
    for event in events:
        assert event["source"]["channel"] == "otlp" and event["source"]["protocol"] == "otlp.genai"
        assert not event["agent"].get("verified")
    call = api("audra").told(f"/api/v1/events/{events[1]['id']}")
    (parameters,) = call["parts"]
    assert parameters["name"] == "parameters" and parameters["json"] == {"ssn": "<US_SSN>"}
    # Both halves of the tool call are one call, and it is a claim.
    both = api("audra").told(f"/api/v1/calls/{events[1]['request_id']}")
    assert len(both["events"]) == 2
    activity = api("audra").told("/api/v1/activity", agent=f"svc-{session}")
    channels = activity["by_channel"]
    assert set(channels) == {"otlp"} and channels["otlp"]["events"] == 2


@pytest.mark.parametrize("what, protocol", [("genai", "otlp.genai"), ("openinference", "otlp.openinference")])
def test_a_model_asked_elsewhere(what, protocol, emit, api):
    session = emit(what)
    events = [event for event in told(api, f"agent:svc-{session} kind:llm type:action.executed") if "usage" in event]
    (event,) = events
    assert event["source"]["protocol"] == protocol
    assert (event["usage"]["input_tokens"], event["usage"]["output_tokens"]) == (1200, 340)
    assert event["action"]["call_id"].startswith("chatcmpl-")
    assert event["resource"]["uri"].startswith("model://gpt-4o-mini")
    if what == "openinference":
        assert event["session_id"] == session and event["user"] == {"sub": "auth0|8f3a"}


@pytest.mark.parametrize("what, prefix", [("genai", "chatcmpl-"), ("openinference", "chatcmpl-"), ("anthropic", "msg_")])
def test_a_model_asked_through_greffier_counts_once(what, prefix, emit, api):
    enforced = "channel:gateway kind:llm type:action.executed"
    before = len(api("audra").search(enforced))
    session = emit(what, governed=True)
    newest, *rest = api("audra").search(enforced)
    assert len(rest) == before
    # The gateway keeps the provider's id of the response.
    response = newest["action"]["call_id"]
    assert response.startswith(prefix)
    assert len(api("audra").search(f"call:{response}")) == 1
    # The span tells of a response that the gateway saw pass; what else was told of it has no usage.
    assert all("usage" not in event for event in told(api, f"agent:svc-{session}"))


def test_the_agents_sdk(emit, api):
    emit("agents")
    events = told(api, "protocol:openai.agents")
    assert [event["type"] for event in events[-4:]] == ["agent.start", "tool.call", "tool.response", "agent.stop"]


@pytest.mark.parametrize("name, query, count", [
    ("claude-code.logs.json", "tool:claude-code:Bash type:tool.response", 2),
    ("codex.logs.json", "tool:codex:exec_command", 2),
])
def test_coding_agents(name, query, count, api, greffier, people):
    body = (PAYLOADS / name).read_bytes()
    headers = {"authorization": f"Bearer {people['oscar']}", "content-type": "application/json"}
    for again in (False, True):
        reply = httpx.post(f"{greffier.url}/otlp/v1/logs", content=body, headers=headers)
        assert (reply.status_code, reply.json()) == (200, {}), reply.text
        counts = dict(pair.split("=") for pair in reply.headers["greffier-otlp"].split(", "))
        assert (counts["recorded"] == "0") == again, counts
    assert len(told(api, query)) == count


def test_who_may(greffier, people):
    body = json.dumps({"resourceSpans": []})
    for headers, status in [({}, 401), ({"authorization": f"Bearer {people['bob']}"}, 403),
                            ({"authorization": f"Bearer {people['oscar']}"}, 200)]:
        headers["content-type"] = "application/json"
        reply = httpx.post(f"{greffier.url}/otlp/v1/traces", content=body, headers=headers)
        assert reply.status_code == status, reply.text
    # A coding that nobody undoes.
    headers["content-encoding"] = "br"
    assert httpx.post(f"{greffier.url}/api/v1/events", content=b"x", headers=headers).status_code == 415
