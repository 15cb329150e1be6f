"""A board with everything that a board can have, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from scoreboard.assembly.moderation import remover
from scoreboard.domain.boards import BoardSettings, Rate
from scoreboard.settings import Settings
from scoreboard.workers.remover import Remover
from tests.support.arena import Arena, opened_arena
from tests.support.moderated_arena import Moderated, moderated

SETTINGS = BoardSettings(mode="flag", rate=Rate(1000, 600.0), max_points=1000)
TOTALS = {"ann": 105, "bob": 7, "cy:arena:x": 3}  # of whom ann is hidden
TABLES = ("board", "user_score", "score_action", "review", "anomaly_model")


@dataclass
class Furnished:
    """The board ``arena``, a neighbour in its partition, and who removes boards."""

    court: Moderated
    arena: Arena
    neighbour: Arena
    remover: Remover
    redis: Redis
    database: asyncpg.Connection

    async def furnish(self) -> None:
        """Fills both boards."""
        await self.court.moderator.configure("arena", lambda _: SETTINGS, by="eve")
        await self.arena.submit(("ann", "k0", 5), ("bob", "k0", 7), ("cy:arena:x", "k0", 3))
        await self.arena.submit(("ann", "k0", 6))  # a conflict
        await self.arena.submit(("ann", "k1", 100))
        await self.arena.persist()
        await self.court.moderator.set_hidden("arena", "ann", hidden=True, by="eve", reason="")
        await self.redis.set(self.arena.keys.device(b"phone"), "1:x", px=90_000)
        await self.neighbour.submit(("x:arena:y", "arena", 9), ("arena", "k0", 4))
        await self.neighbour.persist()
        for board in ("arena", "arena-2", ""):
            await self.database.execute(
                "INSERT INTO anomaly_model (board, false_alarm_rate, content) VALUES ($1, 0, '')",
                board,
            )
        body = {"v": 1, "b": "arena", "u": "ann", "a": "dead", "p": 1, "t": "t1"}
        for n, fields in enumerate(({b"d": msgspec.json.encode(body)}, {b"d": b"no JSON"}), 1):
            await self.database.execute(
                "INSERT INTO dead_event (partition, event_id, field_names, field_values, error)"
                " VALUES (0, $1, $2, $3, 'x')",
                *(f"{n}-0", list(fields), list(fields.values())),
            )

    async def keys(self) -> set[bytes]:
        """The board's keys in Redis; of its memories and receipts, too."""
        names: Any = await self.redis.keys("*")
        return {name for name in names if self.arena.keys.owns(name)}

    async def rows(self) -> dict[str, int]:
        """How many rows of the board each table has, those with any."""
        counts = {
            table: await self.database.fetchval(
                f"SELECT count(*) FROM {table} WHERE board = 'arena'"
            )
            for table in TABLES
        }
        return {table: count for table, count in counts.items() if count}

    async def neighbour_is_whole(self) -> bool:
        """Nothing of the other board is gone, and no dead letter that names none."""
        ledger = await self.database.fetchval(
            "SELECT sum(points) FROM score_action WHERE board = 'arena-2'"
        )
        kept = await self.neighbour.receipt("x:arena:y", "arena")
        models = await self.database.fetchval(
            "SELECT count(*) FROM anomaly_model WHERE board <> 'arena'"
        )
        dead = await self.database.fetch("SELECT event_id FROM dead_event")
        return (
            await self.neighbour.totals() == {"x:arena:y": 9, "arena": 4}
            and ledger == 13
            and kept[0].startswith("A9")
            and models == 2
            and [row["event_id"] for row in dead] == ["2-0"]
        )

    async def version(self) -> int:
        return int((await self.arena.meta())["version"])


@asynccontextmanager
async def furnished(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> AsyncIterator[Furnished]:
    """Both boards are in partition 0, the only one."""
    settings = msgspec.structs.replace(settings, partitions=1)
    async with (
        moderated(settings, redis, pool, database) as court,
        opened_arena(settings, redis, pool, "arena-2") as neighbour,
    ):
        removes = remover(settings, redis, pool, court.arena.durable)
        yield Furnished(court, court.arena, neighbour, removes, redis, database)
