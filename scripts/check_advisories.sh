#!/usr/bin/env bash
# Looks the locked packages up in the advisories that pip-audit knows. A finding fails; a machine
# from which they can't be had says so, and why, and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

answer=$(mktemp)
errors=$(mktemp)
trap 'rm -f "$answer" "$errors"' EXIT
code=0
timeout 120 .venv/bin/pip-audit --disable-pip --require-hashes --progress-spinner off --format json \
  --requirement requirements/service.txt --requirement requirements/dev.txt \
  --requirement requirements/docs.txt \
  >"$answer" 2>"$errors" || code=$?
[ $code != 2 ] || { cat "$errors" && exit 2; } # called wrongly; else its answer says more
python3 - "$answer" "$errors" <<'PYTHON'
import json
import sys
from pathlib import Path

answer, errors = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
packages = json.loads(answer)["dependencies"] if answer else []
known = [package for package in packages if "vulns" in package]
if not known:
    reasons = [package["skip_reason"] for package in packages] or errors.splitlines()[-1:]
    print("advisories: nothing was looked up, they can't be had from here:", *reasons[:1])
    sys.exit()
found = [(package, advisory) for package in known for advisory in package["vulns"]]
for package, advisory in found:
    mended = ", ".join(advisory["fix_versions"]) or "no version yet"
    print(f"{package['name']} {package['version']}: {advisory['id']}, mended in {mended}")
print(f"advisories: {len(known)} of {len(packages)} packages looked up, {len(found)} findings")
sys.exit(bool(found))
PYTHON
