"""Asks every engine the same questions: run.py WORK [quick]

Prints a JSON line per engine, question and turn. An engine is a process of its own (`run.py WORK --engine N`), which
answers what it is told to; questions come in rotated turns, so that no engine has a quieter machine than another, and
one turn before the first is not counted: what is measured is warm. All must find the same number of rows.
"""

import json
import pathlib
import subprocess
import sys
import time

from engines import ChDb, DuckDb, Greffier
from questions import QUESTIONS

TURNS = 5
# Rows that Greffier's own record may add to an answer, of the reads and of what it finds unusual: some agents' days.
READS = 16


def engines(work, folder):
    release = pathlib.Path("target/release").resolve()
    # Both read what is sealed; the few entries behind it are Greffier's alone, and too few to tell.
    segments = str(folder / "greffier-data/trails/org_acme_corp/segments/*.parquet")
    return [
        Greffier(release / "greffier", folder),
        DuckDb(segments, False, work),
        DuckDb(segments, True, work),
        ChDb(segments, False, work),
        ChDb(segments, True, work),
    ]


def serve(engine):
    """One engine: answers a line of question and values with a line of how long it took."""
    engine.open()
    print(json.dumps({"ready": engine.name}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        start = time.perf_counter()
        rows = engine.rows(QUESTIONS[asked["question"]], asked["values"])
        took = time.perf_counter() - start
        print(json.dumps({"ms": took * 1e3, "rows": rows, "peak_mib": engine.peak_mib()}), flush=True)
    engine.close()


class Process:
    """An engine from outside."""

    def __init__(self, work, number):
        argv = [sys.executable, __file__, str(work), "--engine", str(number)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = self.read()["ready"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("an engine ended")
        return json.loads(line)

    def ask(self, question, values):
        self.process.stdin.write(json.dumps({"question": question, "values": values}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def chosen(segments, turn):
    """A user, an event, a call and a session from the middle of the month: others in each turn."""
    import duckdb

    day = f"2026-10-14 {6 + turn % 12:02}:00:00"
    scan = f"read_parquet('{segments}')"
    row = duckdb.connect(config={"threads": 2}).execute(
        f"SELECT id, request_id, session_id FROM {scan} WHERE time >= TIMESTAMP '{day}' ORDER BY index LIMIT 1"
    ).fetchone()
    user = duckdb.connect().execute(
        f"SELECT user_sub FROM {scan} WHERE time >= TIMESTAMP '2026-10-14' AND time < TIMESTAMP '2026-10-15' "
        f"GROUP BY user_sub ORDER BY count(*) DESC, user_sub LIMIT 1 OFFSET {40 + turn}"
    ).fetchone()
    return {"id": row[0], "request": row[1], "session": row[2], "user": user[0], "user_quoted": f'"{user[0]}"'}


def main():
    work = pathlib.Path(sys.argv[1]).resolve()
    folder = work / "corpus"
    if "--engine" in sys.argv:
        return serve(engines(work, folder)[int(sys.argv[-1])])
    quick = "quick" in sys.argv
    all_of = engines(work, folder)
    processes = [Process(work, number) for number in range(len(all_of))]
    try:
        for turn in range(2 if quick else TURNS + 1):
            values = chosen(all_of[1].segments, turn)
            for number, question in enumerate(QUESTIONS):
                print(f"turn {turn}: {question.name}", file=sys.stderr, flush=True)
                first = (turn + number) % len(processes)
                found = {}
                for process in processes[first:] + processes[:first]:
                    answer = process.ask(number, values)
                    found[process.name] = answer["rows"]
                    if turn:
                        print(json.dumps({"engine": process.name, "question": question.name, "turn": turn} | answer), flush=True)
                own = found["Greffier"] - READS if question.reads else found["Greffier"]
                others = {rows for name, rows in found.items() if name != "Greffier"}
                if len(others) > 1 or not own <= min(others) <= found["Greffier"]:
                    sys.exit(f"{question.name}: rows differ: {found}; {values}")
    finally:
        for process in processes:
            process.close()


main()
