"""What a program asks of the kernel, by strace: read as a list of changes to a disk, or made to fail.

Of a path this knows what a power cut could take back: written bytes until the file is synced, names until their folder
is.
"""

import dataclasses
import re
import shutil
import subprocess

OPENS = ("openat", "open", "creat")
WRITES = ("write", "pwrite64", "writev")
SYNCS = ("fsync", "fdatasync")
RENAMES = ("rename", "renameat", "renameat2")
LINKS = ("link", "linkat")
# What gives a file a name.
NAMES = (*RENAMES, *LINKS)
REMOVES = ("unlink", "unlinkat", "rmdir")
FOLDERS = ("mkdir", "mkdirat")
ALL = (*OPENS, *WRITES, *SYNCS, *NAMES, *REMOVES, *FOLDERS, "ftruncate", "fallocate")


def missing():
    """Why calls cannot be traced here; nothing if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace does not work here: {tried.stderr[-200:]}"


@dataclasses.dataclass(frozen=True)
class Call:
    """One call that succeeded: when it began and ended, its name, the paths it was about, its arguments as text."""

    began: int
    ended: int
    name: str
    paths: tuple
    text: str


LINE = re.compile(r"^(?P<pid>\d+)\s+(?:<\.\.\. \w+ resumed>(?P<rest>.*)|(?P<name>\w+)\((?P<args>.*))$")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"|\d+<([^>]*)>')


def argv(out, argv, more=()):
    """The command that runs another under strace."""
    traced = ",".join(f"?{name}" for name in ALL)
    return ["strace", "-f", "-y", "-s", "96", "-o", str(out), "-e", f"trace={traced}", *more, *map(str, argv)]


def calls(out):
    """The calls of a trace that succeeded, in the order in which they ended."""
    found, begun = [], {}
    for at, line in enumerate(out.read_text(errors="replace").splitlines()):
        match = LINE.match(line)
        if not match:
            continue
        pid, name, text, start = match["pid"], match["name"], match["args"], at
        if match["rest"] is not None:
            start, name, text = begun.pop(pid)
            text += match["rest"]
        elif text.endswith("<unfinished ...>"):
            begun[pid] = (at, name, text.removesuffix("<unfinished ...>"))
            continue
        args, _, result = text.rpartition(" = ")
        if not args or result.startswith(("-1", "?")):
            continue
        opened = re.match(r"\d+<(.*)>", result)
        paths = [opened[1]] if opened and name in OPENS else [one or two for one, two in PATH.findall(args)]
        found.append(Call(start, at, name, tuple(paths), args))
    return found


class Unsynced:
    """What a power cut could take back, call by call. Paths are absolute."""

    def __init__(self):
        self.bytes = {}
        self.names = {}
        self.known = set()

    def apply(self, call):
        """Takes in a call, after the rules were asked."""
        name, paths = call.name, call.paths
        kind = "other" if paths and paths[-1] in self.known else "new"
        if name in OPENS and "O_CREAT" in call.text:
            self.names[paths[0]] = ("new", call.ended)
        elif name in WRITES or name in ("ftruncate", "fallocate"):
            self.bytes[paths[0]] = call.ended
        elif name in SYNCS:
            self._synced(paths[0], call.began)
        elif name in RENAMES:
            old, new = paths[-2:]
            self.names[new] = (kind, call.ended)
            self.names.pop(old, None)
            if old in self.bytes:
                self.bytes[new] = self.bytes.pop(old)
        elif name in LINKS:
            old, new = paths[-2:]
            self.names[new] = (kind, call.ended)
            if old in self.bytes:
                self.bytes[new] = self.bytes[old]
        elif name in REMOVES:
            self.names[paths[-1]] = ("gone", call.ended)
            self.bytes.pop(paths[-1], None)
        elif name in FOLDERS:
            self.names[paths[-1]] = ("new", call.ended)
        self.known.update(paths)

    def _synced(self, path, began):
        """A sync covers what was over before it began."""
        if self.bytes.get(path, began) < began:
            del self.bytes[path]
        for name in self.covered(path, began):
            del self.names[name]

    def covered(self, path, began):
        """The names that a sync of this folder makes durable."""
        return [name for name, (_, at) in self.names.items() if name.rpartition("/")[0] == path and at < began]

    def serves(self, sync):
        """Whether a sync makes anything durable."""
        path = sync.paths[0]
        return self.bytes.get(path, sync.began) < sync.began or bool(self.covered(path, sync.began))


def run(command, timeout=60):
    """A command to its end: (exit code, stdout)."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, check=False)
    assert "panicked" not in done.stderr, done.stderr
    return done
