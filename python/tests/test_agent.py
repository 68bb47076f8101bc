"""An action's request is on record before it is taken, and how it ended after, however it ends."""

import asyncio
import hashlib
import threading

import pytest

from greffier import AsyncAuditLogger, AuditedAgent, NotLogged, audited, context, current_context

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def told(lines):
    return [" ".join(str(line.get(name)) for name in ("event_type", "action", "result", "error", "status"))
            for line in lines]


def test_how_actions_end(agent, recorded):
    with agent.audit_context("done", why="x") as event:
        event.metadata["found"] = 3
    with agent.audit_context("said") as event:
        event.result = {"rows": 3}
    for error in (PermissionError("not you"), ValueError("broken"), KeyError(), asyncio.CancelledError()):
        with pytest.raises(type(error)), agent.audit_context("left"):
            raise error
    lines = recorded()
    assert told(lines[1::2]) == [
        "action.executed done success None None",
        "action.executed said {'rows': 3} None None",
        "permission.denied left None not you None",
        "action.failed left None broken None",
        "action.failed left None KeyError None",
        "action.failed left None it was cancelled cancelled",
    ]
    assert [line["event_type"] for line in lines[::2]] == ["action.request"] * 6
    assert [line["metadata"] for line in lines[:2]] == [{"why": "x"}, {"why": "x", "found": 3}]
    for request, outcome in zip(lines[::2], lines[1::2]):
        assert request["request_id"] == outcome["request_id"] and request["event_id"] != outcome["event_id"]
        assert request["duration_ms"] is None and outcome["duration_ms"] >= 0
        assert (outcome["agent_id"], outcome["session_id"]) == ("agent-001", "ses-1")
    assert len({line["request_id"] for line in lines}) == 6


def test_what_is_said_before_is_in_the_request(agent, recorded):
    with agent.action("pay", resource="bank://1", parameters={"to": "bob", "pin_token": "1"}, kind="tool", call_id="c"):
        pass
    for line in recorded():
        assert (line["resource"], line["kind"], line["call_id"]) == ("bank://1", "tool", "c")
        assert line["parameters"] == {"to": "bob", "pin_token": "[REDACTED]"}


def test_tool_calls(agent, recorded):
    long = "é" * 1_001
    agent.log_tool_call("search", {"q": "x", "api_key": "k"}, "short", 12.5)
    agent.log_tool_call("search", {}, long, 1.0)
    agent.log_tool_call("search", {}, {"n": 1, "token": "t"}, 1)
    agent.log_tool_call("search", {}, None, 1)
    first, cut, secret, nothing = recorded()
    assert (first["event_type"], first["action"], first["duration_ms"], first["kind"]) == (
        "tool.call", "tool.search", 12.5, "tool")
    assert first["parameters"] == {"q": "x", "api_key": "[REDACTED]"} and first["result"] == "short"
    assert cut["result"] == "é" * 1_000
    assert cut["metadata"] == {
        "result_chars": 1_001, "result_digest": "sha256:" + hashlib.sha256(long.encode()).hexdigest()}
    assert (secret["result"], nothing["result"]) == ('{"n": 1, "token": "[REDACTED]"}', "None")


def test_data_accesses(agent, recorded):
    for operation in ("read", "write", "delete", "update", "create", "list"):
        agent.log_data_access("db://orders", operation, {"id": 1})
    assert [(line["action"], line["event_type"], line.get("effect")) for line in recorded()] == [
        ("read", "data.access", "read"), ("write", "data.modify", "update"), ("delete", "data.modify", "delete"),
        ("update", "data.modify", "update"), ("create", "data.access", "create"), ("list", "data.access", None)]


def test_starts_and_stops(agent, recorded):
    agent.start(version="1.4")
    agent.stop()
    assert [(line["event_type"], line["metadata"]) for line in recorded()] == [
        ("agent.start", {"version": "1.4"}), ("agent.stop", {})]


def test_what_is_not_on_record_is_not_done(away):
    logger = AsyncAuditLogger(away, overflow="write_through", fail_closed=True)
    agent, done = AuditedAgent("a", logger), []
    with pytest.raises(NotLogged), agent.audit_context("pay"):
        done.append("paid")
    assert done == []

    @audited(agent)
    async def pay():
        done.append("paid")

    with pytest.raises(NotLogged):
        asyncio.run(pay())
    assert done == []


