"""What agents' own software asks by hooks: decided and recorded before it acts, joined with what came of it, and never
counted as enforced."""

import json
import os
import stat
import subprocess

import httpx
import pytest

from harness.api import Api
from harness.greffier import Greffier
from harness.procs import free_port

HOOKS = """
@id("role:analyst may use an agent's own tools")
permit (principal in Role::"analyst", action == Action::"call_tool", resource)
when { context.source.channel == "hook" };

@id("nobody removes everything")
forbid (principal, action == Action::"call_tool", resource)
when { context.parameters.hasTag("command") && context.parameters.getTag("command") like "*rm -rf*" };
"""
RULES = 'tool_rules = { US_SSN = "redact", CREDIT_CARD = "block" }'
SSN, CARD = "536-90-4399", "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def hooked(binary, world, tmp_path_factory):
    """An installation whose policies know of hooks."""
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("hooked"), rules=RULES)
    (greffier.policies / "hooks.cedar").write_text(HOOKS)
    yield greffier.start()
    greffier.stop()
    assert greffier.verify().returncode == 0


def event(name, session, call="t1", tool="Bash", command="ls", **more):
    """An event as Claude Code and Codex send it."""
    return {"hook_event_name": name, "session_id": session, "cwd": "/work", "permission_mode": "default", "tool_name": tool,
            "tool_use_id": call, "tool_input": {"command": command}, **more}


def post(greffier, token, body, client="claude-code"):
    return httpx.post(f"{greffier.url}/hooks/{client}", json=body, trust_env=False, timeout=30,
                      headers={"authorization": f"Bearer {token}"} if token else {})


def of(greffier, session):
    """What is on record of a session: type and the rest, oldest first."""
    return [event for event in greffier.events("org_acme_corp") if event.get("session_id") == session]


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_a_use_is_decided_recorded_and_joined(hooked, alice, client):
    session = f"joined-{client}"
    asked = post(hooked, alice, event("PreToolUse", session), client)
    # No opinion: the client goes on to ask its own user.
    assert (asked.status_code, asked.json()) == (200, {})
    assert asked.headers["greffier-receipt"].startswith("org_acme_corp ")
    told = post(hooked, alice, event("PostToolUse", session, tool_response={"stdout": "a"}), client)
    assert (told.status_code, told.json()) == (200, {})
    decision, outcome = of(hooked, session)
    assert (decision["type"], outcome["type"]) == ("action.approved", "action.executed")
    assert decision["request_id"] == outcome["request_id"] == asked.headers["greffier-request-id"]
    for one in (decision, outcome):
        assert one["source"]["channel"] == "hook" and one["action"]["name"] == f"{client}:Bash"
        assert one["user"]["verified"] and one["agent"]["tier"] == "interactive"


