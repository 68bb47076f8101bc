"""MCP with real clients in front and real servers behind, in both eras."""

import json
import os
import re
import subprocess
import sys

import httpx
import pytest

from conftest import HERE, NODE
from harness import mcp
from harness.procs import Process, free_port, listening

SSN = "536-90-4399"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The suite's server and `server-everything`, over HTTP."""
    folder = tmp_path_factory.mktemp("mcp")
    suite = mcp.Server(HERE, folder)
    port = free_port()
    script = HERE / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    everything = Process("everything", [NODE, script, "streamableHttp"], folder, env={"PORT": str(port)})
    everything.ready(lambda: listening(port), 60)
    yield {"suite": suite, "everything": f"http://127.0.0.1:{port}/mcp"}
    suite.stop()
    everything.stop()


def config(servers, files):
    command = [sys.executable, str(HERE / "fixtures/mcp_server.py")]
    filesystem = [str(NODE), str(HERE / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"), str(files)]
    return f"""
[[mcp]]
name = "suite"
url = "{servers["suite"].url}"
classification = ["pii"]

[[mcp]]
name = "everything"
url = "{servers["everything"]}"

[[mcp]]
name = "piped"
command = {json.dumps(command)}
env = ["SUITE_SEEN"]

[[mcp]]
name = "files"
command = {json.dumps(filesystem)}

[[mcp]]
name = "broken"
command = ["/nowhere/at/all"]
"""


@pytest.fixture(scope="module")
def gateway(binary, world, servers, tmp_path_factory):
    """One running installation with all of them behind."""
    from harness.greffier import Greffier

    folder = tmp_path_factory.mktemp("greffier-mcp")
    files = folder / "files"
    files.mkdir()
    (files / "note.txt").write_text(f"her number is {SSN}")
    os.environ["SUITE_SEEN"] = "1"
    greffier = Greffier(binary, world, folder / "it", more=config(servers, files))
    (greffier.policies / "mcp.cedar").write_text(mcp.POLICIES)
    greffier.files = files
    greffier.start()
    yield greffier
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def url(gateway, name="suite"):
    return f"{gateway.url}/mcp/{name}"


def of(gateway, action, since=0):
    return [event for event in gateway.events()[since:] if (event.get("action") or {}).get("name") == action]


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_a_tool_is_called_and_both_events_are_there(gateway, servers, alice, mode):
    since, seen = len(gateway.events()), len(servers["suite"].saw())

    async def conversation(client):
        return await client.call_tool("search", {"query": "erika"})

    result = mcp.talk(url(gateway), alice, mode, conversation)
    assert result.structured_content["people"][0] == {"name": "Erika", "ssn": SSN}
    assert servers["suite"].saw()[seen:] == [{"saw": "search", "query": "erika"}]

    decision, outcome = of(gateway, "suite:search", since)
    assert (decision["type"], outcome["type"]) == ("action.approved", "action.executed")
    assert decision["request_id"] == outcome["request_id"]
    assert decision["action"] == {
        "name": "suite:search", "kind": "tool", "effect": "execute", "method": "tools/call"}
    assert decision["resource"] == {"uri": "mcp://suite/tools/search", "classification": ["pii"]}
    assert decision["policy"]["rule"] == "role:analyst may use the suite's server"
    assert decision["user"]["sub"] == "alice" and decision["source"]["channel"] == "gateway"
    assert decision["source"]["protocol"] == ("mcp.2025-11-25" if mode == "legacy" else "mcp.2026-07-28")
    assert [part["name"] for part in outcome["parts"]] == ["result"]
    found = {(one["type"], one["stage"]) for one in outcome["content_safety"]["redactions"]}
    assert ("US_SSN", "output") in found
    on_disk = b"".join(file.read_bytes() for file in gateway.data.rglob("*") if file.is_file())
    assert SSN.encode() not in on_disk


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_only_what_may_be_used_is_listed(gateway, alice, mode):
    async def conversation(client):
        tools = (await client.list_tools()).tools
        resources = (await client.list_resources()).resources
        prompts = (await client.list_prompts()).prompts
        return [one.name for one in tools], [str(one.uri) for one in resources], [one.name for one in prompts]

    tools, resources, prompts = mcp.talk(url(gateway), alice, mode, conversation)
    assert tools == ["search", "picture", "fail", "environment", "work"]
    assert resources == ["crm://people/erika"]
    assert prompts == ["summary"]


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_who_may_nothing_sees_nothing(gateway, people, mode):
    async def conversation(client):
        return (await client.list_tools()).tools

    assert mcp.talk(url(gateway), people["bob"], mode, conversation) == []


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_what_is_denied_is_not_done(gateway, servers, alice, mode):
    since, seen = len(gateway.events()), len(servers["suite"].saw())

    async def conversation(client):
        from mcp.shared.exceptions import MCPError

        said = []
        for attempt in (client.call_tool("drop", {"table": "people"}), client.read_resource("crm://secret/plan")):
            with pytest.raises(MCPError) as refused:
                await attempt
            said.append(str(refused.value))
        return said

    tool, resource = mcp.talk(url(gateway), alice, mode, conversation)
    assert "nobody drops a table" in tool and "the plan is secret" in resource
    assert servers["suite"].saw()[seen:] == []
    (denied,) = of(gateway, "suite:drop", since)
    assert denied["type"] == "action.denied"
    (denied,) = of(gateway, "suite:method:resources/read", since)
    assert denied["type"] == "action.denied" and denied["resource"]["uri"] == "crm://secret/plan"


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_resources_prompts_pictures_progress_and_errors(gateway, alice, mode):
    since = len(gateway.events())
    steps = []

    async def on_progress(progress, total, message):
        steps.append(progress)

    async def conversation(client):
        read = await client.read_resource("crm://people/erika")
        prompt = await client.get_prompt("summary", {"person": "Erika"})
        picture = await client.call_tool("picture", {})
        failed = await client.call_tool("fail", {})
        worked = await client.call_tool("work", {}, progress_callback=on_progress)
        return read, prompt, picture, failed, worked

    read, prompt, picture, failed, worked = mcp.talk(url(gateway), alice, mode, conversation)
    assert read.contents[0].text == f"Erika, {SSN}"
    assert prompt.messages[0].content.text == "Summarise Erika."
    assert picture.content[0].mime_type == "image/png" and len(picture.content[0].data) > 300
    assert failed.is_error and worked.content[0].text == "worked"
    assert steps == [0, 1, 2]
    assert [event["type"] for event in of(gateway, "suite:fail", since)] == ["action.approved", "action.failed"]
    assert of(gateway, "suite:fail", since)[1]["outcome"]["error"] == "tool_error"
    reading = of(gateway, "suite:method:resources/read", since)
    assert sorted(event["type"] for event in reading) == ["action.approved", "action.executed", "data.access"]
    assert {event["action"]["kind"] for event in reading} == {"data"}


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_a_command_is_a_server_too(gateway, alice, mode):
    async def conversation(client):
        names = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("search", {"query": "piped"})
        seen = await client.call_tool("environment", {})
        return names, found.structured_content["query"], seen.structured_content["result"]

    names, query, variables = mcp.talk(url(gateway, "piped"), alice, mode, conversation)
    assert "drop" in names and query == "piped"
    assert "PATH" in variables and "SUITE_SEEN" not in variables, "the harness hands on no more than it was given"
    assert not [name for name in variables if "KEY" in name], "a key of the gateway's is seen by a tool"


def test_files_over_stdio(gateway, alice):
    async def conversation(client):
        return await client.call_tool("read_text_file", {"path": str(gateway.files / "note.txt")})

    result = mcp.talk(url(gateway, "files"), alice, "legacy", conversation)
    assert SSN in result.content[0].text


def test_a_command_that_cannot_start_fails_its_calls(gateway, alice):
    reply = ask(gateway, alice, INITIALIZE, name="broken")
    # Nobody may use it, and opening a session needs no permit.
    assert reply.status_code == 502 and reply.json()["error"]["data"]["code"] == "upstream_unreachable"


INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}}


