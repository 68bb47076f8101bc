#!/usr/bin/env bash
# Measures the SDK beside Python's ways of logging and writes what it showed into bench/README.md. `quick` runs a tenth.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p greffier-client --bench client_load -- "$@" | tee target/client.jsonl
python3 bench/client/peers.py "$@" | tee -a target/client.jsonl
python3 bench/client/report.py target/client.jsonl bench/README.md
