"""Whether a gateway does what is claimed of it, before its pace counts for anything: the upstream's own words come back
through it, whole and streamed, and who verifies callers refuses a stranger.
"""

import http.client
import json

QUESTION = "Please answer maria.keller@example.com. "
STRANGER = "authorization: Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtYWxsb3J5In0.c2lnbmF0dXJl"
TIMEOUT = 60


def ask(port, model, headers, size=1024, stream=False):
    """The status and the text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    message = {"role": "user", "content": (QUESTION * (size // len(QUESTION)))}
    body = json.dumps({"model": model, "stream": stream, "messages": [message]})
    fields = dict(header.split(": ", 1) for header in headers) | {"content-type": "application/json"}
    try:
        connection.request("POST", "/v1/chat/completions", body, fields)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    return answer.status, said(text, stream) if answer.status == 200 else text


def said(text, stream):
    """What the model says in an answer."""
    if not stream:
        return json.loads(text)["choices"][0]["message"]["content"]
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]", events[-1]
    deltas = [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def prove(subject, port, upstream):
    for size, stream in ((1024, False), (16384, False), (1024, True)):
        _, own = ask(upstream, subject.model, (), size, stream)
        status, text = ask(port, subject.model, subject.headers, size, stream)
        assert status == 200, (subject.name, status, text)
        assert subject.tells(own, text), (subject.name, stream, text)
    if subject.verifies:
        status, text = ask(port, subject.model, (STRANGER,))
        # LiteLLM without a database says 400.
        assert status in (400, 401), (subject.name, status, text)
