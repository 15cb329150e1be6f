"""Players in a process of their own: WebSocket clients that note when the probe's score grows."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from dataclasses import dataclass

import msgspec
import numpy as np

from scripts.load.target import Target
from scripts.load.websocket import WebSocket, handshake
from scripts.load_test.account import Ints
from scripts.load_test.plan import PROBE, Plan

CONNECTING = 100  # handshakes under way at once
CONNECT_TIMEOUT = 60.0  # seconds for all of them
REOPEN_AFTER = 0.5  # seconds, up to twice as many


@dataclass(frozen=True)
class Position:
    """Where a client stands: the newest version it has, and that top 10 as text. ``backwards``
    counts versions that did not grow, ``lost`` connections that ended."""

    board: int
    version: int
    top: str
    backwards: int
    lost: int


@dataclass(frozen=True)
class WatcherReport:
    """Of each client its ``boards`` entry, when (monotonic ns) the probe's score was seen to grow,
    and to what."""

    boards: list[int]
    seen_at: list[Ints]
    seen_score: list[Ints]
    cpu_seconds: float


class TopEntry(msgspec.Struct, frozen=True, rename="camel", gc=False):
    user_id: str
    score: int


class Update(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A message; ``topScores`` is missing from a heartbeat."""

    type: str
    version: int
    top_scores: list[TopEntry] = []

    @property
    def probe_score(self) -> int:
        return next((entry.score for entry in self.top_scores if entry.user_id == PROBE), 0)


class Reader:
    """Decodes each text once, though every client of a board gets it."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Update).decode
        self._last: dict[int, tuple[bytes, Update, int]] = {}

    def read(self, board: int, payload: bytes) -> tuple[Update, int]:
        """The message and the probe's score in it. Raises msgspec.DecodeError."""
        known = self._last.get(board)
        if known is None or known[0] != payload:
            update = self._decode(payload)
            known = self._last[board] = (payload, update, update.probe_score)
        return known[1], known[2]


class Client(WebSocket):
    """One player, over all of its connections. ``open`` is set from the first snapshot on."""

    def __init__(self, board: int, reader: Reader, request: bytes) -> None:
        super().__init__(request)
        self.board = board
        self.open = asyncio.Event()
        self.seen_at = array("q")
        self.seen_score = array("q")
        self._reader = reader
        self._fresh = True  # no snapshot on this connection yet
        self._version = -1
        self._last: Update | None = None
        self._backwards = 0
        self._lost = 0

    @property
    def position(self) -> Position:
        top = self._last.top_scores if self._last else []
        text = msgspec.json.encode(top).decode()
        return Position(self.board, self._version, text, self._backwards, self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._fresh = True
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost += 1
        super().connection_lost(error)

    def received(self, payload: bytes, now: int) -> None:
        update, probe_score = self._reader.read(self.board, payload)
        if update.type == "heartbeat":
            return
        # A snapshot may repeat what the connection before has shown; all else must be newer.
        repeats = self._fresh and update.version == self._version
        if update.version <= self._version and not repeats:
            self._backwards += 1
        self._fresh = False
        self._version = update.version
        self._last = update
        if not self.seen_score or probe_score > self.seen_score[-1]:
            self.seen_at.append(now)
            self.seen_score.append(probe_score)
        self.open.set()


class Watcher:
    """The clients of one process."""

    def __init__(self, plan: Plan, target: Target, index: int) -> None:
        self._target = target
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._clients = []
        reader = Reader()
        for number in range(index, plan.clients, plan.watchers):
            board = number % plan.boards
            path = f"/ws/leaderboard?board={plan.board(board)}"
            authorization = f"Authorization: Bearer {target.token}\r\n"
            request = handshake(target.authority, path, authorization)
            self._clients.append(Client(board, reader, request))

    async def connect(self) -> None:
        """Connect all, and again whenever a connection ends. Raises ConnectionError."""
        self._keeping = [asyncio.create_task(self._keep(client)) for client in self._clients]
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                for client in self._clients:
                    await client.open.wait()
        except TimeoutError:
            raise ConnectionError(
                f"not every WebSocket got its snapshot within {CONNECT_TIMEOUT:.0f} s"
            ) from None

    async def begin(self) -> None:
        """The load begins: count the CPU time from here."""
        self._cpu = time.process_time()

    async def positions(self) -> list[Position]:
        """Where each client stands."""
        return [client.position for client in self._clients]

    async def finish(self) -> WatcherReport:
        """End the connections."""
        cpu = time.process_time() - self._cpu
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        return WatcherReport(
            boards=[client.board for client in self._clients],
            seen_at=[np.array(client.seen_at, np.int64) for client in self._clients],
            seen_score=[np.array(client.seen_score, np.int64) for client in self._clients],
            cpu_seconds=cpu,
        )

    async def _keep(self, client: Client) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with self._connecting:
                    await loop.create_connection(
                        lambda: client, self._target.host, self._target.port
                    )
            except OSError:
                pass
            else:
                try:
                    await client.ended.wait()
                except asyncio.CancelledError:
                    client.transport.abort()
                    raise
            await asyncio.sleep(REOPEN_AFTER * (1 + random.random()))
