"""Leaderboards that others keep as a sorted set: a member for each user, with the score.

So do leaderboard-python, the gem leaderboard, redis-rank, and most boards made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.boards import Order
from scoreboard.domain.imports import Source, SourceRow
from scoreboard.errors import InvalidRequest
from scoreboard.redisio.commands import reachable

CHUNK = 5_000  # members


async def zset_source(redis: Redis, key: str, order: Order, name: str) -> Source:
    """The members of ``key``, best first as such a board shows them: of equal scores the larger
    name first, or the smaller where less is better. Raises InvalidRequest when there is no such
    sorted set, Unavailable when Redis is away."""
    with reachable():
        kind: Any = await redis.type(key)
        if kind != b"zset":
            there = "no such key" if kind == b"none" else f"a {kind.decode()}, no sorted set"
            raise InvalidRequest(f"{key!r}: {there}.")
        members = int(await redis.zcard(key))
    return Source(name, members, _chunks(redis, key, order, members))


async def _chunks(
    redis: Redis, key: str, order: Order, members: int
) -> AsyncIterator[Sequence[SourceRow]]:
    """Each chunk begins with the last member of the one before, so that a set that moves meanwhile
    is noticed. When one member has moved up past the place and another down, that stands where it
    did; then the latter comes again."""
    read = redis.zrange if order == "asc" else redis.zrevrange
    place, last = 0, None
    seen: set[int] = set()
    while place < members:
        first = max(0, place - 1)
        with reachable():
            found: Any = await read(key, first, first + CHUNK - 1, withscores=True)
        if place:
            if not found or found[0] != last:
                raise _moves(key)
            found = found[1:]
        if not found:
            raise _moves(key)
        seen.update(hash(member) for member, _ in found)
        if len(seen) < place + len(found):
            raise _moves(key)
        last = found[-1]
        yield [
            # What is not UTF-8 is refused where rows are looked at.
            SourceRow(place + at, member.decode(errors="surrogateescape"), score)
            for at, (member, score) in enumerate(found, 1)
        ]
        place += len(found)


def _moves(key: str) -> InvalidRequest:
    return InvalidRequest(
        f"{key!r} changes while it is read; stop what writes to it, or copy it (COPY) and import "
        "the copy under the same --source. What was imported so far counts, and does so once."
    )
