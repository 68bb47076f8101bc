#!/usr/bin/env bash
# Measures ingest over HTTP, client included, and writes what it showed into bench/README.md: some five minutes.
# `bench/ingest.sh quick` runs one short pass.
set -euo pipefail
cd "$(dirname "$0")/.."
work=target/ingest
mkdir -p "$work"
cargo build --release --locked -p greffier -p greffier-bench --bin greffier --bin greffier-load
python3 bench/ingest/run.py "$work" "$@" | tee "$work/results.jsonl"
python3 bench/ingest/report.py "$work/results.jsonl" bench/README.md
