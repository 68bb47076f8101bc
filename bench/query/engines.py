"""Who is asked. Each has both cores, and answers `rows(question)` with how many rows came."""

import json
import pathlib
import resource
import subprocess
import sys
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from processes import cpu_seconds

PORT = 9104
START_TIMEOUT = 120
# Processor seconds in one second of a server that has nothing to do.
CALM = 0.1


class Greffier:
    """The server, over HTTP: each question is on record, durably, before it is answered."""

    name = "Greffier"

    def __init__(self, binary, folder):
        self.binary, self.folder, self.process = binary, folder, None

    def open(self):
        (self.folder / "greffier.toml").write_text(f'listen = "127.0.0.1:{PORT}"\n')
        log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen([self.binary, "serve"], cwd=self.folder, stdout=log, stderr=log)
        self.token = subprocess.run(
            [self.binary, "token", "--sub", "auditor", "--role", "auditor", "--tenant", "org_acme_corp"],
            cwd=self.folder, capture_output=True, text=True, check=True,
        ).stdout.strip()
        end = time.monotonic() + START_TIMEOUT
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5).read()
                return self.settle()
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit(f"the server does not start: see {self.folder}/log")
                time.sleep(0.2)

    def settle(self):
        """Waits until it has looked at the trail for what is unusual, which it does after each start."""
        before = -1
        while (now := cpu_seconds([self.process.pid])) - before > CALM:
            before = now
            time.sleep(1)

    def ask(self, path, body=None):
        headers = {"authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    def sql(self, text):
        return self.ask("/api/v1/sql", {"query": text})["rows"]

    def rows(self, question, values):
        if question.lookup:
            path, _, query = question.lookup.format(**values).partition("?")
            if query:
                query = "?" + urllib.parse.quote(query, safe="=&")
            answer = self.ask(urllib.parse.quote(path) + query)
            return len(answer.get("events", [answer]))
        fill = {"events": "events", "entry": "entry", "p99": "approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_us)"}
        return len(self.sql(question.sql.format(**fill, **values)))

    def peak_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


class DuckDb:
    def __init__(self, segments, own, work):
        self.name = "DuckDB, its own table" if own else "DuckDB, the segments"
        self.segments, self.own, self.work = segments, own, work

    def open(self):
        import duckdb

        file = self.work / "duckdb.db"
        fresh = not file.exists()
        self.db = duckdb.connect(str(file) if self.own else ":memory:", config={"threads": 2})
        self.db.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        scan = f"read_parquet('{self.segments}', binary_as_string = true)"
        if not self.own:
            self.db.execute(f"CREATE VIEW events AS FROM {scan}; SET enable_object_cache = true")
        elif fresh:
            self.db.execute(f"CREATE TABLE events AS FROM {scan} ORDER BY index")

    def rows(self, question, values):
        fill = {"events": "events", "entry": "entry", "p99": "approx_quantile(duration_us, 0.99)"}
        return len(self.db.execute(question.sql.format(**fill, **values)).fetchall())

    def peak_mib(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def close(self):
        self.db.close()


class ChDb:
    def __init__(self, segments, own, work):
        self.name = "chDB, its own table" if own else "chDB, the segments"
        self.segments, self.own, self.work = segments, own, work

    def open(self):
        from chdb import session

        folder = self.work / ("chdb-own" if self.own else "chdb")
        fresh = not folder.exists()
        self.db = session.Session(str(folder))
        self.db.query("SET max_threads = 2")
        self.events = f"file('{self.segments}', Parquet)"
        if self.own:
            self.events = "bench.events"
            if fresh:
                self.db.query("CREATE DATABASE bench")
                self.db.query(
                    "CREATE TABLE bench.events ENGINE = MergeTree ORDER BY (time, index) SETTINGS allow_nullable_key = 1 "
                    f"AS SELECT * FROM file('{self.segments}', Parquet)"
                )

    def rows(self, question, values):
        fill = {"events": self.events, "entry": "entry", "p99": "quantileTDigest(0.99)(duration_us)"}
        answer = self.db.query(question.sql.format(**fill, **values), "JSONCompact")
        return json.loads(str(answer))["rows"]

    def peak_mib(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def close(self):
        self.db.close()
