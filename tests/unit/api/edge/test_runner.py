"""The end of a server's requests."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from aiohttp import web

from scoreboard.assembly.listening import http_runner
from scoreboard.settings import Settings
from tests.support.waiting import PATIENCE, wait_until


@pytest.mark.parametrize("leaves", [True, False], ids=["its client has gone", "it is waited for"])
async def test_no_request_is_being_answered_any_more_when_the_application_closes_what_it_has(
    leaves: bool,
) -> None:
    asked: list[web.Request] = []
    ended: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        asked.append(request)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as one that gives a connection back
            ended.append("the request")
        raise AssertionError("nothing ends it but its cancellation")

    async def close(_: web.Application) -> None:
        ended.append("the application")

    app = web.Application()
    app.router.add_get("/", slow)
    app.on_cleanup.append(close)
    runner = http_runner(app, Settings(), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, client = await asyncio.open_connection(*runner.addresses[0])
    client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await wait_until(lambda: asked, description="the request is being answered")
    if leaves:
        at_once = struct.pack("ii", 1, 0)  # by a reset, not by an end after which it still reads
        client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        client.transport.abort()
        await wait_until(lambda: asked[0].transport is None, description="the client has gone")
    try:
        async with asyncio.timeout(PATIENCE):
            await runner.cleanup()
    finally:
        client.close()

    assert ended == ["the request", "the application"]
