#!/usr/bin/env bash
# Measures authorisation beside plain Cedar and writes what it showed into bench/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p greffier-policy --bench policy | tee target/policy.txt
python3 bench/report.py target/policy.txt bench/README.md policy
