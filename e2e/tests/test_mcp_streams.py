"""MCP's streams and sessions, seen from both ends without an SDK between: what breaks off, comes late, or is not for you."""

import asyncio
import json
import sys
import time

import fastmcp
import httpx
import pytest
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import ElicitResult

from conftest import HERE
from harness import mcp, raw_mcp
from harness.procs import Process, free_port, listening, wait_until
from harness.raw_mcp import Talk, notification, request, result, text, together

SSN, CARD = "536-90-4399", "4539 1488 0343 6467"

POLICIES = """
@id("role:analyst may use raw servers")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource)
when { resource in Server::"raw" || resource in Server::"strict" || resource in Server::"rough" || resource in Server::"idle" ||
       resource in Server::"asking" || resource in Server::"piped" };

@id("nobody reads the plan")
forbid (principal, action == Action::"read_resource", resource == Resource::"crm://plan");

@id("nobody is asked for a secret")
forbid (principal, action == Action::"call_tool", resource == Tool::"raw:method:elicitation/create")
when { context.parameters.hasTag("message") && context.parameters.getTag("message") like "*password*" };

@id("only analysts hear of the ledger")
forbid (principal, action == Action::"read_resource", resource == Resource::"crm://ledger")
unless { principal in Role::"nobody at all" };
"""

CONFIG = """
[[safety.rule]]
tool = "strict:*"
types = ["US_SSN"]
action = "redact"

[[safety.rule]]
tool = "strict:*"
types = ["CREDIT_CARD"]
action = "block"

[[safety.rule]]
tool = "raw:method:elicitation/create"
types = ["US_SSN"]
action = "redact"

[server]
body = "256KiB"

[[mcp]]
name = "raw"
url = "{url}"
timeout = "3s"
idle_timeout = "3s"

[[mcp]]
name = "strict"
url = "{url}"

[[mcp]]
name = "rough"
command = {command}
timeout = "3s"
idle_timeout = "3s"
processes = 4

[[mcp]]
name = "idle"
command = {command}
process_idle = "1s"

[[mcp]]
name = "asking"
url = "{asking}"

[[mcp]]
name = "piped"
command = {piped}
"""


@pytest.fixture(scope="module")
def server():
    raw = raw_mcp.Raw()
    yield raw
    raw.stop()


@pytest.fixture(scope="module")
def gateway(binary, world, server, tmp_path_factory):
    from harness.greffier import Greffier

    folder, port = tmp_path_factory.mktemp("streams"), free_port()
    fixture = {name: str(HERE / f"fixtures/{name}_server.py") for name in ("rough", "asking")}
    asking = Process("asking", [sys.executable, fixture["asking"], port], folder)
    asking.ready(lambda: listening(port), 60)
    greffier = Greffier(binary, world, folder / "it", more=CONFIG.format(
        url=server.url, asking=f"http://127.0.0.1:{port}/mcp",
        command=json.dumps([sys.executable, fixture["rough"]]), piped=json.dumps([sys.executable, fixture["asking"]])))
    (greffier.policies / "mcp.cedar").write_text(POLICIES)
    greffier.start()
    yield greffier
    greffier.assert_calm()
    greffier.stop()
    asking.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(autouse=True)
def fresh(server):
    """Each test says anew what the server does."""
    server.on.clear()
    server.saw.clear()
    while not server.answers.empty():
        server.answers.get()


