"""A right that lacks is known, with its name, before a player finds out."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.errors import Unavailable
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.write_watch import WriteWatch
from scoreboard.settings import Settings


@pytest.mark.parametrize("lacking", ["-publish -spublish", "resetchannels"])
async def test_a_service_that_may_not_publish_is_not_ready_until_it_may(
    redis: Redis, settings: Settings, lacking: str
) -> None:
    rights = ("on", ">x", "~sb:*", "&*", "+@all", *lacking.split())
    await redis.execute_command("ACL SETUSER", "mute", *rights)
    form, _, place = settings.redis_url.partition("://")
    topology = topology_at(f"{form}://mute:x@{place.rpartition('@')[2]}")
    client = topology.client(timeout=settings.redis_timeout)
    watch = WriteWatch(client, topology, settings.partitions)
    with capture_logs() as logs:
        with pytest.raises(Unavailable, match="its user lacks a right"):
            await watch.check()
        await redis.execute_command("ACL SETUSER", "mute", "&*", "+publish", "+spublish")
        await watch.check()
    await client.aclose()
    await topology.close()
    await redis.acl_deluser("mute")

    refused, taken = logs
    assert (refused["event"], taken["event"]) == ("redis_refuses_writes", "redis_takes_writes")
    assert "PUBLISH" in refused["cause"]
