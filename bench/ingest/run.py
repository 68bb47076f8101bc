"""Runs agents against a server, whole processes both: run.py WORK [quick] [CASE…]

Prints a JSON line per case and pass. Three passes, each beginning with another case; the server is started anew in each,
on an empty directory, and warmed up before it is measured. An event counts when its receipt has come; what then lies on
the disk is verified, and must be as many. Beside them, what the machine could do at best: a server that takes the same
bodies and does nothing with them, and the bytes that Greffier writes, written and synced in groups of the same size.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from processes import cpu_seconds, peak_mib, tree

PORT = 9111
BATCH, SENDERS = 4096, 3
# Events that share a sync, at most.
GROUP = 2048
START_TIMEOUT = 60
CASES = ["keys", "inspect", "sink", "disk"]


def config(level):
    return f"""
listen = "127.0.0.1:{PORT}"

[safety]
ingest = "{level}"
"""


class Server:
    """Greffier, which redacts contents by key or inspects them in full."""

    def __init__(self, binary, folder, level):
        self.binary, self.folder = binary, folder
        subprocess.run([binary, "init"], cwd=folder, check=True, capture_output=True)
        (folder / "greffier.toml").write_text(config(level))
        token = [binary, "token", "--sub", "bench", "--role", "analyst"]
        done = subprocess.run(token, cwd=folder, check=True, capture_output=True, text=True)
        (folder / "token").write_text(done.stdout.strip())
        self.argv, self.ready = [binary, "serve"], "/readyz"

    def check(self, events):
        """All of them are on disk, each with its content, beside what Greffier finds unusual about such a load."""
        report = self.ask("verify", "greffier-data")
        contents = report["parts_opened"] + report["parts_unopened"]
        assert report["clean"] and not report["problems"], report
        count = "SELECT count(*) AS n FROM events WHERE channel = 'sdk'"
        entries = self.ask("sql", count, "--data", "greffier-data")[0]["n"]
        assert entries == events and contents >= events, (entries, contents, events)

    def ask(self, *argv):
        done = subprocess.run([self.binary, *argv, "-o", "json"], cwd=self.folder, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


class Sink:
    """A server that only takes what comes."""

    def __init__(self, load, folder):
        (folder / "token").write_text("none")
        self.argv, self.ready = [load, "sink", str(PORT)], "/"

    def check(self, events):
        pass


def wait(server, process, log):
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}{server.ready}", timeout=5).read()
            return
        except (OSError, urllib.error.URLError):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the server does not answer: see {log}")
            time.sleep(0.1)


def send(load, folder, events):
    argv = [load, "ingest", f"http://127.0.0.1:{PORT}", str(folder / "token")]
    argv += ["--events", str(events), "--senders", str(SENDERS), "--batch", str(BATCH)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["events"] == events and not answer["rejected"] + answer["failed"], answer
    return answer


def measure(case, binary, load, folder, events):
    log = folder / "log"
    server = Sink(load, folder) if case == "sink" else Server(binary, folder, case)
    with log.open("wb") as output:
        process = subprocess.Popen(server.argv, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    warm = SENDERS * BATCH * 2
    try:
        wait(server, process, log)
        send(load, folder, warm)
        before = cpu_seconds(tree(process.pid))
        answer = send(load, folder, events)
        after = cpu_seconds(tree(process.pid))
        row = {
            "rate": answer["events"] / answer["seconds"],
            "server_us": (after - before) / events * 1e6,
            "client_us": answer["cpu_seconds"] / events * 1e6,
            "peak_mib": peak_mib(tree(process.pid)),
        }
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    server.check(warm + events)
    return row


def disk(folder, bytes_each, seconds):
    """Events of that size a second, in groups that share a sync, in a file whose space is there."""
    group, space = os.urandom(int(GROUP * bytes_each)), 256 << 20
    with (folder / "log").open("wb") as file:
        file.write(bytes(space))
        os.fsync(file.fileno())
        begun, groups, at = time.monotonic(), 0, 0
        while time.monotonic() - begun < seconds:
            at = 0 if at + len(group) > space else at
            os.pwrite(file.fileno(), group, at)
            os.fdatasync(file.fileno())
            at += len(group)
            groups += 1
        return {"rate": groups * GROUP / (time.monotonic() - begun)}


def main():
    work, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    quick = "quick" in wanted
    chosen = [case for case in CASES if case in wanted] or CASES
    release = work.parent / "release"
    binary, load = str(release / "greffier"), str(release / "greffier-load")
    passes, events = (1, SENDERS * BATCH * 8) if quick else (3, SENDERS * BATCH * 48)
    # Of an entry with its part in the log: an estimate, to be set right by the first run.
    bytes_each = 1100
    for turn in range(passes):
        first = turn % len(chosen)
        for case in chosen[first:] + chosen[:first]:
            print(f"pass {turn + 1} of {passes}: {case}", file=sys.stderr, flush=True)
            folder = work / "run"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if case == "disk":
                row = disk(folder, bytes_each, 1 if quick else 4)
            else:
                row = measure(case, binary, load, folder, events)
            print(json.dumps({"case": case, "pass": turn, "events": events} | row), flush=True)
    shutil.rmtree(work / "run", ignore_errors=True)


main()
