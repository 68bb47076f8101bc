"""A receiver of webhooks: keeps what it is told, and fails as often as it is asked to."""

import hashlib
import hmac
import http.server
import json
import threading


class Receiver:
    """Answers 200, or each of `failures` first."""

    def __init__(self, failures=(), port=0):
        self.failures, self.told = list(failures), []
        handler = type("Handler", (_Handler,), {"receiver": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def bodies(self):
        return [json.loads(body) for _, body in list(self.told)]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.receiver.failures.pop(0) if self.receiver.failures else 200
        if status == 200:
            self.receiver.told.append((dict(self.headers.items()), body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def signed(headers, body, secret):
    """Whether the signature is the sender's, as docs/findings.md says it is made."""
    headers = {name.lower(): value for name, value in headers.items()}
    message = headers["greffier-timestamp"].encode() + b"." + body
    expected = "v1=" + hmac.new(secret, message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers["greffier-signature"])
