"""What a server may lack: each has its own behaviour, which is told at the start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.errors import ConfigurationError, Unavailable, cause_of
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.fitness import check_servers
from scoreboard.redisio.topologies import topology_at
from tests.support.servers import redis_client
from tests.support.waiting import PATIENCE

StartValkey = Callable[..., Valkey]


async def told_at_start(url: str) -> list[tuple[str, str]]:
    """Event and durability of each warning. Raises what the start does."""
    topology = topology_at(url)
    with capture_logs() as logs:
        async with topology.client(timeout=PATIENCE) as client:
            with reachable():
                await check_servers(client)
    return [(entry["event"], entry.get("durability", "")) for entry in logs]


class Limited:
    """A server with a user whose rights are to be set."""

    def __init__(self, valkey: Valkey, admin: Redis) -> None:
        self.url = valkey.url.replace("redis://:", "redis://limited:")
        self._password = valkey.url.split(":")[2].partition("@")[0]
        self._admin = admin

    async def may(self, *rights: str) -> str:
        """The URL for the user, who has all rights and then these."""
        words = ("reset", "on", f">{self._password}", "~*", "&*", "+@all", *rights)
        await self._admin.execute_command("ACL SETUSER", "limited", *words)
        return self.url


@pytest.fixture
async def limited(start_valkey: StartValkey) -> AsyncIterator[Limited]:
    valkey = start_valkey()
    async with redis_client(valkey.url) as admin:
        yield Limited(valkey, admin)


async def test_a_server_that_grants_everything_is_taken_without_a_word(limited: Limited) -> None:
    told = await told_at_start(await limited.may())
    assert [event for event, _ in told if event != "append_only_fragile"] == []


async def test_a_user_who_may_not_choose_the_database_of_the_url_is_told_that(
    limited: Limited,
) -> None:
    url = await limited.may("-select")
    await told_at_start(url)  # number 0 needs no choice
    with pytest.raises(ConfigurationError, match=r"may not choose a database; use number 0"):
        await told_at_start(url.removesuffix("/0") + "/3")


@pytest.mark.parametrize("rights", [("-info",), ("-@dangerous",)])
async def test_a_user_who_may_not_call_info_ends_the_start_in_a_line_that_says_so(
    limited: Limited, rights: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError, match=r"does not let this user call INFO.*Grant \+info"):
        await told_at_start(await limited.may(*rights))


async def test_a_server_without_info_ends_the_start_in_a_line_that_says_so(
    start_valkey: StartValkey,
) -> None:
    with pytest.raises(ConfigurationError, match="does not answer INFO; by it a restart"):
        await told_at_start(start_valkey(rename_command='INFO ""').url)


@pytest.mark.parametrize("right", ["script|load", "evalsha"])
async def test_a_user_who_may_not_send_scripts_is_waited_for_with_the_right_in_the_log(
    limited: Limited, right: str
) -> None:
    url = await limited.may(f"-{right}")
    with pytest.raises(Unavailable, match="its user lacks a right") as waiting:
        await told_at_start(url)
    assert right in cause_of(waiting.value)
    await limited.may()
    await told_at_start(url)


async def test_a_server_that_takes_no_scripts_ends_the_start_in_a_line_that_says_so(
    start_valkey: StartValkey,
) -> None:
    with pytest.raises(ConfigurationError, match="sent by SCRIPT LOAD and EVALSHA"):
        await told_at_start(start_valkey(rename_command='SCRIPT ""').url)


@pytest.mark.parametrize(("right", "level"), [("wait", "replica"), ("config|get", "disk")])
async def test_a_level_that_lacks_its_right_is_warned_about_and_the_service_starts(
    limited: Limited, right: str, level: str
) -> None:
    assert ("durability_out_of_reach", level) in await told_at_start(await limited.may(f"-{right}"))


@pytest.mark.parametrize(("command", "level"), [("WAIT", "replica"), ("CONFIG", "disk")])
async def test_a_level_whose_command_the_server_lacks_is_warned_about_and_the_service_starts(
    start_valkey: StartValkey, command: str, level: str
) -> None:
    url = start_valkey(rename_command=f'{command} ""').url
    assert ("durability_out_of_reach", level) in await told_at_start(url)


async def test_a_replica_is_waited_for(start_valkey: StartValkey) -> None:
    valkey = start_valkey()
    async with redis_client(valkey.url) as admin:
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(Unavailable, match="it is a replica"):
            await told_at_start(valkey.url)
        await admin.execute_command("REPLICAOF", "NO", "ONE")
        await told_at_start(valkey.url)
