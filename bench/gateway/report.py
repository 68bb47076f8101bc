"""Puts the last run of the gateways' comparison into bench/README.md: report.py RESULTS README."""

import datetime
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import machine, put

BEGIN, END = "<!-- gateways' last run -->", "<!-- end of gateways' last run -->"
BAR = 40
FIRST = "stream, 1"


def spread(values, form="{:,.0f}", scale=1.0):
    """The median, and the least and the most of the passes."""
    values = [value / scale for value in values if value is not None]
    if not values:
        return ""
    middle, low, high = (form.format(pick(values)) for pick in (statistics.median, min, max))
    return middle if len(values) == 1 else f"{middle} [{low} {high}]"


def main():
    results, readme = sys.argv[1:]
    rows = [json.loads(line) for line in pathlib.Path(results).read_text().splitlines() if line.startswith("{")]
    names = list(dict.fromkeys(row["subject"] for row in rows if row["pass"] == 0))
    passes = 1 + max(row["pass"] for row in rows)

    def of(name, case, field):
        return [row[field] for row in rows if (row["subject"], row["case"]) == (name, case)]

    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}; {passes} rotated passes: median [least most].", ""]
    for size in ("1 KiB", "16 KiB"):
        one, many = f"{size}, 1", f"{size}, 32"
        out += [f"Requests and replies of {size}:", ""]
        out += ["| | requests/s, 1 connection | p50 µs | p99 µs | requests/s, 32 connections | p50 ms | p99 ms | CPU µs a request, 1 | CPU µs a request, 32 |"]
        out += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
        for name in names:
            cells = [spread(of(name, one, field)) for field in ("rate", "p50_us", "p99_us")]
            cells += [spread(of(name, many, "rate"))]
            cells += [spread(of(name, many, field), "{:.1f}", 1e3) for field in ("p50_us", "p99_us")]
            cells += [spread(of(name, case, "cpu_us")) for case in (one, many)]
            out.append(f"| {name} | " + " | ".join(cells) + " |")
        out.append("")
    direct = statistics.median(of("direct", FIRST, "first_us")) if "direct" in names else 0
    out += ["Time to the first content of a stream, over the upstream's own, and the most memory held in the whole run:", ""]
    out += ["| | added, p50 ms | memory MiB |", "|---|---:|---:|"]
    for name in names:
        added = [value - direct for value in of(name, FIRST, "first_us")]
        added = spread(added, "{:.2f}", 1e3) if name != "direct" else ""
        out.append(f"| {name} | {added} | {spread(of(name, FIRST, 'peak_mib'))} |")
    rate = {name: statistics.median(of(name, "1 KiB, 32", "rate")) for name in names}
    width, most = max(map(len, names)), max(rate.values())
    out += ["", "Requests a second, 1 KiB, 32 connections:", "", "```"]
    for name in names:
        out.append(f"{name:<{width}}  {'█' * max(1, round(BAR * rate[name] / most))} {rate[name]:,.0f}")
    out += ["```", "", END]
    put(readme, out)


main()
