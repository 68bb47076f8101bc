"""A seal and a start, seen from the kernel: each system call fails or is the last one; and each sync is needed.

    E2E_SYSCALLS=0 e2e/run.sh tests/test_syscalls.py       every call instead of a sample
"""

import collections
import concurrent.futures
import os
import random
import re
import shutil
import subprocess

import pytest

from harness import record, syscalls, trail

pytestmark = pytest.mark.skipif(bool(syscalls.missing()), reason=syscalls.missing())

# Cases of the sweep that are run, chosen by chance but always the same; 0 runs all of them, in some ten minutes.
SAMPLE = int(os.environ.get("E2E_SYSCALLS", "150"))
# They wait more than they work.
AT_ONCE = 8
HOWS = ("error=EIO", "error=ENOSPC", "signal=KILL")
# What is called on paths of the ledger, and is worth failing.
FAILED = (*syscalls.OPENS, *syscalls.WRITES, *syscalls.SYNCS, *syscalls.NAMES, *syscalls.REMOVES, *syscalls.FOLDERS, "ftruncate")


@pytest.fixture(scope="module")
def program(binary):
    """The ledger without a server around it."""
    path = binary.parent / "examples" / "acknowledge"
    assert path.exists(), "no such program: cargo build -p greffier-ledger --example acknowledge"
    return path


def acknowledged(stdout):
    """(trail, index) -> leaf, of what the program says it was given receipts for."""
    lines = re.findall(r"^acknowledged (\S+) (\d+) (\w+)$", stdout, re.M)
    return {(name, int(index)): leaf for name, index, leaf in lines}


@pytest.fixture(scope="module")
def before(program, tmp_path_factory):
    """A ledger that was killed with entries in its log and in a segment; and what it acknowledged."""
    place = tmp_path_factory.mktemp("before")
    done = syscalls.run([program, place / "data", place / "keys", 0, 6, "abandon"])
    assert done.returncode == 0, done.stderr
    return place, acknowledged(done.stdout)


def life(program, place, more=()):
    """The second life, traced: it starts on what was left, records, seals and stops."""
    argv = [program, place / "data", place / "keys", 100, 7]
    return syscalls.run(syscalls.argv(place / "trace", argv, more))


@pytest.fixture(scope="module")
def whole(program, before, tmp_path_factory):
    """The calls of a second life in which nothing goes wrong; and where."""
    place = tmp_path_factory.mktemp("whole")
    shutil.copytree(before[0], place, dirs_exist_ok=True)
    done = life(program, place)
    assert done.returncode == 0 and done.stdout.rstrip().endswith("stopped"), done.stdout + done.stderr
    return place, syscalls.calls(place / "trace")


# ---- each call fails


def cases(whole):
    """(path below the place, call, which of them): every call on every path of the ledger."""
    place, calls = whole
    counted = collections.Counter()
    for call in calls:
        for path in {path for path in call.paths if path.startswith(str(place))}:
            if call.name in FAILED:
                counted[path.removeprefix(f"{place}/"), call.name] += 1
    every = [
        (path, name, which, how)
        for (path, name), count in sorted(counted.items())
        for which in range(1, count + 1)
        for how in HOWS
    ]
    return every if SAMPLE == 0 else random.Random(4).sample(every, min(SAMPLE, len(every)))


def broken_life(program, binary, before, place, case):
    """One case, and what is wrong after it; nothing if all is well."""
    path, name, which, how = case
    shutil.copytree(before[0], place)
    done = life(program, place, ["-P", place / path, "-e", f"inject={name}:{how}:when={which}"])
    hit = "(INJECTED)" in (place / "trace").read_text(errors="replace") or "killed by SIGKILL" in (place / "trace").read_text(errors="replace")
    promised = before[1] | acknowledged(done.stdout)
    verify = [binary, "verify", place / "data", "--keys", place / "keys"]
    left = subprocess.run([str(part) for part in verify], capture_output=True, text=True, check=False)
    if left.returncode != 0:
        return f"{case}: verify says {left.stdout}{left.stderr}", hit
    # The next life finds everything, goes on, and stops cleanly.
    after = syscalls.run([program, place / "data", place / "keys", 200, 3])
    if after.returncode != 0:
        return f"{case}: the next start: {after.stdout}{after.stderr}", hit
    promised |= acknowledged(after.stdout)
    entries = record.entries(place / "data")
    for (tenant, index), leaf in promised.items():
        if (tenant, index) not in entries:
            return f"{case}: {tenant} {index} was acknowledged and is gone", hit
        if trail.leaf_hash(entries[tenant, index]).hex() != leaf:
            return f"{case}: {tenant} {index} is not what was acknowledged", hit
    left = subprocess.run([str(part) for part in verify], capture_output=True, text=True, check=False)
    if left.returncode != 0:
        return f"{case}: at last, verify says {left.stdout}{left.stderr}", hit
    shutil.rmtree(place)
    return "", hit


def test_each_call_fails(program, binary, before, whole, tmp_path):
    chosen = cases(whole)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(
            lambda numbered: broken_life(program, binary, before, tmp_path / str(numbered[0]), numbered[1]),
            enumerate(chosen),
        ))
    wrong = [what for what, _ in results if what]
    assert wrong == [], f"{len(wrong)} of {len(chosen)}: " + "\n".join(wrong[:5])
    # A call that another thread made first is not always met again; but most are, or nothing was tested.
    assert sum(hit for _, hit in results) > len(chosen) * 0.8


