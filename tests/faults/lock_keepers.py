"""A process that takes three partitions' locks and then does nothing, as one does that a cut has
separated from Postgres: between two batches, amid a batch, and while it sends rows.

    python -m tests.faults.lock_keepers URL
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from scoreboard.pg.ledger import Ledger, LedgerSession
from scoreboard.pg.pool import open_pool

IDLE, IN_TRANSACTION, IN_COPY = range(3)  # partitions


async def main(url: str) -> None:
    pool = await open_pool(url, connections=4, timeout=60)
    ledger = Ledger(pool)
    async with AsyncExitStack() as opened:
        sessions = [
            await opened.enter_async_context(ledger.locked(partition))
            for partition in (IDLE, IN_TRANSACTION, IN_COPY)
        ]
        await opened.enter_async_context(sessions[IN_TRANSACTION].connection.transaction())
        sending = asyncio.create_task(_send(sessions[IN_COPY]))
        print("keeping", flush=True)
        await sending


async def _send(session: LedgerSession) -> None:
    async def rows() -> AsyncIterator[bytes]:
        yield b"A\t"
        await asyncio.Event().wait()

    await session.connection.copy_to_table("staged", source=rows(), timeout=3600)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
