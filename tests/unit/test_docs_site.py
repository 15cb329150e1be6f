"""The site of the documents: what is in it, and that it asks no other host for anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from scoreboard.commands.program import COMMANDS
from scripts.docs_site import foreign, lay_out
from scripts.reference_pages import commands_page, metrics_page

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    lay_out(folder)
    return folder


def test_every_page_but_single_decisions_is_in_the_navigation_once(source: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {page.relative_to(source).as_posix() for page in source.rglob("*.md")}
    pages -= {page for page in pages if re.match("docs/decisions/\\d", page)}  # their list is

    assert len(pages) > 35
    assert sorted(re.findall(r"(\S+\.md)$", navigation, re.MULTILINE)) == sorted(pages)


def test_documents_keep_their_words(source: Path) -> None:
    for document in ("README.md", "docs/try.md", "docs/decisions/0007-the-cut.md"):
        assert (source / document).read_text() == (ROOT / document).read_text()


def test_no_document_has_a_merge_left_in_it(source: Path) -> None:
    marks = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)

    assert [page.name for page in source.rglob("*.md") if marks.search(page.read_text())] == []


def test_files_that_documents_link_to_come_along_but_no_whole_folders(source: Path) -> None:
    files = {f.relative_to(source).as_posix() for f in source.rglob("*") if f.is_file()}

    assert {"LICENSE", "docs/images/leaderboard.png", "deploy/redis.conf"} <= files
    assert "deploy/compose/compose.yaml" not in files  # beside it an operator has secrets
    to_folder = re.compile(r"\]\(\.\./deploy/?\)")
    assert to_folder.search((ROOT / "docs/production.md").read_text())
    assert not to_folder.search((source / "docs/production.md").read_text())


def test_every_command_and_subcommand_has_its_options_in_the_reference() -> None:
    shown = set(re.findall(r"^#+ `scoreboard (.+)`$", commands_page(), re.MULTILINE))

    assert shown >= {*COMMANDS, "boards set", "token revoke"}
    assert "--period 'NAME KEY=VALUE ...'" in commands_page()


def test_every_metric_of_the_service_is_in_the_reference() -> None:
    families = {f.name: f for f in REGISTRY.collect() if f.name.startswith("scoreboard_")}
    shown = set(re.findall(r"^\| `(\w+)`", metrics_page(), re.MULTILINE))

    assert len(families) > 40
    assert {re.sub(r"_(total|info)$", "", name) for name in shown} == families.keys()


@pytest.mark.parametrize(
    "asked",
    [
        '<script src="https://cdn.example/a.js"></script>',
        "<script defer src=//cdn.example/a.js></script>",
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<img alt="" src="http://img.example/a.png">',
    ],
)
def test_what_a_page_would_fetch_from_another_host_is_found(tmp_path: Path, asked: str) -> None:
    page = tmp_path / "page" / "index.html"
    page.parent.mkdir()
    own = '<script src="../a.js"></script><a href="https://elsewhere.example">'

    page.write_text(own)
    assert foreign(tmp_path) == []
    page.write_text(own + asked)
    assert len(foreign(tmp_path)) == 1
