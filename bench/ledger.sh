#!/usr/bin/env bash
# Measures the ledger and writes what it showed into bench/README.md. `bench/ledger.sh quick` runs one short pass.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p greffier-bench --bench ledger -- "$@" | tee target/ledger.jsonl
python3 bench/ledger_report.py target/ledger.jsonl bench/README.md
