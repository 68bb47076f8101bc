"""A stop lets what is under way reach its end: streams and whole replies, over HTTP/1.1 and HTTP/2."""

import json
import signal
import subprocess
import threading

import httpx
import pytest

from conftest import HERE, NODE
from harness.procs import listening, wait_until
from harness.tools import END, chunk, head

MESSAGES = [{"role": "user", "content": "say hello"}]
PATH = "/v1/chat/completions"


def said(text, finish=None):
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    whole = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}
    return chunk(f"data: {json.dumps(whole)}\n\n")


class Http1:
    """A request over HTTP/1.1, by httpx."""

    def __init__(self, own, token, body):
        self.client = httpx.Client(trust_env=False, timeout=30, headers={"authorization": f"Bearer {token}"})
        self.body, self.url, self.reply = body, own.url + PATH, None
        self.thread = threading.Thread(target=self.ask)
        self.text, self.began = "", threading.Event()
        self.thread.start()

    def ask(self):
        with self.client.stream("POST", self.url, json=self.body) as reply:
            self.reply = reply
            self.began.set()
            self.text = "".join(reply.iter_text())

    def head(self):
        assert self.began.wait(20)
        return self.reply.status_code, self.reply.headers["greffier-request-id"]

    def rest(self):
        self.thread.join(20)
        self.client.close()
        return self.text


class Http2:
    """The same over HTTP/2, by Node: the client below httpx takes `GOAWAY` for the end of everything."""

    def __init__(self, own, token, body):
        argv = [str(NODE), str(HERE / "h2_client.mjs"), own.url + PATH, token, json.dumps(body)]
        # Unbuffered: what a line reads ahead is not there for `communicate`.
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, bufsize=0)

    def head(self):
        told = json.loads(self.child.stdout.readline())
        return told["status"], told["id"]

    def rest(self):
        text, _ = self.child.communicate(timeout=20)
        assert self.child.returncode == 0
        return text.decode()


def told_to_stop(own):
    own.process.child.send_signal(signal.SIGTERM)
    wait_until(lambda: not listening(own.port), "nobody is let in any more")
    assert own.process.child.poll() is None, "it waits for what is under way"


def ended(own, request_id):
    assert own.process.child.wait(30) == 0
    found = [event for event in own.events("org_acme_corp") if event.get("request_id") == request_id]
    assert [event["type"] for event in found] == ["action.approved", "action.executed"]
    assert own.verify().returncode == 0


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_stream_reaches_its_end(install, world, alice, client):
    own = install().start()
    go = threading.Event()
    world.scripted.play(head(), said("Hello. "), go, said("Bye. "), said(None, "stop"), chunk("data: [DONE]\n\n"), END)
    asked = client(own, alice, {"model": "scripted-gpt", "messages": MESSAGES, "stream": True})
    status, request_id = asked.head()
    assert status == 200
    told_to_stop(own)
    go.set()
    text = asked.rest()
    assert "Bye." in text and text.rstrip().endswith("data: [DONE]")
    ended(own, request_id)


@pytest.mark.parametrize("client", [Http1, Http2])
def test_a_whole_reply_reaches_its_caller(install, world, alice, client):
    own = install().start()
    go = threading.Event()
    reply = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
    world.scripted.play(go, head("application/json"), chunk(json.dumps(reply)), END)
    asked = client(own, alice, {"model": "scripted-gpt", "messages": MESSAGES})
    wait_until(lambda: world.scripted.requests, "the upstream is asked")
    told_to_stop(own)
    go.set()
    status, request_id = asked.head()
    assert status == 200 and json.loads(asked.rest())["choices"][0]["message"]["content"] == "Hello."
    ended(own, request_id)
