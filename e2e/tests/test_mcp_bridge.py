"""`greffier mcp --server`: a client that speaks to commands, in front of a running gateway."""

import os
import signal
import sys

import pytest
from mcp_types import ElicitResult

from conftest import HERE
from harness import mcp, raw_mcp
from harness.lines import Lines
from harness.procs import free_port, wait_until
from harness.raw_mcp import META, notification, request, result, text

POLICIES = """
@id("role:analyst may use the raw server")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource in Server::"raw");

@id("role:analyst may use the asking server")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource in Server::"asking");

@id("nobody drops a table")
forbid (principal, action == Action::"call_tool", resource == Tool::"raw:drop");
"""

OPEN = request(0, "initialize", protocolVersion="2025-11-25", capabilities={"elicitation": {}},
               clientInfo={"name": "desk", "version": "1"})


@pytest.fixture(scope="module")
def server():
    raw = raw_mcp.Raw()
    yield raw
    raw.stop()


@pytest.fixture(scope="module")
def gateway(binary, world, server, tmp_path_factory):
    from harness.greffier import Greffier

    asking = [sys.executable, str(HERE / "fixtures/asking_server.py")]
    more = f'\n[[mcp]]\nname = "raw"\nurl = "{server.url}"\n\n[[mcp]]\nname = "asking"\ncommand = {asking}\n'
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("bridge") / "it", more=more.replace("'", '"'))
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


def argv(gateway, name="raw", url=None):
    return [gateway.binary, "mcp", "--server", url or gateway.url, "--name", name]


def env(token, folder):
    return {"PATH": os.environ["PATH"], "HOME": str(folder)} | ({"GREFFIER_TOKEN": token} if token else {})


@pytest.fixture
def bridge(gateway, alice, tmp_path):
    """Bridges, ended at the end."""
    made = []

    def make(token=alice, open=True, **more):
        one = Lines(argv(gateway, **more), env(token, tmp_path), tmp_path / f"{len(made)}.stderr")
        made.append(one)
        if open:
            assert one.ask(OPEN)["result"]["protocolVersion"] == "2025-11-25"
            one.write(notification("notifications/initialized"))
        return one

    yield make
    for one in made:
        one.child.kill()
        one.child.wait()


def test_what_is_asked_is_governed_and_answered(gateway, server, bridge):
    since, one = len(gateway.events()), bridge()
    server.on["tools/call"] = lambda exchange: exchange.json(result(exchange.message["id"], content=text("done")))
    assert one.ask(request("a", "tools/call", name="search", arguments={})) == result("a", content=text("done"))
    refused = one.ask(request("b", "tools/call", name="drop", arguments={}))
    assert refused["id"] == "b" and "nobody drops a table" in refused["error"]["message"]
    events = [event for event in gateway.events()[since:] if (event.get("action") or {}).get("name") == "raw:search"]
    assert [event["type"] for event in events] == ["action.approved", "action.executed"]
    assert events[0]["user"]["sub"] == "alice" and events[0]["user"]["verified"]
    # It leaves when its client does, and says so.
    assert one.close() == 0
    assert [exchange.headers["mcp-session-id"] for exchange in server.saw if exchange.message is None and
            exchange._handler.command == "DELETE"], "the session is ended"


def test_a_question_and_progress_travel_in_the_stream_of_a_call(gateway, server, bridge):
    one = bridge()

    def handler(exchange):
        exchange.events()
        exchange.event(notification("notifications/progress", progressToken=1, progress=1))
        exchange.event(request("q", "elicitation/create", message="Which?", requestedSchema={"type": "object"}))
        answered = server.answers.get(timeout=20)
        exchange.event(result(exchange.message["id"], content=text(answered["result"]["action"])))

    server.on["tools/call"] = handler
    assert one.ask(request(1, "tools/call", name="search", arguments={}))["method"] == "notifications/progress"
    question = one.next()
    assert (question["id"], question["method"]) == ("q", "elicitation/create")
    assert one.ask(result("q", action="decline")) == result(1, content=text("decline"))


