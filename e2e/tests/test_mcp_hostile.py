"""MCP servers that are broken, or mean it: what they do stays with them, is on record, and harms no other call."""

import gzip
import json
import sys
import threading
import time

import pytest

from conftest import HERE
from harness import raw_mcp
from harness.procs import wait_until
from harness.raw_mcp import Talk, notification, request, result, text, together

SSN = "536-90-4399"
BODY = 256 * 1024

CONFIG = """
[server]
body = "256KiB"

[[mcp]]
name = "raw"
url = "{url}"
timeout = "2s"
idle_timeout = "2s"

[[mcp]]
name = "rough"
command = {command}
timeout = "3s"
idle_timeout = "3s"
"""

POLICIES = """
@id("role:analyst may use all servers")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource)
when { resource in Server::"raw" || resource in Server::"rough" };
"""


@pytest.fixture(scope="module")
def server():
    raw = raw_mcp.Raw()
    yield raw
    raw.stop()


@pytest.fixture(scope="module")
def gateway(binary, world, server, tmp_path_factory):
    from harness.greffier import Greffier

    command = json.dumps([sys.executable, str(HERE / "fixtures/rough_server.py")])
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("hostile") / "it",
                        more=CONFIG.format(url=server.url, command=command))
    (greffier.policies / "mcp.cedar").write_text(POLICIES)
    greffier.start()
    yield greffier
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(autouse=True)
def fresh(server):
    server.on.clear()
    server.saw.clear()


