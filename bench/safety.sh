#!/usr/bin/env bash
# Measures content safety on the evaluation set, ours beside Presidio and redact-core, into bench/README.md.
# `bench/safety.sh ours` leaves the peers' answers of the last run as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
work=target/safety
set=bench/safety/set.jsonl
mkdir -p "$work"
greffier=${GREFFIER:-target/debug/greffier}
test -x "$greffier" || cargo build --locked
"$greffier" scan < "$set" > "$work/ours.jsonl"
peers=$work/build/release/greffier-peers
CARGO_TARGET_DIR=$work/build cargo build --release --locked --manifest-path bench/peers/Cargo.toml
"$peers" greffier < "$set" > "$work/ours-timed.jsonl"
if [ "${1:-}" != ours ]; then
    "$peers" redact < "$set" > "$work/redact.jsonl"
    python=$work/venv/bin/python
    test -x "$python" || python3 -m venv "$work/venv"
    "$python" -m pip install --quiet --requirement bench/safety/requirements.txt
    for kind in blank model; do
        "$python" bench/safety/presidio.py "$kind" < "$set" > "$work/presidio-$kind.jsonl"
    done
fi
python3 bench/safety/report.py "$set" bench/README.md \
    "Greffier=$work/ours.jsonl+$work/ours-timed.jsonl" \
    "redact-core 0.12.7=$work/redact.jsonl" \
    "Presidio, patterns=$work/presidio-blank.jsonl@0.35" \
    "Presidio, small model=$work/presidio-model.jsonl@0.35"
