"""What the documents say of the code is so, and each of their links leads somewhere."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from msgspec import structs

from scoreboard.api.exports import MOST as EXPORTS
from scoreboard.assembly import persistence, servers, webhooks
from scoreboard.commands.program import COMMANDS
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.workers.persister import ROUNDS
from scripts.settings_table import table, written

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "lua/*.md", "clients/**/*.md")
    for path in ROOT.glob(pattern)
    if "node_modules" not in path.parts
)


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The names by which a link can mean a heading of this document."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert written() == table(), "python -m scripts.settings_table writes it"


def test_every_command_is_listed_in_the_order_of_its_help() -> None:
    rows = re.findall(
        r"^\| `scoreboard ([a-z]+)` \| .+ \|$", read("docs/commands.md"), re.MULTILINE
    )
    assert rows == [*COMMANDS]


def test_every_rule_of_a_board_and_of_its_periods_has_a_row() -> None:
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", read("docs/boards.md"), re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"\w+", cell)}
    rules = [one.encode_name for of in (BoardSettings, Period) for one in structs.fields(of)]

    assert [name for name in rules if name not in told] == []


def test_the_readme_is_no_longer_than_two_screens() -> None:
    assert len(read("README.md").splitlines()) <= 80


def test_every_document_is_in_the_list() -> None:
    listed = read("docs/README.md")
    pages = [path.name for path in DOCUMENTS if path.parent == ROOT / "docs"]

    assert len(pages) > 10
    assert [name for name in pages if name != "README.md" and f"]({name})" not in listed] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if "://" not in link and not (
            target.exists()
            and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))
        ):
            broken.append(link)
    assert broken == []


def test_as_many_connections_to_postgres_are_told_as_processes_take() -> None:
    told = re.search(r"\| connections to Postgres: [^|]+\| (.+?) \|", read("docs/sizing.md"))
    served = servers.DATABASE_CONNECTIONS + servers.ARCHIVE_CONNECTIONS + servers.PAST_CONNECTIONS
    served += 2 * EXPORTS
    beside = (
        persistence.PATROL_CONNECTIONS
        + persistence.CLOSER_CONNECTIONS
        + persistence.FOLLOWER_CONNECTIONS
        + persistence.ERASER_CONNECTIONS
        + persistence.LOOKOUT_CONNECTIONS
        + persistence.WEEKS_CONNECTIONS
        + webhooks.CONNECTIONS
    )
    kept = beside + persistence.KEEPER_CONNECTIONS

    assert told
    assert told[1] == (
        f"{served}; `SCOREBOARD_PARTITIONS`, but at most {ROUNDS}, and {beside} more, "
        f"with a retention of the ledger {kept}"
    )
    assert f"but at most {ROUNDS}, plus {kept} |" in read("docs/settings.md")


def test_every_dependency_is_accounted_for() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    named = {re.split(r"[ \[<>=]", line)[0] for text in lists for line in text.split("\n") if line}
    described = set(
        re.findall(r"^\| ([A-Za-z][\w-]+) \|", read("docs/dependencies.md"), re.MULTILINE)
    ) - {"package", "file"}

    assert named - {"scoreboard"} <= described
    assert described <= named | {"hiredis", "setuptools"}
