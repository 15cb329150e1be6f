"""The packages hold what they have to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from clients.conformance.drivers import CLIENTS
from tests.support.programs import program

LICENSE = (CLIENTS.parent / "LICENSE").read_text(encoding="utf-8")


def test_every_client_has_a_readme_and_the_license() -> None:
    folders = {readme.parent for readme in CLIENTS.glob("*/README.md")} - {CLIENTS / "conformance"}

    assert folders
    assert [f for f in folders if (f / "LICENSE").read_text(encoding="utf-8") != LICENSE] == []


def test_the_wheel_holds_the_whole_package_with_its_types(tmp_path: Path) -> None:
    source = shutil.copytree(CLIENTS / "python", tmp_path / "python")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(command, check=True)

    (wheel,) = tmp_path.glob("scoreboard_client-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = (CLIENTS / "python" / "scoreboard_client").iterdir()
    assert {f"scoreboard_client/{file.name}" for file in package if file.is_file()} <= names


def test_the_npm_package_holds_the_whole_source_with_its_types() -> None:
    npm = program("npm", package="npm")
    folder = CLIENTS / "javascript"
    command = [npm, "pack", "--dry-run", "--json", "--offline"]
    told = subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout

    names = {file["path"] for file in json.loads(told)[0]["files"]}
    source = {str(file.relative_to(folder)) for file in folder.glob("src/**/*.js")}
    assert source | {"index.d.ts", "answers.d.ts", "LICENSE", "README.md"} < names