def test_who_does_not_fail_closed_goes_on(away):
    agent, done = AuditedAgent("a", AsyncAuditLogger(away, overflow="write_through")), []
    with agent.audit_context("pay"):
        done.append("paid")
    assert (done, agent.logger.metrics.refused) == (["paid"], 2)


def test_an_outcome_that_cannot_be_logged_is_said_but_hides_no_error(memory):
    agent = AuditedAgent("a", AsyncAuditLogger(memory, overflow="write_through", fail_closed=True))
    with pytest.raises(NotLogged), agent.audit_context("pay"):
        memory.fails = 1
    with pytest.raises(ValueError), agent.audit_context("pay"):
        memory.fails = 1
        raise ValueError("broken")


def test_the_context_says_for_whom(agent, recorded):
    with context(user_id="alice", traceparent=HEADER):
        with context(session_id="other"), agent.audit_context("outer"):
            agent.log_data_access("db://orders", "read")
            assert current_context().traceparent != HEADER
        agent.start()
    agent.stop()
    request, read, outcome, start, stop = recorded()
    assert [line["user_id"] for line in (request, read, outcome, start, stop)] == ["alice"] * 4 + [None]
    assert [line["session_id"] for line in (request, read, outcome, start, stop)] == ["other"] * 3 + ["ses-1"] * 2
    trace = HEADER.split("-")[1]
    assert {line["trace"]["trace_id"] for line in (request, read, outcome, start)} == {trace} and "trace" not in stop
    # What is done within has the action's span; around it is the caller's.
    assert request["trace"] == read["trace"] == outcome["trace"] != start["trace"]
    assert start["trace"]["span_id"] == HEADER.split("-")[2]


@pytest.mark.parametrize("header", ["nonsense", "", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-00"])
def test_what_is_no_traceparent_changes_nothing(header):
    with context(traceparent=HEADER), context(traceparent=header) as here:
        assert here.traceparent == HEADER


def test_tasks_have_contexts_of_their_own(agent, recorded):
    async def serve(user):
        with context(user_id=user):
            async with agent.audit_context("serve"):
                await asyncio.sleep(0)
                await work()

    @audited(agent, kind="tool")
    async def work():
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(serve(f"u{number}") for number in range(20)))

    asyncio.run(main())
    lines = recorded()
    assert len(lines) == 80
    for number in range(20):
        mine = [line for line in lines if line["user_id"] == f"u{number}"]
        assert [(line["action"], line["event_type"]) for line in mine] == [
            ("serve", "action.request"), ("work", "action.request"), ("work", "action.executed"),
            ("serve", "action.executed")]


def test_a_cancelled_task_has_an_outcome(agent, recorded):
    async def main():
        started = asyncio.Event()

        async def wait():
            async with agent.audit_context("wait"):
                started.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(wait())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert told(recorded())[1:] == ["action.failed wait None it was cancelled cancelled"]


def test_decorated_functions(agent, recorded):
    class Shop:
        @audited(agent, "shop.buy", result=True, resource="shop://")
        def buy(self, item, *, count=1, **more):
            """Buys."""
            if count > 9:
                raise PermissionError("too many")
            return {"item": item, "secret": "s"}

    assert Shop().buy("tea", gift=True) == {"item": "tea", "secret": "s"}
    with pytest.raises(PermissionError):
        Shop().buy("tea", count=10)
    with pytest.raises(TypeError):
        Shop().buy()
    assert (Shop.buy.__name__, Shop.buy.__doc__) == ("buy", "Buys.")
    request, outcome, _, denied, _, failed = recorded()
    assert request["parameters"] == {"item": "tea", "count": 1, "more": {"gift": True}}
    assert (outcome["action"], outcome["result"]) == ("shop.buy", '{"item": "tea", "secret": "[REDACTED]"}')
    assert (denied["event_type"], failed["event_type"], failed["error_code"]) == (
        "permission.denied", "action.failed", "TypeError")
    with pytest.raises(TypeError, match="generator"):
        audited(agent)(lambda: (yield))


def test_threads_have_contexts_of_their_own(agent, recorded):
    def serve(user):
        with context(user_id=user), agent.audit_context("serve"):
            pass

    threads = [threading.Thread(target=serve, args=(f"u{number}",)) for number in range(8)]
    with context(user_id="outside"):
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    users = sorted(line["user_id"] for line in recorded())
    assert users == sorted([f"u{number}" for number in range(8)] * 2)
