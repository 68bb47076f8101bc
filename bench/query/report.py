"""Puts the last run of the questions into bench/README.md: report.py RESULTS README."""

import datetime
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import machine, put

BEGIN, END = "<!-- questions' last run -->", "<!-- end of questions' last run -->"
BAR, EVEN = 40, 10


def main():
    results, readme = sys.argv[1:]
    rows = [json.loads(line) for line in pathlib.Path(results).read_text().splitlines() if line.startswith("{")]
    asked = [row for row in rows if "engine" in row]
    engines = list(dict.fromkeys(row["engine"] for row in sorted(asked, key=lambda row: row["engine"] != "Greffier")))
    questions = list(dict.fromkeys(row["question"] for row in asked))
    events = next(row["events"] for row in rows if "events" in row)

    def times(engine, question):
        return [row["ms"] for row in asked if (row["engine"], row["question"]) == (engine, question)]

    turns = max(row["turn"] for row in asked)
    out = [BEGIN, "", f"Run on {datetime.date.today()}, {machine()}; {events:,} events; {turns} rotated turns: median ms [least most].", ""]
    out += ["| question | " + " | ".join(engines) + " |", "|---|" + "---:|" * len(engines)]
    for question in questions:
        cells = []
        for engine in engines:
            values = times(engine, question)
            cells.append(f"{statistics.median(values):,.1f} [{min(values):,.1f} {max(values):,.1f}]")
        out.append(f"| {question} | " + " | ".join(cells) + " |")
    peak = [f"{max(row['peak_mib'] for row in asked if row['engine'] == engine):,.0f} MiB" for engine in engines]
    out += ["| most memory | " + " | ".join(peak) + " |", ""]
    out += ["Greffier's medians as a share of the faster peer's; `|` is as fast:", "", "```"]
    width = max(map(len, questions))
    for question in questions:
        own = statistics.median(times("Greffier", question))
        best = min(statistics.median(times(engine, question)) for engine in engines[1:])
        share = own / best
        bar = "█" * max(1, min(BAR, round(share * EVEN)))
        out.append(f"{question:<{width}}  {bar if share >= 1 else bar.ljust(EVEN) + '|'} {share:.2f}")
    out += ["```", ""]
    analyses = [row for row in rows if "analysis" in row]
    if analyses:
        out += ["The first document's analyses, as commands: its own code in Python over its own file, Greffier over the sealed", "trail of the same events.", ""]
        out += ["| analysis | events | the document's code | memory | Greffier | memory |", "|---|---:|---:|---:|---:|---:|"]
        for name in dict.fromkeys(row["analysis"] for row in analyses):
            cells = []
            for who in ("document", "greffier"):
                of = [row for row in analyses if (row["analysis"], row["who"]) == (name, who)]
                cells += [f"{statistics.median(row['s'] for row in of):.2f} s", f"{max(row['peak_mib'] for row in of):,.0f} MiB"]
            count = next(row["of"] for row in analyses if row["analysis"] == name)
            out.append(f"| {name} | {count:,} | " + " | ".join(cells) + " |")
        out.append("")
    out.append(END)
    put(readme, out)


main()
