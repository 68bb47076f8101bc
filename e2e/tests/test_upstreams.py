"""Destinations that fail, are slow or are full; TLS on both sides; HTTP/2."""

import contextlib
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from cryptography import x509

from conftest import HERE, NODE
from harness.authority import Authority
from harness.procs import Process, free_port, listening, wait_until

TOOL = """
[[tool]]
name = "registry"
base_url = "{url}"
reach = {{ {reach} }}
"""


class Scripted:
    """A server that answers from a list: (status, headers), or breaks off without a status; beyond its end 200.

    `gate` holds every answer back.
    """

    def __init__(self, port=0, script=(), context=None, body=b"{}"):
        self.script, self.seen, self.gate, self.arrived = list(script), [], threading.Event(), threading.Semaphore(0)
        self.gate.set()
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                outer.connections += 1
                super().setup()

            def answer(self):
                self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.seen.append(f"{self.command} {self.path}")
                outer.arrived.release()
                outer.gate.wait(20)
                status, headers = outer.script.pop(0) if outer.script else (200, {})
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def comes_up_late(greffier, port, **settings):
    """A server that comes up once a call to it is on record and was tried: between two attempts."""
    late = []

    def come():
        wait_until(lambda: any(event["type"] == "action.approved" for event in greffier.events("org_acme_corp")),
                   "the call is on record")
        # Attempts are made at once, then after 0.1, 0.3, 0.7, 1.5 and 3.1 s.
        time.sleep(0.5)
        late.append(Scripted(port, **settings))

    waiting = threading.Thread(target=come)
    waiting.start()
    yield late
    waiting.join()
    late[0].stop()


def outcome(greffier, response):
    greffier.stop()
    request_id = response.headers["greffier-request-id"]
    events = [event for event in greffier.events("org_acme_corp") if event.get("request_id") == request_id]
    assert len(events) == 2, events
    return events[-1]["outcome"]


def test_a_refused_connection_is_tried_again(install, sdk, alice):
    port = free_port()
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{port}", reach="retries = 5")).start()
    with sdk.http(own, alice) as http, comes_up_late(own, port) as late:
        answer = http.post("/tools/registry/things", json={})
    assert answer.status_code == 200 and late[0].seen == ["POST /things"]
    told = outcome(own, answer)
    assert told["status"] == "success" and len(told["attempts"]) >= 2
    assert told["attempts"][0] == {} and told["attempts"][-1]["code"] == 200


def test_later_is_obeyed_for_what_may_be_repeated(install, sdk, alice):
    later = (429, {"retry-after": "1", "x-request-id": "first"})
    server = Scripted(script=[later, (200, {"x-request-id": "second"}), later])
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{server.port}", reach='retry_after = "5s"')).start()
    with sdk.http(own, alice) as http:
        read = http.get("/tools/registry/things")
        assert read.status_code == 200 and len(server.seen) == 2
        write = http.post("/tools/registry/things", json={})
        assert write.status_code == 429 and len(server.seen) == 3, "a POST is never sent twice"
    server.stop()
    assert outcome(own, read)["attempts"] == [
        {"code": 429, "upstream_request_id": "first"}, {"code": 200, "upstream_request_id": "second"}]


def test_what_may_have_arrived_is_never_sent_again(install, sdk, alice):
    server = Scripted(script=[(None, {})])
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{server.port}", reach="retries = 5")).start()
    with sdk.http(own, alice) as http:
        broken = http.get("/tools/registry/things")
    assert broken.status_code == 502 and server.seen == ["GET /things"]
    server.stop()
    assert outcome(own, broken)["attempts"] == [{}]


def test_connections_are_used_again_and_redirects_never_followed(install, sdk, alice):
    other = Scripted()
    server = Scripted(script=[(200, {}), (307, {"location": f"http://127.0.0.1:{other.port}/elsewhere"})])
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{server.port}", reach="")).start()
    with sdk.http(own, alice) as http:
        answers = [http.get("/tools/registry/things").status_code for _ in range(5)]
    assert answers == [200, 307, 200, 200, 200]
    assert (len(server.seen), server.connections, other.seen) == (5, 1, [])
    server.stop()
    other.stop()


