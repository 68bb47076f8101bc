"""MCP servers behind a Greffier, and clients in front of it."""

import asyncio
import contextlib
import json
import subprocess
import sys

import httpx2
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from .procs import Process, free_port, listening

POLICIES = """
@id("role:analyst may use the suite's server")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource in Server::"suite");

@id("nobody drops a table")
forbid (principal, action == Action::"call_tool", resource == Tool::"suite:drop");

@id("the plan is secret")
forbid (principal, action == Action::"read_resource", resource == Resource::"crm://secret/plan");

@id("a tool that is not what it was is not used")
forbid (principal, action == Action::"call_tool", resource in Server::"guarded")
when { context.findings.contains("TOOL_DEFINITION_CHANGED") };

@id("role:analyst may use all other servers")
permit (principal in Role::"analyst", action in [Action::"call_tool", Action::"read_resource"], resource)
when { resource in Server::"everything" || resource in Server::"piped" || resource in Server::"files" || resource in Server::"guarded" };
"""

ERAS = ("legacy", "2026-07-28")


class Server:
    """The suite's MCP server over HTTP."""

    def __init__(self, here, folder, name="mcp-server", env=None):
        self.here, self.folder, self.name = here, folder, name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.process = None
        self.start(env)

    def start(self, env=None):
        argv = [sys.executable, self.here / "fixtures/mcp_server.py", self.port]
        self.process = Process(self.name, argv, self.folder, env=env)
        self.process.ready(lambda: listening(self.port), 60)
        return self

    def saw(self):
        """What tools were really called."""
        lines = self.process.stderr.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"saw"')]

    def stop(self):
        self.process.stop()


@contextlib.asynccontextmanager
async def connected(url, token, mode, **more):
    """The `mcp` package's own client."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, **more) as client:
            yield client


def talk(url, token, mode, conversation, **more):
    """A conversation with a server, to its end."""

    async def run():
        async with connected(url, token, mode, **more) as client:
            return await conversation(client)

    return asyncio.run(asyncio.wait_for(run(), 90))


def talk_to_command(argv, mode, conversation, env=None, cwd=None, **more):
    """The same with a command."""
    parameters = StdioServerParameters(
        command=str(argv[0]), args=[str(part) for part in argv[1:]], env=env, cwd=cwd)

    async def run():
        async with Client(parameters, mode=mode, **more) as client:
            return await conversation(client)

    return asyncio.run(asyncio.wait_for(run(), 90))


def node(node, script, *args, env=None, timeout=120):
    """A script of the suite in Node, its answer as JSON."""
    done = subprocess.run(
        [str(node), str(script), *map(str, args)], capture_output=True, text=True, timeout=timeout, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
