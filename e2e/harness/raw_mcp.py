"""MCP without an SDK, on both ends: a server that says exactly what a test wants, and a client that sees every line.

Real servers are too well behaved to show what a gateway does about those that are not, and real clients hide what came.
"""

import contextlib
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from .procs import Background

STATELESS = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}},
}


def request(id, method, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def notification(method, **params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


def result(id, **members):
    return {"jsonrpc": "2.0", "id": id, "result": members}


def text(words):
    """The content of a tool's result."""
    return [{"type": "text", "text": words}]


class Exchange:
    """One request as the server sees it, and the means to answer it."""

    def __init__(self, handler, message):
        self._handler, self.message = handler, message
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.params = (message or {}).get("params") or {}

    def json(self, message, status=200, **headers):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(body))} | headers)
        self._handler.wfile.write(body)

    def nothing(self, status=202):
        self._head(status, {"content-length": "0"})

    def events(self, **headers):
        """Begins a stream; it ends with the handler's return."""
        self._head(200, {"content-type": "text/event-stream", "connection": "close"} | headers)
        self._handler.close_connection = True

    def event(self, message=None, id=None):
        lines = [f"id: {id}"] if id is not None else []
        lines.append(f"data: {json.dumps(message)}" if message is not None else "data:")
        self.write(("\n".join(lines) + "\n\n").encode())

    def write(self, data):
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def _head(self, status, headers):
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()


class Raw:
    """A server over HTTP: `on[method]` answers, and everything that came is in `saw`."""

    def __init__(self):
        self.on, self.saw, self.answers = {}, [], queue.Queue()
        self.sessions = 0
        raw = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self):
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size)
                exchange = Exchange(self, json.loads(body) if body else None)
                raw.saw.append(exchange)
                # A caller that has gone is no fault of the server's.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    raw.answer(exchange, self.command)

            do_GET = do_POST = do_DELETE = _take

            def log_message(self, *_):
                pass

        self.web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.web.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.web.server_address[1]}/mcp"
        self.background = Background(self.web)

    def answer(self, exchange, command):
        message = exchange.message or {}
        method = message.get("method") or (command if command != "POST" else "response")
        if method == "response":
            self.answers.put(message)
        if method in self.on:
            return self.on[method](exchange)
        if method == "initialize":
            self.sessions += 1
            opened = result(message["id"], protocolVersion="2025-11-25", serverInfo={"name": "raw", "version": "1"},
                            capabilities={"tools": {}, "resources": {"subscribe": True}})
            return exchange.json(opened, mcp_session_id=f"session-{self.sessions}")
        if method == "GET":
            return exchange.nothing(405)
        if "id" in message and method != "response":
            return exchange.json(result(message["id"]))
        return exchange.nothing(200 if command == "DELETE" else 202)

    def calls(self, method):
        """What was asked by this method."""
        return [one for one in list(self.saw) if (one.message or {}).get("method") == method]

    def stop(self):
        self.background.stop()


class Reader:
    """A stream as the client sees it."""

    def __init__(self, reply):
        self.reply, self._lines = reply, reply.iter_lines()

    def __iter__(self):
        """Messages and the ids of events, as (id, message)."""
        id, data = None, []
        for line in self._lines:
            if line.startswith("id:"):
                id = line[3:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].strip())
            elif not line and (data or id):
                whole = "\n".join(data)
                yield id, json.loads(whole) if whole else None
                id, data = None, []

    def next(self):
        return next(iter(self))

    def message(self):
        """The next message."""
        return next(message for _, message in self if message is not None)


class Talk:
    """A client of one entrance; with `open`, in a session."""

    def __init__(self, gateway, name, token, open=True, timeout=30):
        self.url = f"{gateway.url}/mcp/{name}"
        self.http = httpx.Client(trust_env=False, timeout=timeout, headers={
            "authorization": f"Bearer {token}", "accept": "application/json, text/event-stream",
            "content-type": "application/json"})
        self.session = None
        if open:
            reply = self.post(request(0, "initialize", protocolVersion="2025-11-25", capabilities={},
                                      clientInfo={"name": "raw", "version": "1"}))
            assert reply.status_code == 200, reply.text
            self.session = reply.headers["mcp-session-id"]
            assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code in (200, 202)

    def _headers(self, message, more):
        more = {name.replace("_", "-"): value for name, value in more.items()}
        if self.session:
            return {"mcp-session-id": self.session, "mcp-protocol-version": "2025-11-25"} | more
        meta = ((message or {}).get("params") or {}).get("_meta") or {}
        if "io.modelcontextprotocol/protocolVersion" not in meta:
            return more
        params = message["params"]
        named = {"mcp-name": params.get("name") or params.get("uri")}
        return {"mcp-protocol-version": STATELESS, "mcp-method": message["method"]} | {
            name: value for name, value in named.items() if value} | more

    def post(self, message, **headers):
        return self.http.post(self.url, content=json.dumps(message), headers=self._headers(message, headers))

    def call(self, tool, id=1, **arguments):
        """The reply to a call of a tool, whole or as a stream: its last message."""
        reply = self.post(request(id, "tools/call", name=tool, arguments=arguments))
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            lines = [line[5:] for line in reply.text.splitlines() if line.startswith("data:") and line[5:].strip()]
            return json.loads(lines[-1])
        return reply.json()

    def once(self, id, method, **params):
        """A request of the stateless era."""
        return self.post(request(id, method, **params, _meta=META))

    @contextlib.contextmanager
    def streamed(self, message=None, **headers):
        """A stream: by a message, or without one by GET."""
        body = {"content": json.dumps(message)} if message else {}
        with self.http.stream("POST" if message else "GET", self.url, headers=self._headers(message, headers), **body) as reply:
            yield Reader(reply)

    def answer(self, id, **members):
        """What the server asked is answered."""
        return self.post(result(id, **members))

    def close(self):
        self.http.close()


def together(*jobs):
    """Runs all at once, and gives what each returned."""
    got = [None] * len(jobs)

    def run(index, job):
        got[index] = job()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got
