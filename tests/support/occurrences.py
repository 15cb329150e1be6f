"""Ends and closes occurrences of a test's board at once, and not when a calendar says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from scoreboard.domain.periods import Period
from scoreboard.redisio.commands import run_script
from scoreboard.wire import scripts
from scoreboard.wire.keys import BoardKeys
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.wire.scripts import DONE
from tests.support.arena import Arena
from tests.support.waiting import wait_until


def lasting(name: str, *, grace: int = 0) -> Period:
    """A period that no test sees turn by itself, as it might see a day at midnight."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return Period(name, every="P3000D", start=start, grace=grace)


async def known_period(arena: Arena, period: str) -> KnownPeriod | None:
    """What Redis knows of a period."""
    return KnownPeriod.from_text((await arena.meta()).get(f"period:{period}", ""))


async def now_ms(arena: Arena) -> int:
    """Redis's clock."""
    seconds, micros = await arena.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def end_occurrence(arena: Arena, period: str, *, grace_ms: int = 0) -> str:
    """Lets the latest occurrence of a live board's period end now; the name of its table. The next
    one is opened by the next action."""
    await arena.persist()
    known = await known_period(arena, period)
    assert known is not None
    latest_event = int((await arena.meta())["event"].partition("-")[0])
    end = max(await now_ms(arena), latest_event) + 1
    ended = structs.replace(
        known,
        latest=structs.replace(known.latest, ends_at=end),
        final_at=end + grace_ms,
    )
    await arena.redis.hset(arena.keys.meta, f"period:{period}", ended.to_text())
    async with arena.durable.ledger.locked(arena.keys.partition) as session:
        await session.connection.execute(
            "UPDATE period_occurrence SET ends_at = $4, final_at = $5"
            " WHERE (board, period, occurrence) = ($1, $2, $3)",
            *(arena.board, period, known.latest.number, end, end + grace_ms),
        )

    async def over() -> bool:
        return await now_ms(arena) >= end

    await wait_until(over, description="the occurrence is over", interval=0.001)
    return f"{arena.board}:{period}:{known.latest.number}"


async def make_final(arena: Arena, period: str, number: int) -> None:
    """What the closer does with an occurrence that was followed by another."""
    durable, table = arena.durable, f"{arena.board}:{period}:{number}"
    await durable.rebuilder.ensure(arena.board, create=False)
    async with durable.ledger.locked(arena.keys.partition) as session:
        sealed = await run_script(
            arena.redis,
            scripts.seal_period(key_meta=arena.keys.meta, arg_period=period, arg_number=number),
        )
        assert sealed[0] == DONE
        for _ in range(2):
            await durable.rebuilder.drain(arena.keys.partition, session)
        assert await session.source.finalise(arena.board, period, number) is not None
    keys = BoardKeys(table, arena.keys.partition)
    await arena.redis.unlink(keys.board, keys.hidden, keys.meta, keys.players)


async def table_totals(arena: Arena, table: str, kind: str = "board") -> dict[str, int]:
    """The totals of a table in Redis, as they are kept; ``kind`` names another of its zsets."""
    key: Any = getattr(BoardKeys(table, arena.keys.partition), kind)
    return {user: int(score // 1) for user, score in (await arena.zset(key)).items()}
