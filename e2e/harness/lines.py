"""A command that speaks JSON-RPC a line at a time over its standard input and output, as a desktop client sees it."""

import json
import queue
import subprocess
import threading


class Lines:
    def __init__(self, argv, env, stderr):
        self.child = subprocess.Popen(
            [str(part) for part in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr.open("wb"), env=env)
        self.stderr, self._came = stderr, queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self._came.put(json.loads(line))

    def write(self, message):
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.child.stdin.write(line + b"\n")
        self.child.stdin.flush()

    def next(self, timeout=20):
        """The next message."""
        return self._came.get(timeout=timeout)

    def ask(self, message):
        self.write(message)
        return self.next()

    def close(self, timeout=40):
        """The client goes away; how the command ends."""
        self.child.stdin.close()
        try:
            return self.child.wait(timeout)
        finally:
            self.child.kill()

    def said(self):
        return self.stderr.read_text(errors="replace")
