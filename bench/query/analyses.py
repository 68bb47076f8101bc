"""The first document's three analyses over one trail, in its own code and with Greffier's commands: analyses.py WORK EVENTS [quick]

Greffier's commands read the data directory; their time is the whole process's, from start to end. The document's code is
timed within its process, without Python's start.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

TURNS = 3
START, END = "2026-10-01T00:00:00", "2026-11-01T00:00:00"
AGENT = "agent-000"


def spent(argv, **options):
    """Runs a command: seconds and the most memory it held, in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    if status:
        sys.exit(f"{argv}: status {status}")
    return {"s": took, "peak_mib": usage.ru_maxrss / 1024}


def write_flat(binary, data, folder, file):
    unfinished = file.with_suffix(".tmp")
    with unfinished.open("wb") as output:
        subprocess.run([binary, "export", "--format", "flat", *data], cwd=folder, stdout=output, check=True)
    unfinished.rename(file)


def main():
    work, events = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    turns = 1 if "quick" in sys.argv else TURNS
    folder, file = work / "analysed", work / "analysed.jsonl"
    binary = pathlib.Path("target/release/greffier").resolve()
    data = ["--data", "greffier-data", "--tenant", "org_acme_corp"]
    period = ["--since", START + "Z", "--until", END + "Z"]
    commands = {
        "activity": ["activity", "--agent", AGENT, *period],
        "anomalies": ["findings", "--agent", AGENT, *period],
        "report": ["report", "summary", "--from", START + "Z", "--to", END + "Z"],
    }
    if not file.exists():
        write_flat(binary, data, folder, file)
    for turn in range(turns):
        for name, command in commands.items():
            print(f"turn {turn + 1} of {turns}: {name}", file=sys.stderr, flush=True)
            here = pathlib.Path(__file__).with_name("document.py")
            done = subprocess.run(
                [sys.executable, here, name, file, AGENT, START, END], capture_output=True, text=True, check=True
            )
            both = {"document": json.loads(done.stdout), "greffier": spent([binary, *command, *data, "-o", "json"], cwd=folder)}
            for who, row in both.items():
                print(json.dumps({"analysis": name, "who": who, "of": events} | row), flush=True)


main()
