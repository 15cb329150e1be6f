"""What is read twice a second beside the load: the server's CPU and its write-behind backlog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scripts.load import cpu
from scripts.load.api import Api, ApiError
from scripts.load.service import Server

EVERY = 0.5  # seconds
PROBE_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` in monotonic ns; ``cpu`` in seconds since the server's start, by part."""

    at: int
    cpu: dict[str, float]
    machine: float
    backlog: int | None


@asynccontextmanager
async def monitored(server: Server) -> AsyncIterator[list[Sample]]:
    """Samples of what happens in the block, and in any case one from before it and one from
    after it."""
    samples: list[Sample] = []

    async def sample() -> None:
        try:
            backlog = await api.backlog()
        except ApiError:
            backlog = None
        used = {} if server.pid is None else cpu.parts(server.pid)
        samples.append(Sample(time.monotonic_ns(), used, cpu.machine_busy(), backlog))

    async def sample_for_ever() -> None:
        due = time.monotonic() + EVERY
        while True:
            await asyncio.sleep(due - time.monotonic())
            await sample()
            due = max(due + EVERY, time.monotonic())

    async with Api(server.target, timeout=PROBE_TIMEOUT) as api:
        cpu.machine_busy()  # which tells of the time since it was asked last
        await sample()
        sampling = asyncio.create_task(sample_for_ever())
        try:
            yield samples
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
            await sample()
