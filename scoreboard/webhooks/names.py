"""Looking names up in threads that nobody waits for: neither other lookups, nor the end of the
process, which a resolver out of reach would otherwise hold up for half a minute."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult


class Names(AbstractResolver):
    """Up to ``most`` lookups at a time. One that nobody waits for any more counts until the system
    has given it up, too."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Where the name leads. Raises OSError, or UnicodeError for what is no name."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def look_up() -> None:
            try:
                outcome: Any = socket.getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM
                )
            except (OSError, UnicodeError) as error:
                outcome = error
            finally:
                self._free.release()
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_tell, found, outcome)

        if not self._free.acquire(blocking=False):
            raise OSError("too many lookups are under way")
        try:
            threading.Thread(target=look_up, name="webhook-name", daemon=True).start()
        except RuntimeError as error:  # the system allows no further thread
            self._free.release()
            raise OSError(str(error)) from error
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, _, _, address in await found
        ]

    async def close(self) -> None:
        """One of these serves all attempts."""


def _tell(found: asyncio.Future[list[Any]], outcome: Any) -> None:
    if found.done():
        return
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)
