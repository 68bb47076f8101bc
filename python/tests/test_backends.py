"""Files, a ledger, a server that is not there; and queries of each."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from greffier import (
    AsyncAuditLogger, AuditAnalyzer, AuditEvent, AuditHandler, BackendFailed, Denied, FileAuditBackend, Guard,
    LedgerAuditBackend, NoDecision, QueryFailed, RemoteAuditBackend, Unavailable)


def fill(backend):
    for number in range(6):
        backend.write(AuditEvent(
            timestamp=f"2026-03-06T00:00:0{number}Z", agent_id=f"a-{number % 2}", action=str(number),
            parameters={"password": "p"}))
    backend.flush()


def actions(events):
    return [event.action for event in events]


def check_queries(backend):
    assert actions(backend.query()) == list("012345")
    assert actions(backend.query({"agent_id": "a-1"})) == list("135")
    assert actions(backend.query({"agent_id": "a-1", "action": "3"})) == ["3"]
    assert actions(backend.query(since="2026-03-06T00:00:02Z", until="2026-03-06T00:00:04Z")) == list("23")
    assert actions(backend.query(limit=2)) == list("45")
    assert backend.query()[0].parameters == {"password": "[REDACTED]"}


def test_a_file(backend, path):
    fill(backend)
    check_queries(backend)
    check_queries(FileAuditBackend(path))
    with pytest.raises(ValueError, match="since time must be RFC 3339"):
        backend.query(since="yesterday")
    with pytest.raises(ValueError, match="event_id must be a UUID"):
        backend.write(AuditEvent(event_id="evt-1"))


def test_a_file_is_set_aside_when_it_is_full(path):
    backend = FileAuditBackend(path, max_bytes=1_000, numbered=False)
    with AsyncAuditLogger(backend, batch_size=1) as logger:
        for number in range(20):
            logger.log(AuditEvent(action=str(number)))
    assert len(list(path.parent.iterdir())) > 3
    assert actions(backend.query()) == [str(number) for number in range(20)]
    assert all(event.producer is None for event in backend.query())


def test_a_file_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendFailed, match="opening"):
        FileAuditBackend(tmp_path / "file" / "audit.jsonl")


def test_a_ledger(tmp_path):
    folders = tmp_path / "data", tmp_path / "keys"
    with LedgerAuditBackend(*folders, tenant="acme") as backend:
        with AsyncAuditLogger(backend) as logger:
            logger.log(AuditEvent(action="by a logger"))
        fill(backend)
        assert actions(backend.query())[0] == "by a logger"
        with pytest.raises(BackendFailed):
            LedgerAuditBackend(*folders, tenant="acme")
    with pytest.raises(Unavailable, match="closed"):
        backend.write(AuditEvent())
    with LedgerAuditBackend(*folders, tenant="acme") as again:
        assert actions(again.query({"agent_id": "a-0"})) == list("024")
    with pytest.raises(ValueError, match="tenant"):
        LedgerAuditBackend(*folders, tenant="no such/name")


def test_a_server_that_is_not_there():
    backend = RemoteAuditBackend("http://127.0.0.1:9", token="t", timeout=1.0)
    with pytest.raises(Unavailable):
        backend.write(AuditEvent())
    with pytest.raises(Unavailable):
        backend.query({"parameters": {}})
    with pytest.raises(NoDecision):
        Guard("http://127.0.0.1:9", timeout=1.0).ask("crm:pay")
    with pytest.raises(ValueError, match="https://"):
        RemoteAuditBackend("http://greffier.example", token="t")
    with pytest.raises(ValueError, match="neither credentials"):
        Guard("https://user:password@greffier.example")


@pytest.fixture
def server():
    """Answers what it is told to, and remembers what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            self.server.asked.append((self.headers.get("authorization"), asked))
            body = self.server.answers.pop(0).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.send_header("greffier-request-id", "req_1")
            self.send_header("greffier-receipt", "acme 0 x")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_asking_before_acting(server, tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    server.answers = ['{"decision":"allow","parameters":{"q":"<US_SSN>"}}', '{"result":"redacted"}',
                      '{"decision":"deny","reason":"not you"}', '{"decision":"allow"}', "{}", '{"decision":"perhaps"}']
    guard = Guard(server.url, token=tmp_path / "token")
    with guard.ask("crm:search", {"q": "536-90-4399"}, session_id="s", call_id="c") as permit:
        assert (permit.parameters, permit.request_id, permit.receipt) == ({"q": "<US_SSN>"}, "req_1", "acme 0 x")
        permit.result = {"rows": ["alice"]}
    assert permit.result == "redacted"
    with pytest.raises(ValueError, match="said before"):
        permit.executed("again")
    with pytest.raises(PermissionError, match="denied by Greffier: not you") as raised:
        guard.ask("crm:pay")
    assert (type(raised.value), raised.value.reason, raised.value.request_id) == (Denied, "not you", "req_1")
    with pytest.raises(KeyError), guard.ask("crm:search"):
        raise KeyError("broken")
    with pytest.raises(NoDecision, match="perhaps"):
        guard.ask("crm:search")
    assert {token for token, _ in server.asked} == {"Bearer from-a-file"}
    assert '"tool_use_id":"c"' in server.asked[0][1] and '"tool_response":{"rows":["alice"]}' in server.asked[1][1]
    assert "PostToolUseFailure" in server.asked[4][1] and "broken" in server.asked[4][1]


def test_tokens_come_from_functions(server):
    tokens = iter(["first", "second"])
    server.answers = ['{"decision":"deny","reason":"x"}'] * 2
    guard = Guard(server.url, token=lambda: next(tokens))
    for _ in range(2):
        with pytest.raises(Denied):
            guard.ask("t")
    assert [token for token, _ in server.asked] == ["Bearer first", "Bearer second"]
    with pytest.raises(NoDecision, match="the function that gives it raised"):
        guard.ask("t")


def test_analyses_refuse_to_answer_in_part(backend, monkeypatch):
    fill(backend)
    monkeypatch.setattr("greffier.analysis.MAX_EVENTS", 5)
    with pytest.raises(QueryFailed, match="choose a shorter period"):
        AuditAnalyzer(backend).generate_compliance_report("2026-03-06", "2026-03-07")
    report = AuditAnalyzer(backend).generate_compliance_report("2026-03-06", "2026-03-06T00:00:03Z")
    assert report["total_events"] == 4


def test_records_of_logging(agent, recorded):
    log = logging.getLogger("audit.test")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(AuditHandler(agent))
    log.info("read %s", 3, extra={"event_type": "data.access", "resource": "crm://orders", "rows": 3, "api_key": "k"})
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("it failed")
    read, failed = recorded()
    assert (read["event_type"], read["action"], read["resource"]) == ("data.access", "audit.test", "crm://orders")
    assert read["parameters"] == {"rows": 3, "api_key": "[REDACTED]"}
    assert read["metadata"] == {"message": "read 3", "level": "INFO", "logger": "audit.test"}
    assert (failed["event_type"], failed["error"]) == ("error", "it failed: broken")
