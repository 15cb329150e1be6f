"""The addon as Godot 4 gets it: that of Godot 3, and over it the files of ``godot4``. No Godot 4 is
to be had here; what can be told without one is tested: each file is GDScript of Godot 4, the two
files of an engine's own offer the same, and the others ask of an engine only what both have."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clients.conformance.drivers import CLIENTS

GODOT = CLIENTS / "godot" / "addons" / "scoreboard"
GODOT4 = CLIENTS / "godot4" / "addons" / "scoreboard"
OWN = {file.name for file in GODOT4.glob("*.gd")}  # of an engine: in two forms
SHARED = sorted(file for file in GODOT.glob("*.gd") if file.name not in OWN)

# What the other files call that neither they nor the platform define: both engines have it, and it
# means the same.
COMMON = {
    *("append", "duplicate", "emit_signal", "erase", "get", "has", "has_all", "int", "max", "min"),
    *("new", "pow", "preload", "range", "replace", "rstrip", "size", "str", "typeof", "values"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game of Godot 4 with the addon, as the README says."""
    game = tmp_path_factory.mktemp("game")
    for folder in ("godot", "godot4"):
        shutil.copytree(CLIENTS / folder / "addons", game / "addons", dirs_exist_ok=True)
    for name in ("example", "project.godot"):
        source = CLIENTS / "godot4" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, game / name)
    return game


def code(file: Path) -> str:
    """The file without comments and texts."""
    without = re.sub(r'"[^"\n]*"', '""', file.read_text(encoding="utf-8"))
    return re.sub(r"#.*", "", without)


def test_every_file_is_a_script_of_godot_4(project: Path) -> None:
    scripts = sorted(project.rglob("*.gd"))
    command = [Path(sys.executable).with_name("gdparse"), *scripts]
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert {script.name for script in scripts} > OWN | {script.name for script in SHARED}
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_scene_and_its_scripts_find_what_they_name(project: Path) -> None:
    named = [
        (file, name)
        for file in [*project.rglob("*.gd"), *project.rglob("*.tscn"), project / "project.godot"]
        for name in re.findall(r'"res://([^"]+)"', file.read_text(encoding="utf-8"))
    ]

    assert len(named) > 3
    assert [(file, name) for file, name in named if not (project / name).is_file()] == []


def test_what_differs_between_the_engines_is_in_the_same_functions_of_the_platform() -> None:
    def offered(file: Path) -> list[str]:
        found = re.findall(r"^\t?(?:static )?func \w+\(.*\)|^class \w+", code(file), re.MULTILINE)
        return [name.strip() for name in found if not re.search(r" _(?!init)", name)]

    assert offered(GODOT / "platform.gd") == offered(GODOT4 / "platform.gd")
    assert len(offered(GODOT / "platform.gd")) > 15


def test_the_other_files_ask_of_an_engine_only_what_both_have() -> None:
    defined = set()
    called = set()
    for file in [*SHARED, GODOT / "platform.gd"]:
        defined |= set(re.findall(r"^\t?(?:static )?func (\w+)\(", code(file), re.MULTILINE))
    for file in SHARED:
        defined |= set(re.findall(r"^signal (\w+)", code(file), re.MULTILINE))
        called |= set(re.findall(r"(\w+)\(", code(file)))

    assert called - defined <= COMMON
    assert {"emit_signal", "preload", "size"} <= called
