"""What listens in this process and passes on what comes, or not: for servers that fall silent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """A free port whose every client ``serve`` is called for. At the end all of them are hung up
    on, also one that was taken a moment before: a driver calls once more to cancel a statement,
    and asyncio's own servers lose sight of such a late one."""
    with ExitStack() as taken:
        door = taken.enter_context(socket.create_server(("127.0.0.1", 0)))
        door.setblocking(False)
        accepting = asyncio.create_task(_accept(door, serve, taken))
        try:
            yield door.getsockname()[1]
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError):
                await accepting


async def _accept(door: socket.socket, serve: Serve, taken: ExitStack) -> None:
    """Until it is cancelled; it waits for no client, which it could lose just then."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as serving:

        def take() -> None:
            with suppress(OSError):  # the client has gone
                client, _ = door.accept()
                serving.create_task(_serve(taken.enter_context(client), serve))

        loop.add_reader(door, take)
        try:
            await loop.create_future()
        finally:
            loop.remove_reader(door)


async def _serve(client: socket.socket, serve: Serve) -> None:
    reader, writer = await asyncio.open_connection(sock=client)
    try:
        await serve(reader, writer)
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close it and wait until it is closed."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def calling(
    host: str | None, port: int | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server, for this long."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        await hang_up(writer)


async def pass_on(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    while_: Callable[[], bool] = lambda: True,
) -> None:
    """What comes from ``source`` goes to ``target``, and is dropped while ``while_`` says no."""
    with suppress(OSError):
        while data := await source.read(65_536):
            if while_():
                target.write(data)
    target.close()


@asynccontextmanager
async def leading_to(url: str, while_: Callable[[], bool]) -> AsyncIterator[str]:
    """The URL that leads to the server of ``url`` through here; what clients send is dropped while
    ``while_`` says no."""
    server = urlsplit(url)
    user, _, _ = server.netloc.rpartition("@")

    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        async with calling(server.hostname, server.port) as (theirs, to_server):
            await asyncio.gather(pass_on(client, to_server, while_), pass_on(theirs, to_client))

    async with listening(serve) as port:
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        yield server._replace(netloc=netloc).geturl()