@pytest.fixture
def talk(gateway, alice):
    made = []

    def make(name, **more):
        made.append(Talk(gateway, name, alice, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def outcome(gateway, action, since):
    """The one outcome of an action, once it is there."""
    def found():
        events = gateway.events()[since:]
        return [event["outcome"] for event in events
                if (event.get("action") or {}).get("name") == action and "outcome" in event]

    (one,) = wait_until(found, f"an outcome of {action}")
    return one["status"], one.get("error")


def words(answer):
    return answer["result"]["content"][0]["text"]


def failure(answer):
    return answer["error"]["data"]["code"]


# Over HTTP.

DEEP = '{"jsonrpc":"2.0","id":1,"result":{"a":' + "[" * 5_000 + "]" * 5_000 + "}}"


def body(data, status=200, **headers):
    return lambda exchange: exchange.json(data if isinstance(data, bytes) else data.encode(), status, **headers)


def events(*lines):
    def handler(exchange):
        exchange.events()
        for line in lines:
            exchange.write(line if isinstance(line, bytes) else line.encode())

    return handler


def event(message):
    return f"data: {json.dumps(message)}\n\n"


def sleeps(exchange):
    time.sleep(3)


def begins_and_sleeps(exchange):
    exchange.events()
    exchange.event(notification("notifications/message", level="info", data="soon"))
    time.sleep(3)


GOOD = json.dumps(result(1, content=text("fine")))
WRONG = {
    "no JSON": (body("<html>"), "reply_unreadable"),
    "nothing": (body(""), "no_reply"),
    "half": (body(GOOD[:-5]), "reply_unreadable"),
    "not UTF-8": (body(GOOD.encode().replace(b"fine", b"\xff\xfe")), "reply_cut"),
    "a batch": (body(f"[{GOOD}]"), "reply_unreadable"),
    "another's answer": (body(GOOD.replace('"id": 1', '"id": 2')), "reply_unreadable"),
    "an id that is no number": (body(GOOD.replace('"id": 1', '"id": "1"')), "reply_unreadable"),
    "two results": (body(GOOD[:-1] + ', "result": {"content": []}}'), "reply_unreadable"),
    "a result and an error": (body(GOOD[:-1] + ', "error": {"code": 1, "message": "x"}}'), "reply_unreadable"),
    "too deep": (body(DEEP), "reply_unreadable"),
    "too large": (body(json.dumps(result(1, content=text("x" * BODY)))), "reply_too_large"),
    "unasked gzip": (body(gzip.compress(GOOD.encode()), content_encoding="gzip"), "upstream_unreachable"),
    "a request in the reply's place": (body(json.dumps(request(9, "ping"))), "reply_unreadable"),
    "elsewhere": (body("", 302, location="http://127.0.0.1:9/"), "upstream_error"),
    "who are you": (body("{}", 401), "upstream_refused"),
    "a bare error": (body("no", 500), "upstream_error"),
    "silence": (sleeps, "upstream_timeout"),
    "an empty stream": (events(), "stream_cut"),
    "a stream of nothing": (events("data: no\n\n"), "stream_cut"),
    "a stream with another's answer": (events(event(result(2, content=[]))), "stream_cut"),
    "an event too large": (events("data: " + "x" * (BODY + 10), "\n\n"), "stream_cut"),
    "a line without end": (events(*["x" * 60_000] * 6), "stream_cut"),
    "a stream that falls silent": (begins_and_sleeps, "upstream_timeout"),
    "a cut event": (events(f"data: {GOOD}"), "stream_cut"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_reply_is_an_error_and_an_outcome(gateway, server, talk, what):
    handler, expected = WRONG[what]
    since, client = len(gateway.events()), talk("raw")
    server.on["tools/call"] = handler
    answer = client.call("search")
    assert answer["id"] == 1 and failure(answer) == expected, answer
    status, error = outcome(gateway, "raw:search", since)
    # That our own credential is not good there is on record as what it is; the caller is told no more than that.
    recorded = "upstream_error" if expected == "upstream_refused" else expected
    assert (status, error) == ("timeout" if expected == "upstream_timeout" else "failure", recorded)
    server.on["tools/call"] = lambda exchange: exchange.json(GOOD.encode())
    assert words(client.call("search")) == "fine"


LISTS = {
    "no list": {"tools": {}},
    "two lists": '{"tools":[],"Tools":[{"name":"drop"}]}',
    "a nameless tool": {"tools": [{"description": "x"}]},
    "a name twice": '{"tools":[{"name":"search","Name":"drop"}]}',
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_that_could_be_read_in_two_ways_is_none(gateway, server, talk, what):
    listed = LISTS[what] if isinstance(LISTS[what], str) else json.dumps(LISTS[what])
    server.on["tools/list"] = body(f'{{"jsonrpc":"2.0","id":1,"result":{listed}}}')
    reply = talk("raw").post(request(1, "tools/list"))
    assert reply.status_code == 502 and failure(reply.json()) == "reply_unreadable"


def test_names_that_nobody_could_call_are_not_listed_nor_pinned(gateway, server, talk):
    names = ["search", "method:tasks/result", "a\nb", "x" * 10_000, "", "search\u0000"]
    listed = [{"name": name, "description": "d"} for name in names]
    server.on["tools/list"] = lambda exchange: exchange.json(result(1, tools=listed))
    reply = talk("raw").post(request(1, "tools/list"))
    assert [tool["name"] for tool in reply.json()["result"]["tools"]] == ["search"]
    pins = (gateway.folder / "greffier-pins/raw.pins").read_text()
    assert '"search"' in pins and len(pins) < 1_000


def test_a_server_cannot_name_a_session_that_breaks_the_reply(gateway, server, talk):
    def handler(exchange):
        exchange.json(result(0, protocolVersion="2025-11-25", capabilities={}, serverInfo={}),
                      mcp_session_id="a b" + "x" * 300)

    server.on["initialize"] = handler
    client = talk("raw", open=False)
    opened = client.post(request(0, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={}))
    assert opened.status_code == 200 and "mcp-session-id" not in opened.headers


def test_a_flood_of_questions_is_cut_and_does_not_flood_the_trail(gateway, server, talk):
    since, client = len(gateway.events()), talk("raw")

    def handler(exchange):
        exchange.events()
        for number in range(2_000):
            exchange.event(request(f"q{number}", "sampling/createMessage", messages=[], maxTokens=1))

    server.on["tools/call"] = handler
    with client.streamed(request(1, "tools/call", name="search", arguments={})) as stream:
        came = [message for _, message in stream]
    assert failure(came[-1]) == "stream_cut" and len(came) <= 65
    asked = [event for event in gateway.events()[since:] if event.get("action", {}).get("name", "").endswith("createMessage")]
    assert len(asked) <= 64, "what nobody is asked leaves nothing"
    refused = [one for one in server.saw if "error" in (one.message or {})]
    assert refused and refused[0].message["error"]["data"]["code"] == "too_many_waiting"


def test_a_flood_of_notifications_reaches_who_reads_and_blocks_nobody_else(gateway, server, talk):
    reader, other = talk("raw"), talk("raw")
    count = 3_000

    def handler(exchange):
        if exchange.params["name"] == "quick":
            return exchange.json(GOOD.encode())
        exchange.events()
        for number in range(count):
            exchange.event(notification("notifications/message", level="info", data=f"message {number}"))
        exchange.event(result(1, content=text("done")))

    server.on["tools/call"] = handler
    with reader.streamed(request(1, "tools/call", name="flood", arguments={})) as stream:
        messages = (message for _, message in stream)
        assert next(messages)["params"]["data"] == "message 0"
        # While nobody reads on, the flood waits, and others are served.
        assert words(other.call("quick")) == "fine"
        rest = list(messages)
    assert len(rest) == count and words(rest[-1]) == "done"


# Over standard input and output.


def test_a_line_over_the_limit_ends_the_process_and_nothing_else(gateway, talk):
    other, client = talk("rough"), talk("rough")
    assert len(words(client.call("huge", bytes=BODY - 1_000))) == BODY - 1_000
    since = len(gateway.events())
    assert failure(client.call("huge", bytes=2 * BODY)) == "no_reply"
    assert outcome(gateway, "rough:huge", since) == ("failure", "no_reply")
    assert words(other.call("pid")), "another session's process lives"
    assert words(talk("rough").call("pid"))


def test_lines_that_are_no_messages_are_passed_over(gateway, talk):
    assert words(talk("rough").call("noise")) == "after the noise"


def test_a_call_without_an_answer_ends_and_is_cancelled(gateway, talk):
    since, client = len(gateway.events()), talk("rough")
    assert failure(client.call("never")) == "upstream_timeout"
    assert outcome(gateway, "rough:never", since) == ("timeout", "upstream_timeout")
    # It was told, by the id that it knows.
    heard = wait_until(lambda: json.loads(words(client.call("heard"))), "the server hears of it")
    assert heard == [{"method": "notifications/cancelled", "about": "never"}]


def test_who_goes_away_cancels(gateway, talk):
    since, client = len(gateway.events()), talk("rough", open=False)
    impatient = talk("rough", open=False, timeout=0.5)
    with pytest.raises(Exception, match="timed out"):
        impatient.once(1, "tools/call", name="never", arguments={})
    assert outcome(gateway, "rough:never", since) == ("cancelled", "caller_gone")

    def heard():
        return json.loads(words(client.once(2, "tools/call", name="heard", arguments={}).json()))

    assert wait_until(heard, "the server hears of it") == [{"method": "notifications/cancelled", "about": "never"}]


def test_answers_to_others_go_nowhere(gateway, talk):
    clients = [talk("rough", open=False) for _ in range(4)]

    def job(number):
        def call():
            one = clients[number]
            got = [one.once(7, "tools/call", name="foreign", arguments={}).json(),
                   one.once(7, "tools/call", name="say", arguments={"words": str(number)}).json()]
            return [words(answer) for answer in got]
        return call

    assert together(*map(job, range(4))) == [["the answer", str(number)] for number in range(4)]


def test_a_process_that_floods_is_read_to_the_end(gateway, talk):
    client = talk("rough")
    with client.streamed(request(1, "tools/call", name="flood", arguments={"messages": 3_000})) as stream:
        messages = [message for _, message in stream]
    assert len(messages) == 3_001 and words(messages[-1]) == "after the flood"


def test_what_a_process_shouts_is_cleaned_and_cut(gateway, talk):
    before = len(gateway.outputs())
    client = talk("rough")
    assert words(client.call("shout")) == "shouted"
    logged = wait_until(lambda: (said := gateway.outputs()[before:]).count(b"an MCP server says") and said, "it is logged")
    assert logged.count(b"an MCP server says") <= 60 and SSN.encode() not in logged


def test_many_stuck_calls_do_not_stop_others(gateway, talk):
    stuck, client = talk("rough", timeout=20), talk("rough")
    threads = [threading.Thread(target=lambda n=n: stuck.call("never", id=n)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    assert words(stuck.call("pid", id=99)) and words(client.call("pid"))
    for thread in threads:
        thread.join()
