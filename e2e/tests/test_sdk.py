"""What an agent records by the Rust SDK, against the real server: each event once, in order, numbered; also when the
server is away, or killed in the middle. And what it may do by asking first."""

import os
import re
import ssl
import subprocess

import httpx
import pytest

from harness.api import Api
from harness.authority import Authority
from harness.procs import wait_until

ASKING = """
@id("role:analyst may use what agents ask for")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"crm")
when { context.source.channel == "hook" };
"""
RULES = 'tool_rules = { US_SSN = "redact" }'
EVENTS = 2_000
# Actions of the long upload, two events each: E2E_MILLION=1 asks for a million events, for which a release build is best.
LONG = 500_000 if os.environ.get("E2E_MILLION") else 15_000


@pytest.fixture(scope="module")
def remote(binary):
    """The SDK's example, which lies beside the binary."""
    path = binary.parent / "examples/remote"
    assert path.exists(), f"no example at {path}: cargo build -p greffier-client --all-features --examples"
    return path


@pytest.fixture
def server(install):
    greffier = install(rules=RULES)
    (greffier.policies / "asking.cedar").write_text(ASKING)
    return greffier


@pytest.fixture
def token(tmp_path, people):
    def write(name):
        path = tmp_path / f"{name}.token"
        path.write_text(people[name])
        return path

    return write


