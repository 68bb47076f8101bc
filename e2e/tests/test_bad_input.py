"""What no client should send: a clear 4xx in the caller's wire format, never a panic, nothing upstream."""

import contextlib
import json
import select
import socket
import time

import pytest

MESSAGES = [{"role": "user", "content": "say hello"}]
DEEP = 10_000


def chat(**changes):
    return json.dumps({"model": "gpt-4o", "max_tokens": 9, "messages": MESSAGES} | changes).encode()


BODIES = {
    "empty": b"",
    "truncated": chat()[:-5],
    "trailing garbage": chat() + b"}",
    "two documents": chat() + chat(),
    "not JSON": b"hello there",
    "a number": b"42",
    "an array": b"[]",
    "null": b"null",
    "NUL bytes": chat().replace(b"say", b"s\0y"),
    "only NUL": b"\0" * 100,
    "invalid UTF-8": chat().replace(b"say", b"\xff\xfe"),
    "overlong UTF-8": chat().replace(b"say", b"\xc0\xae"),
    "encoded surrogate": chat().replace(b"say", b"\xed\xa0\x80"),
    "UTF-16": chat().decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + chat(),
    "deep arrays": chat()[:-1] + b', "x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": chat()[:-1] + b', "x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "deep and unclosed": b"[" * 1_000_000,
    "duplicate keys": chat()[:-1] + b', "model": "gpt-secret"}',
    "duplicate keys, escaped": chat()[:-1] + rb', "mode\u006c": "gpt-secret"}',
    "duplicate keys, nested": chat(x=1).replace(b'"role": "user"', b'"role": "user", "role": "system"'),
    "model is a number": chat(model=4),
    "model is null": chat(model=None),
    "model is empty": chat(model=""),
    "model is long": chat(model="gpt-" + "x" * 100_000),
    "model has controls": chat(model="gpt-\n\r\0"),
    "no model": json.dumps({"messages": MESSAGES, "max_tokens": 9}).encode(),
    "stream is a string": chat(stream="yes"),
    "messages is a string": chat(messages="say hello"),
    "messages is missing": json.dumps({"model": "gpt-4o", "max_tokens": 9}).encode(),
    "NaN": chat()[:-1] + b', "temperature": NaN}',
    "a comment": chat()[:-1] + b'/* x */}',
    "a single quote": b"{'model': 'gpt-4o'}",
    "lone surrogate key and value": chat()[:-1] + rb', "\ud800": "\udfff"}',
}
# JSON as it is, but odd; it may pass or be refused, as long as nobody panics.
ALLOWED = {"lone surrogate key and value", "a byte order mark"}


def well_formed(wire, reply):
    """An error as the provider's own SDK expects it."""
    body = reply.json()
    if wire == "anthropic":
        assert body["type"] == "error" and body["error"]["type"] and body["error"]["message"], body
    else:
        assert body["error"]["message"] and body["error"]["code"], body
    return body


@pytest.fixture(scope="module")
def quiet(world):
    """Nothing of this module reaches an upstream."""
    before = world.reached()
    yield
    sent = world.reached()[len(before):]
    assert sent == b"", sent[:2000]


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize("what", BODIES)
def test_bad_bodies(what, wire, greffier, world, alice, sdk):
    path = "/v1/messages" if wire == "anthropic" else "/v1/chat/completions"
    body = BODIES[what].replace(b'"gpt-4o"', b'"claude-sonnet-4-5"') if wire == "anthropic" else BODIES[what]
    before = world.reached()
    with sdk.http(greffier, alice) as http:
        reply = http.post(path, content=body, headers={"content-type": "application/json"})
    if what in ALLOWED and reply.status_code == 200:
        return
    assert 400 <= reply.status_code < 500, f"{reply.status_code} {reply.text}"
    assert reply.status_code not in (401, 403), reply.text
    well_formed(wire, reply)
    assert "greffier-request-id" in reply.headers
    assert world.reached() == before
    greffier.assert_calm()


def test_what_is_no_call_is_on_its_senders_trail(greffier, people, sdk):
    """Who sent it, through which door, and why it is none. Of alice there were too many to tell each of them."""
    with sdk.http(greffier, people["audra"]) as http:
        reply = http.post("/v1/messages", content=BODIES["truncated"], headers={"content-type": "application/json"})
    (event,) = [event for event in greffier.events("org_acme_corp")
                if event.get("request_id") == reply.headers["greffier-request-id"]]
    assert (event["type"], event["action"]["name"], event["user"]["sub"]) == ("error", "malformed", "audra")
    assert event["source"]["protocol"] == "anthropic.messages" and "policy" not in event
    assert (event["outcome"]["code"], event["outcome"]["error"]) == (400, "bad_request")


@pytest.mark.parametrize("wire", ["openai", "anthropic", "tool"])
def test_a_gibibyte_is_refused_early(wire, greffier, alice, sdk):
    """Streamed in chunks without a declared length: refused long before it is all there, in bounded memory."""
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "tool": "/tools/crm/upload"}[wire]
    piece, sent, answered_after = b'"' + b"x" * (1 << 20), 0, None
    with socket.create_connection(("127.0.0.1", greffier.port), timeout=30) as raw:
        raw.sendall(
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\n"
            "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        # All of it is sent, whatever the answer: a client that does not listen must not cost memory either.
        with contextlib.suppress(OSError):
            for _ in range(1024):
                raw.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                sent += len(piece)
                if answered_after is None and select.select([raw], [], [], 0)[0]:
                    answered_after = sent
        said = read_all(raw)
    assert b" 413 " in said.split(b"\r\n")[0], said[:300]
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["message"]
    assert answered_after is not None and answered_after < 64 << 20, f"answered after {answered_after} of {sent} bytes"
    assert peak(greffier) < 400 << 20
    greffier.assert_calm()


def test_a_declared_gibibyte_is_refused_unread(greffier, alice):
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\n"
        f"content-type: application/json\r\ncontent-length: {1 << 30}\r\n\r\n"
    )
    said = talk(greffier, head.encode())
    assert b" 413 " in said.split(b"\r\n")[0], said[:300]
    assert json.loads(said.split(b"\r\n\r\n", 1)[1])["error"]["message"]


