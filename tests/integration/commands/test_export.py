"""``scoreboard export`` as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from scoreboard.commands.action_file import read_actions
from tests.integration.commands.conftest import Run
from tests.support.arena import Arena

ACTIONS = [("ann", "a1", 5), ("bob", "b1", 7), ("cy", "c1", 7), ("ann", "a2", 1)]


@pytest.fixture
async def played(arena: Arena) -> Arena:
    await arena.submit(*ACTIONS)
    await arena.persist()
    return arena


def ndjson(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    head, *rows = map(json.loads, text.splitlines())
    return head["snapshot"], rows


async def test_standings_go_to_standard_output_and_the_watermark_is_told_beside(
    played: Arena, run: Run
) -> None:
    ended = await run("export", "--board", "arena", "--format", "ndjson")

    head, rows = ndjson(ended.out)
    assert [(row["rank"], row["userId"], row["score"]) for row in rows] == [
        *((1, "bob", 7), (2, "cy", 7), (3, "ann", 6)),
    ]
    assert ended.err.strip() == f"arena: 3 rows as of event {head['watermark']}"
    assert head["watermark"] == (await played.meta())["event"]


async def test_a_csv_of_actions_can_be_read_where_actions_are_read(
    played: Arena, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "actions.csv"

    await run("export", "--board", "arena", "--what", "actions", "--output", str(file))

    read = [(a.action.user_id, a.action.action_id, a.action.points) for a in read_actions(file)]
    assert read == ACTIONS
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["actions.csv"]


async def test_a_file_that_can_not_be_written_is_an_error_in_a_line_and_leaves_nothing(
    played: Arena, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "missing" / "arena.csv"

    ended = await run("export", "--board", "arena", "--output", str(file), code=1)

    assert ended.err.splitlines()[-1].endswith("can't be written: No such file or directory")


async def test_a_pipe_and_a_link_stay_what_they_are(
    played: Arena, run: Run, tmp_path: Path
) -> None:
    pipe, link, linked = tmp_path / "pipe", tmp_path / "link", tmp_path / "linked"
    os.mkfifo(pipe)
    link.symlink_to(linked)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for output in (pipe, link):
            await run("export", "--board", "arena", "--output", str(output))
        through_pipe = os.read(reader, 65536)
    finally:
        os.close(reader)

    assert pipe.is_fifo()
    assert link.is_symlink()
    for written in (through_pipe, linked.read_bytes()):
        assert [row.split(b",")[1] for row in written.splitlines()[2:]] == [b"bob", b"cy", b"ann"]
    assert len(await asyncio.to_thread(os.listdir, tmp_path)) == 3


async def test_standings_as_parquet(played: Arena, run: Run, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    file = tmp_path / "arena.parquet"

    await run("export", "--board", "arena", "--format", "parquet", "--output", str(file))

    assert arrow.read_table(file).column("user_id").to_pylist() == ["bob", "cy", "ann"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--board", "nobody"), "There is no board 'nobody'."),
        (
            ("--board", "arena", "--period", "week", "--occurrence", "previous"),
            "The board has no such period.",
        ),
        (("--board", "arena", "--occurrence", "1"), "--occurrence needs --period"),
        (
            ("--board", "arena", "--period", "week", "--occurrence", "last"),
            "--occurrence is a number, or previous",
        ),
    ],
)
async def test_what_there_is_not_is_said_in_a_line(
    played: Arena, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = await run("export", *arguments, code=1)

    assert (ended.out, ended.err) == ("", f"scoreboard: {said}\n")
