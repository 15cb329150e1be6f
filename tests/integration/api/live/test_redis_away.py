"""What clients see when Redis dies, falls silent, and comes back."""

from __future__ import annotations

from structlog.testing import capture_logs

from scoreboard.local.embedded_servers import Valkey
from tests.integration.api.live.hub_server import Start, next_message
from tests.support.frozen import frozen
from tests.support.waiting import wait_until


async def test_updates_come_again_after_redis_was_away(start: Start, valkey: Valkey) -> None:
    server = await start()
    ws = await server.connect()
    await next_message(ws)
    with capture_logs() as logs:
        valkey.kill()
        await wait_until(lambda: logs, description="the loss is noticed")
        server.boards.versions["global"] = 5  # a change that is told to nobody
        valkey.start()
        assert (await next_message(ws))["version"] == 5
        await server.publish(6)
        assert (await next_message(ws))["version"] == 6

    assert [entry["event"] for entry in logs] == ["redis_updates_lost", "redis_updates_back"]


async def test_a_redis_that_went_silent_is_given_up(start: Start, valkey: Valkey) -> None:
    server = await start(silence=0.2, timeout=1.0)
    ws = await server.connect()
    await next_message(ws)
    with capture_logs() as logs:
        with frozen(valkey):
            await wait_until(lambda: logs, description="the silence is noticed")
        server.boards.versions["global"] = 5
        assert (await next_message(ws))["version"] == 5

    assert logs[0]["event"] == "redis_updates_lost"


async def test_a_client_that_comes_while_redis_is_away_is_served_when_it_is_back(
    start: Start, valkey: Valkey
) -> None:
    server = await start()
    valkey.kill()
    ws = await server.connect()
    assert (await next_message(ws))["type"] == "snapshot"
    valkey.start()
    server.boards.versions["global"] = 2

    assert (await next_message(ws))["version"] == 2
