"""Puts the last run into bench/README.md: report.py OUTPUT README [WHOSE].

Reads divan's tree of results; the table and the chart stand between two markers in the README.
"""

import datetime
import math
import os
import platform
import re
import sys

UNITS = {"ns": 1e-3, "µs": 1.0, "ms": 1e3, "s": 1e6}
RATES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
# Longest bar of the chart, in characters, for the slowest benchmark; the scale is logarithmic.
BAR = 40


def rows(lines):
    """Yields (name, fastest, median, slowest, items a second); a name is its path in the tree, times in microseconds.

    Below a benchmark that counts items stands a line of its rates, in the same columns.
    """
    path, row = [], None
    for line in lines:
        rates = re.findall(r"([\d.]+) ([kMG]?)item/s", line)
        if row and len(rates) >= 3:
            row[4] = float(rates[2][0]) * RATES[rates[2][1]]
        head = re.match(r"^([│ ]*)[├╰]─ (\S+)", line)
        if not head:
            continue
        if row:
            yield row
            row = None
        depth = len(head.group(1)) // 3
        path[depth:] = [head.group(2)]
        times = re.findall(r"([\d.]+) (ns|µs|ms|s)\b", line)
        if len(times) >= 4:
            fastest, slowest, median = (float(n) * UNITS[unit] for n, unit in times[:3])
            row = [" / ".join(path), fastest, median, slowest, None]
    if row:
        yield row


def shown(micros):
    for unit, factor in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
        if micros >= factor:
            return f"{micros / factor:.3g} {unit}"
    return f"{micros * 1e3:.3g} ns"


def machine():
    try:
        with open("/proc/cpuinfo") as info:
            model = next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or "unknown processor"
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"


def put(readme, lines):
    """Puts lines in the place of those in the README that begin and end like them: with a marker."""
    with open(readme, encoding="utf-8") as text:
        whole = text.read()
    before, after = whole.split(lines[0])[0], whole.split(lines[-1])[1]
    with open(readme, "w", encoding="utf-8") as text:
        text.write(before + "\n".join(lines) + after)


def main():
    output, readme, *whose = sys.argv[1:]
    run = " ".join([f"{name}'s" for name in whose] + ["last run"])
    begin, end = f"<!-- {run} -->", f"<!-- end of {run} -->"
    with open(output, encoding="utf-8") as lines:
        found = list(rows(lines))
    if not found:
        sys.exit("no results in " + output)

    least = min(median for _, _, median, *_ in found)
    most = max(median for _, _, median, *_ in found)
    span = math.log10(most / least) or 1.0
    out = [begin, "", f"Run on {datetime.date.today()}, {machine()}.", ""]
    out += ["| benchmark | median | fastest | slowest | a second |", "|---|---:|---:|---:|---:|"]
    for name, fastest, median, slowest, rate in found:
        each = f"{rate:,.0f}" if rate else ""
        out.append(f"| {name} | {shown(median)} | {shown(fastest)} | {shown(slowest)} | {each} |")
    out += ["", "Medians, logarithmic:", "", "```"]
    width = max(len(name) for name, *_ in found)
    for name, _, median, *_ in found:
        bar = "█" * (1 + round(BAR * math.log10(median / least) / span))
        out.append(f"{name:<{width}}  {bar} {shown(median)}")
    out += ["```", "", end]
    put(readme, out)


if __name__ == "__main__":
    main()
