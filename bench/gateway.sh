#!/usr/bin/env bash
# Measures whole gateways side by side and writes what it showed into bench/README.md: some 10 minutes, and the first
# time some more for the peers. `bench/gateway.sh quick` runs one short pass; names of subjects choose among them.
set -euo pipefail
cd "$(dirname "$0")/.."
work=target/gateway
mkdir -p "$work"
cargo build --release --locked -p greffier -p greffier-bench --bin greffier --bin greffier-load
if ! cmp -s bench/gateway/requirements.txt "$work/requirements.txt"; then
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r bench/gateway/requirements.txt
    cp bench/gateway/requirements.txt "$work/requirements.txt"
fi
if ! cmp -s bench/gateway/package.json "$work/package.json"; then
    cp bench/gateway/package.json "$work/package.json"
    (cd "$work" && npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error)
fi
"$work/venv/bin/python" bench/gateway/run.py "$work" "$@" | tee "$work/results.jsonl"
python3 bench/gateway/report.py "$work/results.jsonl" bench/README.md
