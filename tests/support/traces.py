"""Looks for a word in all that Redis and Postgres hold."""

from __future__ import annotations

from typing import Any

import asyncpg
from redis.asyncio import Redis


async def traces(word: str, redis: Redis, database: asyncpg.Connection) -> list[str]:
    """Where it stands: keys of Redis, tables of Postgres."""
    return [*await _in_redis(word.encode(), redis), *await _in_postgres(word, database)]


async def _in_redis(word: bytes, redis: Redis) -> list[str]:
    keys: Any = await redis.keys("*")
    return [key.decode() for key in keys if word in key or word in await _content(key, redis)]


async def _content(key: bytes, redis: Redis) -> bytes:
    kind: Any = await redis.type(key)
    match kind:
        case b"string":
            value: Any = await redis.get(key)
        case b"hash":
            value = await redis.hgetall(key)
        case b"zset":
            value = await redis.zrange(key, 0, -1)
        case b"stream":
            value = await redis.xrange(key)
        case b"list":
            value = await redis.lrange(key, 0, -1)
        case _:
            raise AssertionError(f"{key!r} is a {kind!r}")
    return b"\n".join(_flat(value))


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [part for pair in value.items() for part in _flat(list(pair))]
    return [part for one in value or () for part in _flat(one)]


async def _in_postgres(word: str, database: asyncpg.Connection) -> list[str]:
    tables = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    found = []
    for (table,) in tables:
        rows = await database.fetchval(
            f'SELECT count(*) FROM "{table}" AS row WHERE position($1 IN row::text) > 0 '
            "OR position($2 IN row::text) > 0",
            word,
            word.encode().hex(),
        )
        if rows:
            found.append(f"{table}: {rows}")
    return found
