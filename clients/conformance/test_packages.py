"""The packages hold what they have to."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import scoreboard_client

from clients.conformance import csharp
from clients.conformance.drivers import CLIENTS
from tests.support.programs import program

LICENSE = (CLIENTS.parent / "LICENSE").read_text(encoding="utf-8")


def test_every_client_has_a_readme_and_the_license() -> None:
    folders = {readme.parent for readme in CLIENTS.glob("*/README.md")} - {CLIENTS / "conformance"}

    assert folders
    assert [f for f in folders if (f / "LICENSE").read_text(encoding="utf-8") != LICENSE] == []


def test_every_client_has_the_version_and_the_changelog_of_all() -> None:
    changes = (CLIENTS / "CHANGELOG.md").read_text(encoding="utf-8")
    godot = configparser.ConfigParser()
    godot.read(CLIENTS / "godot" / "addons" / "scoreboard" / "plugin.cfg")
    npm = json.loads((CLIENTS / "javascript" / "package.json").read_text(encoding="utf-8"))
    versions = {
        csharp.project().findtext("PropertyGroup/Version"),
        csharp.PACKAGE["version"],
        godot["plugin"]["version"].strip('"'),
        npm["version"],
        scoreboard_client.__version__,
    }

    assert versions == {re.findall(r"^## (\d\S*)", changes, re.MULTILINE)[0]}
    copies = [*CLIENTS.glob("*/CHANGELOG.md"), *CLIENTS.glob("godot/addons/*/CHANGELOG.md")]
    assert len(copies) == 5
    assert [copy for copy in copies if copy.read_text(encoding="utf-8") != changes] == []


def test_dotnet_and_unity_compile_the_same_files_which_are_all_of_the_source() -> None:
    sources = sorted((CLIENTS / "csharp" / "src").iterdir())
    sources = [file for file in sources if file.suffix == ".cs"]

    assert csharp.named_by_project() == sources  # which the suite compiles
    assert csharp.named_by_assembly() == sources
    assert [file for file in csharp.seen_by_unity() if file.suffix == ".cs"] == sources


def test_the_project_of_dotnet_has_what_a_package_is_published_with() -> None:
    project = csharp.project()
    told = {one.tag: one.text for one in project.iterfind("PropertyGroup/*")}
    packed = project.findall("ItemGroup/None[@Pack='true']")
    files = [name for one in packed for name in one.attrib["Include"].split(";")]

    assert project.attrib == {"Sdk": "Microsoft.NET.Sdk"}
    assert told["TargetFramework"] == "netstandard2.0"
    assert told["PackageLicenseExpression"] == "MIT"
    assert {"PackageId", "Version", "Authors", "Description", "PackageTags"} <= told.keys()
    assert told["PackageReadmeFile"] in files
    assert [name for name in files if not (CLIENTS / "csharp" / name).is_file()] == []


def test_unity_finds_a_meta_file_of_each_thing_that_it_takes_in_and_of_nothing_else() -> None:
    written = {file: file.read_text() for file in (CLIENTS / "csharp").rglob("*.meta")}

    assert written == csharp.metas(), "python -m clients.conformance.csharp"
    assert len(set(written.values())) == len(written)


def test_the_package_of_unity_is_whole() -> None:
    package = csharp.PACKAGE
    folder = CLIENTS / "csharp"
    definition = json.loads((folder / "src" / "ScoreboardClient.asmdef").read_text("utf-8"))
    samples = [folder / sample["path"] for sample in package["samples"]]

    assert re.fullmatch(r"[a-z]+(\.[a-z]+)+", package["name"])
    assert re.fullmatch(r"20\d\d\.\d", package["unity"])
    assert {"displayName", "version", "description", "license", "author"} <= package.keys()
    assert [one for one in samples if not list(one.glob("*.cs"))] == []
    assert definition["name"] == definition["rootNamespace"] == "ScoreboardClient"
    assert definition["noEngineReferences"]  # it compiles without Unity


def test_what_goes_to_pypi_is_whole_and_is_taken_there(tmp_path: Path) -> None:
    source = shutil.copytree(CLIENTS / "python", tmp_path / "python")
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path], source)
    (wheel,) = tmp_path.glob("scoreboard_client-*.whl")
    (sdist,) = tmp_path.glob("scoreboard_client-*.tar.gz")
    _run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist], tmp_path)

    names = set(zipfile.ZipFile(wheel).namelist())
    package = (CLIENTS / "python" / "scoreboard_client").iterdir()
    assert {f"scoreboard_client/{file.name}" for file in package if file.is_file()} <= names
    with tarfile.open(sdist) as archive:
        carried = {Path(name).name for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "client.py"} <= carried
    program = f"import sys; sys.path.insert(0, {str(wheel)!r}); from scoreboard_client import *"
    _run([sys.executable, "-I", "-c", program], tmp_path)


def test_what_goes_to_npm_is_whole_and_can_be_imported(tmp_path: Path) -> None:
    npm = program("npm", package="npm")
    folder = CLIENTS / "javascript"
    command: list[str | Path] = [npm, "pack", "--json", "--offline", "--pack-destination", tmp_path]
    (packed,) = json.loads(_run(command, folder))
    names = {file["path"] for file in packed["files"]}
    source = {str(file.relative_to(folder)) for file in folder.glob("src/**/*.js")}
    around = {"package.json", "index.d.ts", "answers.d.ts", "LICENSE", "README.md", "CHANGELOG.md"}

    assert names == source | around
    with tarfile.open(tmp_path / packed["filename"]) as archive:
        archive.extractall(tmp_path / "node_modules", filter="data")
    (tmp_path / "node_modules" / "package").rename(tmp_path / "node_modules" / packed["name"])
    game = tmp_path / "game.mjs"
    game.write_text(
        'import { Journal, Scoreboard } from "scoreboard-client";\n'
        'import { LocalStorageStore } from "scoreboard-client/browser";\n'
        'console.log(Journal.name, new Scoreboard("http://a").waiting, LocalStorageStore.name);',
        encoding="utf-8",
    )
    assert _run(["node", game], tmp_path) == "Journal 0 LocalStorageStore\n"


def _run(command: Sequence[str | Path], folder: Path) -> str:
    """What the command prints. Fails the test with all that it says."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
