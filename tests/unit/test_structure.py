"""The map of the house in docs/design.md, the tree and the import contracts say the same."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "scoreboard"
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def marked(name: str) -> str:
    """The text between a part's two marks."""
    found = re.search(rf"<!-- {name} -->(.*?)<!-- end of {name} -->", DESIGN, re.DOTALL)
    assert found is not None
    return found[1]


def rows(name: str) -> list[str]:
    """The first column of a table of the map."""
    return re.findall(r"^\| `([^`]+)` \| .+ \|$", marked(name), re.MULTILINE)


ROOMS = rows("rooms")
FOLDERS = rows("folders")


def source_files(folder: Path) -> list[Path]:
    """What stands in the folder and below, relative to it, but for what Python compiles."""
    found = (file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir())
    return [file for file in found if "__pycache__" not in file.parts]


def layers() -> list[set[str]]:
    """The layers of the import contract, the highest first."""
    lines = SETUP["importlinter:contract:layers"]["layers"].strip().split("\n")
    return [
        {name.strip().removeprefix("scoreboard.") for name in line.split("|")} for line in lines
    ]


def test_every_file_of_the_package_is_in_a_room_of_the_map() -> None:
    of_the_package = {Path("__init__.py"), Path("py.typed"), Path("lua")}
    files = set(source_files(PACKAGE)) - of_the_package

    assert len(files) > 100
    rooms = {Path(room) for room in ROOMS}
    assert sorted(file for file in files if not {file.parent, file.with_suffix("")} & rooms) == []


def test_every_room_of_the_map_is_there_once() -> None:
    assert sorted(set(ROOMS)) == sorted(ROOMS)
    missing = [r for r in ROOMS if not ((PACKAGE / r).is_dir() or (PACKAGE / f"{r}.py").is_file())]
    assert missing == []


def test_every_folder_of_the_map_is_there_and_none_of_scripts_and_tests_is_left_out() -> None:
    assert [folder for folder in FOLDERS if not (ROOT / folder).is_dir()] == []
    for parent in ("tests", "scripts"):
        files = source_files(ROOT / parent)
        there = {f"{parent}/{file.parts[0]}" for file in files if len(file.parts) > 1}
        assert there == {folder for folder in FOLDERS if folder.startswith(f"{parent}/")}


def test_folders_of_tests_are_named_after_the_rooms_that_they_test() -> None:
    rooms = {*ROOMS, *(folder.removeprefix("scripts/") for folder in FOLDERS)}
    for kind in ("unit", "integration"):
        tests = ROOT / "tests" / kind
        there = {file.parent.as_posix() for file in source_files(tests)} - {"."}
        assert there <= rooms


def test_the_arrows_of_the_map_are_those_of_the_import_contract() -> None:
    drawn = marked("arrows").split("->")

    assert [{name.strip() for name in layer.split("|")} for layer in drawn] == layers()


def test_every_room_at_the_top_has_its_place_in_the_import_contract() -> None:
    top = {room for room in ROOMS if "/" not in room} - {"lua"}

    assert set().union(*layers()) == top


def test_no_library_but_msgspec_and_cronsim_is_open_to_domain_and_wire() -> None:
    forbidden = SETUP["importlinter:contract:core"]["forbidden_modules"].split()

    assert libraries() - {"msgspec", "cronsim"} == set(forbidden)


def libraries() -> set[str]:
    """What the package imports from elsewhere than itself and Python."""
    modules: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module is not None
                modules.add(node.module)
    return {module.split(".")[0] for module in modules} - {*sys.stdlib_module_names, PACKAGE.name}


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+/[\w./]*|\w+\.(?:md|cfg))`", text)
    named += re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    to_be_made = {name for name in named if "NAME" in name or "NNNN" in name}
    paths = set(named) - to_be_made - set(ROOMS)

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("role", "other"),
    [("serve", "scoreboard.webhooks.sender"), ("persist", "scoreboard.api.app")],
)
def test_a_process_of_a_deployment_loads_no_more_than_it_runs(role: str, other: str) -> None:
    """What it loads stays in its memory."""
    code = """if True:
        import atexit, sys, scoreboard.__main__
        atexit.register(lambda: print(*(name for name, found in sys.modules.items() if found)))
        scoreboard.__main__.main()"""
    ended = subprocess.run(
        [sys.executable, "-c", code, role],
        env={"SCOREBOARD_REDIS_URL": "no URL", "SCOREBOARD_JWT_KEYS": "k=" + "x" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SCOREBOARD_REDIS_URL" in ended.stderr, ended
    loaded = set(ended.stdout.split())
    assert "scoreboard.redisio.connections" in loaded
    assert loaded & {"typer", "rich", "numpy", "sklearn", "opentelemetry.exporter", other} == set()


def test_migrations_are_numbered_from_one_without_gaps_and_each_once() -> None:
    names = sorted(file.name for file in (PACKAGE / "pg" / "migrations").glob("*.sql"))

    assert [name[:5] for name in names] == [f"{n:04}_" for n in range(1, len(names) + 1)]