def test_what_fails_again_and_again_is_left_alone(install, sdk, alice):
    server = Scripted(script=[(503, {})] * 3)
    reach = 'open_after = 3, open_for = "2s"'
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{server.port}", reach=reach)).start()
    with sdk.http(own, alice) as http:
        for _ in range(3):
            assert http.get("/tools/registry/things").status_code == 503
        refused = http.get("/tools/registry/things")
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "upstream_resting"
        assert int(refused.headers["retry-after"]) in (1, 2) and len(server.seen) == 3
        assert "`registry` failed again and again" in httpx.get(own.url + "/readyz", trust_env=False).text
        assert 'greffier_resting{name="registry"} 1' in httpx.get(own.url + "/metrics", trust_env=False).text
        wait_until(lambda: http.get("/tools/registry/things").status_code == 200, "it is asked again")
        assert len(server.seen) == 4
    server.stop()
    told = outcome(own, refused)
    assert told["error"] == "upstream_resting" and "attempts" not in told


def test_so_many_at_once_and_no_more(install, sdk, alice):
    server = Scripted()
    server.gate.clear()
    reach = 'concurrent = 1, queue = 1, queue_time = "20s"'
    own = install(more=TOOL.format(url=f"http://127.0.0.1:{server.port}", reach=reach)).start()
    answers = []
    with sdk.http(own, alice) as http:
        ask = lambda: answers.append(http.get("/tools/registry/things"))  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert server.arrived.acquire(timeout=20)
        # One is under way, one waits, and one is told so at once.
        wait_until(lambda: answers, "the third is refused")
        assert [answer.json()["error"]["code"] for answer in answers] == ["upstream_busy"]
        assert int(answers[0].headers["retry-after"]) >= 1 and len(server.seen) == 1
        server.gate.set()
        for thread in threads:
            thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    server.stop()


def test_the_next_upstream_is_asked(install, world, sdk, alice):
    own = install(more=f"""
[[upstream]]
name = "first"
kind = "openai"
base_url = "http://127.0.0.1:{free_port()}/v1"
api_key_env = "SUITE_OPENAI_KEY"
models = ["spare-*"]
reach = {{ fallback = true, retries = 0 }}

[[upstream]]
name = "second"
kind = "openai"
base_url = "{world.models.url}/v1"
api_key_env = "SUITE_OPENAI_KEY"
models = ["spare-*"]
""").start()
    messages = [{"role": "user", "content": "say hello"}]
    raw = sdk.openai(own, alice).chat.completions.with_raw_response.create(model="spare-1", messages=messages)
    assert raw.parse().choices
    assert [attempt.get("code") for attempt in outcome(own, raw)["attempts"]] == [None, 200]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


MCP = """
[[mcp]]
name = "server"
url = "{url}/mcp"
reach = {{ {reach} }}
"""
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
PONG = b'{"jsonrpc":"2.0","id":1,"result":{}}'


def test_an_mcp_server_is_tried_again_and_left_alone(install, sdk, alice):
    port = free_port()
    reach = 'retries = 5, open_after = 1, open_for = "60s"'
    own = install(more=MCP.format(url=f"http://127.0.0.1:{port}", reach=reach)).start()
    script = [(200, {}), (503, {})]
    with sdk.http(own, alice) as http, comes_up_late(own, port, body=PONG, script=script) as late:
        answer = http.post("/mcp/server", json=PING)
        assert answer.status_code == 200 and answer.json()["result"] == {}, answer.text
        assert http.post("/mcp/server", json=PING).status_code != 200
        refused = http.post("/mcp/server", json=PING)
        assert refused.status_code == 503 and refused.json()["error"]["data"]["code"] == "upstream_resting"
        assert 1 <= int(refused.headers["retry-after"]) <= 60 and len(late[0].seen) == 2
        assert "`server` failed again and again" in httpx.get(own.url + "/readyz", trust_env=False).text
    told = outcome(own, answer)
    assert len(told["attempts"]) >= 2 and told["attempts"][0] == {} and told["attempts"][-1]["code"] == 200


def test_an_mcp_server_takes_so_many_and_no_more(install, sdk, alice):
    server = Scripted(body=PONG)
    server.gate.clear()
    own = install(more=MCP.format(url=f"http://127.0.0.1:{server.port}", reach="concurrent = 1, queue = 0")).start()
    answers = []
    with sdk.http(own, alice) as http:
        first = threading.Thread(target=lambda: answers.append(http.post("/mcp/server", json=PING)))
        first.start()
        assert server.arrived.acquire(timeout=20)
        busy = http.post("/mcp/server", json=PING)
        assert busy.status_code == 503 and busy.json()["error"]["data"]["code"] == "upstream_busy"
        # What tells something gets through: a call that is under way may wait for just that.
        tells = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        second = threading.Thread(target=lambda: answers.append(http.post("/mcp/server", json=tells)))
        second.start()
        assert server.arrived.acquire(timeout=20), "the server hears of it"
        server.gate.set()
        first.join()
        second.join()
    assert any(answer.status_code == 200 for answer in answers)
    server.stop()


