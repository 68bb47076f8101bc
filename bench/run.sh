#!/usr/bin/env bash
# Runs the benchmarks and writes what they showed into bench/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p greffier-bench --bench layers --bench verify | tee target/bench.txt
python3 bench/report.py target/bench.txt bench/README.md
