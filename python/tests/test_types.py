"""The stubs say what the module has, the package is typed, and what its documents show works."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import greffier

mypy = pytest.importorskip("mypy", reason="type checkers are installed for one Python only")
HERE = Path(__file__).parent


def check(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=HERE.parent / "tests", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_say_what_the_native_module_has():
    check("mypy.stubtest", "greffier._native", "--ignore-missing-stub", "--ignore-disjoint-bases")


def test_the_package_is_typed():
    check("mypy", "--strict", "--python-version", "3.10", "-p", "greffier")


def modules():
    frameworks = {"langchain": "langchain_core", "openai_agents": "agents"}
    names = [name for _, name, _ in pkgutil.iter_modules(greffier.__path__) if name != "_native"]
    there = [name for name in names if name not in frameworks or importlib.util.find_spec(frameworks[name])]
    return [importlib.import_module(f"greffier.{name}") for name in there]


def test_examples_of_docstrings_work():
    for module in [greffier, *modules()]:
        assert doctest.testmod(module).failed == 0, module.__name__


def test_everything_public_is_described():
    for module in modules():
        assert module.__doc__, module.__name__
    for name in greffier.__all__:
        thing = getattr(greffier, name)
        assert thing.__doc__, name
        if isinstance(thing, type):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"


GUIDE = (HERE.parent.parent / "docs/python.md").read_text()
EXAMPLES = [block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.S)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_guide_works(number, tmp_path, monkeypatch):
    """Each example in a folder of its own; one that needs a server or a framework says so, and is only compiled."""
    code = compile(EXAMPLES[number], f"docs/python.md, example {number + 1}", "exec")
    if not EXAMPLES[number].startswith("# needs "):
        monkeypatch.chdir(tmp_path)
        exec(code, {"__name__": "guide"})
