"""Puts the last run of the ledger's benchmark into bench/README.md: ledger_report.py JSONL README."""

import datetime
import json
import sys

from report import machine, put

BEGIN, END = "<!-- ledger's last run -->", "<!-- end of ledger's last run -->"
BAR = 40


def time(micros):
    return "" if micros is None else f"{micros / 1e3:.3g} ms"


def number(value, form="{:,.0f}"):
    return "" if value is None else form.format(value)


def main():
    output, readme = sys.argv[1:]
    with open(output, encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines if line.startswith("{")]
    cases = [row for row in found if "case" in row]
    ceilings = [row for row in found if "ceiling" in row]
    if not cases:
        sys.exit("no results in " + output)
    size = next((row["entry_bytes"] for row in found if "entry_bytes" in row), 0)
    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}; entries of {size} bytes.", ""]
    out += ["| case | events/s | until the last receipt | p50 | p99 | CPU per event | peak memory | segment + tiles, bytes per event | parts |"]
    out += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for row in cases:
        # Only where everything is sealed do the bytes on disk belong to as many events.
        disk = row["segment_bytes"] if row["case"].startswith("sustained") else None
        kept = "" if disk is None else f"{disk:.0f} + {row['tile_bytes']:.0f}"
        parts = number(row["part_bytes"]) if disk is not None else ""
        out.append(
            f"| {row['case']} | {number(row['rate'])} | {number(row['acked'])} | {time(row['p50_us'])} | {time(row['p99_us'])}"
            f" | {number(row.get('cpu_us'), '{:.1f} µs')} | {row['rss_mib']} MiB | {kept} | {parts} |"
        )
    out += ["", "Ceilings of the same run, in events of that size:", "", "| ceiling | events/s |", "|---|---:|"]
    out += [f"| {row['ceiling']} | {number(row['rate'])} |" for row in ceilings]
    most = max(row["rate"] for row in cases)
    width = max(len(row["case"]) for row in cases)
    out += ["", "```"]
    for row in cases:
        bar = "█" * max(1, round(BAR * row["rate"] / most))
        out.append(f"{row['case']:<{width}}  {bar} {number(row['rate'])}/s")
    out += ["```", "", END]
    put(readme, out)


main()
