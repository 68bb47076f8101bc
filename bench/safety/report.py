"""Puts the comparison into bench/README.md: report.py SET README NAME=FOUND[@LEAST]...

FOUND is what a scanner wrote, `{"id","spans"}` a line, and its times on the last one; of `NAME=FOUND@0.35` only spans
scored so high count. `NAME=FOUND+TIMES` takes the times from another file.
"""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from report import machine, put  # noqa: E402
from score import CORE, read, score  # noqa: E402

BEGIN, END = "<!-- safety's last run -->", "<!-- end of safety's last run -->"
BAR = 40


def share(value):
    return "-" if value is None else f"{value:.3f}"


def time(micros):
    return f"{micros / 1e3:,.1f} ms" if micros >= 1e4 else f"{micros:,.0f} µs" if micros >= 10 else f"{micros:.1f} µs"


def measured(argument, rows):
    name, _, rest = argument.partition("=")
    rest, _, least = rest.partition("@")
    found, _, times = rest.partition("+")
    answers = {line["id"]: line["spans"] for line in read(found) if "id" in line}
    timed = next((line for line in reversed(read(times or found)) if "rows_us" in line), None)
    return name, score(rows, answers, float(least or 0)), timed


def main():
    rows = read(sys.argv[1])
    readme = sys.argv[2]
    found = [measured(argument, rows) for argument in sys.argv[3:]]
    names = [name for name, *_ in found]
    results = [result for _, result, _ in found]
    gold = sum(len(row["spans"]) for row in rows)
    line = lambda *cells: "| " + " | ".join(cells) + " |"
    rule = "|---|" + "---:|" * len(names)
    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}; {len(rows):,} rows, {gold:,} spans, {results[0]['negatives']:,} hard negatives.", ""]
    out += [line("", *names), rule]
    three = lambda one: f"{share(one['p'])} / {share(one['r'])} / {share(one['f1'])}"
    out.append(line("core, precision / recall / F1", *(three(r["core"]) for r in results)))
    out.append(line("core, mean F1 of 16 kinds", *(share(r["macro_f1"]) for r in results)))
    out.append(line("rows of which no core character leaks", *(f"{r['leak_nothing']:.1%}" for r in results)))
    out.append(line("false alarms of core kinds per 1,000 hard negatives", *(f"{r['false_per_1000']:.1f}" for r in results)))
    out.append(line("PERSON", *(three(r["per_type"]["PERSON"]) for r in results)))
    out.append(line("ADDRESS", *(three(r["per_type"]["ADDRESS"]) for r in results)))
    out.append(line("false PERSON and ADDRESS per 1,000 hard negatives", *(f"{r['false_person']:.1f} and {r['false_address']:.1f}" for r in results)))
    out.append(line("further kinds, precision / recall / F1", *(three(r["other"]) for r in results)))
    out += ["", "F1 per kind, core first (spans in the set in brackets):", "", line("", *names), rule]
    kinds = CORE + ["PERSON", "ADDRESS"] + sorted(set(results[0]["per_type"]) - set(CORE) - {"PERSON", "ADDRESS"})
    for kind in kinds:
        out.append(line(f"{kind} ({results[0]['per_type'][kind]['gold']})", *(share(r["per_type"][kind]["f1"]) for r in results)))
    out += ["", "Time for one text on one core:", "", line("", *names), rule]
    times = [timed for *_, timed in found]
    at = lambda timed, part: time(sorted(timed["rows_us"])[min(int(len(rows) * part), len(rows) - 1)]) if timed else "-"
    average = sum(len(row["text"].encode()) for row in rows) // len(rows)
    out.append(line(f"a row ({average} bytes on average), median", *(at(timed, 0.5) for timed in times)))
    out.append(line("a row, 99th percentile", *(at(timed, 0.99) for timed in times)))
    for size in sorted({size for timed in times if timed for size, _ in timed["sizes_us"]}):
        each = [dict(map(tuple, timed["sizes_us"])).get(size) if timed else None for timed in times]
        out.append(line(f"{size >> 10:,} KiB, per KiB", *("-" if micros is None else time(micros / (size >> 10)) for micros in each)))
    out += ["", "F1 of the core, and of names and addresses:", "", "```"]
    width = max(map(len, names)) + 9
    for what, of in (("core", lambda r: r["core"]["f1"]), ("PERSON", lambda r: r["per_type"]["PERSON"]["f1"]), ("ADDRESS", lambda r: r["per_type"]["ADDRESS"]["f1"])):
        for name, result in zip(names, results):
            value = of(result) or 0.0
            out.append(f"{what + ', ' + name:<{width}}  {'█' * round(BAR * value)} {value:.3f}")
        out.append("")
    out[-1:] = ["```", "", END]
    put(readme, out)


if __name__ == "__main__":
    main()
