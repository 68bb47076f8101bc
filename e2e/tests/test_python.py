"""What an agent records by the Python package, against the real server: each event once, in order, numbered, as a claim;
also when the server is away or the agent is killed. And what it may do by asking first."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness.procs import wait_until

ASKING = """
@id("role:analyst may use what agents ask for")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"crm")
when { context.source.channel == "hook" };
"""
RULES = 'tool_rules = { US_SSN = "redact" }'
EVENTS = 1_000
BEGIN = """
import os, pathlib, signal, sys
from greffier import *
url, token, folder = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
backend = RemoteAuditBackend(url, token=token)
def record(logger, count):
    agent = AuditedAgent("python-agent", logger, session_id="python-session")
    for number in range(count):
        with agent.action("crm:orders:list", parameters={"n": number, "api_key": "sk-12345"}):
            pass
"""


@pytest.fixture(scope="module")
def python(binary):
    """A Python that has the package: the one that python/test.sh made."""
    path = Path(os.environ.get("GREFFIER_PYTHON", binary.parent.parent / "python/current/bin/python"))
    assert path.exists(), f"no Python with the package at {path}: run python/test.sh"
    return path


@pytest.fixture
def server(install):
    greffier = install(rules=RULES)
    (greffier.policies / "asking.cedar").write_text(ASKING)
    return greffier


@pytest.fixture
def program(python, server, tmp_path, people):
    """Starts a program as somebody."""

    def start(name, text):
        token = tmp_path / f"{name}.token"
        token.write_text(people[name])
        return subprocess.Popen(
            [python, "-c", BEGIN + text, server.url, token, tmp_path / "spool"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def told(started):
    out, said = started.communicate(timeout=120)
    assert started.returncode == 0, out + said
    return out


def recorded(server):
    return [event for event in server.events("org_acme_corp") if event.get("agent", {}).get("id") == "python-agent"]


def assert_each_once(events, count):
    assert len(events) == len({event["id"] for event in events}) == 2 * count
    assert [event["type"] for event in events] == ["action.request", "action.executed"] * count
    joined = [event["request_id"] for event in events]
    assert joined[::2] == joined[1::2] and len(set(joined)) == count
    # A claim: nobody in it was verified by us.
    assert {event["source"]["channel"] for event in events} == {"sdk"}
    assert not any(event["agent"].get("verified") for event in events)


def test_each_event_is_on_record_once_in_order_and_as_a_claim(program, server):
    server.start()
    told(program("oscar", f"""
with AsyncAuditLogger(backend, fail_closed=True) as logger:
    record(logger, {EVENTS})
    logger.flush(60)
"""))
    events = recorded(server)
    assert_each_once(events, EVENTS)
    assert [event["source"]["sequence"] for event in events] == list(range(2 * EVENTS))


def test_a_server_that_is_away_gets_everything_later_though_the_agent_was_killed(program, server, tmp_path):
    server.start()
    server.stop()
    killed = program("oscar", """
record(AsyncAuditLogger(backend, spool=folder), 100)
os.kill(os.getpid(), signal.SIGKILL)
""")
    assert killed.wait(60) == -signal.SIGKILL
    server.start()
    told(program("oscar", "assert AsyncAuditLogger(backend, spool=folder, fail_closed=True).flush(60)"))
    assert_each_once(recorded(server), 100)


def test_a_kill_after_a_flush_loses_nothing(program, server):
    server.start()
    killed = program("oscar", """
logger = AsyncAuditLogger(backend, interval=100.0)
record(logger, 100)
assert logger.flush(60)
os.kill(os.getpid(), signal.SIGKILL)
""")
    assert killed.wait(60) == -signal.SIGKILL
    assert_each_once(recorded(server), 100)


def test_a_server_that_is_killed_in_the_middle_doubles_nothing(program, server):
    server.start()
    running = program("oscar", f"""
with AsyncAuditLogger(backend, spool=folder, batch_size=50, fail_closed=True) as logger:
    record(logger, {EVENTS})
    while True:
        try:
            logger.flush(60)
            break
        except NotFlushed:
            pass
""")
    wait_until(lambda: recorded(server), "something is on record")
    server.kill()
    server.start()
    told(running)
    assert_each_once(recorded(server), EVENTS)


def test_who_asks_first_hears_the_decision(program, server):
    server.start()
    said = told(program("alice", """
guard = Guard(url, token=token)
with context(session_id="python-session"):
    for said in ("open orders", "536-90-4399"):
        with guard.ask("crm:orders:list", {"q": said}) as permit:
            permit.result = {"rows": 3}
        print(permit.parameters["q"], permit.result, permit.receipt.split()[0])
    try:
        guard.ask("payroll:pay", {"to": "bob"})
    except PermissionError as error:
        print(type(error).__name__)
"""))
    assert said.splitlines() == [
        "open orders {'rows': 3} org_acme_corp", "<US_SSN> {'rows': 3} org_acme_corp", "Denied"]
    events = [event for event in server.events("org_acme_corp") if event.get("session_id") == "python-session"]
    assert [event["type"] for event in events] == [
        "action.approved", "action.executed", "action.approved", "action.executed", "action.denied"]
    assert {event["source"]["channel"] for event in events} == {"hook"}


def test_who_may_read_asks_what_is_on_record(program, server):
    server.start()
    told(program("oscar", "with AsyncAuditLogger(backend) as logger: record(logger, 3)"))
    said = told(program("audra", """
print([event.event_type.value for event in backend.query({"agent_id": "python-agent"}, limit=2)])
print(AuditAnalyzer(backend).get_agent_activity("python-agent")["total_events"])
"""))
    assert said.splitlines() == ["['action.request', 'action.executed']", "6"]
