"""A right that lacks is known, with its name, before a player finds out."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.errors import Unavailable
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.settings import Settings


@pytest.mark.parametrize("lacking", ["-publish", "resetchannels"])
async def test_a_service_that_may_not_publish_is_not_ready_until_it_may(
    redis: Redis, settings: Settings, lacking: str
) -> None:
    await redis.execute_command("ACL SETUSER", "mute", "on", ">x", "~sb:*", "&*", "+@all", lacking)
    url = "redis://mute:x@" + settings.redis_url.rpartition("@")[2].removeprefix("redis://")
    topology = topology_at(url)
    client = topology.client(timeout=settings.redis_timeout)
    watch = WriteWatch(client, topology, settings.partitions)
    with capture_logs() as logs:
        with pytest.raises(Unavailable, match="its user lacks a right"):
            await watch.check()
        await redis.execute_command("ACL SETUSER", "mute", "&*", "+publish")
        await watch.check()
    await client.aclose()
    await redis.acl_deluser("mute")

    refused, taken = logs
    assert (refused["event"], taken["event"]) == ("redis_refuses_writes", "redis_takes_writes")
    assert "PUBLISH" in refused["cause"]
