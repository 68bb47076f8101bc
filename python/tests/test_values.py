"""Whatever an agent was called with is recorded as something, and nothing under a telling key."""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import random
import threading
import types
import uuid

import pytest

from greffier import AuditEvent, AuditEventType
from greffier._native import redact


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Login:
    name: str
    password: str


class Model:
    """What pydantic's models look like."""

    def model_dump(self):
        return {"api_key": "k", "n": 1}


class Broken:
    def __str__(self):
        raise RuntimeError("no")


def recorded(value):
    return AuditEvent(parameters={"value": value}).to_dict()["parameters"]["value"]


@pytest.mark.parametrize("value, there", [
    (None, None),
    (True, True),
    (-(2**63), -(2**63)),
    (2**64 - 1, 2**64 - 1),
    (2**64, "18446744073709551616"),
    (1.1, 1.1),
    (math.inf, "inf"),
    ("é🎉\n", "é🎉\n"),
    ("\ud800", "\ufffd\ufffd\ufffd"),
    ((1, [2]), [1, [2]]),
    ({1: "a", None: "b", True: "c", 2.5: "d"}, {"1": "c", "null": "b", "2.5": "d"}),
    (Colour.RED, "red"),
    (Login("alice", "p"), {"name": "alice", "password": "[REDACTED]"}),
    (Model(), {"api_key": "[REDACTED]", "n": 1}),
    (types.MappingProxyType({"token": "t"}), {"token": "[REDACTED]"}),
    ({3}, [3]),
    (b"abc\xff", "abc\ufffd"),
    (datetime.date(2026, 3, 6), "2026-03-06"),
    (decimal.Decimal("1.50"), "1.50"),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (Broken(), "<Broken>"),
])
def test_values(value, there):
    assert recorded(value) == there


def test_what_has_no_end_has_one():
    inside = []
    inside.append(inside)
    text = json.dumps(recorded(inside))
    assert text.count("[") == 64 and "nested too deep" in text
    twice = []
    twice += [twice, twice]
    assert "too many values" in json.dumps(recorded(twice))


def test_an_event_is_as_it_was_when_it_was_read():
    parameters = {str(number): number for number in range(50)}
    stop = threading.Event()

    def change():
        while not stop.is_set():
            parameters["more"] = [Broken()]
            del parameters["more"]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            there = AuditEvent(parameters=parameters).to_dict()["parameters"]
            assert there.items() >= {"0": 0, "49": 49}.items()
    finally:
        stop.set()
        thread.join()


def test_redaction_of_copies():
    value = {"a": [{"client_secret": "s"}], "password": "p"}
    assert redact(value) == {"a": [{"client_secret": "[REDACTED]"}], "password": "[REDACTED]"}
    assert value["password"] == "p"


@pytest.mark.parametrize("fields, said", [
    ({"event_id": "evt-1"}, "event_id must be a UUID"),
    ({"timestamp": "yesterday"}, "timestamp time must be RFC 3339"),
    ({"event_type": "action.taken"}, "event_type must be one of the 14 types"),
    ({"kind": "hammer"}, "kind is not one of its words"),
    ({"usage": {"input_tokens": "many"}}, "usage is not as expected"),
])
def test_what_is_no_event_is_said(fields, said):
    with pytest.raises(ValueError, match=said):
        AuditEvent(**fields).to_dict()


def test_what_is_lenient():
    event = AuditEvent(
        timestamp=datetime.datetime(2026, 3, 6, 14, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        event_type="tool.call", agent_id=uuid.UUID(int=1), action=None, parameters=None, metadata=[1])
    there = event.to_dict()
    assert there["timestamp"] == "2026-03-06T12:00:00.000000Z"
    assert (there["agent_id"], there["action"]) == ("00000000-0000-0000-0000-000000000001", "")
    assert (there["parameters"], there["metadata"]) == ({}, {"value": [1]})


@pytest.mark.parametrize("seed", range(50))
def test_an_event_comes_back_as_it_went(seed, backend):
    chance = random.Random(seed)
    maybe = lambda value: value if chance.random() < 0.5 else None
    event = AuditEvent(
        event_type=chance.choice(list(AuditEventType)), agent_id="é", action="x",
        parameters={"f": chance.random(), "n": chance.randrange(2**64)}, result=maybe({"deep": [1, None]}),
        duration_ms=maybe(chance.random() * 1e4), request_id=maybe("req_1"), call_id=maybe("c"), kind=maybe("tool"),
        effect=maybe("read"), status=maybe("timeout"), error_code=maybe("Timeout"), trace_id=maybe("ab" * 16),
        usage=maybe({"model": "m", "input_tokens": 3}))
    backend.write(event)
    assert backend.query() == [event] == [AuditEvent.from_dict(event.to_dict())]
