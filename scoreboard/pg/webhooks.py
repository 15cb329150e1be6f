"""Webhooks as they are set up, and what became of their deliveries. What waits to be delivered is
in outside_events.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.webhooks import MAX_WEBHOOKS, Delivery, NewWebhook, Webhook
from scoreboard.errors import NotFound, TooManyWebhooks
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("webhooks")

BOTH_VALID = 86_400.0  # seconds for which the secret before a rotation signs too


class Webhooks:
    """Every method raises Unavailable when Postgres is away. What changes something is audited, by
    the webhook's id: a URL may hold a secret."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, new: NewWebhook, secret: str, *, by: str) -> Webhook:
        """Every event that is recorded after this has returned is told to it. Raises
        TooManyWebhooks."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["lock"])
                if await connection.fetchval(_sql["count"]) >= MAX_WEBHOOKS:
                    raise TooManyWebhooks(f"There may be {MAX_WEBHOOKS} webhooks at most.")
                number = await connection.fetchval(
                    _sql["add"],
                    new.url,
                    new.events,
                    new.boards,
                    new.interval,
                    new.description,
                    secret,
                    new.real_ids,
                )
                await _audit(connection, "webhook_added", number, by, events=new.events)
                return await _get(connection, number)

    async def all(self) -> list[Webhook]:
        """The oldest first."""
        with translated():
            rows = await self._pool.fetch(_sql["listed"], None)
        return [Webhook(**row) for row in rows]

    async def get(self, number: int) -> Webhook:
        """Raises NotFound."""
        with translated():
            return await _get(self._pool, number)

    async def remove(self, number: int, *, by: str) -> None:
        """What was not delivered never will be. Raises NotFound."""
        await self._change("webhook_removed", number, by, "remove")

    async def rotate(self, number: int, secret: str, *, by: str) -> None:
        """From now on ``secret`` signs, and for a day the one before it, too. Raises NotFound."""
        await self._change("webhook_rotated", number, by, "rotate", secret, BOTH_VALID)

    async def deliveries(
        self, number: int, state: str | None, *, before: int | None, limit: int
    ) -> list[tuple[int, Delivery]]:
        """Up to ``limit`` deliveries in the state (None: any), newest first, each with the number
        by which it is ordered, and those with numbers below ``before``. Raises NotFound."""
        with translated():
            await _get(self._pool, number)
            rows = await self._pool.fetch(_sql["deliveries"], number, state, before, limit)
        return [(key, Delivery(**dict(rest))) for (_, key), *rest in (row.items() for row in rows)]

    async def retry(self, number: int, messages: Sequence[str] | None, *, by: str) -> int:
        """Gives dead deliveries, all or those with these ids, another day. Returns how many. Raises
        NotFound."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await _get(connection, number)
                count: int = await connection.fetchval(_sql["retry"], number, messages)
                await _audit(connection, "webhook_retried", number, by, deliveries=count)
        return count

    async def _change(self, decision: str, number: int, by: str, name: str, *args: Any) -> None:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(_sql[name], number, *args) is None:
                    raise _no_such(number)
                await _audit(connection, decision, number, by)


async def _get(connection: Any, number: int) -> Webhook:
    row = await connection.fetchrow(_sql["listed"], number)
    if row is None:
        raise _no_such(number)
    return Webhook(**row)


def _no_such(number: int) -> NotFound:
    return NotFound(f"There is no webhook {number}.")


async def _audit(connection: Any, decision: str, number: int, by: str, **details: Any) -> None:
    text = msgspec.json.encode({"webhook": number, **details}).decode()
    await admin_audit.record(connection, decision, by=by, details=text)
