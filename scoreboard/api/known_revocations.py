"""Which tokens are revoked, once that is known."""

from __future__ import annotations

import asyncio

from scoreboard.domain.revocations import RevokedTokens
from scoreboard.errors import Unavailable

PATIENCE = 1.0  # seconds that a caller waits for the first read


class KnownRevocations(RevokedTokens):
    """The revocations in force, and whether they have been read at all: until then no token is
    taken, for it may be revoked."""

    def __init__(self) -> None:
        super().__init__()
        self._read = asyncio.Event()

    @property
    def known(self) -> bool:
        """True once they were read."""
        return self._read.is_set()

    def are_known(self) -> None:
        """Called when they were read."""
        self._read.set()

    def check_known(self) -> None:
        """Raises Unavailable while they are not known."""
        if not self.known:
            raise Unavailable("It is not known yet which tokens are revoked.")

    async def wait_until_known(self) -> None:
        """Waits for the first read, for a while. Raises Unavailable."""
        if not self.known:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._read.wait()
            except TimeoutError:
                self.check_known()
