"""The two coding agents themselves, offline: installed once into the suite's work folder, run without a home of anybody."""

import json
import os
import subprocess

PACKAGES = {"@anthropic-ai/claude-code": "2.1.330", "@openai/codex": "0.169.0"}


class Agents:
    """Claude Code and Codex (npm, some 640 MB), each run in a folder of its own."""

    def __init__(self, here, node, folder, greffier, models, key):
        self.npm = here / ".work/agents"
        self.bin = node.parent
        self.folder, self.greffier, self.models, self.key = folder, greffier, models, key
        self.project, self.home = folder / "project", folder / "home"
        for made in (self.npm, self.project, self.home, folder / "bin"):
            made.mkdir(parents=True, exist_ok=True)
        (folder / "bin/greffier").symlink_to(greffier.binary)
        wanted = json.dumps({"private": True, "dependencies": PACKAGES})
        manifest = self.npm / "package.json"
        if not manifest.exists() or manifest.read_text() != wanted or not (self.npm / "node_modules").exists():
            manifest.write_text(wanted)
            env = os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}"}
            subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"],
                           cwd=self.npm, env=env, check=True, timeout=600)

    def env(self, token, **more):
        path = f"{self.folder / 'bin'}:{self.bin}:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.home), "GREFFIER_TOKEN": token, **more}

    def install(self, client, token, *more):
        """`greffier hook install`, into the project or the home made here."""
        done = subprocess.run([self.greffier.binary, "hook", "install", client, "--server", self.greffier.url, *more],
                              cwd=self.project, env=self.env(token), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def claude(self, token, prompt):
        """One turn of Claude Code: its tools by hooks, its models through the gateway."""
        settings = self.project / ".claude/settings.json"
        settings.parent.mkdir(exist_ok=True)
        if not settings.exists():
            settings.write_text('{"permissions": {"allow": ["Bash", "Read", "Write"]}}\n')
            self.install("claude-code", token, "--project")
        env = self.env(token, ANTHROPIC_BASE_URL=self.greffier.url, ANTHROPIC_AUTH_TOKEN=token,
                       ANTHROPIC_MODEL="claude-sonnet-4-5", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
                       DISABLE_AUTOUPDATER="1")
        binary = self.npm / "node_modules/@anthropic-ai/claude-code-linux-x64/claude"
        return self.run([binary, "-p", prompt, "--output-format", "stream-json", "--verbose"], env)

    def codex(self, token, prompt):
        """One turn of Codex: its tools by hooks, its models straight at the provider."""
        settings = self.home / ".codex"
        if not settings.exists():
            settings.mkdir()
            (settings / "config.toml").write_text(
                'model = "gpt-5.2-codex"\nmodel_provider = "suite"\n[model_providers.suite]\nname = "suite"\n'
                f'base_url = "{self.models.url}/v1"\nwire_api = "responses"\nenv_key = "SUITE_KEY"\n')
            self.install("codex", token, "--user")
        argv = [self.bin / "node", self.npm / "node_modules/@openai/codex/bin/codex.js", "exec",
                "--dangerously-bypass-hook-trust", "--skip-git-repo-check", "--json", prompt]
        return self.run(argv, self.env(token, SUITE_KEY=self.key))

    def run(self, argv, env):
        done = subprocess.run([str(part) for part in argv], cwd=self.project, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=180, check=False)
        return done.stdout + done.stderr