def peak(greffier):
    status = open(f"/proc/{greffier.process.child.pid}/status").read()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) << 10


def read_all(raw):
    said = b""
    with contextlib.suppress(OSError):
        while data := raw.recv(65536):
            said += data
            head, _, body = said.partition(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:") and len(body) >= int(line.split(b":")[1]):
                    return said
    return said


def talk(greffier, bytes_sent, timeout=20):
    """Raw bytes in, raw bytes out."""
    with socket.create_connection(("127.0.0.1", greffier.port), timeout=timeout) as raw:
        with contextlib.suppress(OSError):
            raw.sendall(bytes_sent)
        return read_all(raw)


def request(alice, headers="", body=b"", path="/v1/chat/completions", method="POST"):
    return (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\n"
        f"content-type: application/json\r\n{headers}\r\n".encode() + body
    )


SMUGGLED = b"GET /tools/crm/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = chat()
CHUNKED = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
RAW = {
    "length and chunks": lambda a: request(a, f"content-length: {len(CHUNKED)}\r\ntransfer-encoding: chunked\r\n", CHUNKED + SMUGGLED),
    "chunks and length": lambda a: request(a, "transfer-encoding: chunked\r\ncontent-length: 4\r\n", CHUNKED + SMUGGLED),
    "two lengths": lambda a: request(a, f"content-length: {len(BODY)}\r\ncontent-length: 5\r\n", BODY),
    "a list of lengths": lambda a: request(a, f"content-length: {len(BODY)}, 5\r\n", BODY),
    "a signed length": lambda a: request(a, f"content-length: +{len(BODY)}\r\n", BODY),
    "a negative length": lambda a: request(a, "content-length: -1\r\n", BODY),
    "an unknown coding": lambda a: request(a, "transfer-encoding: gzip, chunked\r\n", CHUNKED),
    "chunked, but not last": lambda a: request(a, "transfer-encoding: chunked, identity\r\n", CHUNKED),
    "chunked twice": lambda a: request(a, "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", CHUNKED),
    "a chunk size of no number": lambda a: request(a, "transfer-encoding: chunked\r\n", b"xyz\r\n" + BODY),
    "a chunk size without end": lambda a: request(a, "transfer-encoding: chunked\r\n", b"f" * 100 + b"\r\n"),
    "space before the colon": lambda a: request(a, f"content-length : {len(BODY)}\r\n", BODY),
    "a folded header": lambda a: request(a, f"x-a: b\r\n c: d\r\ncontent-length: {len(BODY)}\r\n", BODY),
    "NUL in a header": lambda a: request(a, f"x-a: b\0c\r\ncontent-length: {len(BODY)}\r\n", BODY),
    "one huge header": lambda a: request(a, f"x-a: {'b' * (1 << 20)}\r\ncontent-length: {len(BODY)}\r\n", BODY),
    "many headers": lambda a: request(a, "".join(f"x-{n}: 1\r\n" for n in range(5000)) + f"content-length: {len(BODY)}\r\n", BODY),
    "some too many headers": lambda a: request(a, "".join(f"x-{n}: 1\r\n" for n in range(90)) + f"content-length: {len(BODY)}\r\n", BODY),
    "two tokens": lambda a: request(a, f"authorization: Bearer other\r\ncontent-length: {len(BODY)}\r\n", BODY),
    "a huge path": lambda a: request(a, "content-length: 0\r\n", path="/tools/crm/" + "x" * (1 << 20)),
    "no HTTP at all": lambda a: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "HTTP 9": lambda a: b"GET / HTTP/9.9\r\n\r\n",
    "an unknown method": lambda a: request(a, method="BREW", headers="content-length: 0\r\n"),
    "CONNECT": lambda a: request(a, method="CONNECT", path="127.0.0.1:9", headers="content-length: 0\r\n"),
    "TRACE": lambda a: request(a, method="TRACE", headers="content-length: 0\r\n"),
    "compressed": lambda a: request(a, f"content-encoding: gzip\r\ncontent-length: {len(BODY)}\r\n", BODY),
    "absolute form elsewhere": lambda a: request(a, "content-length: 0\r\n", path="http://elsewhere.test/v1/none"),
    "an unknown route": lambda a: request(a, "content-length: 0\r\n", path="/v1/none"),
    "a path that climbs": lambda a: request(a, "content-length: 0\r\n", path="/tools/crm/../../v1/none", method="GET"),
    "a path that climbs, encoded": lambda a: request(a, "content-length: 0\r\n", path="/tools/crm/%2e%2e/%2E%2E/admin", method="GET"),
    "the wrong method": lambda a: request(a, method="GET", path="/v1/chat/completions"),
    "a body on GET": lambda a: request(a, f"content-length: {len(BODY)}\r\n", BODY, path="/v1/none", method="GET"),
}
# Refused by the HTTP parser before anything is known of it: 4xx or a closed connection, without a body of ours.
BY_PARSER = {
    "two lengths", "a list of lengths", "a signed length", "a negative length", "an unknown coding",
    "chunked, but not last", "chunked twice", "space before the colon", "a folded header", "NUL in a header",
    "one huge header", "many headers", "a huge path", "no HTTP at all", "HTTP 9", "CONNECT",
    "a chunk size of no number", "a chunk size without end", "length and chunks", "chunks and length",
    "an unknown method", "TRACE",
}


@pytest.mark.parametrize("what", RAW)
def test_bad_requests(what, greffier, world, alice):
    before = (world.reached(), len(world.tools.journal))
    said = talk(greffier, RAW[what](alice))
    greffier.assert_calm()
    assert (world.reached(), len(world.tools.journal)) == before, "it reached an upstream"
    if not said and what in BY_PARSER:
        return
    status = int(said.split(b" ", 2)[1])
    assert 400 <= status < 500 or status == 505, said[:400]
    assert said.count(b"HTTP/1.1 ") == 1, f"more than one answer: {said[:1000]}"
    body = said.split(b"\r\n\r\n", 1)[1]
    if body or what not in BY_PARSER:
        assert json.loads(body)["error"]["message"], said[:400]


def test_nothing_hides_behind_a_good_request(greffier, world, alice):
    """On a connection that is kept: length and chunks disagree in the second request, a third hides in it."""
    before = len(world.tools.journal)
    first = request(alice, "content-length: 2\r\n", b"{}", path="/tools/crm/first")
    second = request(alice, "content-length: 5\r\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n", path="/tools/crm/second")
    hidden = request(alice, "content-length: 2\r\n", b"{}", path="/tools/crm/hidden")
    with socket.create_connection(("127.0.0.1", greffier.port), timeout=20) as raw:
        raw.sendall(first + second + hidden)
        said = b""
        with contextlib.suppress(OSError):
            while data := raw.recv(65536):
                said += data
    assert 1 <= said.count(b"HTTP/1.1 ") <= 2, said[:2000]
    assert "/hidden" not in [seen["path"] for seen in world.tools.journal[before:]]


def test_half_a_request_is_not_waited_for_forever(greffier, alice):
    """Neither a head nor a body may come drop by drop without end."""
    started = time.monotonic()
    said = talk(greffier, b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthoriz", timeout=60)
    assert time.monotonic() - started < 40
    assert said == b"" or b" 408 " in said.split(b"\r\n")[0]
    greffier.assert_calm()


def test_it_still_serves(greffier, alice, sdk):
    """After all of the above."""
    reply = sdk.openai(greffier, alice).chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert reply.choices[0].message.content == "Hello from upstream."
