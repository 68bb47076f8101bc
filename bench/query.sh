#!/usr/bin/env bash
# Asks Greffier, DuckDB and chDB the same questions of the same ten million events, and the first document's analyses of
# one million; writes what it showed into bench/README.md. The first run makes the events: some 15 minutes and 10 GB
# under target/query. `bench/query.sh quick` asks a million and a hundred thousand.
set -euo pipefail
cd "$(dirname "$0")/.."
events=10000000 analysed=1000000 work=target/query
case "${1:-}" in quick) events=1000000 analysed=100000 work=target/query-quick ;; esac
release=$PWD/target/release
mkdir -p "$work"
cargo build --release --locked -p greffier -p greffier-bench --bin greffier --bin greffier-load --bin greffier-corpus
if ! cmp -s bench/query/requirements.txt "$work/requirements.txt"; then
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r bench/query/requirements.txt
    cp bench/query/requirements.txt "$work/requirements.txt"
fi

# An installation with so many events.
installation() {
    [ -f "$1/filled" ] && return
    rm -rf "$1"
    mkdir -p "$1"
    (cd "$1" && "$release/greffier" init >/dev/null)
    "$release/greffier-corpus" "$1" "$2"
    (cd "$1" && "$release/greffier" index --data greffier-data --quiet)
    touch "$1/filled"
}
installation "$work/corpus" "$events"
installation "$work/analysed" "$analysed"

{
    echo "{\"events\": $events}"
    "$work/venv/bin/python" bench/query/run.py "$work" "$@"
    "$work/venv/bin/python" bench/query/analyses.py "$work" "$analysed" "$@"
} | tee "$work/results.jsonl"
python3 bench/query/report.py "$work/results.jsonl" bench/README.md
