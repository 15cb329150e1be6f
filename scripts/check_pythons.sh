#!/usr/bin/env bash
# Runs the tests of unit/ and lua/ on each further Python that the service supports and that is to
# be found here: in PATH, or below ~/.pyenv. Says which are not here. An argument names the folder
# of the environments (default: build/pythons).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/pythons}

own=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for version in 3.11 3.12 3.13; do
  [ "$version" != "$own" ] || continue
  python=''
  for candidate in "$(command -v "python$version" || true)" ~/.pyenv/versions/"$version".*/bin/python; do
    if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "Python $version is not on this machine: not tested"
    continue
  fi
  echo "Python $version"
  "$python" -m venv --clear "$folder/$version"
  # uv takes a seventh of pip's processor time, which CI is short of.
  install=(.venv/bin/uv pip install --quiet --python "$folder/$version/bin/python")
  "${install[@]}" --require-hashes --requirement requirements/dev.txt
  "${install[@]}" --no-deps --no-build-isolation --editable .
  "$folder/$version/bin/python" -m pytest -n 2 tests/unit tests/lua
done
