"""A process that runs out of descriptors, as with a low `ulimit -n` and many clients."""

from __future__ import annotations

import asyncio
import contextlib
import resource

from scripts.hostile import traces
from scripts.hostile.ground import Connection, Ground

ROOM = 100  # descriptors that the process may still open when the attack begins


async def descriptors(ground: Ground) -> str:
    """Bounds every serving process at a few descriptors more than it has, and opens WebSockets
    until there are none left."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in ground.pids}
    opened: list[Connection] = []
    try:
        for pid, (_, hard) in before.items():
            limit = traces.descriptors(pid) + ROOM
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
        request = ground.head(
            "GET /ws/leaderboard?board=honest HTTP/1.1",
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        for _ in range(3 * ROOM * len(before)):
            with contextlib.suppress(OSError, TimeoutError):
                opened.append(await ground.connect())
                opened[-1][1].write(request + b"\r\n")
        await asyncio.sleep(ground.seconds)
        return f"{len(opened)} sockets for {ROOM * len(before)} descriptors"
    finally:
        for _, writer in opened:
            writer.transport.abort()
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
