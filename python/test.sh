#!/usr/bin/env bash
# Builds the wheel and tests it, as users get it, in the current Python and in the oldest that it is for.
#
#   python/test.sh [pytest arguments]
#
#   PYTHON=python3        the current Python
#   PYTHON39=…            a Python 3.9; looked for otherwise. Where none can be had: PYTHON39=none, which is said aloud
#   PROFILE=dev           cargo's profile: `release` is for users
#
# Everything it needs comes from the registries that pip and cargo are set up with, into the target folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/../target}
work=$CARGO_TARGET_DIR/python
python=${PYTHON:-python3}
mkdir -p "$work"

# Version 3.9 under one of its names; a shim without an interpreter behind it does not count.
find39() {
  local candidate
  for candidate in python3.9 "$HOME"/.pyenv/versions/3.9.*/bin/python3.9 /opt/python/cp39-*/bin/python /usr/local/bin/python3.9; do
    if "$candidate" -c 'import sys, venv; assert sys.version_info[:2] == (3, 9)' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}
python39=${PYTHON39:-$(find39)}
if [ -z "$python39" ]; then
  echo "no Python 3.9 found, for which the wheel is built: install one, or say PYTHON39=none to go without" >&2
  exit 1
fi

# A venv whose packages are those of a file, made anew only when the file has changed.
venv() { # folder, python, file
  if ! { [ -x "$1/bin/python" ] && cmp -s "$3" "$1/requirements.txt"; }; then
    "$2" -m venv --clear "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$3"
    cp "$3" "$1/requirements.txt"
  fi
}

venv "$work/build" "$python" "$here/tests/build.txt"
rm -rf "$work/wheels"
(cd "$here" && "$work/build/bin/maturin" build --locked --profile "${PROFILE:-dev}" --out "$work/wheels" --quiet \
  --interpreter "$("$work/build/bin/python" -c 'import sys; print(sys.executable)')")
wheel=$(ls "$work"/wheels/greffier-*-cp39-abi3-*.whl)

test_with() { # folder, python, packages, pytest arguments
  local folder=$1 interpreter=$2 packages=$3
  shift 3
  venv "$folder" "$interpreter" "$packages"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
  printf '\n== %s\n' "$("$folder/bin/python" --version)"
  # Elsewhere than beside the sources, so that what was installed is what is tested.
  (cd "$here/tests" && PYTHONDONTWRITEBYTECODE=1 "$folder/bin/python" -m pytest -c ../pyproject.toml -p no:cacheprovider "$@" .)
}

test_with "$work/current" "$python" "$here/tests/current.txt" "$@"
if [ "$python39" = none ]; then
  printf '\n== NOT TESTED with Python 3.9: PYTHON39=none\n'
else
  test_with "$work/oldest" "$python39" "$here/tests/oldest.txt" "$@"
fi
