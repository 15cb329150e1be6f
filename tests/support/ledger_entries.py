"""Events by hand, and the tables they end in."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis

from scoreboard.domain.ledger import Entry
from scoreboard.wire.events import FORMAT, OPENED, PERIODS, Body, Event, Opened, decode_event
from scoreboard.wire.keys import Keyspace, PartitionKeys

PARTITIONS = 8
BOARD = "arena"
PARTITION = Keyspace(PARTITIONS).partition_of(BOARD)
START_MS = 1_800_000_000_000


def fields(
    user: str = "ann",
    action: str = "a1",
    points: int = 5,
    *,
    kind: str = "A",
    score: int | None = None,
    reached: int = START_MS,
    version: int = 0,
    board: str = BOARD,
    attempt: str | None = None,
    moves: str | None = None,
    **body: Any,
) -> dict[bytes, bytes]:
    """The fields of an entry; ``score`` defaults to ``points``, ``attempt`` to one made of the
    user and the action. A board with periods has ``moves``, '' for none. ``body`` may hold i, c, f
    (JSON as bytes), e, w, o, m and r."""
    for name in ("c", "f"):
        if name in body:
            body[name] = msgspec.Raw(body[name])
    version_of_format = FORMAT if moves is None else PERIODS
    text = msgspec.json.encode(
        Body(
            version_of_format, board, user, action, points, attempt or f"t-{user}-{action}", **body
        )
    )
    counted = kind in "AV"
    total = points if score is None else score
    return {
        b"o": kind.encode(),
        b"s": b"%d" % total if counted else b"",
        b"k": b"%d" % reached if counted else b"",
        b"n": b"%d" % version,
        b"d": text,
        **({b"q": moves.encode()} if moves else {}),
    }


def event(event_id: str, *args: Any, **kwargs: Any) -> tuple[Event, Entry]:
    """A decoded entry beside its raw form, as the persister hands it to the ledger."""
    entry = (event_id.encode(), fields(*args, **kwargs))
    return decode_event(*entry), entry


def opened(
    event_id: str, period: str, number: int, starts: int, ends: int, final: int | None = None
) -> tuple[Event, Entry]:
    """The event of an occurrence that was opened."""
    told = Opened(number, starts, ends, ends if final is None else final)
    return event(
        *(event_id, period, OPENED, 0), kind="P", attempt=OPENED, moves="", version=5, o=told
    )


async def append(redis: Redis, event_id: str, *args: Any, **kwargs: Any) -> None:
    """Adds an entry to the partition's stream."""
    await append_raw(redis, event_id, fields(*args, **kwargs))


async def append_raw(redis: Redis, event_id: str, raw: dict[bytes, bytes]) -> None:
    """Adds an entry that may be nonsense. An ``event_id`` of "*" is one of Redis's choice."""
    entry: Any = raw  # redis-py takes more types of fields than bytes, in an invariant dict
    await redis.xadd(PartitionKeys(PARTITION).events, entry, id=event_id)


async def totals(database: asyncpg.Connection, board: str = BOARD) -> dict[str, int]:
    """Score of every user in user_score."""
    rows = await database.fetch("SELECT user_id, score FROM user_score WHERE board = $1", board)
    return {row["user_id"]: row["score"] for row in rows}


async def sums(database: asyncpg.Connection, board: str = BOARD) -> dict[str, int]:
    """Sum of the accepted, unreverted actions of every user."""
    rows = await database.fetch(
        "SELECT user_id, sum(points)::bigint AS total FROM score_action"
        " WHERE board = $1 AND status = 'accepted' AND reverted_event_ms IS NULL"
        " GROUP BY user_id",
        board,
    )
    return {row["user_id"]: row["total"] for row in rows}
