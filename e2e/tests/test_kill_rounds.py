"""A few of the rounds that `kill_rounds.py` makes a thousand of."""

import os

from harness.kills import Rounds

ROUNDS = int(os.environ.get("E2E_KILL_ROUNDS", "12"))


def test_no_kill_loses_or_moves_what_was_acknowledged(binary, tmp_path):
    rounds = Rounds(binary, tmp_path, seed=ROUNDS)
    for _ in range(ROUNDS):
        rounds.round()
    rounds.finish()
    assert len(rounds.receipts) > ROUNDS and len(rounds.checkpoints) > ROUNDS / 2
    assert rounds.answers > len(rounds.receipts), "nothing was ever sent twice"
