"""The npm packages `openai` and `@anthropic-ai/sdk`, unchanged, by base URL alone."""

import json
import subprocess

import pytest

from conftest import HERE, NODE
from harness.tools import whole

NUMBERS = "The number is <US_SSN> and the card is <CREDIT_CARD>, keep them safe please."


@pytest.fixture
def run(greffier, alice):
    """Runs one case of `sdks.mjs`."""
    def case(name):
        done = subprocess.run(
            [NODE, HERE / "sdks.mjs", greffier.url, alice, name], capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return case


@pytest.mark.parametrize("case", ["chat", "response", "message"])
def test_whole(run, case):
    assert run(case) == {"text": "Hello from upstream."}


@pytest.mark.parametrize("case", ["responseStream", "messageStream"])
def test_stream(run, case):
    assert run(case) == {"text": NUMBERS, "final": NUMBERS}


def test_retrieve(run, world):
    part = {"type": "output_text", "text": "Hello.", "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    world.scripted.play(*whole({
        "id": "resp_node", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5-mini",
        "output": [message],
    }))
    assert run("retrieve") == {"text": "Hello."}
    assert b"GET /v1/responses/resp_node " in world.scripted.requests[-1]


def test_embeddings(run, world):
    values = [0.4111111111111111 + number / 1000 for number in range(64)]
    world.scripted.play(*whole({
        "object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 1, "total_tokens": 1},
        "data": [{"object": "embedding", "index": 0, "embedding": values}],
    }))
    assert run("embeddings") == {"values": values}


def test_count_tokens(run, world):
    world.scripted.play(*whole({"input_tokens": 14}))
    assert run("countTokens") == {"tokens": 14}


def test_policy_denies(run):
    assert run("denied") == {"status": 403, "code": "denied_by_policy", "name": "PermissionDeniedError"}