def ask(gateway, token, message, name="suite", method="POST", **headers):
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    if token:
        headers["authorization"] = f"Bearer {token}"
    headers |= {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    content = message if isinstance(message, (bytes, str)) else json.dumps(message)
    return httpx.request(
        method, url(gateway, name), content=content, headers=headers, trust_env=False, timeout=30)


def code(reply):
    return reply.status_code, reply.json()["error"]["code"]


def test_a_session_is_its_openers(gateway, people, alice):
    opened = ask(gateway, alice, INITIALIZE)
    session = opened.headers["mcp-session-id"]
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert ask(gateway, alice, ping, mcp_session_id=session).status_code == 200
    stolen = ask(gateway, people["audra"], ping, mcp_session_id=session)
    assert stolen.status_code == 404 and stolen.json()["error"]["data"]["code"] == "session_not_found"
    assert ask(gateway, alice, ping, mcp_session_id="made-up").status_code == 404
    ended = ask(gateway, alice, "", method="DELETE", mcp_session_id=session)
    assert ended.status_code in (200, 202, 204)
    assert ask(gateway, alice, ping, mcp_session_id=session).status_code == 404


def test_headers_must_say_what_the_body_says(gateway, servers, alice):
    seen = len(servers["suite"].saw())
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "search", "arguments": {"query": "x"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}}
    good = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "search"}
    for wrong in ({"mcp_name": "drop"}, {"mcp_method": "tools/list"}, {"mcp_protocol_version": "2025-11-25"}):
        reply = ask(gateway, alice, call, **(good | wrong))
        assert code(reply) == (400, -32020) and reply.json()["id"] == 7, wrong
    assert code(ask(gateway, alice, call, **(good | {"mcp_protocol_version": "2042-01-01"})))[0] == 400
    assert servers["suite"].saw()[seen:] == []
    assert ask(gateway, alice, call, **good).status_code == 200


