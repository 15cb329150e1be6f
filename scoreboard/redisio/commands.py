"""Commands and scripts outside the hot path. Nothing is sent twice, except a script that Redis did
not know yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError

from scoreboard.errors import Unavailable
from scoreboard.redisio.script_source import digest, source
from scoreboard.wire.scripts import ScriptCall


@contextmanager
def reachable() -> Iterator[None]:
    """Turns errors that mean "Redis is away or full" into Unavailable; others pass unchanged."""
    try:
        yield
    except OutOfMemoryError as error:
        raise Unavailable("Redis is out of memory.") from error
    except ResponseError:
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("Redis can't be reached.") from error


async def run_script(redis: Redis, call: ScriptCall) -> list[Any]:
    """The script's reply. Raises Unavailable when Redis is away; then the script may have run."""
    script, keys, args = call
    command = ("EVALSHA", digest(script), len(keys), *keys, *args)
    with reachable():
        try:
            return list(await redis.execute_command(*command))
        except NoScriptError:
            await redis.execute_command("SCRIPT LOAD", source(script))
            return list(await redis.execute_command(*command))
