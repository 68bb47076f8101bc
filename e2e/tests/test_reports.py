"""Reports say what the trail shows, every claim can be asked again, and a pack of one verifies; the auditor's tutorial runs."""

import csv
import io
import json
import random
import re
import subprocess
import zipfile
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from harness.api import Api, native
from harness.greffier import Greffier
from harness.procs import Process, wait_until

TENANT = "org_acme_corp"
STANDARDS = ("soc2", "hipaa", "gdpr", "pci-dss", "eu-ai-act", "iso-42001")
TODAY = datetime.now(timezone.utc).date()
PERIOD = ("--from", str(TODAY - timedelta(days=1)), "--to", str(TODAY + timedelta(days=1)))
AUDITOR = Path(__file__).parents[2] / "docs/auditor.md"


@pytest.fixture(scope="module")
def node(binary, world, people, sdk, tmp_path_factory):
    """A node with a few governed calls, some of them denied, partly sealed, and its API by person."""
    greffier = Greffier(binary, world, tmp_path_factory.mktemp("reports"), more="\n[ledger]\nentries = 32\n").start()
    with sdk.http(greffier, people["alice"]) as http:
        for number in range(20):
            assert http.post("/tools/crm/search", json={"q": f"question {number}"}).status_code == 200
        assert http.post("/v1/chat/completions", json={"model": "gpt-secret", "messages": [{"role": "user", "content": "hello"}]}).status_code == 403
    made = {}

    def api(name):
        made.setdefault(name, Api(greffier, people[name]))
        return made[name]

    yield greffier, api
    for client in made.values():
        client.http.close()
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def covered(greffier, api, who="audra"):
    """Waits until the checkpoint covers what is on the trail now."""
    size = lambda: int(api(who).http.get(f"/trails/{TENANT}/checkpoint").text.split("\n")[1])  # noqa: E731
    newest = api(who).http.get("/api/v1/events", params={"limit": 1, "receipts": "true"}).json()["receipts"][0]["index"]
    wait_until(lambda: size() > newest, "the checkpoint covers the trail", 20)


