"""Lines are handed out, waited for only so long, and never lost."""

from __future__ import annotations

import asyncio
import errno
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from scoreboard.errors import Unavailable
from scoreboard.redisio.line_pool import NodeLines
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.topology import Node


def no_descriptor(_: Node) -> NoReturn:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.fixture
async def node() -> Node:
    """A server that nobody connects to."""
    return await topology_at("redis://nowhere").owner("any")


async def test_a_line_that_can_not_be_made_costs_no_place(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = NodeLines(node, timeout=60, most=1)
    monkeypatch.setattr(Node, "connection", no_descriptor)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await lines.acquire()
    monkeypatch.undo()
    lines.release(await lines.acquire())

    assert [entry["event"] for entry in logs] == ["redis_line_failed"], "told once"


async def test_who_waits_for_a_line_waits_no_longer_than_the_timeout(node: Node) -> None:
    lines = NodeLines(node, timeout=0.01, most=1)
    taken = await lines.acquire()
    with pytest.raises(Unavailable):
        await lines.acquire()
    lines.release(taken)

    assert await lines.acquire() is taken


async def test_who_stops_waiting_for_a_line_takes_none(node: Node) -> None:
    lines = NodeLines(node, timeout=60, most=1)
    taken = await lines.acquire()
    waiting = [asyncio.create_task(lines.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lines.release(taken)
    waiting[1].cancel()  # in the moment in which it would have got the line

    assert await waiting[2] is taken


async def test_a_line_is_ready_while_it_is_connected_and_nobody_has_it(node: Node) -> None:
    class Line(ScriptLine):
        is_ready = True

    lines = NodeLines(node, timeout=60, most=1)
    assert lines.ready() is None, "none was made yet"
    line = await lines.acquire()
    lines.release(line)
    assert lines.ready() is None, "it has no connection"

    line.__class__ = Line
    assert lines.ready() is line
    assert lines.ready() is None
    waiting = asyncio.create_task(lines.acquire())
    await asyncio.sleep(0)
    lines.release(line)
    assert lines.ready() is None, "somebody has waited for it"
    assert await waiting is line


async def test_a_line_that_comes_back_after_the_end_is_closed(node: Node) -> None:
    dropped = []

    class Line(ScriptLine):
        def drop(self) -> None:
            dropped.append(self)

    lines = NodeLines(node, timeout=60, most=2)
    kept, taken = await lines.acquire(), await lines.acquire()
    taken.__class__ = Line
    lines.release(kept)
    await lines.close()
    lines.release(taken)
    assert dropped == [taken]
