"""What every test needs: a file, and a logger that writes to it."""

import json
import os

import pytest

from greffier import AsyncAuditLogger, AuditBackend, AuditedAgent, FileAuditBackend

#: Long enough for everything that is to happen.
LONG = 20.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def backend(path):
    return FileAuditBackend(path)


@pytest.fixture
def logger(backend):
    with AsyncAuditLogger(backend, overflow="write_through") as logger:
        yield logger


@pytest.fixture
def agent(logger):
    return AuditedAgent("agent-001", logger, session_id="ses-1")


@pytest.fixture
def recorded(path):
    """The lines of the file."""
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


class Memory(AuditBackend):
    """A backend that a program wrote itself."""

    def __init__(self):
        self.events = []
        self.fails = 0
        self.pid = os.getpid()

    def write(self, event):
        if self.fails:
            self.fails -= 1
            raise OSError("the disk is full")
        self.events.append(event)

    def query(self, filters):
        flat = [(event.to_dict(), event) for event in self.events]
        return [event for fields, event in flat if all(fields.get(name) == value for name, value in filters.items())]


class Away(AuditBackend):
    """A backend that never takes anything."""

    def write(self, event):
        raise OSError("nobody is there")

    def query(self, filters):
        return []


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def away():
    return Away()


@pytest.fixture
def long():
    return LONG
