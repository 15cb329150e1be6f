"""Which of the servers that Sentinels name is taken for the master."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.redisio.address import parse
from scoreboard.redisio.refusals import WrongForm
from scoreboard.redisio.sentinels import SentinelService
from scoreboard.redisio.topologies import topology_at
from scoreboard.redisio.topology import Known
from tests.support.in_between import listening

Sentinel = Callable[[bytes], Awaitable[int]]


def master(port: int, epoch: int, flags: str = "master") -> bytes:
    """What a Sentinel replies."""
    fields = {
        "name": "main",
        "ip": "10.0.0.1",
        "port": str(port),
        "flags": flags,
        "config-epoch": str(epoch),
        "num-slaves": "2",
    }
    parts = [part.encode() for pair in fields.items() for part in pair]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


@pytest.fixture
async def sentinel() -> AsyncIterator[Sentinel]:
    """Starts one that replies the same to everything; its port."""
    async with AsyncExitStack() as opened:

        async def start(reply: bytes) -> int:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if await reader.read(4096):
                    writer.write(reply)
                await reader.read()

            return await opened.enter_async_context(listening(serve))

        yield start


def asked(*ports: int) -> SentinelService:
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    return SentinelService(parse(f"redis+sentinel://{places}/main"))


async def test_one_that_was_cut_off_does_not_lead_back_to_the_master_of_before(
    sentinel: Sentinel,
) -> None:
    stale = await sentinel(master(1, epoch=3))
    ports = [stale, await sentinel(master(2, epoch=4)), await sentinel(master(2, epoch=4))]
    assert await asked(*ports).place() == ("10.0.0.1", 2)


async def test_those_that_do_not_answer_are_passed_over(sentinel: Sentinel) -> None:
    assert await asked(1, await sentinel(master(7, epoch=1)), 2).place() == ("10.0.0.1", 7)


async def test_a_master_that_they_agree_is_down_is_not_named(sentinel: Sentinel) -> None:
    down = await sentinel(master(1, epoch=1, flags="master,s_down,o_down"))
    with pytest.raises(RedisConnectionError, match="no Sentinel knows a master that is up"):
        await asked(down).place()


async def test_when_none_answers_that_is_said() -> None:
    with pytest.raises(RedisConnectionError, match="no Sentinel answers"):
        await asked(1, 2).place()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"-ERR No such master with that name\r\n", "know no service of this name"),
        (b"-ERR unknown command 'SENTINEL'\r\n", "what answers there is none"),
    ],
)
async def test_what_no_sentinel_would_say_is_told_apart(
    sentinel: Sentinel, reply: bytes, told: str
) -> None:
    with pytest.raises(WrongForm, match=told):
        await asked(await sentinel(reply)).place()


async def test_the_master_and_how_many_replicas_it_has_are_known_once_they_have_answered(
    sentinel: Sentinel,
) -> None:
    topology = topology_at(f"redis+sentinel://127.0.0.1:{await sentinel(master(7, epoch=1))}/main")
    assert topology.known() == []
    await topology.look_again()
    [node] = await topology.masters()
    assert topology.known() == [Known("10.0.0.1:7", "master", node, 2)]


async def test_connections_are_made_anew_once_another_master_is_named(sentinel: Sentinel) -> None:
    service = asked(await sentinel(master(1, epoch=1)))
    await service.place()
    await service.look_again()
    assert service.renewed == float("-inf"), "still the same"
    service._address = parse(
        f"redis+sentinel://127.0.0.1:{await sentinel(master(2, epoch=2))}/main"
    )
    await service.place()  # be it for a new connection alone
    assert service.renewed > 0
