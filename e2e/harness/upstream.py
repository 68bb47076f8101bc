"""The simulated model provider: aimock (npm) behind a tap."""

import httpx

from .procs import Process, free_port, listening
from .tools import Tap

OPENAI_KEY = "sk-upstream-openai-of-the-suite-0001"
ANTHROPIC_KEY = "sk-upstream-anthropic-of-the-suite-0002"
GEMINI_KEY = "upstream-gemini-of-the-suite-0003"


class Models:
    """aimock; it refuses any API key but the configured ones, so a caller's token would not pass for one."""

    def __init__(self, node, here, folder):
        self.behind = free_port()
        cli = here / "node_modules/@copilotkit/aimock/dist/cli.js"
        argv = [node, cli, "-p", self.behind, "-f", here / "fixtures", "--validate-on-load", "--journal-max", 0,
                "--log-level", "warn"]
        self.process = Process("aimock", argv, folder, env={"AIMOCK_API_KEYS": f"{OPENAI_KEY},{ANTHROPIC_KEY},{GEMINI_KEY}"})
        self.process.ready(lambda: listening(self.behind))
        self.tap = Tap(self.behind)
        self.url = self.tap.url
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.behind}", trust_env=False, headers={"authorization": f"Bearer {OPENAI_KEY}"},
        )

    def stop(self):
        self.http.close()
        self.tap.stop()
        self.process.stop()

    def journal(self):
        """What aimock says it received, oldest first."""
        reply = self.http.get("/__aimock/journal")
        assert reply.status_code == 200, reply.text
        return [entry for entry in reply.json() if not entry["path"].startswith("/__aimock")]
