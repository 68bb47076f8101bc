#!/usr/bin/env python3
"""Kills a working Greffier again and again, and says what was lost.

    python3 e2e/kill_rounds.py --rounds 1000 [--greffier PATH] [--report docs/durability.md]

Sixteen writers record events over HTTP, a watcher fetches checkpoints; `kill -9` ends each round at any moment, in
one of ten already the start. After each round: every event that was acknowledged is there, at its index, byte for
byte; every checkpoint that was fetched belongs to the tree. Nothing is asked of Greffier for it: receipts and
checkpoints are kept here, log and tiles are read by readers of the suite's own.
"""

import argparse
import datetime
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness.kills import Rounds, machine  # noqa: E402

REPORT = """# Durability: what a kill costs

Made by `{command}`; run it again to check. What it does is said at the top of that file.

| | |
|---|---|
| rounds of `kill -9` | {rounds:,} |
| of them in the middle of a start | {in_start:,} |
| writers | {writers} |
| acknowledged events | {acknowledged:,} |
| repetitions answered with their first receipt, some after a kill | {repeated:,} |
| acknowledged events lost | {lost} |
| acknowledged events at another index, or other than they were | {moved} |
| signed checkpoints kept outside and checked | {checkpoints:,} |
| of them inconsistent | {inconsistent} |
| date | {date} |
| machine | {machine} |
| build | {build} |
| time | {seconds:,} s |

A kill leaves what the kernel holds: it shows that no promise rests on the process. Power cuts, torn and reordered
writes, and syncs that fail are simulated, seed by seed, in `crates/ledger/src/ledger/faults`; each system call of a
seal and a start fails, or is the last one, in `e2e/tests/test_syscalls.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--writers", type=int, default=16)
    default = os.environ.get("GREFFIER", HERE.parent / "target/debug/greffier")
    parser.add_argument("--greffier", type=Path, default=Path(default), help="the binary (GREFFIER)")
    parser.add_argument("--report", type=Path, help="write the report here")
    parser.add_argument("--seed", type=int, help="when to kill")
    options = parser.parse_args()
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="greffier-kills-"))
    rounds = Rounds(options.greffier.resolve(), folder, options.writers, options.seed)
    try:
        for number in range(options.rounds):
            rounds.round()
            if (number + 1) % 10 == 0:
                print(f"{number + 1} rounds, {len(rounds.receipts)} acknowledged, none lost, "
                      f"{len(rounds.checkpoints)} checkpoints, {time.monotonic() - begun:.0f} s", flush=True)
        rounds.finish()
    except AssertionError as broken:
        print(f"{broken}\nwhat is left: {folder}", file=sys.stderr)
        return 1
    report = REPORT.format(
        command=f"python3 e2e/kill_rounds.py --rounds {options.rounds}", rounds=rounds.rounds, in_start=rounds.in_start,
        writers=options.writers, acknowledged=len(rounds.receipts), repeated=rounds.answers - len(rounds.receipts),
        lost=0, moved=0, checkpoints=len(rounds.checkpoints), inconsistent=0,
        date=datetime.date.today().isoformat(), machine=machine(),
        build=rounds.run("--version").strip() + f" ({options.greffier.resolve().parent.name})",
        seconds=round(time.monotonic() - begun),
    )
    shutil.rmtree(folder)
    print(report)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
