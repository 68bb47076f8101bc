"""Servers of the suite itself: one that records what reached it, one that says what a test scripts."""

import json
import socket
import socketserver
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

from .procs import Background, free_port


class Threads(socketserver.ThreadingTCPServer):
    """One thread per connection; a client that is killed in the middle is no news."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class HttpThreads(Threads, HTTPServer):
    """The same, for HTTP."""


class ToolServer(Background):
    """An HTTP API that keeps every request whole and answers with what it saw.

    `/status/{code}` answers with that status, `/say` with its `text` parameter as a JSON reply.
    """

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.journal = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("content-length") or 0)
                chunked = "chunked" in (self.headers.get("transfer-encoding") or "")
                body = self.unchunk() if chunked else self.rfile.read(length)
                url = urllib.parse.urlsplit(self.path)
                seen = {
                    "method": self.command, "path": url.path, "query": url.query,
                    "headers": [[name.lower(), value] for name, value in self.headers.items()],
                    "body": body.decode("utf-8", "surrogateescape"),
                }
                outer.journal.append(seen)
                status, value = 200, {"seen": seen["body"], "path": seen["path"], "query": seen["query"]}
                if url.path.startswith("/status/"):
                    status, value = int(url.path.rsplit("/", 1)[1]), {"error": "as asked"}
                if url.path == "/say":
                    value = {"text": urllib.parse.parse_qs(url.query)["text"][0]}
                if url.path == "/leak":
                    value = {"patient": outer.secret_reply}
                reply = json.dumps(value).encode("utf-8", "surrogateescape")
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

            def unchunk(self):
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        self.secret_reply = ""
        super().__init__(HttpThreads(("127.0.0.1", self.port), Handler))


class Scripted(Background):
    """An upstream that sends exactly the pieces a test prepared, in reply to whatever comes.

    A script is a list of: bytes to send, a `threading.Event` to wait for, `None` to cut the connection.
    """

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.script = []
        self.requests = []
        self.gone = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                length = next(
                    (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0,
                )
                outer.requests.append(head + self.rfile.read(length))
                try:
                    for piece in outer.script:
                        if piece is None:
                            return
                        if isinstance(piece, threading.Event):
                            piece.wait(60)
                        else:
                            self.wfile.write(piece)
                            self.wfile.flush()
                except OSError:
                    outer.gone.set()

        super().__init__(Threads(("127.0.0.1", self.port), Handler))

    def play(self, *pieces):
        """Prepares the answer to what comes next."""
        self.gone.clear()
        self.requests.clear()
        self.script = list(pieces)


def head(media="text/event-stream", status=200):
    """The head of a chunked reply."""
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: {media}\r\nx-request-id: up-1\r\n"
        "transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    ).encode()


def chunk(data):
    """One chunk of a chunked reply."""
    data = data if isinstance(data, bytes) else data.encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


END = b"0\r\n\r\n"


def whole(document):
    """The pieces of a reply that is one JSON document."""
    return head("application/json"), chunk(json.dumps(document)), END


def events(*documents, named=True):
    """The pieces of a reply that is a stream of events; each is named by its type."""
    def one(document):
        name = f"event: {document['type']}\n" if named else ""
        return chunk(f"{name}data: {json.dumps(document)}\n\n")
    return head(), *(one(document) for document in documents), END


class Tap(Background):
    """A wire in front of a server: passes bytes on both ways and keeps all that clients sent.

    A mock's own journal hides credentials; the wire hides nothing.
    """

    def __init__(self, target):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._sent = bytearray()
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", target)) as server:
                    def back():
                        try:
                            while data := server.recv(65536):
                                self.request.sendall(data)
                            self.request.shutdown(socket.SHUT_RDWR)
                        except OSError:
                            pass

                    threading.Thread(target=back, daemon=True).start()
                    try:
                        while data := self.request.recv(65536):
                            with outer._lock:
                                outer._sent += data
                            server.sendall(data)
                        server.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

        super().__init__(Threads(("127.0.0.1", self.port), Handler))

    @property
    def sent(self):
        """Everything sent towards the server so far."""
        with self._lock:
            return bytes(self._sent)
