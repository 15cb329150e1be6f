"""What outsiders are to be told. It is recorded in the transaction of what it tells of: of
occurrences and cases by triggers of their tables, of erased players by a call from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import asyncpg
import msgspec

from scoreboard.domain.webhooks import LONGEST_PAUSE, DueDelivery, Failed, WatchedTop
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("outside_events")

KEPT_DAYS, KEPT_DELIVERED = 7, 1_000  # what was delivered; the latter of each webhook
DEAD_DAYS = 30
KEPT_UNDELIVERED = 10_000  # of each webhook, waiting and dead


class OutsideEvents:
    """What waits to be delivered. Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def take(
        self, busy: Mapping[int, int], *, at_once: int, lease: float
    ) -> list[DueDelivery]:
        """Takes on deliveries that are due: of each webhook up to ``at_once``, or one while it
        fails, less those that the caller is ``busy`` with. Unless its end is recorded, others may
        take such a delivery on after ``lease`` seconds."""
        with translated():
            rows = await self._pool.fetch(
                _sql["take"], list(busy.keys()), list(busy.values()), at_once, lease
            )
        return [
            DueDelivery(
                id=row["id"],
                webhook=row["webhook"],
                url=row["url"],
                secret=row["secret"],
                former=row["former"],
                real_ids=row["real_ids"],
                message=row["message"],
                event=row["kind"],
                created=row["created"],
                data=row["body"].encode(),
                attempts=row["attempts"],
                taken=row["taken"],
            )
            for row in rows
        ]

    async def delivered(self, done: DueDelivery) -> bool:
        """Records that it was delivered. True when its webhook had failed until now."""
        with translated():
            return bool(await self._pool.fetchval(_sql["delivered"], done.id, done.webhook))

    async def failed(self, done: DueDelivery, failure: str, *, pause: float) -> Failed:
        """Records that an attempt failed. The next one comes ``pause`` seconds from now, but a day
        after the first at the latest; with that one failed it is dead."""
        with translated():
            row = await self._pool.fetchrow(
                _sql["failed"], done.id, done.webhook, done.attempts, failure, pause
            )
        return Failed(*row)

    async def tops_due(self) -> list[WatchedTop]:
        """The tables to look at now, for webhooks that want their tops; nobody else gets them
        before the webhooks' intervals have passed."""
        with translated():
            return [WatchedTop(*row) for row in await self._pool.fetch(_sql["tops_due"])]

    async def tell_top(self, watched: WatchedTop, top: bytes) -> None:
        """Records the table's top, a JSON array, for the webhook, in place of one that was not
        delivered yet; unless it is the one that was told last."""
        board, *occurrence = watched.table.split(":")
        told: dict[str, Any] = {"board": board}
        if occurrence:
            told |= {"period": occurrence[0], "occurrence": int(occurrence[1])}
        body = msgspec.json.encode(told | {"topScores": msgspec.Raw(top)})
        with translated():
            await self._pool.execute(_sql["tell_top"], *watched, top.decode(), body.decode())

    async def tidy(self) -> int:
        """Forgets what has been kept long enough, or is too much. Returns how many events will
        never be told because of that. What a wrong clock has put off for longer than a pause takes
        becomes due."""
        with translated():
            await self._pool.execute(_sql["bring_forward"], 2 * LONGEST_PAUSE)
            return int(
                await self._pool.fetchval(
                    _sql["tidy"], KEPT_DAYS, KEPT_DELIVERED, DEAD_DAYS, KEPT_UNDELIVERED
                )
            )


async def tell_of_erasure(
    connection: Any, *, user: str, mode: Literal["erase", "anonymise"], erasure: str
) -> None:
    """Records, in the transaction in which a player's erasure is done, ``player.erased`` for every
    webhook that wants it; ``erasure`` is the id of the job."""
    body = msgspec.json.encode({"userId": user, "mode": mode, "erasure": erasure})
    await connection.execute(_sql["tell_of_erasure"], body.decode())


async def forget_in_events(connection: Any, user: str) -> int:
    """Takes a player out of the events that wait to be told; those that tell of the erasure stay
    until they are delivered. Returns how many events changed or went."""
    return int(await connection.fetchval(_sql["forget"], user))
