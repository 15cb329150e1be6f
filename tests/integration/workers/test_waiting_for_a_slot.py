"""Decisions and removals that wait for their turn while a server falls silent: those at work find
it out, and the others are told at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.errors import Unavailable
from scoreboard.pg.removals import Removals
from scoreboard.settings import Settings
from scoreboard.workers import moderator
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.slots import Slots
from tests.support.moderated_arena import Moderated
from tests.support.removed_board import furnished
from tests.support.waiting import PATIENCE, wait_until

MANY = 20


class Silence:
    """A server in place of a method: everybody waits for it until it is given up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self._over = asyncio.Event()
        self._came = 0
        taken = Slots.taken

        def come(slots: Slots) -> AbstractAsyncContextManager[None]:
            self._came += 1
            return taken(slots)

        monkeypatch.setattr(Slots, "taken", come)

    async def ask(self, *_: object) -> None:
        self.asked += 1
        await self._over.wait()
        raise Unavailable("Redis does not answer in time.")

    async def told(self, call: Callable[[], Awaitable[object]]) -> list[str]:
        """What each of many calls is told when the first has found out and all others wait."""
        calls = [asyncio.ensure_future(call()) for _ in range(MANY)]
        await wait_until(
            lambda: self.asked and self._came == MANY,
            description="the first asks the server, and the others wait",
        )
        self._over.set()
        async with asyncio.timeout(PATIENCE):
            return [str(error) for error in await asyncio.gather(*calls, return_exceptions=True)]


async def test_of_many_decisions_only_those_at_work_wait_for_a_silent_server(
    court: Moderated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.arena.submit(("ann", "k0", 5))
    silence = Silence(monkeypatch)

    async def live(*_: object, **__: object) -> None:
        """So that every call waits for its turn once the first asks."""

    monkeypatch.setattr(Rebuilder, "ensure", live)
    monkeypatch.setattr(Rebuilder, "drain", silence.ask)
    told = await silence.told(
        lambda: court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
    )
    assert told == ["Redis does not answer in time."] * MANY
    assert silence.asked <= moderator.AT_ONCE
    monkeypatch.undo()
    await court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
    assert await court.arena.totals() == {}


async def test_of_many_removals_only_the_one_at_work_waits_for_a_silent_server(
    settings: Settings,
    redis: Redis,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with furnished(settings, redis, pool, database) as place:
        await place.furnish()
        silence = Silence(monkeypatch)
        monkeypatch.setattr(Removals, "check_rights", silence.ask)
        told = await silence.told(lambda: place.remover.remove("arena", "delete", by="eve"))
        assert told == ["Redis does not answer in time."] * MANY
        assert silence.asked == 1
        monkeypatch.undo()
        assert await place.remover.remove("arena", "delete", by="eve")
        assert await place.rows() == {}
