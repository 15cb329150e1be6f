"""A serving process that runs out of file descriptors, and has them again."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from pathlib import Path

import msgspec
from aiohttp import ClientSession

from scoreboard.settings import Settings
from tests.support.command import named, started
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service

ROOM = 20  # descriptors that are left when the sockets are opened
UPGRADE = (
    b"GET /ws/leaderboard HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def descriptors(pid: int) -> int:
    """How many the process has in use."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_without_descriptors_posts_get_503_at_once_and_all_is_well_when_they_are_back(
    settings: Settings,
) -> None:
    servers = named(settings.redis_url, settings.database_url)
    headers = {"Authorization": f"Bearer {Service(settings).token()}"}
    async with started("serve", **servers) as process:
        assert process.stdout is not None
        while b'"serving"' not in (line := await process.stdout.readline()):
            assert line, "it ended"
        [[host, port]] = msgspec.json.decode(line)["addresses"]
        async with ClientSession(f"http://{host}:{port}") as http:

            async def ready() -> bool:
                async with http.get("/readyz") as answer:
                    return answer.status == 200

            async def post(action: str) -> int:
                body = {"userId": "ann", "actionId": action, "points": 1}
                async with http.post("/api/score", json=body, headers=headers) as answer:
                    return answer.status

            await wait_until(ready, description="it is ready")
            limit = descriptors(process.pid) + ROOM
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, hard))
            sockets = []
            for _ in range(3 * ROOM):
                _, writer = await asyncio.open_connection(host, port)
                sockets.append(writer)
                writer.write(UPGRADE)
            await wait_until(
                lambda: descriptors(process.pid) >= limit, description="no descriptor is left"
            )
            async with asyncio.timeout(PATIENCE / 2):  # at once: long before Redis's time is over
                answers = [await post(f"a{number}") for number in range(3)]
            assert answers == [503, 503, 503]

            for writer in sockets:
                writer.transport.abort()
            for writer in sockets:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

            async def counts() -> bool:
                return await post("later") in (200, 409)

            await wait_until(counts, description="posts count again")
            await wait_until(ready, description="it is ready again")
