"""What an attack is given: the service, its processes, and a place for what it finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.load.target import Target

HANG = 5.0  # seconds without an answer that count as a hang
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Ground:
    """``seconds`` is how long an attack may go on; ``folder`` is the data directory of the
    service, ``pids`` are its serving processes; ``secrets`` are texts that no log may hold."""

    target: Target
    folder: Path
    pids: list[int]
    rng: random.Random
    seconds: float
    findings: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def judge(self, what: str, status: int) -> None:
        """Notes an answer that no request may get: a 5xx, other than 503 and what HTTP demands for
        a protocol that the service does not speak."""
        if status >= 500 and status not in (501, 503, 505):
            self.find(f"{what}: answered {status}")

    def find(self, finding: str) -> None:
        """Notes a fault, once."""
        if finding not in self.findings:
            self.findings.append(finding)

    async def connect(self) -> Connection:
        """A plain connection. Raises OSError."""
        async with asyncio.timeout(HANG):
            return await asyncio.open_connection(self.target.host, self.target.port)

    def head(self, line: str, *headers: str) -> bytes:
        """A request's head without the empty line at its end."""
        lines = [line, f"Host: {self.target.authority}", *headers]
        return "".join(f"{line}\r\n" for line in lines).encode()


Attack = Callable[[Ground], Awaitable[str]]
"""Attacks for about ``seconds`` and returns what it did in a few words."""