def test_an_mcp_server_of_an_own_authority(install, authority, sdk, alice):
    cert, key, _ = authority.issue("mcp")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Scripted(context=context, body=PONG)
    for name, reach, status in (("trusting", f'ca_file = "{authority.file}"', 200), ("doubting", "retries = 0", 502)):
        own = install(name, more=MCP.format(url=f"https://127.0.0.1:{server.port}", reach=reach)).start()
        with sdk.http(own, alice) as http:
            assert http.post("/mcp/server", json=PING).status_code == status
    server.stop()


def test_tls_and_http2_at_the_listener(install, authority, alice):
    cert, key, serial = authority.issue("listener")
    own = install(more=f'\n[tls]\ncert = "{cert}"\nkey = "{key}"\n')
    own.url = own.url.replace("http:", "https:")
    trust = ssl.create_default_context(cafile=str(authority.file))
    own.get = lambda path: status(own, path, trust)
    own.start()
    headers = {"authorization": f"Bearer {alice}"}
    with httpx.Client(http2=True, http1=False, verify=trust, trust_env=False, headers=headers) as http:
        answers = [http.get(own.url + "/tools/crm/contacts/search") for _ in range(2)]
        assert [(answer.status_code, answer.http_version) for answer in answers] == [(200, "HTTP/2")] * 2
    with httpx.Client(verify=trust, trust_env=False, headers=headers) as http:
        assert http.get(own.url + "/tools/crm/contacts/search").http_version == "HTTP/1.1"

    def shown():
        with socket.create_connection(("127.0.0.1", own.port)) as tcp, trust.wrap_socket(
                tcp, server_hostname="127.0.0.1") as tls:
            return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)).serial_number

    assert shown() == serial
    renewed = authority.issue("renewed")
    # Half of a change is no change; the whole is, without a restart.
    key.write_bytes(renewed[1].read_bytes())
    wait_until(lambda: b"cannot be used; the old one stays" in own.outputs(), "the half change is refused")
    assert shown() == serial
    cert.write_bytes(renewed[0].read_bytes())
    wait_until(lambda: shown() == renewed[2], "the new certificate is shown")


def status(own, path, trust):
    try:
        return httpx.get(own.url + path, verify=trust, trust_env=False, timeout=5).status_code
    except httpx.HTTPError:
        return 0


def test_http2_in_the_clear(greffier, alice):
    headers = {"authorization": f"Bearer {alice}"}
    with httpx.Client(http2=True, http1=False, trust_env=False, headers=headers) as http:
        answer = http.get(greffier.url + "/tools/crm/contacts/search")
    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")


def test_http2_to_an_upstream(install, authority, sdk, alice, tmp_path):
    cert, key, _ = authority.issue("h2")
    port = free_port()
    server = Process("h2", [NODE, HERE / "h2_server.mjs", port, cert, key], tmp_path / "h2")
    server.ready(lambda: listening(port))
    own = install(more=TOOL.format(url=f"https://127.0.0.1:{port}", reach=f'ca_file = "{authority.file}"')).start()
    with sdk.http(own, alice) as http:
        answers = [http.get("/tools/registry/things").json() for _ in range(3)]
    server.stop()
    assert [answer["version"] for answer in answers] == ["2.0"] * 3
    assert len({answer["connections"] for answer in answers}) == 1


def test_an_upstream_of_an_own_authority(install, authority, sdk, alice):
    cert, key, _ = authority.issue("tool")
    client_cert, client_key, _ = authority.issue("greffier")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Scripted(context=context)
    reach = f'ca_file = "{authority.file}", cert_file = "{client_cert}", key_file = "{client_key}"'
    own = install("trusting", more=TOOL.format(url=f"https://127.0.0.1:{server.port}", reach=reach)).start()
    with sdk.http(own, alice) as http:
        assert http.get("/tools/registry/things").status_code == 200
    doubting = install("doubting", more=TOOL.format(url=f"https://127.0.0.1:{server.port}", reach="retries = 0")).start()
    with sdk.http(doubting, alice) as http:
        assert http.get("/tools/registry/things").status_code == 502
    server.stop()
