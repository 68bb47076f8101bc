"""Greffier itself: a folder with its configuration, and the built binary."""

import base64
import shutil
import signal
import subprocess
import urllib.parse

import httpx

from . import record
from .idp import AUDIENCE
from .procs import Process, free_port
from .upstream import ANTHROPIC_KEY, GEMINI_KEY, OPENAI_KEY

POLICIES = """
@id("role:analyst may ask any model")
permit (principal in Role::"analyst", action == Action::"invoke_model", resource)
when { context.scopes.contains("llm:invoke") };

@id("role:service may ask any model")
permit (principal in Role::"service", action == Action::"invoke_model", resource);

@id("nobody asks the secret model")
forbid (principal, action == Action::"invoke_model", resource == Model::"gpt-secret");

@id("role:analyst grants tool:crm:read")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"crm")
when { context.scopes.contains("tool:crm:read") };

@id("role:analyst grants the registry")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"registry");

@id("role:service grants tool:crm:read")
permit (principal in Role::"service", action == Action::"call_tool", resource in Server::"crm");
"""

CONFIG = """
listen = "127.0.0.1:{port}"
data = "{data}"
keys = "{keys}"

[[issuer]]
url = "{issuer}"
audience = "{audience}"
tenants = ["org_acme_corp", "org_beta"]
claims = {{ tenant = "/org_id", roles = "/roles", scopes = "/scope", email = "/email", agent = "/act/sub", tier = "/agent_tier" }}

[[upstream]]
name = "openai"
kind = "openai"
base_url = "{models}/v1"
api_key_env = "SUITE_OPENAI_KEY"
models = ["gpt-*", "o*"]

[[upstream]]
name = "scripted"
kind = "openai"
base_url = "{scripted}/v1"
api_key_env = "SUITE_OPENAI_KEY"
models = ["scripted-*"]
timeout = "2s"
idle_timeout = "2s"

[[upstream]]
name = "anthropic"
kind = "anthropic"
base_url = "{models}"
api_key_env = "SUITE_ANTHROPIC_KEY"
models = ["claude-*"]

[[upstream]]
name = "gemini"
kind = "gemini"
base_url = "{models}"
api_key_env = "SUITE_GEMINI_KEY"
models = ["gemini-*", "text-embedding-004"]

[[upstream]]
name = "scripted-anthropic"
kind = "anthropic"
base_url = "{scripted}"
api_key_env = "SUITE_ANTHROPIC_KEY"
models = ["scripted-claude"]

[[upstream]]
name = "scripted-gemini"
kind = "gemini"
base_url = "{scripted}"
api_key_env = "SUITE_GEMINI_KEY"
models = ["scripted-gemini"]

[[upstream]]
name = "nobody"
kind = "openai"
base_url = "http://127.0.0.1:{dead}/v1"
api_key_env = "SUITE_OPENAI_KEY"
models = ["dead-*"]

[[tool]]
name = "crm"
base_url = "{tools}"
resource = "crm://{{path}}"
classification = ["pii"]

[safety]
default = "redact"
tools = "{tool_action}"
{rules}

[policy]
dir = "{policies}"

[findings]
record = {findings}
"""


class Greffier:
    """One installation in a folder of its own; it can be started, stopped and killed at will."""

    def __init__(self, binary, world, folder, *, tool_action="flag", rules="", data=None, more="", findings=False):
        self.binary, self.folder = binary, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.starts = 0
        folder.mkdir(parents=True, exist_ok=True)
        done = self.run("init", "--dir", folder)
        assert done.returncode == 0, done.stderr
        self.data = data or folder / "greffier-data"
        self.keys = folder / "greffier-keys"
        self.policies = folder / "policies"
        # Who may read the trails and add to them is as shipped; who may call what is the suite's own.
        for sample in ("models.cedar", "tools.cedar"):
            (self.policies / sample).unlink()
        (self.policies / "suite.cedar").write_text(POLICIES)
        self.config = folder / "greffier.toml"
        self.config.write_text(CONFIG.format(
            port=self.port, data=self.data, keys=self.keys, policies=self.policies, issuer=world.idp.url,
            audience=AUDIENCE, models=world.models.url, scripted=world.scripted.url, tools=world.tools.url,
            dead=free_port(), tool_action=tool_action, rules=rules,
            # What a test does at speed is unusual: only those that ask for it have it on their trails.
            findings=str(findings).lower(),
        ) + more)

    def run(self, *args, timeout=120):
        """A command, to its end."""
        argv = [str(part) for part in (self.binary, *args)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, cwd=self.folder, check=False)
        with (self.folder / "commands.log").open("a") as log:
            log.write(f"{done.stdout}{done.stderr}")
        assert "panicked" not in done.stderr, done.stderr
        return done

    def start(self, timeout=30.0, until="/readyz"):
        """Serves; returns when it says that it is ready."""
        self.starts += 1
        self.process = Process(
            f"serve-{self.starts:03}", [self.binary, "serve", "--config", self.config], self.folder / "output",
            env={"SUITE_OPENAI_KEY": OPENAI_KEY, "SUITE_ANTHROPIC_KEY": ANTHROPIC_KEY, "SUITE_GEMINI_KEY": GEMINI_KEY,
                 "RUST_BACKTRACE": "1"},
            cwd=self.folder,
        )
        self.process.ready(lambda: self.get(until) == 200, timeout)
        return self

    def get(self, path):
        """The status of an ungoverned path; 0 while nobody answers."""
        try:
            return httpx.get(self.url + path, trust_env=False, timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def stop(self):
        """A clean stop."""
        if self.process is not None:
            code = self.process.stop()
            self.process = None
            assert code == 0, f"a clean stop ended with {code}"

    def kill(self):
        """kill -9."""
        self.process.stop(signal.SIGKILL)
        self.process = None

    def verify(self, data=None, *more):
        """`greffier verify` of a data directory."""
        return self.run("verify", data or self.data, *more)

    def events(self, tenant=None):
        """What is on the trails, read from the files of the log and the segments."""
        return record.events(self.data, tenant)

    def outputs(self):
        """All that it ever printed."""
        return b"".join(file.read_bytes() for file in sorted((self.folder / "output").glob("*"))) + (
            self.folder / "commands.log").read_bytes()

    def assert_calm(self):
        """It is still alive and never panicked."""
        assert self.process is not None and self.process.child.poll() is None, "greffier is gone"
        assert b"panicked" not in self.outputs(), self.outputs()[-3000:].decode(errors="replace")

    def copy(self, to):
        """A copy of the data directory."""
        shutil.copytree(self.data, to, symlinks=True)
        return to


def spellings(value):
    """A value as it might lie about: plain, percent-encoded, base64 at each alignment, UTF-16, hex."""
    raw = value.encode()
    yield raw
    yield urllib.parse.quote(value, safe="").encode()
    yield "".join(f"%{byte:02X}" for byte in raw).encode()
    yield value.encode("utf-16-le")
    yield value.encode("utf-16-be")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for skip in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            # Only the characters that the value alone decides: neighbours bleed into the first and last ones.
            coded = alphabet(b"\0" * skip + raw)
            yield coded[(skip * 8 + 5) // 6:(skip + len(raw)) * 8 // 6]


def search(folder, values):
    """Where any spelling of any value occurs under a folder, names of files included."""
    found = []
    for file in sorted(folder.rglob("*")):
        content = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
        for value in values:
            for spelling in spellings(value):
                if spelling in content or spelling in str(file.relative_to(folder)).encode():
                    found.append((str(file), value, spelling))
    return found
