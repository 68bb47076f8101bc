"""Puts the last run of the SDK's benchmark into bench/README.md: report.py JSONL README."""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from report import machine, put

BEGIN, END = "<!-- client's last run -->", "<!-- end of client's last run -->"
BAR = 40


def main():
    output, readme = sys.argv[1:]
    with open(output, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.startswith("{")]
    if not rows:
        sys.exit("no results in " + output)
    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}.", ""]
    out += ["| case | threads | events/s | in the file, events/s | p50 | p99 | p99.9 | longest |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        asked = f", {row['rate']:,} a second asked" if row["rate"] else ""
        times = " | ".join(f"{row[name]:,.2f} µs" for name in ("p50_us", "p99_us", "p999_us"))
        out.append(
            f"| {row['case']}{asked} | {row['threads']} | {row['logged_per_s']:,} | {row['durable_per_s']:,} | {times}"
            f" | {row['max_us'] / 1e3:,.1f} ms |"
        )
    fast = [row for row in rows if not row["rate"] and row["threads"] == 1]
    most = max(row["durable_per_s"] for row in fast)
    width = max(len(row["case"]) for row in fast)
    out += ["", "```"]
    for row in fast:
        bar = "█" * max(1, round(BAR * row["durable_per_s"] / most))
        out.append(f"{row['case']:<{width}}  {bar} {row['durable_per_s']:,}/s")
    out += ["```", "", END]
    put(readme, out)


main()
