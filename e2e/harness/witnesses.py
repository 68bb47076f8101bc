"""Witnesses: real ones (`greffier witness`), one that lies, and addresses where nobody is."""

import base64
import http.server

from .procs import Background, Process, free_port, listening


class Witness:
    """`greffier witness` in a folder of its own, for the logs of a trust policy."""

    def __init__(self, greffier, folder, name, trust):
        self.name, self.folder, self.trust = name, folder, trust
        self.binary, self.port, self.starts, self.process = greffier.binary, free_port(), 0, None
        made = greffier.run("witness", "init", "--dir", folder, "--name", f"witness.example/{name}")
        assert made.returncode == 0, made.stderr
        self.vkey = made.stdout.strip()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        self.starts += 1
        self.process = Process(
            f"witness-{self.starts}",
            [self.binary, "witness", "--dir", self.folder, "--listen", f"127.0.0.1:{self.port}", "--trust", self.trust],
            self.folder.parent / f"{self.name}-output",
        ).ready(lambda: listening(self.port))
        return self

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None


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
    return f'\n[[witness]]\nname = "{witness.name}"\nvkey = "{witness.vkey}"\nurl = "{url or witness.url}"\n'


def nowhere():
    """An address where nobody is."""
    return f"http://127.0.0.1:{free_port()}"