def told(remote, server, token, *more, **env):
    done = subprocess.run(
        [remote, server.url, token, *map(str, more)], capture_output=True, text=True, timeout=180, env=os.environ | env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def spooled(folder):
    """Events that lie in a spool."""
    return sum(path.read_bytes().count(b'"time":') for path in folder.rglob("*.frames"))


def recorded(server):
    """What is on record of the agent, in the trail's order."""
    return [event for event in server.events("org_acme_corp") if event.get("agent", {}).get("id") == "sdk-agent"]


def assert_each_once(events, count):
    assert len(events) == len({event["id"] for event in events}) == 2 * count
    types = [event["type"] for event in events]
    assert types == ["action.request", "action.executed"] * count
    joined = [event["request_id"] for event in events]
    assert joined[::2] == joined[1::2] and len(set(joined)) == count
    assert {event["source"]["channel"] for event in events} == {"sdk"}


def test_each_event_is_on_record_once_and_in_order(remote, server, token, tmp_path):
    server.start()
    said = told(remote, server, token("oscar"), tmp_path / "spool", EVENTS)
    assert f"written {2 * EVENTS} waiting 0 rejected 0" in said, said
    # What it asks for comes with its contents, also by a field that the server does not search for.
    assert f"found 1000\nthe last one's number is {EVENTS - 1}\nfound 1 by a result\n" in said, said
    assert_each_once(recorded(server), EVENTS)
    assert not (tmp_path / "spool").exists() or not list((tmp_path / "spool").iterdir()), "nothing is left"


def test_a_server_that_is_away_gets_everything_later(remote, server, token, tmp_path):
    # Three processes that find nobody, each of which leaves what it logged; the fourth sends it all.
    server.start()
    server.stop()
    for before in (0, 200, 400):
        done = subprocess.Popen(
            [remote, server.url, token("oscar"), tmp_path / "spool", "100"], stdout=subprocess.PIPE, text=True)
        # It would wait an hour for the server: killed, it loses nothing that `log` returned for.
        wait_until(lambda: spooled(tmp_path / "spool") == before + 200, "all is logged")
        done.kill()
        done.wait()
    server.start()
    said = told(remote, server, token("oscar"), tmp_path / "spool", 0)
    assert "waiting 0 rejected 0" in said, said
    assert_each_once(recorded(server), 300)


def test_a_server_that_is_killed_in_the_middle_doubles_nothing(remote, server, token, tmp_path):
    server.start()
    running = subprocess.Popen(
        [remote, server.url, token("oscar"), tmp_path / "spool", str(EVENTS)], stdout=subprocess.PIPE, text=True)
    while not recorded(server):
        assert running.poll() is None
    server.kill()
    server.start()
    said, _ = running.communicate(timeout=180)
    assert f"written {2 * EVENTS} waiting 0 rejected 0" in said, said
    assert_each_once(recorded(server), EVENTS)


def size(server):
    """Entries of the trail as far as they are signed; asking for it leaves no event."""
    note = httpx.get(f"{server.url}/trails/org_acme_corp/checkpoint", trust_env=False, timeout=30)
    return int(note.text.splitlines()[1]) if note.status_code == 200 else 0


def test_a_long_upload_over_a_server_that_is_killed_twice(remote, server, token, tmp_path, people):
    """Each event exactly once: by count, by id, by the producer's numbers, and two to an action."""
    server.start()
    said = tmp_path / "said"
    with said.open("w") as out:
        running = subprocess.Popen(
            [remote, server.url, token("oscar"), tmp_path / "spool", str(LONG)], stdout=out, stderr=out)
        try:
            for share in (0.25, 0.6):
                wait_until(lambda: running.poll() is not None or size(server) > share * 2 * LONG, "goes on", 3_600)
                assert running.poll() is None, said.read_text()
                server.kill()
                server.start(timeout=300)
            assert running.wait(timeout=3_600) == 0, said.read_text()
        finally:
            running.kill()
    assert f"written {2 * LONG} waiting 0 rejected 0" in said.read_text(), said.read_text()
    assert not list((tmp_path / "spool").iterdir()), "nothing is left"
    producer = re.search(r"producer (\S+)", said.read_text())[1]
    with Api(server, people["audra"], timeout=600) as audra:
        ours = "from events where agent_id = 'sdk-agent'"
        (row,) = audra.rows(f"select count(*) as n, count(distinct id) as ids, count(distinct request_id) as calls {ours}")
        assert {name: int(value) for name, value in row.items()} == {"n": 2 * LONG, "ids": 2 * LONG, "calls": LONG}
        types = audra.rows(f"select type, count(*) as n {ours} group by type order by type")
        assert [(row["type"], int(row["n"])) for row in types] == [("action.executed", LONG), ("action.request", LONG)]
        (told,) = [one for one in audra.told("/api/v1/producers")["producers"] if one["producer"] == producer]
        assert (told["events"], told["last"], told["missing"], told["repeated"]) == (2 * LONG, 2 * LONG - 1, 0, 0), told


@pytest.mark.parametrize("way, after", [("through", 1), ("through", 150), ("spool", 1), ("spool", 5_000)])
def test_a_producer_that_is_killed_loses_nothing_that_log_returned_for(remote, server, token, tmp_path, way, after):
    server.start()
    spool = tmp_path / "spool"
    running = subprocess.Popen(
        [remote, server.url, token("oscar"), "number", "through" if way == "through" else str(spool)],
        stdout=subprocess.PIPE, text=True)
    for _ in range(after):
        assert running.stdout.readline(), "it ended by itself"
    running.kill()
    # What it still said before it was gone counts too; only a whole line does.
    rest = [line for line in running.stdout if line.endswith("\n")]
    running.wait()
    returned = after + len(rest)
    if way == "spool":
        # The next start sends what was left.
        assert "waiting 0 rejected 0" in told(remote, server, token("oscar"), spool, 0)
    found = [event["action"]["name"] for event in recorded(server)]
    # The one under way may be there, though its `log` had not returned; nothing is there twice or out of order.
    assert found == [f"count.{number}" for number in range(len(found))]
    assert len(found) in (returned, returned + 1), f"{returned} returned, {len(found)} on record"


def test_a_server_of_an_own_authority(remote, install, token, tmp_path):
    cert, key, _ = (authority := Authority(tmp_path)).issue("listener")
    server = install(more=f'\n[tls]\ncert = "{cert}"\nkey = "{key}"\n')
    server.url = server.url.replace("http:", "https:")
    trust = ssl.create_default_context(cafile=str(authority.file))
    server.get = lambda path: answered(server.url + path, trust)
    server.start()
    said = told(remote, server, token("oscar"), tmp_path / "spool", 10, CA_FILE=str(authority.file))
    assert "written 20 waiting 0 rejected 0" in said, said
    denied = told(remote, server, token("alice"), "ask", "crm:orders:list", "x")
    assert denied.startswith("no decision: ") and "certificate" in denied, "it is nobody whom Mozilla vouches for"


def answered(url, trust):
    try:
        return httpx.get(url, verify=trust, trust_env=False, timeout=5).status_code
    except httpx.HTTPError:
        return 0


def test_who_asks_first_hears_the_decision(remote, server, token):
    server.start()
    permitted = told(remote, server, token("alice"), "ask", "crm:orders:list", "open orders")
    assert "permitted with open orders" in permitted and "shown as it is" in permitted, permitted
    redacted = told(remote, server, token("alice"), "ask", "crm:orders:list", "536-90-4399")
    assert "permitted with <US_SSN>" in redacted, redacted
    denied = told(remote, server, token("alice"), "ask", "payroll:pay", "x")
    assert denied.startswith("denied: "), denied
    events = [event for event in server.events("org_acme_corp") if event.get("session_id") == "sdk-session"]
    assert [event["type"] for event in events] == [
        "action.approved", "action.executed", "action.approved", "action.executed", "action.denied"]
    assert {event["source"]["channel"] for event in events} == {"hook"}
    receipt = re.search(r"receipt org_acme_corp (\d+) ", permitted)
    assert events[0]["_index"] == int(receipt[1])
    assert events[0]["request_id"] == events[1]["request_id"]
