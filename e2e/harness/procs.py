"""Processes and ports: started here, polled until ready, ended by id."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

POLL = 0.02


def free_port():
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, timeout=20.0):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(POLL)


def listening(port):
    """Whether somebody accepts connections at the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Process:
    """A child process whose output goes to files, so that no pipe can fill up and everything can be searched."""

    def __init__(self, name, argv, folder, env=None, cwd=None):
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.stdout, self.stderr = folder / f"{name}.stdout", folder / f"{name}.stderr"
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.child = subprocess.Popen(
                [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=clean | (env or {}), cwd=cwd,
            )

    def ready(self, condition, timeout=20.0):
        """Waits until ready; a process that died first is reported with its last words."""
        wait_until(lambda: self.child.poll() is not None or condition(), f"{self.name} is ready", timeout)
        if self.child.poll() is not None:
            words = self.stderr.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{self.name} ended with {self.child.returncode}: {words}")
        return self

    def stop(self, how=signal.SIGTERM, timeout=30.0):
        """Signals, waits, and returns the exit code; what does not end in time is killed and reported."""
        if self.child.poll() is None:
            self.child.send_signal(how)
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end within {timeout} s after {how.name}") from None


class Background:
    """A server of this process on a thread of its own."""

    def __init__(self, server):
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