def test_news_of_the_session_are_heard(gateway, server, bridge):
    def handler(exchange):
        exchange.events()
        exchange.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})

    server.on["GET"] = handler
    assert bridge().next()["method"] == "notifications/tools/list_changed"


def test_a_call_whose_stream_broke_off_is_resumed(gateway, server, bridge):
    one = bridge()

    def breaks_off(exchange):
        exchange.events()
        exchange.event(id="place-1")

    def resumes(exchange):
        if exchange.headers.get("last-event-id") != "place-1":
            return exchange.nothing(405)
        exchange.events()
        exchange.event(result(5, content=text("late")), id="place-2")

    server.on["tools/call"], server.on["GET"] = breaks_off, resumes
    assert one.ask(request(5, "tools/call", name="search", arguments={})) == result(5, content=text("late"))


def test_a_call_that_cannot_be_resumed_fails(gateway, server, bridge):
    one = bridge()

    def breaks_off(exchange):
        exchange.events()
        exchange.event(id="place-1")

    server.on["tools/call"] = breaks_off
    failed = one.ask(request(5, "tools/call", name="search", arguments={}))
    assert failed["id"] == 5 and failed["error"]["code"] == -32603


def test_a_stateless_client_needs_no_session(gateway, server, bridge):
    one = bridge(open=False)
    server.on["tools/call"] = lambda exchange: exchange.json(
        result(exchange.message["id"], resultType="complete", content=text("done")))
    got = one.ask(request(1, "tools/call", name="suche \u00fc", arguments={}, _meta=META))
    assert got["result"]["content"] == text("done")
    (call,) = server.calls("tools/call")
    assert call.headers["mcp-name"].startswith("=?base64?") and call.headers["mcp-protocol-version"] == raw_mcp.STATELESS


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_the_sdk_through_it(gateway, alice, tmp_path, mode):
    async def answers(_, asked):
        return ElicitResult(action="accept", content={"name": "Erika"})

    async def conversation(client):
        return (await client.call_tool("choose", {})).content[0].text

    got = mcp.talk_to_command(argv(gateway, "asking"), mode, conversation, env=env(alice, tmp_path),
                              elicitation_callback=answers)
    assert got == "it is Erika"


def test_what_is_no_message_is_answered_and_harms_nothing(gateway, server, bridge):
    one = bridge()
    one.write(b"{ no json")
    assert one.next()["error"]["code"] == -32700
    one.write(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]')
    assert one.next()["error"]["code"] == -32600
    assert one.ask(request(2, "ping")) == result(2)


def test_without_a_token_there_is_no_bridge(gateway, tmp_path):
    one = Lines(argv(gateway), env(None, tmp_path), tmp_path / "stderr")
    assert one.close() == 4 and "GREFFIER_TOKEN" in one.said()


def test_a_token_that_is_no_good_is_said(gateway, bridge):
    one = bridge(token="not.a.token", open=False)
    refused = one.ask(OPEN)
    assert refused["id"] == 0 and refused["error"]["data"]["code"] == "malformed_token"


def test_a_gateway_that_is_not_there_fails_what_is_asked(gateway, bridge):
    one = bridge(open=False, url=f"http://127.0.0.1:{free_port()}")
    failed = one.ask(OPEN)
    assert failed["id"] == 0 and "could not be reached" in failed["error"]["message"]
    assert one.close() == 0


def test_a_session_that_is_gone_is_said(install, server, alice, tmp_path, world):
    greffier = install(more=f'\n[[mcp]]\nname = "raw"\nurl = "{server.url}"\n')
    (greffier.policies / "mcp.cedar").write_text(POLICIES.replace('"asking"', '"raw"'))
    greffier.start()
    one = Lines(argv(greffier), env(alice, tmp_path), tmp_path / "stderr")
    assert "result" in one.ask(OPEN)
    greffier.stop()
    assert one.ask(request(1, "ping"))["error"]["code"] == -32603
    greffier.start()
    # A client of commands knows no sessions: it must go on without opening one anew.
    assert one.ask(request(2, "ping")) == result(2)
    one.child.send_signal(signal.SIGKILL)
    one.child.wait()
