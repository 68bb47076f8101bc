"""Another analyser: answers `/analyze` as Presidio does, with the names that it knows."""

import http.server
import json
import re
import threading
import time

KEYS = {"text", "language", "entities", "score_threshold"}


class Analyser:
    """Finds the names it was given; `broken` and `slow` make it fail."""

    def __init__(self, names):
        self.names, self.asked, self.broken, self.slow = names, [], None, 0.0
        handler = type("Handler", (_Handler,), {"analyser": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/analyze"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def config(self, on_failure, more=""):
        return (f'[safety.remote]\nurl = "{self.url}"\nentities = ["PERSON", "NRP"]\nscore = 0.4\n'
                f'timeout = "2s"\non_failure = "{on_failure}"\n{more}')

    def answer(self, question):
        """Places count characters, as Python's do."""
        assert set(question) == KEYS, question
        assert question["language"] == "en" and question["entities"] == ["PERSON", "NRP"], question
        found = [
            {"entity_type": "PERSON", "start": hit.start(), "end": hit.end(), "score": 0.85,
             "analysis_explanation": None, "recognition_metadata": {"recognizer_name": "suite"}}
            for name in self.names for hit in re.finditer(re.escape(name), question["text"])
        ]
        # Not asked for, and not sure enough.
        text = question["text"]
        return [*found, {"entity_type": "DATE_TIME", "start": 0, "end": len(text), "score": 1.0},
                {"entity_type": "PERSON", "start": 0, "end": len(text), "score": 0.1}]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.analyser.asked.append(question)
        time.sleep(self.analyser.slow)
        body, status = json.dumps(self.analyser.answer(question)), 200
        if self.analyser.broken is not None:
            status, body = self.analyser.broken
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body.encode())
        except OSError:
            pass

    def log_message(self, *_):
        pass