def test_what_is_no_message_is_refused(gateway, alice):
    assert code(ask(gateway, alice, "{")) == (400, -32700)
    assert code(ask(gateway, alice, [INITIALIZE])) == (400, -32600)
    assert code(ask(gateway, alice, {"jsonrpc": "2.0", "id": None, "method": "ping"})) == (400, -32600)
    twice = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","name":"drop","arguments":{}}}'
    assert code(ask(gateway, alice, twice)) == (400, -32700)
    unasked = {"jsonrpc": "2.0", "id": 99, "result": {}}
    assert code(ask(gateway, alice, unasked)) == (400, -32600)


def test_strangers_are_told_where_to_get_a_token(gateway, world, people):
    reply = ask(gateway, None, INITIALIZE)
    assert reply.status_code == 401
    metadata = f"{gateway.url}/.well-known/oauth-protected-resource/mcp/suite"
    assert reply.headers["www-authenticate"] == f'Bearer resource_metadata="{metadata}"'
    told = httpx.get(metadata, trust_env=False).json()
    assert told["resource"] == url(gateway) and told["authorization_servers"] == [world.idp.url]
    assert httpx.get(metadata.replace("suite", "nothing"), trust_env=False).status_code == 404
    reply = ask(gateway, "not.a.token", INITIALIZE)
    assert reply.status_code == 401 and 'error="invalid_token"' in reply.headers["www-authenticate"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {}}}
    reply = ask(gateway, people["bob"], call)
    assert code(reply) == (403, -32003) and 'error="insufficient_scope"' in reply.headers["www-authenticate"]


def test_pages_from_elsewhere_do_not_come_in(gateway, alice):
    assert ask(gateway, alice, INITIALIZE, origin="http://evil.example").status_code == 403
    assert ask(gateway, alice, INITIALIZE, host="evil.example").status_code == 403
    assert ask(gateway, alice, INITIALIZE, origin="http://localhost:6274").status_code == 200


def test_an_unknown_server_is_a_denial_on_record(gateway, alice):
    since = len(gateway.events())
    reply = ask(gateway, alice, INITIALIZE, name="nothing")
    assert reply.status_code == 404
    assert [event["type"] for event in of(gateway, "nothing:method:initialize", since)] == ["action.denied"]


def test_the_typescript_sdk_with_sampling_and_elicitation(gateway, alice):
    since = len(gateway.events())
    direct_tools = None
    got = mcp.node(NODE, HERE / "mcp_client.mjs", url(gateway, "everything"), alice)
    assert got["session"] and got["version"] == "2025-11-25"
    assert SSN in got["echo"]["content"][0]["text"]
    assert got["long"]["progress"], "progress travels"
    assert ["sampling", got["asked"][0][1]] == got["asked"][0], got
    assert "elicitation" in [what for what, _ in got["asked"]]
    assert direct_tools is None and "trigger-sampling-request" in got["tools"]
    decision, outcome = of(gateway, "everything:method:sampling/createMessage", since)
    assert (decision["type"], outcome["type"]) == ("action.approved", "action.executed")
    assert decision["action"]["kind"] == "llm" and decision["user"]["sub"] == "alice"
    assert decision["request_id"] == outcome["request_id"]
    asked = of(gateway, "everything:method:elicitation/create", since)
    assert [event["type"] for event in asked] == ["action.approved", "action.executed"]


def test_the_same_from_the_client_as_without(gateway, servers, alice):
    """What a client sees of a server is the same through the gateway, but for the session's name."""
    direct = mcp.node(NODE, HERE / "mcp_client.mjs", servers["everything"], "")
    through = mcp.node(NODE, HERE / "mcp_client.mjs", url(gateway, "everything"), alice)
    for one in (direct, through):
        assert one.pop("session")
    assert through == direct


