"""What a replica has of its master's writes."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from scripts.load.waiting import until


async def role(client: Redis) -> str | None:
    """``master`` or ``slave``; None while it can't tell."""
    try:
        return str((await client.info("replication"))["role"])
    except RedisError:
        return None


async def follows(replica: Redis) -> bool:
    """Whether it follows a master, and is connected to it."""
    try:
        state = await replica.info("replication")
    except RedisError:  # it is starting
        return False
    return bool(state["role"] == "slave" and state["master_link_status"] == "up")


async def caught_up(master: Redis, replica: Redis) -> None:
    """Returns once the replica has what its master had when this was called; closes both."""
    async with master, replica:
        wanted = await written(master)

        async def has_it() -> bool:
            return await follows(replica) and await written(replica) >= wanted

        await until(has_it, "the replica has what its master had")


async def written(server: Redis) -> int:
    """How many bytes of its history it has."""
    state: dict[str, Any] = await server.info("replication")
    return int(state["slave_repl_offset" if state["role"] == "slave" else "master_repl_offset"])


async def taken_over(promoted: Redis) -> int:
    """How many bytes of its master's history a replica had when it became the master."""
    return int((await promoted.info("replication"))["second_repl_offset"]) - 1
