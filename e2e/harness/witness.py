"""`greffier witness` as a process."""

import signal

import httpx

from .procs import Process, free_port


class Witness:
    """One witness in a folder of its own."""

    def __init__(self, binary, folder, name, logs, *more):
        self.binary, self.folder, self.name, self.logs, self.more = binary, folder, name, logs, more
        self.url = None
        self.process = None
        self.starts = 0
        self.http = httpx.Client(trust_env=False, timeout=30)

    @property
    def state(self):
        return self.folder / "state"

    def start(self):
        self.starts += 1
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        logs = [word for log in self.logs for word in ("--log", log)]
        argv = [self.binary, "witness", "--dir", self.state, "--name", self.name, "--listen", f"127.0.0.1:{port}",
                *logs, *self.more]
        self.process = Process(f"witness-{self.starts:03}", argv, self.folder, cwd=self.folder)
        self.process.ready(self.answers)
        return self

    def answers(self):
        try:
            return self.http.get(self.url).status_code == 404
        except httpx.HTTPError:
            return False

    @property
    def vkey(self):
        """What it printed when it started."""
        return self.process.stdout.read_text().strip()

    def ask(self, body):
        """`add-checkpoint`, whatever comes of it."""
        return self.http.post(f"{self.url}/add-checkpoint", content=body.encode())

    def shown(self, origin_hash):
        return self.http.get(f"{self.url}/{origin_hash}/checkpoint")

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            process, self.process = self.process, None
            code = process.stop(how)
            assert how == signal.SIGKILL or code == 0, process.stderr.read_text()
            assert "panicked" not in process.stderr.read_text()

    def kill(self):
        self.stop(signal.SIGKILL)