def scenarios(target, folder):
    """The conformance suite's own verdicts on a server: checks passed and failed, by scenario."""
    script = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    done = subprocess.run(
        [str(NODE), str(script), "server", "--url", target], cwd=folder, capture_output=True, text=True, timeout=300,
        check=False, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    rows = re.findall(r"^. ([a-z0-9-]+): (\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    return {name: (int(passed), int(failed)) for name, passed, failed in rows}


def test_the_conformance_suite_says_the_same(gateway, servers, alice, tmp_path):
    port = free_port()
    proxy = Process("with-token", [NODE, HERE / "with_token.mjs", port, gateway.port, alice], tmp_path / "proxy")
    proxy.ready(lambda: listening(port))
    try:
        folders = [tmp_path / "direct", tmp_path / "through"]
        for folder in folders:
            folder.mkdir()
        direct = scenarios(servers["everything"], folders[0])
        through = scenarios(f"http://127.0.0.1:{port}/mcp/everything", folders[1])
    finally:
        proxy.stop()
    assert len(direct) >= 20 and sum(passed for passed, _ in direct.values()) >= 13, direct
    # The gateway turns away a page from elsewhere, which this server lets in.
    assert direct.pop("dns-rebinding-protection") == (1, 1)
    assert through.pop("dns-rebinding-protection") == (2, 0)
    assert through == direct


def test_a_changed_tool_is_an_event_and_a_block(install, alice, tmp_path):
    server = mcp.Server(HERE, tmp_path / "server")
    names = {"flagged": "flag", "blocked": "block", "guarded": "flag"}
    more = "".join(
        f'\n[[mcp]]\nname = "{name}"\nurl = "{server.url}"\non_change = "{change}"\n' for name, change in names.items())
    greffier = install(more=more)
    (greffier.policies / "mcp.cedar").write_text(mcp.POLICIES + """
@id("role:analyst may use these")
permit (principal in Role::"analyst", action == Action::"call_tool", resource)
when { resource in Server::"flagged" || resource in Server::"blocked" };
""")
    greffier.start()

    async def listed(client):
        return [tool.name for tool in (await client.list_tools()).tools]

    before = {name: mcp.talk(url(greffier, name), alice, "legacy", listed) for name in names}
    assert all("drop" in tools for tools in before.values())
    server.stop()
    server.start({"MCP_POISON": "1"})
    # What was pinned outlasts a restart.
    greffier.stop()
    greffier.start()
    after = {name: mcp.talk(url(greffier, name), alice, "legacy", listed) for name in names}
    assert ["drop" in after[name] for name in names] == [True, False, False]
    changed = [event for event in greffier.events("greffier")
               if (event.get("action") or {}).get("name") == "mcp:definition_changed"]
    assert sorted(event["resource"]["uri"] for event in changed) == sorted(f"mcp://{name}/tools/drop" for name in names)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop", "arguments": {"table": "t"}}}
    for name, status in (("blocked", 403), ("guarded", 403)):
        assert ask(greffier, alice, call, name=name).status_code == status, name
    assert server.saw() == []
    # Deleting its line accepts what comes next.
    pins = greffier.folder / "greffier-pins" / "blocked.pins"
    greffier.stop()
    pins.write_text("".join(line for line in pins.read_text().splitlines(True) if '"drop"' not in line))
    greffier.start()
    assert "drop" in mcp.talk(url(greffier, "blocked"), alice, "legacy", listed)
    server.stop()


@pytest.mark.parametrize("mode", mcp.ERAS)
def test_a_wrapped_command_for_a_desktop_client(binary, tmp_path, mode):
    argv = [binary, "mcp", "--name", "suite", "--dir", tmp_path / "it", "--",
            sys.executable, HERE / "fixtures/mcp_server.py"]

    async def conversation(client):
        names = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("search", {"query": "desktop"})
        return names, found.structured_content

    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "USER": "erika"}
    names, found = mcp.talk_to_command(argv, mode, conversation, env=env)
    assert "search" in names and found["people"][0]["ssn"] == SSN
    done = subprocess.run(
        [str(binary), "search", "tool:suite:search", "--data", str(tmp_path / "it/greffier-data"), "--tenant", "local",
         "-o", "json", "--config", str(tmp_path / "it/greffier.toml")],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    events = json.loads(done.stdout)
    assert [event["type"] for event in events] == ["action.executed", "action.approved"]
    assert events[0]["user"]["sub"] == "erika" and events[0]["agent"]["id"] == "mcp"
    assert SSN not in done.stdout
