#!/usr/bin/env bash
# Measures the SDK beside Python's ways of logging and writes what it showed into bench/README.md. `quick` runs a tenth.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p greffier-client --bench client_load -- "$@" | tee target/client.jsonl
# The wheel as users get it, in a Python of its own.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
python3 -m venv --clear "$CARGO_TARGET_DIR/python/bench"
pip="$CARGO_TARGET_DIR/python/bench/bin/python -m pip --quiet --disable-pip-version-check"
$pip install -r python/tests/build.txt
(cd python && "$CARGO_TARGET_DIR/python/bench/bin/maturin" build --locked --release --quiet --out "$CARGO_TARGET_DIR/python/bench/wheels")
$pip install "$CARGO_TARGET_DIR"/python/bench/wheels/*.whl
"$CARGO_TARGET_DIR/python/bench/bin/python" bench/client/peers.py "$@" | tee -a target/client.jsonl
python3 bench/client/report.py target/client.jsonl bench/README.md
