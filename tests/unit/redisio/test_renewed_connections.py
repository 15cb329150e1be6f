"""A connection that is being made while it becomes known that another server is the master, and
while another task sends on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from scoreboard.redisio.connections import pool
from scoreboard.redisio.refusals import Server
from tests.support.in_between import listening
from tests.support.waiting import PATIENCE


class Listener:
    """A server that takes every command, the first one of a connection only when it is let to."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.commands: list[bytes] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with listening(self._serve) as self.port:
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while (command := await reader.read(4096)) != b"":
            self.commands.append(command)
            self.asked.set()
            await self.answers.wait()
            writer.write(b"+OK\r\n")


class Named(Server):
    """Leads where the latest decision says."""

    def __init__(self, master: Listener) -> None:
        super().__init__()
        self.master = master

    async def place(self) -> tuple[str, int]:
        return "127.0.0.1", self.master.port


async def test_its_first_command_goes_to_the_new_master() -> None:
    former, new = Listener(), Listener()
    async with former.listening(), new.listening():
        named = Named(former)
        connections = pool({"db": 1}, named, timeout=5.0, connections=1)
        async with Redis.from_pool(connections) as client:
            incremented = asyncio.ensure_future(client.set("counter", 1))
            await former.asked.wait()  # while it chooses its database there
            named.master = new
            named.renew()
            former.answers.set()
            new.answers.set()
            assert await incremented
    assert not any(b"SET" in command for command in former.commands)
    assert [b"SET" in command for command in new.commands] == [False, True]


async def test_who_sends_while_another_task_connects_makes_no_connection_beside_it() -> None:
    listener = Listener()
    listener.answers.set()
    async with listener.listening():
        made = pool({"db": 1}, Named(listener), timeout=PATIENCE, connections=1).make_connection()
        connecting = asyncio.create_task(made.connect())
        await asyncio.sleep(0)
        assert not made.is_connected
        await made.send_command("PING")
        await connecting
        assert await made.read_response() == b"OK"
        await made.disconnect(nowait=True)
    assert listener.connections == 1
    assert [b"PING" in command for command in listener.commands] == [False, True]