def report(greffier, standard, *more, period=PERIOD):
    done = greffier.run("report", standard, *period, "--data", greffier.data, "--tenant", TENANT, "-o", "json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def claim(found, name):
    return next(claim for claim in found["claims"] if claim["control"] == name)


def attest(api, who, **body):
    answer = api(who).http.post("/api/v1/attestations", json=body)
    return answer.status_code, answer.json()


def test_every_claim_can_be_asked_again(node):
    greffier, api = node
    covered(greffier, api)
    compared, seen = 0, set()
    for standard in STANDARDS:
        found = report(greffier, standard)
        assert found["clauses"] and "compliant" not in json.dumps(found).lower()
        for one in found["claims"]:
            assert "not answered" not in one["says"], one
            assert one["fails_if"]
            if one["control"] in seen:
                continue
            seen.add(one["control"])
            for query in one["queries"]:
                rows = greffier.run("sql", query["sql"], "--data", greffier.data, "--tenant", query["trail"], "-o", "json")
                assert rows.returncode == 0, (one["control"], rows.stderr)
            if one.get("population") is not None and one["queries"]:
                query = one["queries"][0]
                again = json.loads(greffier.run("sql", query["sql"], "--data", greffier.data, "--tenant", query["trail"], "-o", "json").stdout)[0]
                assert {name: one["figures"][name] for name in again} == again, one["control"]
                compared += 1
    assert compared > 20


def test_what_happened_is_what_is_reported(node):
    greffier, api = node
    covered(greffier, api)
    found = report(greffier, "soc2")
    decided = greffier.run("search", "type:action.approved,action.denied -agent:greffier channel:gateway", "--limit", "1000",
                           "--data", greffier.data, "--tenant", TENANT, "-o", "jsonl").stdout.splitlines()
    assert claim(found, "attributed")["population"] == len(decided) == 21
    assert claim(found, "denied")["population"] == 1
    assert claim(found, "calls_end")["verdict"] == "NOT ASSESSED", "calls of the last hour are left out"
    samples = claim(found, "attributed")["samples"]
    ids = {json.loads(line)["id"] for line in decided}
    assert len(samples) == 5 and {sample["id"] for sample in samples} <= ids
    # The same trail as of the same checkpoint gives the same samples: they are drawn by its root.
    assert report(greffier, "soc2")["trail"]["head"]["size"] >= found["trail"]["head"]["size"]
    # Half-open: the period that ends where this one begins has none of it.
    before = report(greffier, "soc2", period=("--from", str(TODAY - timedelta(days=3)), "--to", str(TODAY - timedelta(days=1))))
    assert before["totals"]["events"] == 0 and before["ended"]


def charts(found):
    """A report's charts, by name."""
    return {chart["name"]: chart for chart in found.get("charts", []) + [one["chart"] for one in found["claims"] if "chart" in one]}


def drawn(chart):
    """What each of a chart's marks says, those that say nothing left out."""
    values = {mark["label"]: dict(zip(chart["series"], mark["values"], strict=True)) for mark in chart["marks"]}
    return {label: value for label, value in values.items() if any(value.values())}


def test_charts_show_what_their_statements_answer(node, tmp_path):
    greffier, api = node
    covered(greffier, api)
    found = report(greffier, "soc2", "--html", tmp_path / "r.html", "--pdf", tmp_path / "r.pdf")
    shown = charts(found)
    assert {"events", "decisions", "denials"} <= shown.keys()
    decided = drawn(shown["decisions"]).values()
    assert [sum(one[name] for one in decided) for name in ("allowed", "redacted", "denied")] == [20, 0, 1]
    assert sum(one["denials"] for one in drawn(shown["denials"]).values()) == 1
    for chart in shown.values():
        assert len(chart["marks"]) > 1 and drawn(chart), chart
        assert chart["form"] == "names" or "(UTC)" in chart["title"], chart["title"]
        sql = ("sql", chart["query"]["sql"], "--data", greffier.data, "--tenant", chart["query"]["trail"], "-o", "json")
        again = json.loads(greffier.run(*sql).stdout)
        asked = [name for name in chart["series"] if again and name in again[0]]
        assert asked, chart
        for at, name in enumerate(chart["series"]):
            if name in asked:
                assert sum(mark["values"][at] for mark in chart["marks"]) == sum(row[name] for row in again), (chart["name"], name)
    page = (tmp_path / "r.html").read_text()
    assert page.count("<svg viewBox") == page.count('role="img"') == len(shown) and "<script" not in page
    rows = greffier.run("report", "soc2", *PERIOD, "--data", greffier.data, "--tenant", TENANT, "-o", "csv").stdout
    denials = [row for row in csv.DictReader(io.StringIO(rows)) if row["series"] == "denials"]
    assert sum(int(row["value"]) for row in denials) == 1 and {row["control"] for row in denials} == {"denied"}
    # A period of which there is nothing has no chart.
    assert charts(report(greffier, "soc2", period=("--from", "2026-01-05", "--to", "2026-01-12"))) == {}


def test_the_first_documents_report_as_a_page(node, tmp_path, people):
    greffier, api = node
    where = ("--data", greffier.data, "--tenant", TENANT)
    page, printed = tmp_path / "s.html", tmp_path / "s.pdf"
    done = greffier.run("report", "summary", *PERIOD, *where, "--html", page, "--pdf", printed, "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found["by_type"].values()) == found["total_events"] > 40
    for chart in found["charts"]:
        rows = json.loads(greffier.run("sql", chart["query"]["sql"], *where, "-o", "json").stdout)
        assert {mark["label"]: mark["values"] for mark in chart["marks"]} == {row["name"]: [row["events"]] for row in rows}
    assert {chart["name"] for chart in found["charts"]} >= {"events_by_type"}
    text = page.read_text()
    assert text.count("<svg viewBox") == len(found["charts"]) and "<script" not in text and "action.denied" in text
    assert printed.read_bytes().startswith(b"%PDF-1.7")
    rows = list(csv.DictReader(io.StringIO(greffier.run("report", "summary", *PERIOD, *where, "-o", "csv").stdout)))
    assert {row["of"]: int(row["count"]) for row in rows if row["figure"] == "by_type"} == found["by_type"]
    served = api("audra").get("/api/v1/reports/summary", **{"from": PERIOD[1], "to": PERIOD[3], "format": "html"})
    assert served.status_code == 200 and "<svg" in served.text and TENANT in served.text


# By the hour and the day around changes of the clocks; by the week and the month over several.
STEPS = (("Europe/Berlin", "2026-03-28", "2026-03-30"), ("Europe/Berlin", "2026-10-24", "2026-10-26"), ("Asia/Kolkata", "2026-04-23", "2026-04-25"),
         ("Africa/Cairo", "2026-03-20", "2026-05-10"), ("America/Santiago", "2026-01-08", "2026-10-30"), ("Europe/Berlin", "2024-03-15", "2026-11-01"))


def test_charts_over_time_go_by_the_clocks_of_the_zone(node):
    """Held against Python's zones: events around changes of the clocks, one of which leaves out a midnight."""
    greffier, api = node
    pick = random.Random(8)
    edges = [datetime(2026, *at, tzinfo=timezone.utc) for at in ((3, 29, 1), (4, 4, 4), (4, 23, 22), (9, 6, 4), (10, 25, 1), (10, 29, 21))]
    times = [edge + timedelta(minutes=pick.randrange(-1500, 1500), microseconds=pick.randrange(10**6)) for edge in edges for _ in range(40)]
    times += [datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(seconds=pick.randrange(975 * 86_400)) for _ in range(200)]
    api("oscar").add([native(time=time.isoformat(timespec="microseconds").replace("+00:00", "Z")) for time in times])
    covered(greffier, api)
    for zone, first, until in STEPS:
        here = [time.astimezone(ZoneInfo(zone)) for time in times]
        chart = charts(report(greffier, "eu-ai-act", "--tz", zone, period=("--from", first, "--to", until)))["events"]
        assert chart["title"].endswith(f"({zone})"), chart["title"]
        form = "%Y-%m-%d %H:00" if "per hour" in chart["title"] else "%Y-%m" if "per month" in chart["title"] else "%Y-%m-%d"
        since = timedelta(days=1) if "per week" in chart["title"] else timedelta()
        within = [time for time in here if first <= time.strftime("%Y-%m-%d") < until]
        expected = Counter((time - since * time.weekday()).strftime(form) for time in within)
        # An hour that comes twice has two marks.
        said = Counter()
        for mark in chart["marks"]:
            said[mark["label"]] += sum(mark["values"])
        assert {label: count for label, count in said.items() if count} == expected, (zone, first, until)


def test_heartbeats_of_each_minute_and_the_gap_of_a_killed_node(node):
    greffier, api = node
    beats = lambda: [event for event in greffier.events("greffier") if event["action"]["name"] == "node:heartbeat"]  # noqa: E731
    wait_until(beats, "a heartbeat is on the node's trail", 30)
    first = beats()[0]
    assert first["outcome"]["status"] == "success"
    assert re.fullmatch(r"audit://node/heartbeat/policies/sha256:[0-9a-f]{64}/configuration/sha256:[0-9a-f]{64}", first["resource"]["uri"])
    minutes = [event["time"][:16] for event in beats()]
    assert len(minutes) == len(set(minutes)), "one for each minute"
    covered(greffier, api)
    gap = claim(report(greffier, "soc2"), "heartbeats")
    assert gap["verdict"] == "GAP" and gap["figures"]["minutes_missing"] > 1000, "the node did not live yesterday"
    assert gap["table"]
    # This node records no findings: nobody looked, and that is said.
    silent = claim(report(greffier, "soc2"), "detecting")
    assert silent["verdict"] == "GAP" and silent["figures"]["hours_with_heartbeat"] == 0, silent


def test_changed_policies_are_on_record_with_their_lines_and_want_approval(node):
    greffier, api = node
    started = json.loads(json.dumps(greffier.policies.joinpath("suite.cedar").read_text()))
    changed = started + '\n@id("role:analyst may ask nothing more")\nforbid (principal, action == Action::"invoke_model", resource == Model::"gpt-other");\n'
    in_force = lambda: [event for event in greffier.events("greffier") if event["action"]["name"] == "policy:in_force"]  # noqa: E731
    before = len(in_force())
    (greffier.policies / "suite.cedar").write_text(changed)
    wait_until(lambda: len(in_force()) > before, "the new policies are in force", 20)
    newest = in_force()[-1]
    digest = newest["resource"]["uri"].removeprefix("policy://")
    shown = api("oscar").http.get(f"/api/v1/events/{newest['id']}", params={"tenant": "greffier"}).json()
    told = json.loads(shown["parts"][0].get("text") or json.dumps(shown["parts"][0]["json"]))
    (file,) = told["changed"]["files"]
    assert file["file"] == "suite.cedar" and "+@id(\"role:analyst may ask nothing more\")" in file["diff"]
    assert file["owner_uid"] is not None and file["modified"].endswith("Z")
    covered(greffier, api)
    wait_until(lambda: claim(report(greffier, "soc2"), "policies_approved")["verdict"] == "GAP", "nobody approved them", 20)
    assert attest(api, "alice", kind="policies", digest=digest, note="x")[0] == 403
    assert attest(api, "oscar", kind="policies", digest=digest, note="reviewed the new forbid")[0] == 201
    covered(greffier, api)
    approved = claim(report(greffier, "soc2"), "policies_approved")
    assert approved["verdict"] == "EVIDENCED", approved


def test_sign_off_on_the_command_line(node, people, tmp_path):
    greffier, api = node
    written = tmp_path / "soc2.json"
    written.write_text(json.dumps(report(greffier, "soc2")))
    token = tmp_path / "token"
    token.write_text(people["audra"])
    at = ("--server", greffier.url, "--token-file", token)
    assert claim(report(greffier, "soc2"), "reviewed")["verdict"] == "GAP"
    done = greffier.run("report", "sign-off", "soc2", *PERIOD, "--report", written, "--note", "all denials looked at", *at)
    assert done.returncode == 0, done.stderr
    event = api("audra").http.get(f"/api/v1/events/{done.stdout.strip()}").json()["event"]
    assert event["action"]["name"] == "review:report" and event["resource"]["uri"].count("sha256:") == 1
    covered(greffier, api)
    assert claim(report(greffier, "soc2"), "reviewed")["verdict"] == "EVIDENCED"
    refused = greffier.run("report", "sign-off", "soc9", *PERIOD, "--note", "x", *at)
    assert refused.returncode == 3, refused.stderr


def test_forms(node, tmp_path, people):
    greffier, api = node
    covered(greffier, api)
    page, printed = tmp_path / "r.html", tmp_path / "r.pdf"
    where = ("--data", greffier.data, "--tenant", TENANT)
    done = greffier.run("report", "hipaa", *PERIOD, *where, "--html", page, "--pdf", printed)
    assert done.returncode == 0, done.stderr
    assert "164.312(b)" in done.stdout and "GAP" in done.stdout
    text = page.read_text()
    assert "<script" not in text and "http://" not in text.replace("http-equiv", "") and "164.312(b)" in text
    assert printed.read_bytes().startswith(b"%PDF-1.7")
    rows = list(csv.DictReader(io.StringIO(greffier.run("report", "pci-dss", *PERIOD, *where, "-o", "csv").stdout)))
    assert any(row["clause"] == "10.2.2" and row["control"] == "fields" for row in rows)
    assert greffier.run("report", "soc2", *PERIOD, *where, "--fail-on-gap").returncode == 6
    assert greffier.run("report", "soc9", *PERIOD, *where).returncode == 2
    assert greffier.run("report", "soc2", "--from", "2026-03-02", "--to", "2026-03-01", *where).returncode == 2
    assert greffier.run("report", "soc2", *PERIOD, "--tz", "Mars/Olympus", *where).returncode == 2
    token = tmp_path / "token"
    token.write_text(people["audra"])
    served = greffier.run("report", "soc2", *PERIOD, "-o", "json", "--server", greffier.url, "--token-file", token)
    found = json.loads(served.stdout)
    # The auditor of one tenant does not read the node's trail, and the report says so.
    assert "node" not in found and claim(found, "heartbeats")["verdict"] == "NOT ASSESSED"


def test_a_report_and_the_proofs_of_its_samples(node, tmp_path, people):
    greffier, api = node
    covered(greffier, api)
    (tmp_path / "trust").write_bytes((greffier.data / "trust").read_bytes())
    where = ("--data", greffier.data, "--tenant", TENANT)
    for name, more in (("trail.zip", ()), ("node.zip", ("--of-node",))):
        path = tmp_path / name
        done = greffier.run("evidence", "--report", "soc2", *PERIOD, "--out", path, *more, *where)
        assert done.returncode == 0, done.stderr
        checked = greffier.run("verify", path, "--trust", tmp_path / "trust")
        assert checked.returncode == 0 and checked.stdout.endswith("\nVALID\n"), checked.stdout + checked.stderr
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read("report.json"))
            assert "<!doctype html>" in archive.read("report.html").decode()
            entries = [json.loads(line) for part in archive.namelist() if part.startswith("events/") for line in archive.read(part).splitlines()]
        trail = "greffier" if more else TENANT
        samples = {sample["id"] for one in found["claims"] for sample in one.get("samples", []) + one.get("exceptions", []) if sample["trail"] == trail}
        packed = {json.loads(entry["entry"])["id"] for entry in entries if entry.get("found")}
        assert samples and packed == samples
    # Whoever changes the report in it is found out.
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(tmp_path / "trail.zip") as genuine, zipfile.ZipFile(forged, "w") as copy:
        for name in genuine.namelist():
            content = genuine.read(name)
            copy.writestr(name, content.replace(b'"GAP"', b'"gap"', 1) if name == "report.json" else content)
    assert greffier.run("verify", forged, "--trust", tmp_path / "trust").returncode == 5
    token = tmp_path / "token"
    token.write_text(people["audra"])
    path = tmp_path / "served.zip"
    done = greffier.run("evidence", "--report", "gdpr", *PERIOD, "--out", path, "--server", greffier.url, "--token-file", token)
    assert done.returncode == 0, done.stderr
    assert greffier.run("verify", path, "--trust", tmp_path / "trust").returncode == 0


def blocks():
    """The commands of the tutorial, one a line; a line that ends in a backslash goes on."""
    text = AUDITOR.read_text()
    commands = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)", block, re.M):
            commands.append(command)
    return commands


def test_the_auditors_tutorial(binary, tmp_path):
    """Each command of docs/auditor.md, as it stands there, on the demo's data."""
    commands = [command for command in blocks() if command.startswith("greffier ") or "greffier " in command]
    assert len(commands) > 12
    demo = Process("demo", [binary, "demo", "--dir", tmp_path / "greffier-demo"], tmp_path / "output", cwd=tmp_path)
    tokens = tmp_path / "greffier-demo/tokens/vance"
    config = tmp_path / "greffier-demo/greffier.toml"
    try:
        demo.ready(lambda: tokens.exists() and b"lies beside" in b"".join(
            file.read_bytes() for file in (tmp_path / "output").glob("*")), 120)
        url = "http://" + re.search(r'listen = "(.*?)"', config.read_text())[1]
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/greffier").symlink_to(binary)
        for command in commands:
            if command.startswith("greffier demo"):
                continue
            script = command.replace("http://127.0.0.1:4180", url)
            done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
                                  env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)})
            assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
            assert done.stdout.strip() not in ("", "[]"), script
    finally:
        demo.stop()
