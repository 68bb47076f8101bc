"""Writes the evaluation set: python3 bench/safety/generate.py [SEED] > bench/safety/set.jsonl

One row a line: {"id","kind","text","spans":[{"type","start","end"}]}, byte offsets into the UTF-8 text. The same seed
gives the same set. No value in it belongs to anybody. Live-looking secrets have one character of theirs written as a
JSON escape, so that those who scan repositories for secrets do not stop at this file.
"""

import json
import random
import re
import sys

import fillers
import negatives
import rows
import values

SEED = 20251121
NEGATIVES = 1100
SLOT = re.compile(r"\[\[(~?)([A-Za-z0-9_.]+)\]\]")
JSON_KINDS = ("tool_args", "tool_result")


def fill(r, template, as_json):
    """The text and its spans, in characters."""
    text, spans, done = "", [], 0
    for slot in SLOT.finditer(template):
        text += template[done : slot.start()]
        done = slot.end()
        if slot[1]:
            text += fillers.make(r, slot[2])
            continue
        value = values.make(r, slot[2])
        if as_json:
            value = json.dumps(value, ensure_ascii=False)[1:-1]
        spans.append({"type": slot[2].partition(".")[0], "start": len(text), "end": len(text) + len(value)})
        text += value
    return text + template[done:], spans


def framed(r, frame, kind, label, key):
    words = key.replace("-", "_").split("_")
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    out = frame.replace("{label}", label).replace("{Label}", label[:1].upper() + label[1:]).replace("{key}", key).replace("{camel}", camel)
    return out.replace("[[T]]", f"[[{kind}]]")


def positives(r):
    for kind, (labelled, bare, labels, keys) in rows.LABELLED.items():
        frames = r.sample(rows.FRAMES, len(rows.FRAMES))
        for i in range(labelled):
            where, frame = frames[i % len(frames)]
            yield where, framed(r, frame, kind, r.choice(labels), r.choice(keys))
        for i in range(bare):
            where, frame = rows.BARE_FRAMES[i % len(rows.BARE_FRAMES)]
            yield where, framed(r, frame, kind, "", "x")
    for where, document in rows.DOCUMENTS:
        for _ in range(rows.REPEATS):
            yield where, document


def in_bytes(text, spans):
    place = lambda at: len(text[:at].encode())
    return [{"type": s["type"], "start": place(s["start"]), "end": place(s["end"])} for s in spans]


def line(row, text, secrets):
    """The row as JSON, the second character of each secret as an escape."""
    quoted, done = "", 0
    for start in secrets:
        quoted += json.dumps(text[done : start + 1], ensure_ascii=False)[1:-1] + f"\\u{ord(text[start + 1]):04x}"
        done = start + 2
    quoted += json.dumps(text[done:], ensure_ascii=False)[1:-1]
    head = json.dumps({"id": row["id"], "kind": row["kind"]})[:-1]
    return f'{head}, "text": "{quoted}", "spans": {json.dumps(row["spans"])}}}'


def main():
    r = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else SEED)
    out = []
    for where, template in positives(r):
        as_json = where in JSON_KINDS or template.lstrip().startswith(("{", "["))
        text, spans = fill(r, template, as_json)
        if as_json and template.startswith("{"):
            json.loads(text)
        secrets = [s["start"] for s in spans if s["type"].endswith(("_KEY", "_TOKEN", "_SECRET", "JWT"))]
        out.append(({"kind": where, "spans": in_bytes(text, spans)}, text, secrets))
    for kind, text in negatives.texts(r, NEGATIVES):
        secret = text.find("ghp_")
        out.append(({"kind": f"negative/{kind}", "spans": []}, text, [secret] if secret >= 0 else []))
    r.shuffle(out)
    for i, (row, text, secrets) in enumerate(out):
        print(line({"id": f"r{i:04}", **row}, text, secrets))


if __name__ == "__main__":
    main()
