"""Witnesses: `greffier witness` as a process, one that lies, and addresses where nobody is."""

import base64
import http.server
import signal
import subprocess

import httpx

from .procs import Background, Process, free_port


class Witness:
    """One witness in a folder of its own, at one address however often it is started.

    `logs`: how it is told which logs to witness, as words of its command line.
    """

    def __init__(self, binary, folder, name, logs):
        self.binary, self.folder, self.name, self.logs = binary, folder, name, logs
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.made = None
        self.process = None
        self.starts = 0
        self.http = httpx.Client(trust_env=False, timeout=30)

    @property
    def state(self):
        return self.folder / "state"

    def init(self):
        """Makes its key before it is ever started."""
        argv = [self.binary, "witness", "init", "--dir", self.state, "--name", self.name]
        self.made = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        return self

    def start(self):
        self.starts += 1
        argv = [self.binary, "witness", "--dir", self.state, "--name", self.name,
                "--listen", f"127.0.0.1:{self.port}", *self.logs]
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
        """What it printed, when it started or when its key was made."""
        return (self.process.stdout.read_text() if self.process else self.made).strip()

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


class Liar:
    """Answers everything with a signature that its key did not make."""

    def __init__(self, name, like):
        self.name, self.vkey, self.asked = name, like.vkey, 0
        outer, (key_name, key_id, _) = self, like.vkey.split("+", 2)
        blob = base64.b64encode(bytes.fromhex(key_id) + bytes(8) + bytes(64)).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(404)

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                outer.asked += 1
                line = f"\u2014 {key_name} {blob}\n".encode()
                self.send_response(200)
                self.send_header("content-length", str(len(line)))
                self.end_headers()
                self.wfile.write(line)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.background = Background(server)

    def stop(self):
        self.background.stop()


def section(witness, url=None):
    """A witness as the configuration names it."""
    called = witness.name.rsplit("/", 1)[-1]
    return f'\n[[witness]]\nname = "{called}"\nvkey = "{witness.vkey}"\nurl = "{url or witness.url}"\n'


def nowhere():
    """An address where nobody is."""
    return f"http://127.0.0.1:{free_port()}"
