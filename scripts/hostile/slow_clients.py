"""Clients that hold connections: they send a byte now and then, read nothing, or do nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from scripts.hostile.ground import Connection, Ground

UNREAD, IDLE_PER_DRIPPER = 200, 2
DRIPPERS_PER_SECOND = 60  # of attack: 1,000 of each kind in 17 s


async def slow_clients(ground: Ground) -> str:
    """Drips heads and bodies, leaves answers unread and connections idle, all at once."""
    drippers = min(1000, round(DRIPPERS_PER_SECOND * ground.seconds))
    behaviors: list[Callable[[Ground, Connection], Awaitable[None]]] = [
        *([drip_head] * drippers),
        *([_drip_body] * drippers),
        *([leave_unread] * UNREAD),
        *([idle] * (IDLE_PER_DRIPPER * drippers)),
    ]
    ground.rng.shuffle(behaviors)
    held = 0

    async def client(behave: Callable[[Ground, Connection], Awaitable[None]]) -> None:
        nonlocal held
        with contextlib.suppress(OSError, TimeoutError):
            connection = await ground.connect()
            held += 1
            try:
                await behave(ground, connection)
            finally:
                connection[1].transport.abort()

    tasks = [asyncio.create_task(client(behave)) for behave in behaviors]
    await asyncio.wait(tasks, timeout=ground.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return f"{held} of {len(behaviors)} connections held"


async def drip_head(ground: Ground, connection: Connection) -> None:
    connection[1].write(ground.head("GET /api/score/top HTTP/1.1"))
    await _drip(connection, b"x: y\r\n")


async def _drip_body(ground: Ground, connection: Connection) -> None:
    length, kind = "Content-Length: 100000", "Content-Type: application/json"
    head = ground.head("POST /api/boards/honest/users:lookup HTTP/1.1", kind, length)
    connection[1].write(head + b"\r\n")
    await _drip(connection, b" ")


async def _drip(connection: Connection, text: bytes) -> None:
    while not connection[0].at_eof():
        connection[1].write(text)
        await connection[1].drain()
        await asyncio.sleep(1)


async def leave_unread(ground: Ground, connection: Connection) -> None:
    request = ground.head("GET /openapi.json HTTP/1.1") + b"\r\n"
    connection[1].transport.pause_reading()  # type: ignore[attr-defined]  # a socket's has it
    connection[1].write(request * 100)
    await asyncio.Event().wait()


async def idle(ground: Ground, connection: Connection) -> None:
    await connection[0].read()