@pytest.fixture
def talk(gateway, alice):
    """Clients, closed at the end."""
    made = []

    def make(name="raw", token=alice, **more):
        made.append(Talk(gateway, name, token, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def of(gateway, action, since=0):
    return [event for event in gateway.events()[since:] if (event.get("action") or {}).get("name") == action]


def ended(gateway, action, since, count=1):
    """The outcomes of an action, once they are there."""
    def outcomes():
        found = [event["outcome"] for event in of(gateway, action, since) if "outcome" in event]
        return found if len(found) >= count else None

    return wait_until(outcomes, f"{count} outcomes of {action}")


# A stream that breaks off, and goes on in another one.


def breaks_off(exchange):
    exchange.events()
    exchange.event(id="place-1")


def test_a_call_whose_stream_broke_off_ends_in_the_stream_that_resumes_it(gateway, server, talk):
    since, client = len(gateway.events()), talk("strict")
    server.on["tools/call"] = breaks_off
    with client.streamed(request(7, "tools/call", name="search", arguments={})) as stream:
        assert list(stream) == [("place-1", None)]
    assert [event["type"] for event in of(gateway, "strict:search", since)] == ["action.approved"]

    def resumes(exchange):
        exchange.events()
        exchange.event(notification("notifications/message", level="info", data="on its way"), id="place-2")
        exchange.event(result(7, content=text(f"it is {SSN}")), id="place-3")

    server.on["GET"] = resumes
    with client.streamed(last_event_id="place-1") as stream:
        (first, said), (second, answer) = list(stream)
    assert (first, second) == ("place-2", "place-3") and said["method"] == "notifications/message"
    assert answer == result(7, content=text("it is <US_SSN>")), "the rules of the call hold where its result comes"
    (asked,) = [one for one in server.saw if "last-event-id" in one.headers]
    assert asked.headers["last-event-id"] == "place-1" and asked.headers["mcp-session-id"] == client.session
    (outcome,) = ended(gateway, "strict:search", since)
    assert outcome["status"] == "success"


def test_a_blocked_result_is_blocked_in_the_resumed_stream_too(gateway, server, talk):
    since, client = len(gateway.events()), talk("strict")
    server.on["tools/call"] = breaks_off
    with client.streamed(request(7, "tools/call", name="pay", arguments={})) as stream:
        list(stream)

    def resumes(exchange):
        exchange.events()
        exchange.event(result(7, content=text(f"card {CARD}")), id="place-2")

    server.on["GET"] = resumes
    with client.streamed(last_event_id="place-1") as stream:
        answer = stream.message()
    assert answer["id"] == 7 and answer["error"]["data"]["code"] == "content_blocked" and CARD not in json.dumps(answer)
    (outcome,) = ended(gateway, "strict:pay", since)
    assert (outcome["status"], outcome["error"]) == ("denied", "reply_blocked")


def test_nobody_else_resumes_a_session(gateway, server, talk, people):
    client = talk()
    server.on["tools/call"] = breaks_off
    with client.streamed(request(7, "tools/call", name="search", arguments={})) as stream:
        list(stream)
    server.on["GET"] = lambda exchange: exchange.nothing(500)
    other = talk(token=people["audra"], open=False)
    other.session = client.session
    with other.streamed(last_event_id="place-1") as stream:
        assert stream.reply.status_code == 404
    assert not [one for one in server.saw if "last-event-id" in one.headers]


def test_what_a_server_asks_again_in_a_resumed_stream_is_asked_again(gateway, server, talk):
    """A stream that broke off with a question in it: resuming brings the question once more, and it can be answered."""
    since, client = len(gateway.events()), talk()
    question = request("q", "elicitation/create", message="Which one?", requestedSchema={"type": "object"})

    def asks(exchange):
        exchange.events()
        exchange.event(id="place-1")
        exchange.event(question, id="place-2")

    server.on["tools/call"] = asks
    with client.streamed(request(7, "tools/call", name="search", arguments={})) as stream:
        assert [id for id, _ in stream] == ["place-1", "place-2"]

    def again(exchange):
        exchange.events()
        exchange.event(question, id="place-2")
        assert server.answers.get(timeout=10)["id"] == "q"
        exchange.event(result(7, content=text("that one")), id="place-3")

    server.on["GET"] = again
    with client.streamed(last_event_id="place-1") as stream:
        assert stream.message() == question
        assert client.answer("q", action="accept", content={}).status_code == 202
        assert stream.message() == result(7, content=text("that one"))
    first, second = ended(gateway, "raw:method:elicitation/create", since, 2)
    assert (first["status"], first["error"]) == ("unknown", "asked_again")
    assert second["status"] == "success"


def test_the_sdk_s_server_goes_on_where_its_client_broke_off(gateway, talk):
    since, client = len(gateway.events()), talk("asking")
    call = request(3, "tools/call", name="work", arguments={}, _meta={"progressToken": "p"})
    with client.streamed(call) as stream:
        place, first = next((id, message) for id, message in stream if id and message)
    assert first["params"]["progress"] == 1
    said = []
    with client.streamed(last_event_id=place) as stream:
        for _, message in stream:
            said += [message] if message else []
            if said and said[-1].get("id") == 3:
                break
    assert [one["params"]["progress"] for one in said[:-1]] == [2, 3, 4], "none is missed, none comes twice"
    assert words(said[-1]) == "worked"
    types = [event["type"] for event in of(gateway, "asking:work", since)]
    assert types == ["action.approved", "action.executed"]


def test_a_call_that_nobody_resumes_is_unknown(install, server, alice):
    greffier = install(more=f'\n[[mcp]]\nname = "raw"\nurl = "{server.url}"\n')
    (greffier.policies / "mcp.cedar").write_text(POLICIES)
    greffier.start()
    client = Talk(greffier, "raw", alice)
    server.on["tools/call"] = breaks_off
    with client.streamed(request(7, "tools/call", name="search", arguments={})) as stream:
        list(stream)
    client.close()
    greffier.stop()
    approved, failed = of(greffier, "raw:search")
    assert (approved["type"], failed["type"]) == ("action.approved", "action.failed")
    assert (failed["outcome"]["status"], failed["outcome"]["error"]) == ("unknown", "not_resumed")


def test_a_stream_that_cannot_be_resumed_fails_its_call(gateway, server, talk):
    since, client = len(gateway.events()), talk()

    def cut(exchange):
        exchange.events()
        exchange.event(notification("notifications/message", level="info", data="soon"))

    server.on["tools/call"] = cut
    with client.streamed(request(7, "tools/call", name="search", arguments={})) as stream:
        said, failed = (message for _, message in stream)
    assert said["method"] == "notifications/message" and failed["error"]["data"]["code"] == "stream_cut"
    assert ended(gateway, "raw:search", since)[0]["status"] == "failure"


# Who hears of what.


def says(server, *said):
    def handler(exchange):
        exchange.events()
        for message in said:
            exchange.event(message)

    server.on["GET"] = handler


CHANGES = [
    notification("notifications/resources/updated", uri="crm://people"),
    notification("notifications/resources/updated", uri="crm://plan"),
    notification("notifications/resources/updated"),
    {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
    notification("notifications/resources/updated", uri="crm://ledger"),
    notification("notifications/message", level="info", data="the end"),
]


def test_only_news_of_what_may_be_read_comes_through(gateway, server, talk):
    client = talk()
    says(server, *CHANGES)
    with client.streamed() as stream:
        heard = [message for _, message in stream]
    assert heard == [CHANGES[0], CHANGES[3], CHANGES[5]]


def test_who_may_read_nothing_hears_of_nothing(gateway, server, talk, people):
    client = talk(token=people["bob"])
    says(server, *CHANGES)
    with client.streamed() as stream:
        heard = [message for _, message in stream]
    assert heard == [CHANGES[3], CHANGES[5]]


def test_the_same_holds_for_news_in_the_stream_of_a_call(gateway, server, talk):
    def handler(exchange):
        exchange.events()
        for message in CHANGES[:2]:
            exchange.event(message)
        exchange.event(result(1, content=text("done")))

    server.on["tools/call"] = handler
    client = talk()
    with client.streamed(request(1, "tools/call", name="search", arguments={})) as stream:
        heard = [message for _, message in stream]
    assert heard == [CHANGES[0], result(1, content=text("done"))]


def test_a_subscription_needs_the_right_to_read(gateway, server, talk):
    since, client = len(gateway.events()), talk()
    assert client.post(request(1, "resources/subscribe", uri="crm://people")).status_code == 200
    denied = client.post(request(2, "resources/subscribe", uri="crm://plan"))
    assert denied.status_code == 403 and "nobody reads the plan" in denied.json()["error"]["message"]
    assert [one.params["uri"] for one in server.calls("resources/subscribe")] == ["crm://people"]
    types = [event["type"] for event in of(gateway, "raw:method:resources/subscribe", since)]
    assert types == ["action.approved", "action.executed", "action.denied"]


def test_a_stateless_subscription_is_checked_as_a_whole(gateway, server, talk):
    client = talk(open=False)

    def handler(exchange):
        exchange.events()
        exchange.event(notification("notifications/subscriptions/acknowledged", notifications={}))
        for message in CHANGES[:2]:
            exchange.event(message)

    server.on["subscriptions/listen"] = handler

    def listen(*uris):
        filter = {"toolsListChanged": True, "resourceSubscriptions": list(uris)}
        return request(1, "subscriptions/listen", notifications=filter, _meta=raw_mcp.META)

    refused = client.post(listen("crm://people", "crm://plan"))
    assert refused.status_code == 403 and not server.calls("subscriptions/listen")
    with client.streamed(listen("crm://people")) as stream:
        heard = [message["method"] for _, message in stream]
    assert heard == ["notifications/subscriptions/acknowledged", "notifications/resources/updated"]


def test_news_for_one_session_stay_in_it(gateway, server, talk, people):
    """Two clients listen to one server: what is said in one's stream is not heard in the other's."""
    ours, theirs = talk(), talk(token=people["audra"])

    def handler(exchange):
        exchange.events()
        exchange.event(notification("notifications/message", level="info", data=exchange.headers["mcp-session-id"]))

    server.on["GET"] = handler
    for client in (ours, theirs):
        with client.streamed() as stream:
            assert stream.message()["params"]["data"] == client.session


# What a server asks in the later era: in a result, answered by asking again.


ASKS = {"q": {"method": "elicitation/create", "params": {"message": f"Is it {SSN}?", "mode": "form"}}}


def test_a_question_is_a_call_and_its_answer_is_inspected(gateway, server, talk):
    since, client = len(gateway.events()), talk(open=False)

    def handler(exchange):
        given = exchange.params.get("inputResponses")
        if given is None:
            return exchange.json(result(
                exchange.message["id"], resultType="input_required", inputRequests=ASKS, requestState="state-1"))
        return exchange.json(result(exchange.message["id"], resultType="complete", content=text("thanks")))

    server.on["tools/call"] = handler
    first = client.once(1, "tools/call", name="search", arguments={}).json()["result"]
    assert first["resultType"] == "input_required" and first["requestState"] == "state-1"
    # A rule for what servers ask holds for a question in a result as for one that is a request.
    assert first["inputRequests"]["q"]["params"]["message"] == "Is it <US_SSN>?"
    answered = {"q": {"action": "accept", "content": {"ssn": SSN}}}
    second = client.once(2, "tools/call", name="search", arguments={}, requestState="state-1", inputResponses=answered)
    assert second.json()["result"]["content"] == text("thanks")
    assert server.calls("tools/call")[1].params["inputResponses"] == answered
    assert server.calls("tools/call")[1].params["requestState"] == "state-1"

    decision, outcome = of(gateway, "raw:method:elicitation/create", since)
    assert (decision["type"], outcome["type"]) == ("action.approved", "action.executed")
    calls = of(gateway, "raw:search", since)
    assert [event["type"] for event in calls] == ["action.approved", "action.executed"] * 2
    found = {(one["type"], one["stage"]) for one in calls[2]["content_safety"]["redactions"]}
    assert ("US_SSN", "input") in found, "what the person answered is looked at"


def test_a_question_that_is_forbidden_is_not_asked(gateway, server, talk):
    since, client = len(gateway.events()), talk(open=False)
    asks = {"a": ASKS["q"], "b": {"method": "elicitation/create", "params": {"message": "Your password?"}}}
    server.on["tools/call"] = lambda exchange: exchange.json(
        result(exchange.message["id"], resultType="input_required", inputRequests=asks))
    refused = client.once(1, "tools/call", name="search", arguments={})
    assert refused.status_code == 403 and "nobody is asked for a secret" in refused.json()["error"]["message"]
    types = [event["type"] for event in of(gateway, "raw:method:elicitation/create", since)]
    assert types == ["action.approved", "action.executed", "action.denied"]
    (outcome,) = ended(gateway, "raw:search", since)
    assert (outcome["status"], outcome["error"]) == ("denied", "input_refused")


def test_a_forbidden_question_of_the_earlier_era_is_refused_to_the_server(gateway, server, talk):
    since, client = len(gateway.events()), talk()

    def handler(exchange):
        exchange.events()
        exchange.event(request("q", "elicitation/create", message="Your password?"))
        refused = server.answers.get(timeout=10)
        exchange.event(result(1, content=text(json.dumps(refused["error"]["data"]["code"]))))

    server.on["tools/call"] = handler
    with client.streamed(request(1, "tools/call", name="search", arguments={})) as stream:
        assert [message for _, message in stream] == [result(1, content=text('"denied_by_policy"'))]
    assert [event["type"] for event in of(gateway, "raw:method:elicitation/create", since)] == ["action.denied"]


@pytest.mark.parametrize("name", ["asking", "piped"])
@pytest.mark.parametrize("mode", mcp.ERAS)
def test_the_sdk_is_asked_and_answers(gateway, alice, mode, name):
    since, heard = len(gateway.events()), []

    async def answers(_, asked):
        heard.append(asked.message)
        return ElicitResult(action="accept", content={"name": "Erika"})

    async def conversation(client):
        return (await client.call_tool("choose", {})).content[0].text

    got = mcp.talk(f"{gateway.url}/mcp/{name}", alice, mode, conversation, elicitation_callback=answers)
    assert got == "it is Erika" and heard == [f"Which one? Not {SSN}."]
    types = [event["type"] for event in of(gateway, f"{name}:method:elicitation/create", since)]
    assert types == ["action.approved", "action.executed"]
    rounds = 1 if mode == "legacy" else 2
    types = [event["type"] for event in of(gateway, f"{name}:choose", since)]
    assert types == ["action.approved", "action.executed"] * rounds


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_fastmcp_as_a_client(gateway, alice, mode):
    since, heard = len(gateway.events()), []

    async def answers(message, response_type, params, context):
        heard.append(message)
        return {"name": "Erika"}

    async def conversation():
        transport = StreamableHttpTransport(f"{gateway.url}/mcp/asking", headers={"authorization": f"Bearer {alice}"})
        async with fastmcp.Client(transport, mode=mode, elicitation_handler=answers) as client:
            names = [tool.name for tool in await client.list_tools()]
            return names, (await client.call_tool("choose", {})).content[0].text

    assert asyncio.run(asyncio.wait_for(conversation(), 60)) == (["choose", "work"], "it is Erika")
    assert heard == [f"Which one? Not {SSN}."]
    protocols = {event["source"]["protocol"] for event in of(gateway, "asking:choose", since)}
    assert protocols == {"mcp.2025-11-25" if mode == "legacy" else "mcp.2026-07-28"}


# What is found in results.


SHAPES = {
    "text": ("tools/call", {"content": text(f"it is {SSN}")}, "it is <US_SSN>"),
    "structured": ("tools/call", {"content": [], "structuredContent": {"deep": [{"ssn": f"ssn {SSN}"}]}}, "ssn <US_SSN>"),
    "embedded": ("tools/call", {"content": [
        {"type": "resource", "resource": {"uri": "crm://a", "text": f"ssn {SSN}"}}]}, "ssn <US_SSN>"),
    "meta": ("tools/call", {"content": [], "_meta": {"note": f"ssn {SSN}"}}, "ssn <US_SSN>"),
    "resource": ("resources/read", {"contents": [{"uri": "crm://people", "text": f"ssn {SSN}"}]}, "ssn <US_SSN>"),
    "prompt": ("prompts/get", {"messages": [
        {"role": "user", "content": {"type": "text", "text": f"ssn {SSN}"}}]}, "ssn <US_SSN>"),
}


def asked(method):
    return {"tools/call": {"name": "search", "arguments": {}}, "resources/read": {"uri": "crm://people"},
            "prompts/get": {"name": "summary"}}[method]


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_results_are_redacted_and_blocked(gateway, server, talk, shape, streamed, era):
    method, members, expected = SHAPES[shape]
    stateless = era == "2026-07-28"
    client = talk("strict", open=not stateless)

    def send(members):
        def handler(exchange):
            answer = result(exchange.message["id"], **members)
            if not streamed:
                return exchange.json(answer)
            exchange.events()
            exchange.event(answer)

        server.on[method] = handler
        params = asked(method) | ({"_meta": raw_mcp.META} if stateless else {})
        reply = client.post(request(5, method, **params))
        if not streamed:
            return reply.json()
        return json.loads([line for line in reply.text.splitlines() if line.startswith("data:")][-1][5:])

    redacted = json.dumps(send(members))
    assert expected in redacted and SSN not in redacted
    blocked = send(json.loads(json.dumps(members).replace(SSN, CARD)))
    assert blocked["id"] == 5 and blocked["error"]["data"]["code"] == "content_blocked"
    assert CARD not in json.dumps(blocked)


def test_errors_and_notifications_are_looked_at_too(gateway, server, talk):
    since, client = len(gateway.events()), talk("strict")

    def handler(exchange):
        exchange.events()
        exchange.event(notification("notifications/message", level="info", data=f"I know {SSN}"))
        exchange.event({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": f"no {SSN}", "data": {"s": SSN}}})

    server.on["tools/call"] = handler
    with client.streamed(request(1, "tools/call", name="search", arguments={})) as stream:
        said, failed = (message for _, message in stream)
    assert said["params"]["data"] == "I know <US_SSN>"
    assert failed["error"] == {"code": -32000, "message": "no <US_SSN>", "data": {"s": "<US_SSN>"}}
    (outcome,) = ended(gateway, "strict:search", since)
    assert (outcome["status"], outcome["code"], outcome["error"]) == ("failure", -32000, "server_error")


def test_a_blocked_notification_ends_the_stream(gateway, server, talk):
    since, client = len(gateway.events()), talk("strict")

    def handler(exchange):
        exchange.events()
        exchange.event(notification("notifications/message", level="info", data=f"card {CARD}"))
        exchange.event(result(1, content=text("never seen")))

    server.on["tools/call"] = handler
    with client.streamed(request(1, "tools/call", name="search", arguments={})) as stream:
        (failed,) = (message for _, message in stream)
    assert failed["id"] == 1 and failed["error"]["data"]["code"] == "content_blocked"
    (outcome,) = ended(gateway, "strict:search", since)
    assert (outcome["status"], outcome["error"]) == ("denied", "reply_blocked")


# Commands: one that died, one that nobody needs, and many that would start at once.


def words(answer):
    return answer["result"]["content"][0]["text"]


def test_a_command_that_died_ends_its_session_and_the_next_one_has_another(gateway, talk):
    since, client = len(gateway.events()), talk("rough")
    first = words(client.call("pid"))
    died = client.post(request(2, "tools/call", name="die", arguments={}))
    assert died.status_code == 502 and ended(gateway, "rough:die", since)[0]["status"] == "failure"
    # A client opens another session when it is told that its own is no more, and only then.
    over = wait_until(lambda: (reply := client.post(request(3, "ping"))).status_code == 404 and reply, "the session is over")
    assert over.json()["error"]["data"]["code"] == "session_not_found"
    assert words(talk("rough").call("pid")) != first


def test_a_command_that_died_is_started_anew_for_a_stateless_caller(gateway, talk):
    client = talk("rough", open=False)

    def call(tool):
        return client.once(1, "tools/call", name=tool, arguments={})

    first = words(call("pid").json())
    assert words(call("pid").json()) == first
    assert call("die").status_code == 502
    assert words(call("pid").json()) != first


def test_an_idle_command_is_ended(gateway, talk):
    session, single = talk("idle"), talk("idle", open=False)
    # Asked once: on a slow machine it may have ended before a second question.
    gone = [int(words(session.call("pid")))]

    def pid():
        return words(single.once(1, "tools/call", name="pid", arguments={}).json())

    first = pid()
    gone.append(int(first))
    wait_until(lambda: not any(alive(one) for one in gone), "both processes have ended")
    assert session.post(request(3, "ping")).status_code == 404
    assert pid() != first


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_one_stateless_caller_has_one_process_however_many_ask_at_once(gateway, talk):
    clients = [talk("rough", open=False) for _ in range(6)]
    # None runs: whichever did is ended by its own death.
    clients[0].once(1, "tools/call", name="die", arguments={})
    got = together(*(lambda one=one: words(one.once(1, "tools/call", name="slow", arguments={}).json()) for one in clients))
    assert len(set(got)) == 1, got


def test_there_are_no_more_processes_than_configured(gateway, talk):
    clients = [talk("rough") for _ in range(2)]
    refused = []

    def opens():
        try:
            clients.append(talk("rough"))
        except AssertionError as error:
            refused.append(str(error))

    together(*[opens] * 8)
    assert len(clients) + (1 if refused else 0) <= 5 and refused and "upstream_unreachable" in refused[0]
    for client in clients:
        assert client.http.delete(client.url, headers={"mcp-session-id": client.session}).status_code == 202
    wait_until(lambda: talk_opens(talk), "there is room again")


def talk_opens(talk):
    try:
        client = talk("rough")
    except AssertionError:
        return False
    return client.http.delete(client.url, headers={"mcp-session-id": client.session}).status_code == 202


# A token for one entrance.


def test_a_token_for_one_entrance_opens_no_other(install, world, server, alice):
    greffier = install(more=f"""
[[mcp]]
name = "raw"
url = "{server.url}"

[[mcp]]
name = "strict"
url = "{server.url}"
""")
    public = "https://greffier.example"
    settings = greffier.config.read_text()
    greffier.config.write_text(f'public_url = "{public}/"\n' + settings)
    (greffier.policies / "mcp.cedar").write_text(POLICIES)
    greffier.start()
    now = int(time.time())

    def token(*audience):
        return world.idp.sign({
            "iss": world.idp.url, "sub": "alice", "aud": list(audience), "exp": now + 600, "iat": now, "jti": str(audience),
            "client_id": "console", "org_id": "org_acme_corp", "roles": ["analyst"], "scope": "llm:invoke tool:crm:read"})

    def opens(name, token):
        reply = httpx.post(f"{greffier.url}/mcp/{name}", trust_env=False, headers={
            "authorization": f"Bearer {token}", "accept": "application/json, text/event-stream",
            "content-type": "application/json"}, content=json.dumps(request(1, "ping")))
        return reply

    raw = token(f"{public}/mcp/raw")
    assert opens("raw", raw).status_code == 200
    for name, wrong in (("strict", raw), ("raw", token(f"{public}/mcp/strict")), ("raw", token(public)),
                        ("raw", token("https://elsewhere.example")), ("raw", token(f"{public}/mcp/raw/deeper")),
                        ("raw", token(f"{public}/mcp/ra"))):
        reply = opens(name, wrong)
        assert reply.status_code == 401, (name, reply.text)
        assert reply.headers["www-authenticate"] == (
            f'Bearer error="invalid_token", resource_metadata="{public}/.well-known/oauth-protected-resource/mcp/{name}"')
    # And nothing but its entrance: not the models, not the record.
    for path in ("/v1/models", "/api/v1/events"):
        reply = httpx.get(greffier.url + path, trust_env=False, headers={"authorization": f"Bearer {raw}"})
        assert reply.status_code == 401, path
    assert opens("raw", alice).status_code == 200, "the gateway's own audience opens every entrance"
    assert len(server.calls("ping")) == 2
    told = httpx.get(f"{greffier.url}/.well-known/oauth-protected-resource/mcp/raw", trust_env=False).json()
    assert told["resource"] == f"{public}/mcp/raw"
