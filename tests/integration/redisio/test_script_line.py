"""A script line's reads beside its scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.scripts import read_top
from tests.support.frozen import frozen
from tests.support.waiting import PATIENCE


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[ScriptLine]:
    line = ScriptLine(await topology_at(settings.redis_url).owner("any"), timeout=PATIENCE)
    yield line
    await line.close()


async def test_a_read_is_asked_again_when_the_connection_died_while_it_was_idle(
    line: ScriptLine, redis: Redis
) -> None:
    first = await line.ask(b"CLIENT", b"ID")
    await redis.client_kill_filter(_id=first)
    assert await line.ask(b"CLIENT", b"ID") > first


async def test_a_reply_of_many_pieces_is_put_together(line: ScriptLine) -> None:
    text = bytes(range(256)) * 4096
    assert await line.ask(b"ECHO", text) == text


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    nobody = "redis://127.0.0.1:1/0"
    line = ScriptLine(await topology_at(nobody).owner("any"), timeout=1)
    with pytest.raises(Unavailable):
        await line.ask(b"PING")


async def test_a_silent_server_is_named_as_the_reason(line: ScriptLine, valkey: Valkey) -> None:
    await line.ask(b"PING")
    call = read_top(**dict.fromkeys(("key_board", "key_meta", "key_table"), "sb:nowhere"))
    with frozen(valkey), capture_logs() as logs, pytest.raises(OutcomeUnknown):
        await line.run(call, deadline=asyncio.get_running_loop().time() + 0.1)

    assert [log["error"] for log in logs if log["event"] == "redis_call_failed"] == ["TimeoutError"]
