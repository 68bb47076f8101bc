"""kill -9 under load: what a client was told is there, and nothing reached an upstream off the record."""

import base64
import os
import random
import re
import threading

import httpx
import pytest

from harness import trail
from harness.procs import wait_until

KILLS = int(os.environ.get("E2E_KILLS", "50"))
CALLERS = 4
TRACE = re.compile(rb"trace-([0-9a-f]{32})")


class Load:
    """Callers that ask without a pause, and note each receipt they were given."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        self.receipts = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def _call(self, number):
        dice = random.Random()
        with httpx.Client(base_url=self.url, trust_env=False, timeout=5) as http:
            while not self.over.is_set():
                trace = f"{dice.getrandbits(128) or 1:032x}"
                headers = {
                    "authorization": f"Bearer {self.token}", "traceparent": f"00-{trace}-{'1' * 16}-01",
                }
                try:
                    if number % 2:
                        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"say hello trace-{trace}"}],
                                "stream": number % 4 == 1}
                        reply = http.post("/v1/chat/completions", json=body, headers=headers)
                    else:
                        reply = http.post("/tools/crm/search", json={"q": f"trace-{trace}"}, headers=headers)
                except httpx.HTTPError:
                    # Killed in the middle: the head, and with it the receipt, may not have come.
                    continue
                if "greffier-receipt" in reply.headers:
                    self.receipts.append((reply.headers["greffier-receipt"], trace))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.skipif(KILLS == 0, reason="E2E_KILLS=0")
def test_kill_under_load(install, world, alice):
    greffier = install()
    sent = len(world.models.tap.sent)
    known = len(world.tools.journal)
    receipts, dice = [], random.Random(4)
    for round_number in range(KILLS):
        greffier.start()
        load = Load(greffier.url, alice)
        try:
            # Some calls went through; then the end comes at any point of some other call.
            wait_until(lambda: len(load.receipts) >= 3, "calls go through", 30)
            threading.Event().wait(dice.uniform(0, 0.15))
        finally:
            greffier.kill()
            load.stop()
        receipts += load.receipts
        checked = greffier.verify()
        assert checked.returncode == 0, f"round {round_number}: {checked.stdout}{checked.stderr}"
    greffier.start()
    greffier.assert_calm()
    greffier.stop()
    checked = greffier.verify()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    node = greffier.events("greffier")
    starts = [event for event in node if event["type"] == "agent.start"]
    unclean = [event for event in node if event["action"]["name"] == "node:unclean_stop"]
    assert (len(starts), len(unclean)) == (KILLS + 1, KILLS), "every start and every unclean stop is on the node's trail"

    # Every receipt a client got is in the trail, at its index, with its hash; by the tiles and by the log.
    folder = greffier.data / "trails" / "org_acme_corp"
    _, size, root, _, _ = trail.checkpoint(folder)
    leaves = trail.leaves(folder, size)
    assert trail.tree_root(leaves) == root, "the tiles are not the tree that was signed"
    by_index = {event["_index"]: event for event in greffier.events("org_acme_corp")}
    assert sorted(by_index) == list(range(size)), "the log and the tree differ"
    assert len(receipts) >= 3 * KILLS
    for receipt, trace in receipts:
        tenant, index, leaf = receipt.split(" ")
        assert tenant == "org_acme_corp"
        assert leaves[int(index)] == base64.b64decode(leaf), f"{receipt} is not in the trail"
        assert by_index[int(index)]["trace"]["trace_id"] == trace

    # Every call that reached an upstream has its decision on record.
    decided = {event["trace"]["trace_id"] for event in by_index.values() if event["type"] == "action.approved"}
    reached = {found.decode() for found in TRACE.findall(world.models.tap.sent[sent:])}
    for seen in world.tools.journal[known:]:
        reached |= {found.decode() for found in TRACE.findall(seen["body"].encode())}
    assert reached and reached <= decided, f"{len(reached - decided)} calls went upstream off the record"

    # Every decision has exactly one outcome; those that a kill left open were closed as unknown.
    outcomes = {}
    for event in by_index.values():
        if event["type"] in ("action.executed", "action.failed"):
            outcomes.setdefault(event["request_id"], []).append(event)
    decisions = [event["request_id"] for event in by_index.values() if event["type"] == "action.approved"]
    assert len(decisions) == len(set(decisions))
    assert {request: len(outcomes.get(request, [])) for request in decisions} == dict.fromkeys(decisions, 1)
    assert set(outcomes) == set(decisions), "an outcome without a decision"
    closed = [event for found in outcomes.values() for event in found if event["outcome"]["status"] == "unknown"]
    assert all(event["type"] == "action.failed" for event in closed)
    assert closed, "no kill hit a call in the middle: the test did not test what it should"
