"""The ends of processes: at exit everything is written, a kill after `flush` loses nothing, a fork begins anew."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

#: What each program begins with.
BEGIN = """
import os, signal, sys
from greffier import *
path = sys.argv[1]
backend = FileAuditBackend(path)
def log(logger, *actions):
    for action in actions:
        logger.log(AuditEvent(action=str(action)))
"""


def run(path, program, timeout=60):
    return subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program), str(path)], capture_output=True, text=True,
        timeout=timeout)


def lines(path):
    # A process that opens a file in the middle of another's write may put an empty line before its own, as a reader of
    # the package knows.
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def actions(path):
    return [line["action"] for line in lines(path)]


def test_at_exit_everything_is_written(path):
    done = run(path, "logger = AsyncAuditLogger(backend, interval=100.0); log(logger, *range(100))")
    assert (done.returncode, done.stderr) == (0, "")
    assert actions(path) == [str(number) for number in range(100)]


def test_an_exception_at_the_top_loses_nothing(path):
    done = run(path, "logger = AsyncAuditLogger(backend, interval=100.0); log(logger, 1); raise ValueError('top')")
    assert done.returncode == 1 and actions(path) == ["1"]


def test_the_end_of_a_program_does_not_wait_for_a_backend_that_is_away(path):
    done = run(path, """
        class Away(AuditBackend):
            def write(self, event): raise OSError("away")
            def query(self, filters): return []
        logger = AsyncAuditLogger(Away(), exit_timeout=0.2)
        log(logger, 1)
    """)
    assert done.returncode == 0 and "1 events were not written" in done.stderr, done.stderr


@pytest.mark.parametrize("options, flush", [
    ("", True), ("overflow='write_through'", False), ("spool=path + '.spool'", True), ("spool=path + '.spool'", False)])
def test_a_kill_loses_nothing_that_was_promised(path, options, flush):
    """After `flush`; written through and with a spool, after `log`."""
    done = run(path, f"""
        logger = AsyncAuditLogger(backend, interval=100.0 if {flush} else 0.1, {options})
        log(logger, *range(1000))
        if {flush}:
            assert logger.flush(30)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # What the spool holds the next start sends.
    again = run(path, f"logger = AsyncAuditLogger(backend, {options}); assert logger.flush(30)")
    assert again.returncode == 0, again.stderr
    found = lines(path)
    assert [line["action"] for line in found if line["action"]] == [str(number) for number in range(1000)]
    assert [line["source"]["sequence"] for line in found] == list(range(1000))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_begins_anew(path):
    done = run(path, """
        logger = AsyncAuditLogger(backend, interval=100.0)
        shared = AsyncAuditLogger(backend, overflow="write_through")
        agent = AuditedAgent("a", logger)
        log(logger, "before")
        producer = logger.producer
        child = os.fork()
        if child == 0:
            assert logger.producer != producer
            assert logger.metrics.logged == 0
            with agent.audit_context("child"):
                log(shared, "shared")
            assert logger.flush(30), "the child has a writer of its own"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        log(logger, "after")
    """)
    assert (done.returncode, done.stderr) == (0, "")
    found = lines(path)
    assert sorted(line["action"] for line in found) == ["after", "before", "child", "child", "shared"]
    by = {}
    for line in found:
        by.setdefault(line["source"]["producer"], []).append(line["action"])
    assert sorted(by.values()) == [["before", "after"], ["child", "child"], ["shared"]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("started", ["before", "within"])
def test_the_end_of_a_forked_worker_loses_nothing(path, started):
    """`multiprocessing` ends its workers without `atexit`."""
    done = run(path, f"""
        import multiprocessing
        def start():
            return AsyncAuditLogger(backend, interval=100.0)
        logger = start() if {started!r} == "before" else None
        def work(number):
            log(logger or start(), *range(number))
        worker = multiprocessing.get_context("fork").Process(target=work, args=(50,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0
    """)
    assert (done.returncode, done.stderr) == (0, "")
    assert actions(path) == [str(number) for number in range(50)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_others_log_does_not_hang(path):
    done = run(path, """
        import threading
        logger = AsyncAuditLogger(backend, buffer_size=64)
        over = threading.Event()
        def work():
            while not over.is_set():
                log(logger, "parent")
        threads = [threading.Thread(target=work) for _ in range(2)]
        [thread.start() for thread in threads]
        for _ in range(20):
            child = os.fork()
            if child == 0:
                log(logger, "child")
                assert logger.shutdown(30)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        over.set()
        [thread.join() for thread in threads]
        assert logger.shutdown(30)
    """)
    assert (done.returncode, done.stderr) == (0, "")
    found = lines(path)
    assert sum(line["action"] == "child" for line in found) == 20
    parents = [line["source"] for line in found if line["action"] == "parent"]
    assert [place["sequence"] for place in parents] == list(range(len(parents)))


def test_flushing_lets_other_threads_run(path):
    """A backend of the program's own is called by the writer while another thread waits for it in `flush`."""
    done = run(path, """
        class Own(AuditBackend):
            def write(self, event): backend.write(event)
            def query(self, filters): return []
        logger = AsyncAuditLogger(Own(), interval=100.0)
        log(logger, 1, 2, 3)
        assert logger.flush(30)
        log(logger, 4)
        del logger
    """)
    assert (done.returncode, done.stderr) == (0, "")
    assert actions(path) == ["1", "2", "3", "4"]
