#!/usr/bin/env bash
# How long a newcomer waits, on this machine: a cold build up to the end of the demo's script, the tests' build
# after it, and the loop of an edit and the tests of one crate. Writes the table into bench/README.md.
#
#   bench/newcomer.sh      some 25 minutes on two cores, and 6 GB in a temporary folder
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git clone -q . "$place/clone"
export CARGO_TARGET_DIR=$place/target CARGO_TERM_COLOR=never
cargo fetch --locked -q

# CPU seconds of everything that ended, into `spent`: `times` knows only the shell that asks.
spent=0
cpu() {
  times >"$place/times"
  read -r spent < <(awk 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/); print u[1] * 60 + u[2] + s[1] * 60 + s[2] }' "$place/times")
}

rows=()
measure() {
  local what=$1 began=$EPOCHREALTIME before
  shift
  cpu && before=$spent
  (cd "$place/clone" && "$@") >"$place/out" 2>&1 || { tail -n 20 "$place/out" >&2; exit 1; }
  cpu
  rows+=("$(awk -v what="$what" -v a="$began" -v b="$EPOCHREALTIME" -v c="$before" -v d="$spent" \
    'BEGIN { printf "| %s | %.0f s | %.0f s |", what, b - a, d - c }')")
  printf '%s\n' "${rows[-1]}"
}

# An edit that the compiler has to look at.
edit() { printf '\n// %s\n' "$EPOCHREALTIME" >>"$place/clone/crates/$1/src/lib.rs"; }

measure '`cargo run -- demo --once`, cold' cargo run --locked -- demo --once
measure '`cargo test --workspace --no-run` after it' cargo test --locked --workspace --no-run
for crate in event ledger query api gateway; do
  # Warm first: the loop is what every further edit costs.
  (cd "$place/clone" && cargo test --locked -q -p "greffier-$crate" --no-run) >"$place/out" 2>&1
  edit "$crate"
  measure "edit \`$crate\`, build its tests" cargo test --locked -p "greffier-$crate" --no-run
done
edit api
measure 'edit `api`, link the binary' cargo build --locked

python3 - "${rows[@]}" <<'PYTHON'
import datetime, pathlib, platform, re, sys
readme = pathlib.Path("bench/README.md")
cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "unknown")
cores = sum(l.startswith("processor") for l in open("/proc/cpuinfo"))
table = "\n".join([f"Run on {datetime.date.today()}, {cores} x {cpu}, Linux {platform.release()}.", "",
                   "| step | wall | CPU |", "|---|---:|---:|", *sys.argv[1:]])
text = readme.read_text()
pattern = r"(<!-- newcomer's last run -->\n).*?(\n<!-- end of newcomer's last run -->)"
readme.write_text(re.sub(pattern, lambda m: f"{m[1]}\n{table}\n{m[2]}", text, flags=re.S))
PYTHON
