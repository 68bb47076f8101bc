"""Puts the last run of ingest into bench/README.md: report.py RESULTS README."""

import datetime
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import machine, put

BEGIN, END = "<!-- ingest's last run -->", "<!-- end of ingest's last run -->"
BAR = 40
NAMES = {
    "keys": "contents redacted by key",
    "inspect": "contents inspected in full",
    "sink": "ceiling: the same bodies taken, nothing done",
    "disk": "ceiling: the same bytes written and synced",
}


def spread(rows, field, form="{:,.0f}"):
    """The median, and the least and the most of the passes."""
    values = [row[field] for row in rows if field in row]
    if not values:
        return ""
    middle, low, high = (form.format(pick(values)) for pick in (statistics.median, min, max))
    return middle if len(values) == 1 else f"{middle} [{low} {high}]"


def main():
    results, readme = sys.argv[1:]
    rows = [json.loads(line) for line in pathlib.Path(results).read_text().splitlines() if line.startswith("{")]
    if not rows:
        sys.exit("no results in " + results)
    cases = [case for case in NAMES if any(row["case"] == case for row in rows)]
    of = {case: [row for row in rows if row["case"] == case] for case in cases}
    passes = 1 + max(row["pass"] for row in rows)
    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}; {rows[0]['events']:,} events a case,"]
    out[-1] += f" {passes} rotated passes: median [least most]." if passes > 1 else " one pass."
    out += ["", "| case | events/s | server, CPU µs an event | client, CPU µs an event | server, peak MiB |"]
    out += ["|---|---:|---:|---:|---:|"]
    for case in cases:
        cells = [spread(of[case], "rate")]
        cells += [spread(of[case], field, "{:.1f}") for field in ("server_us", "client_us")]
        cells += [spread(of[case], "peak_mib")]
        out.append(f"| {NAMES[case]} | " + " | ".join(cells) + " |")
    rate = {case: statistics.median(row["rate"] for row in of[case]) for case in cases}
    width, most = max(len(NAMES[case]) for case in cases), max(rate.values())
    out += ["", "```"]
    for case in cases:
        out.append(f"{NAMES[case]:<{width}}  {'█' * max(1, round(BAR * rate[case] / most))} {rate[case]:,.0f}/s")
    out += ["```", "", END]
    put(readme, out)


main()
