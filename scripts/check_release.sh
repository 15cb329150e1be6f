#!/usr/bin/env bash
# Builds wheel and sdist into dist/ and tries them as a user would: what the wheel holds, the same
# from the sdist, `pip install` without extras in a clean environment, each role started there, and
# `pip install --target`. Publishes nothing. `make release` runs it in .venv.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

work=$(mktemp -d)
. scripts/smoke.sh
trap 'end_all; rm -rf "$work"' EXIT

rm -rf dist build/lib build/bdist.*
.venv/bin/python -m build --no-isolation --outdir dist . >"$work/build.log" 2>&1 ||
  { cat "$work/build.log" && fail "the build failed"; }
.venv/bin/python -m twine check --strict dist/*
wheel=$(echo dist/*.whl)
version=$(.venv/bin/scoreboard --version)
[ "$wheel" = "dist/scoreboard-$version-py3-none-any.whl" ] || fail "$wheel is not of version $version"

names() { python3 -m zipfile --list "$1" | awk 'NR > 1 { print $1 }' | grep -v "\.dist-info/" | sort; }
.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/again" dist/*.tar.gz
diff <(names "$wheel") <(names "$work"/again/*.whl) || fail "the sdist makes another wheel"
carried='\.(py|typed|sql|lua|js|css|html|svg|woff2|gz|txt)$'
kept() { git ls-files scoreboard lua | sed 's#^lua/#scoreboard/lua/#' | grep -E "$carried" | sort; }
diff <(kept) <(names "$wheel" | grep -E "$carried") || fail "the wheel does not hold what git has"

python3 -m venv "$work/clean"
"$work/clean/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
here="$work/clean/bin/scoreboard"
program() { cd "$work" && exec env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "${settings[@]}" "$here" "$@"; }
[ "$(program --version)" = "$version" ] || fail "the installed program has another version"
start_servers "$work"
(program migrate)
for role in serve persist; do
  program $role >"$work/$role.log" 2>&1 &
  service=$!
  if [ $role = serve ]; then
    wait_for "$role" "$work/$role.log" python3 -c \
      'import sys, urllib.request; urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz")' "$port"
    post_a_score "$(program token --sub check --scope score:write)"
  else
    wait_for "$role" "$work/$role.log" grep -q persisting "$work/$role.log"
  fi
  end_service
done
(program verify) | tail -1

.venv/bin/python -m pip install --quiet --no-deps --target "$work/target" "$wheel"
(cd "$work" && PYTHONPATH="$work/target" "$work/clean/bin/python" -P - "$work/target") <<'PYTHON'
import sys

import scoreboard
from scoreboard import files

assert scoreboard.__file__.startswith(sys.argv[1]), scoreboard.__file__
for path, suffix in ((("lua",), ".lua"), (("pg", "migrations"), ".sql"), (("api", "static"), ".js")):
    assert files.texts(*path, suffix=suffix), path
PYTHON
echo "dist/ holds version $version, and it works."