def test_what_policy_forbids_is_denied_with_its_reason(hooked, alice):
    said = post(hooked, alice, event("PreToolUse", "denied", command="rm -rf /")).json()["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny" and "nobody removes everything" in said["permissionDecisionReason"]
    (denial,) = of(hooked, "denied")
    assert denial["type"] == "action.denied" and denial["policy"]["rule"] == "nobody removes everything"


def test_contents_are_redacted_on_both_ways(hooked, alice):
    write = {"file_path": "/work/a.txt", "content": f"ssn {SSN}"}
    asked = post(hooked, alice, event("PreToolUse", "redacted", tool="Write") | {"tool_input": write}).json()
    assert asked["hookSpecificOutput"]["updatedInput"] == write | {"content": "ssn <US_SSN>"}
    assert "permissionDecision" not in asked["hookSpecificOutput"]
    told = post(hooked, alice, event("PostToolUse", "redacted", tool="Write", tool_response={"stdout": f"ssn {SSN}"})).json()
    assert told["hookSpecificOutput"]["updatedToolOutput"] == {"stdout": "ssn <US_SSN>"}
    # A shell would take the mark for a redirection.
    shell = post(hooked, alice, event("PreToolUse", "redacted", "t3", command=f"echo {SSN}")).json()
    assert shell["hookSpecificOutput"]["permissionDecision"] == "deny"
    blocked = post(hooked, alice, event("PreToolUse", "redacted", "t2", command=f"pay {CARD}")).json()
    assert blocked["hookSpecificOutput"]["permissionDecision"] == "deny"
    for value in (SSN, CARD):
        assert value.encode() not in b"".join(file.read_bytes() for file in hooked.data.rglob("*") if file.is_file())


def test_the_end_of_a_use_joins_across_a_kill(install, alice):
    greffier = install(rules=RULES)
    (greffier.policies / "hooks.cedar").write_text(HOOKS)
    greffier.start()
    for call in ("t1", "t2"):
        assert post(greffier, alice, event("PreToolUse", "killed", call)).status_code == 200
    greffier.kill()
    greffier.start()
    # The tool ran on without us: nothing is closed in its name.
    assert [one["type"] for one in of(greffier, "killed")] == ["action.approved"] * 2
    assert post(greffier, alice, event("PostToolUse", "killed", "t1", tool_response="a")).status_code == 200
    # Of the other one nothing will come any more.
    assert post(greffier, alice, {"hook_event_name": "SessionEnd", "session_id": "killed"}).status_code == 200
    events = of(greffier, "killed")
    first, second = (one["request_id"] for one in events[:2])
    ends = {one["request_id"]: one for one in events[2:] if one["type"].startswith("action.")}
    assert ends[first]["outcome"]["status"] == "success" and ends[first]["policy"]["decision"] == "allow"
    assert (ends[second]["type"], ends[second]["outcome"]["status"]) == ("action.failed", "unknown")
    assert greffier.verify().returncode == 0


def test_nobody_ends_the_use_of_somebody_else(hooked, world, alice):
    asked = post(hooked, alice, event("PreToolUse", "mine"))
    other = post(hooked, world.idp.user("oscar"), event("PostToolUse", "mine", tool_response="forged"))
    assert other.status_code == 200
    assert other.headers["greffier-request-id"] != asked.headers["greffier-request-id"]


def test_hooks_are_counted_apart(hooked, alice, people):
    post(hooked, alice, event("PreToolUse", "apart"))
    with Api(hooked, people["audra"]) as api:
        found = api.search("session:apart")
        assert found and all(one["source"]["channel"] == "hook" for one in found)
        assert api.search("session:apart channel:gateway") == []
        agent = found[0]["agent"]["id"]
        by_channel = api.told("/api/v1/activity", agent=agent)["by_channel"]
        assert by_channel["hook"]["calls"] > 0
        assert by_channel.get("gateway", {}).get("calls", 0) == len({
            one["request_id"] for one in hooked.events("org_acme_corp")
            if one.get("agent", {}).get("id") == agent and one["source"]["channel"] == "gateway" and "request_id" in one
        })


def test_without_a_token_or_a_record_there_is_no_consent(hooked):
    assert post(hooked, None, event("PreToolUse", "stranger")).status_code == 401
    assert of(hooked, "stranger") == []


# The command form and the installation.


def relay(hooked, token, body, client="codex", server=None):
    """`greffier hook NAME`, as a client runs it."""
    env = {"PATH": os.environ["PATH"], **({"GREFFIER_TOKEN": token} if token else {})}
    return subprocess.run([hooked.binary, "hook", client, "--server", server or hooked.url], input=json.dumps(body), env=env,
                          capture_output=True, text=True, timeout=60, check=False)


def test_the_command_form_says_what_the_server_says(hooked, alice):
    done = relay(hooked, alice, event("PreToolUse", "command"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}", "")
    done = relay(hooked, alice, event("PreToolUse", "command", "t2", command="rm -rf /"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_the_command_form_blocks_when_it_cannot(hooked, alice):
    nobody = f"http://127.0.0.1:{free_port()}"
    asks = event("PreToolUse", "blocked")
    for done in (
        relay(hooked, alice, asks, server=nobody),
        relay(hooked, None, asks),
        relay(hooked, alice, "no event"),
        relay(hooked, alice, {"hook_event_name": "preToolUse"}, client="cursor"),
    ):
        assert (done.returncode, done.stdout) == (2, ""), done
        assert "blocked by Greffier" in done.stderr
    # What stands behind the act cannot block it; at the end of a turn 2 would mean to go on.
    done = relay(hooked, alice, {"hook_event_name": "Stop", "session_id": "s"}, server=nobody)
    assert (done.returncode, done.stdout) == (1, "")
    assert alice not in done.stderr


@pytest.mark.parametrize(("client", "file"), [
    ("claude-code", ".claude/settings.json"), ("codex", ".codex/hooks.json"), ("cursor", ".cursor/hooks.json"),
])
def test_installing_keeps_what_is_there(hooked, tmp_path, client, file):
    def install(*more):
        return subprocess.run([hooked.binary, "hook", "install", client, "--project", "--server", hooked.url, *more],
                              capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
                              env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})

    settings = tmp_path / file
    settings.parent.mkdir()
    before = '{\n  "mine": [1.10, {"b": 1, "a": 2}],\n  "version": 1\n}\n'
    settings.write_text(before)
    settings.chmod(0o640)
    dry = install("--dry-run")
    assert dry.returncode == 0 and settings.read_text() == before
    assert f"/hooks/{client}" in dry.stdout or f"hook {client}" in dry.stdout, dry.stdout
    assert install().stdout == dry.stdout
    written = settings.read_text()
    assert written.startswith('{\n  "mine": [1.10, {"b": 1, "a": 2}],\n  "version": 1,\n')
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert install().stdout == "" and settings.read_text() == written
    rows = install("-o", "json")
    assert json.loads(rows.stdout) == [{"file": file, "changed": False, "written": False}]
    assert install("--uninstall").returncode == 0
    assert json.loads(settings.read_text()) == json.loads(before)
    settings.write_text("{ broken")
    broken = install()
    assert broken.returncode == 1 and settings.read_text() == "{ broken"