# ---- each sync is needed


def rules(place, unsynced, call):
    """What must be durable before a call is made: the order that every promise rests on."""
    data, keys = f"{place}/data", f"{place}/keys"
    below = lambda folder: [path for path in (*unsynced.bytes, *unsynced.names) if path.startswith(folder)]  # noqa: E731
    new = lambda folder: [path for path in below(folder) if unsynced.names.get(path, ("new", 0))[0] != "gone"]  # noqa: E731
    target = call.paths[-1] if call.paths else ""
    if call.name in syscalls.NAMES and call.paths[-2] in unsynced.bytes:
        yield f"{target} takes its name before its bytes are durable"
    if call.name in syscalls.WRITES and '"acknowledged ' in call.text:
        yield from (f"{path} is not durable, and was acknowledged" for path in (*below(f"{data}/wal"), *new(keys)))
    if call.name in syscalls.WRITES and target.endswith(".wal"):
        yield from (f"{path} is not durable, and something is sealed under it" for path in new(keys))
        yield from (f"{path} is not durable, and the log grows" for path in new(f"{data}/manifests/"))
    if call.name in syscalls.NAMES and target.endswith("/checkpoint"):
        own = target.removesuffix("checkpoint")
        theirs = (*new(f"{data}/wal"), *new(f"{own}tile"), *new(f"{data}/trust"))
        yield from (f"{path} is not durable, and a checkpoint says so" for path in theirs if not path.endswith(".tmp"))
    if call.name in syscalls.NAMES and target.endswith(".note"):
        theirs = (*new(f"{data}/trails"), *new(f"{data}/manifests/"))
        # A checkpoint is signed at its own pace.
        yield from (
            f"{path} is not durable, and {target} counts it" for path in theirs
            if "/tile/" not in path and not path.endswith((".tmp", "/checkpoint", "/tile"))
        )
        again = [path for path in below(f"{data}/wal") if unsynced.names.get(path, ("", 0))[0] == "other"]
        yield from (f"{path} is not durable, and {target} holds its hash" for path in again)
    if call.name in syscalls.REMOVES and ".p/" in target:
        yield from (f"{path} is not durable, and {target} goes" for path in new(target.partition("/tile/")[0] + "/checkpoint"))
    if call.name in syscalls.REMOVES and target.endswith((".wal", ".list")):
        yield from (f"{path} is not durable, and {target} goes" for path in new(f"{data}/manifests/"))
    if call.name in syscalls.WRITES and '"stopped' in call.text:
        yield from (f"{path} is not durable at a clean stop" for path in (*below(data), *below(keys)) if not path.endswith(".list"))


def ours(place, call):
    """Whether a call is about a file of the ledger."""
    return any(f"{path}/".startswith(f"{place}/") for path in call.paths) and f"{place}/trace" not in call.paths


def broken_rules(place, calls):
    """The rules that a list of calls breaks."""
    unsynced = syscalls.Unsynced()
    broken = []
    for call in calls:
        if ours(place, call) or call.name in syscalls.WRITES:
            broken += rules(place, unsynced, call)
        if ours(place, call):
            unsynced.apply(call)
    return broken


@pytest.fixture(scope="module")
def first(program, tmp_path_factory):
    """The calls of a first life, from the making of keys to a clean stop; and where."""
    place = tmp_path_factory.mktemp("first")
    argv = [program, place / "data", place / "keys", 0, 13]
    done = syscalls.run(syscalls.argv(place / "trace", argv))
    assert done.returncode == 0 and "sealed 3\nstopped" in done.stdout, done.stdout + done.stderr
    return place, syscalls.calls(place / "trace")


# What a first life makes durable; and what else one that follows a kill does.
NEEDED = {
    "first": {"", "/data", "/data/wal", "/data/wal/#.wal", "/keys", "/keys/users.keys", "/keys/signing.key"},
    "whole": {"/data/wal/#.wal", "/data/trails/acme/segments", "/keys/users.keys"},
}


@pytest.mark.parametrize("which", NEEDED)
def test_what_is_promised_is_durable_and_no_sync_is_too_many(which, request):
    """Every sync that makes something durable is then left out once."""
    place, calls = request.getfixturevalue(which)
    assert broken_rules(place, calls) == []
    unsynced = syscalls.Unsynced()
    serving = []
    for at, call in enumerate(calls):
        if ours(place, call):
            if call.name in syscalls.SYNCS and unsynced.serves(call):
                serving.append(at)
            unsynced.apply(call)
    kinds = {re.sub(r"\d+", "#", calls[at].paths[0].removeprefix(str(place))) for at in serving}
    assert NEEDED[which] <= kinds, kinds
    missed = []
    for at in serving:
        # Where another sync of the same thing soon follows, that one may stand in: but not none of them.
        later = [
            n for n, call in enumerate(calls)
            if n > at and call.name in syscalls.SYNCS and call.paths == calls[at].paths
        ]
        without = [{at}, {at, *later}]
        if not any(broken_rules(place, [call for n, call in enumerate(calls) if n not in out]) for out in without):
            missed.append(calls[at])
    assert missed == [], f"{len(missed)} of {len(serving)} could be left out"
