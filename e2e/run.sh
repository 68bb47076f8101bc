#!/usr/bin/env bash
# Runs the end-to-end suite against a built binary.
#
#   e2e/run.sh [pytest arguments]      GREFFIER=path/to/greffier (target/debug/greffier)   E2E_KILLS=50
#
# Installs what surrounds the binary (an identity provider, a simulated model provider, two SDKs) from the
# registries that npm and pip are set up with, once, in folders that git ignores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$here/.work
export GREFFIER=${GREFFIER:-$here/../target/debug/greffier}

# Anew only when what is wanted has changed.
fresh() { [ -f "$2" ] && cmp -s "$1" "$2"; }
mkdir -p "$work"
if ! fresh "$here/package.json" "$work/package.json" || [ ! -d "$here/node_modules" ]; then
  (cd "$here" && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
  cp "$here/package.json" "$work/package.json"
fi
if ! fresh "$here/requirements.txt" "$work/requirements.txt" || [ ! -x "$work/venv/bin/pytest" ]; then
  python3 -m venv --clear "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/requirements.txt"
fi

cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec "$work/venv/bin/python" -m pytest "$@"
