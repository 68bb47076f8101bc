"""An RFC 3161 time stamping authority: HTTP around `openssl ts -reply`, with a certificate of its own."""

import http.server
import subprocess
import threading

CONFIG = """
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/ca.pem
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
signer_digest = sha256
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(*args):
    """A command that must succeed."""
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


class Authority:
    """Answers one request after the other; `broken` makes it answer something else."""

    def __init__(self, folder, port=0):
        folder.mkdir()
        self.folder, self.asked, self.broken = folder, 0, None
        self.config = folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        for name, subject, section in (("ca", "/CN=Suite CA", "ca"), ("tsa", "/CN=Suite TSA", "tsa")):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / f"{name}.key")
            openssl("req", "-new", "-key", folder / f"{name}.key", "-subj", subject, "-out", folder / f"{name}.csr",
                    "-config", self.config)
            signer = ("-signkey", folder / "ca.key") if name == "ca" else (
                "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial")
            openssl("x509", "-req", "-in", folder / f"{name}.csr", *signer, "-out", folder / f"{name}.pem", "-days", 30,
                    "-extfile", self.config, "-extensions", section)
        handler = type("Handler", (_Handler,), {"authority": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/tsr"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, query):
        """The response to one request."""
        self.asked += 1
        path = self.folder / f"{self.asked}.tsq"
        path.write_bytes(query)
        openssl("ts", "-reply", "-config", self.config, "-section", "authority", "-queryfile", path, "-out",
                path.with_suffix(".tsr"))
        answer = path.with_suffix(".tsr").read_bytes()
        return self.broken(answer) if self.broken else answer

    def accepts(self, response, data):
        """Whether `openssl ts -verify` takes a response for a stamp of this file."""
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", str(data), "-in", str(response), "-CAfile", str(self.folder / "ca.pem"),
             "-untrusted", str(self.folder / "tsa.pem")], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "FAILED" in done.stdout + done.stderr, done.stdout + done.stderr
        return done.returncode == 0

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.headers["content-type"] == "application/timestamp-query"
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.authority.reply(body)
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
