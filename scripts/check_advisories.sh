#!/usr/bin/env bash
# Looks the locked packages up in the advisories that pip-audit knows. A finding fails; a machine
# from which they can't be had says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
timeout 120 .venv/bin/pip-audit --disable-pip --require-hashes --progress-spinner off --format json \
  --requirement requirements/service.txt --requirement requirements/dev.txt \
  >"$answer" 2>/dev/null || true # its code says less than its answer
python3 - "$answer" <<'PYTHON'
import json
import sys

try:
    with open(sys.argv[1], encoding="utf-8") as answer:
        packages = json.load(answer)["dependencies"]
except ValueError:
    packages = []
known = [package for package in packages if "vulns" in package]
if not known:
    print("advisories: can't be had from here; nothing was looked up")
    sys.exit()
found = [(package, advisory) for package in known for advisory in package["vulns"]]
for package, advisory in found:
    mended = ", ".join(advisory["fix_versions"]) or "no version yet"
    print(f"{package['name']} {package['version']}: {advisory['id']}, mended in {mended}")
print(f"advisories: {len(known)} of {len(packages)} packages looked up, {len(found)} findings")
sys.exit(bool(found))
PYTHON
