"""Runs each gateway in turn between one client and one upstream: run.py WORK [quick] [SUBJECT…]

Prints a JSON line per subject, case and pass. Three passes, each beginning with another subject; every subject is
started anew in each pass, must show that it does what is claimed of it (`proof.py`), and is warmed up before it is
measured. The processor's time and the memory are those of the
gateway's own processes, as /proc tells them.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import subjects
from proof import prove

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from processes import cpu_seconds, peak_mib, tree

UPSTREAM, PORT = 9101, 9102
# Name, connections, bytes of the request and its reply, streamed.
CASES = [
    ("1 KiB, 1", 1, 1024, False),
    ("1 KiB, 32", 32, 1024, False),
    ("16 KiB, 1", 1, 16384, False),
    ("16 KiB, 32", 32, 16384, False),
    ("stream, 1", 1, 1024, True),
]
START_TIMEOUT = 240


class Load:
    def __init__(self, load, subject, port):
        self.load, self.subject, self.port = load, subject, port

    def run(self, connections, size, stream, seconds):
        argv = [self.load, "client", f"http://127.0.0.1:{self.port}/v1/chat/completions"]
        argv += ["--connections", str(connections), "--bytes", str(size), "--seconds", str(seconds)]
        argv += ["--model", self.subject.model] + (["--stream"] if stream else [])
        for header in self.subject.headers:
            argv += ["--header", header]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"errors": 1, "error": done.stderr, "requests": 0}


def wait(load, process, log):
    """Until the subject answers a call."""
    end = time.monotonic() + START_TIMEOUT
    while True:
        if process and process.poll() is not None:
            sys.exit(f"{load.subject.name} ended at once: see {log}")
        answer = load.run(1, 1024, False, 0.2)
        if answer["requests"] and not answer["errors"]:
            return
        if time.monotonic() > end:
            sys.exit(f"{load.subject.name} does not answer: {answer['error']}; see {log}")
        time.sleep(0.5)


def measure(load_binary, subject, folder, seconds):
    """Starts a subject, runs the cases, stops it: a dictionary per case."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log, process = folder / "log", None
    argv, env = subject.start(folder, PORT, UPSTREAM)
    if argv:
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, env=os.environ | env, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
    load = Load(load_binary, subject, PORT if argv else UPSTREAM)
    requests = 0
    try:
        wait(load, process, log)
        prove(subject, load.port, UPSTREAM)
        load.run(8, 1024, False, max(1, seconds / 2))
        load.run(2, 1024, True, 0.5)
        for name, connections, size, stream in CASES:
            before = cpu_seconds(tree(process.pid)) if process else None
            answer = load.run(connections, size, stream, seconds)
            if answer["errors"] or not answer["requests"]:
                sys.exit(f"{subject.name}, {name}: {answer}")
            requests += answer["requests"]
            spent = cpu_seconds(tree(process.pid)) - before if process else None
            yield {
                "case": name,
                "rate": answer["requests"] / answer["seconds"],
                "p50_us": answer["p50_us"],
                "p99_us": answer["p99_us"],
                "first_us": answer["first_p50_us"],
                "cpu_us": spent / answer["requests"] * 1e6 if process else None,
                "peak_mib": peak_mib(tree(process.pid)) if process else None,
            }
    finally:
        if process:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    subject.check(folder, requests)
    shutil.rmtree(folder, ignore_errors=True)


def main():
    work, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    quick = "quick" in wanted
    wanted = [word for word in wanted if word != "quick"]
    release = work.parent / "release"
    load = str(release / "greffier-load")
    chosen = [s for s in subjects.all_of(work, release) if not wanted or s.name in wanted]
    passes, seconds = (1, 1) if quick else (3, 2)
    upstream = subprocess.Popen([load, "upstream", str(UPSTREAM)])
    try:
        for turn in range(passes):
            first = turn * len(chosen) // passes
            for subject in chosen[first:] + chosen[:first]:
                print(f"pass {turn + 1} of {passes}: {subject.name}", file=sys.stderr, flush=True)
                for row in measure(load, subject, subject.folder(work), seconds):
                    print(json.dumps({"subject": subject.name, "pass": turn} | row), flush=True)
    finally:
        upstream.kill()


main()
