"""One process of players: many WebSocket clients that note when the probe's score has grown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import time
from array import array
from multiprocessing.connection import Connection as Pipe
from typing import cast

import msgspec
import uvloop

from scripts.load import websocket
from scripts.load.http1 import SWITCHING_PROTOCOLS, AnswerParser, ProtocolError
from scripts.load_test import messages
from scripts.load_test.messages import Position
from scripts.load_test.plan import PROBE, Plan, Target

CONNECTING = 100  # handshakes under way at once
CONNECT_TIMEOUT = 60.0  # seconds for all of them
REOPEN_AFTER = 0.5  # seconds, up to twice as many


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
        self.received = 0

    def read(self, board: int, payload: bytes) -> tuple[Update, int]:
        """The message and the probe's score in it. Raises msgspec.DecodeError."""
        self.received += 1
        known = self._last.get(board)
        if known is None or known[0] != payload:
            update = self._decode(payload)
            known = self._last[board] = (payload, update, update.probe_score)
        return known[1], known[2]


class Client(asyncio.Protocol):
    """One player, over all of its connections. ``open`` is set from the first snapshot on."""

    def __init__(self, board: int, reader: Reader, request: bytes) -> None:
        self.board = board
        self.open = asyncio.Event()
        self.ended = asyncio.Event()
        self.seen_at = array("q")
        self.seen_score = array("q")
        self._reader = reader
        self._request = request
        self._fresh = True  # no snapshot on this connection yet
        self._version = -1
        self._last: Update | None = None
        self._backwards = 0
        self._lost = 0

    @property
    def position(self) -> Position:
        top = self._last.top_scores if self._last else []
        return Position(
            board=self.board,
            connected=not self.ended.is_set(),
            version=self._version,
            top=msgspec.json.encode(top).decode(),
            backwards=self._backwards,
            lost=self._lost,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._answers: AnswerParser | None = AnswerParser()
        self._frames = websocket.FrameParser()
        self._fresh = True
        self.ended.clear()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        try:
            if self._answers is not None:
                data = self._upgraded(self._answers, data)
            for frame in self._frames.feed(data):
                if frame.opcode == websocket.TEXT:
                    self._take(frame.payload, now)
                elif frame.opcode == websocket.PING:
                    self._transport.write(websocket.pong(frame.payload))
                elif frame.opcode == websocket.CLOSE:
                    self._transport.close()
        except (ProtocolError, msgspec.DecodeError):
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost += 1
        self.ended.set()

    def close(self) -> None:
        self._transport.abort()

    def _upgraded(self, parser: AnswerParser, data: bytes) -> bytes:
        """What follows the answer to the handshake."""
        for answer in parser.feed(data):
            if answer.status != SWITCHING_PROTOCOLS:
                raise ProtocolError(f"the handshake was answered {answer.status}")
            self._answers = None
            return parser.rest()
        return b""

    def _take(self, payload: bytes, now: int) -> None:
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
    """The clients of one process, and the parent's questions about them."""

    def __init__(self, plan: Plan, target: Target, index: int, pipe: Pipe) -> None:
        self._target = target
        self._pipe = pipe
        self._reader = Reader()
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._clients = []
        for number in range(index, plan.clients, plan.watchers):
            board = number % plan.boards
            request = websocket.handshake(target, plan.board(board))
            self._clients.append(Client(board, self._reader, request))

    async def run(self) -> None:
        """Connect all, then answer questions until told to finish."""
        keeping = asyncio.create_task(self._keep_all())
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                for client in self._clients:
                    await client.open.wait()
            messages.send(self._pipe, messages.Ready())
            await self._answer_questions()
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    async def _answer_questions(self) -> None:
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        loop.add_reader(self._pipe.fileno(), asked.set)
        os.set_blocking(self._pipe.fileno(), True)  # undone by the loop; answers may be long
        cpu = time.process_time()
        while True:
            await asked.wait()
            asked.clear()
            while self._pipe.poll():
                question = messages.receive(self._pipe)
                if isinstance(question, messages.Start):
                    cpu = time.process_time()
                elif isinstance(question, messages.AskPositions):
                    positions = [client.position for client in self._clients]
                    messages.send(self._pipe, messages.Positions(positions, self._reader.received))
                else:
                    loop.remove_reader(self._pipe.fileno())
                    messages.send(self._pipe, self._report(time.process_time() - cpu))
                    return

    def _report(self, cpu_seconds: float) -> messages.WatcherReport:
        return messages.WatcherReport(
            boards=[client.board for client in self._clients],
            seen_at=[client.seen_at.tobytes() for client in self._clients],
            seen_score=[client.seen_score.tobytes() for client in self._clients],
            received=self._reader.received,
            cpu_seconds=cpu_seconds,
        )

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for client in self._clients:
                clients.create_task(self._keep(client))

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
                    client.close()
                    raise
            await asyncio.sleep(REOPEN_AFTER * (1 + random.random()))


def main(pipe: Pipe, plan: Plan, target: Target, index: int) -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    try:
        uvloop.run(Watcher(plan, target, index, pipe).run())
    except TimeoutError:
        reason = f"not every WebSocket got its snapshot within {CONNECT_TIMEOUT:.0f} s"
        messages.send(pipe, messages.Failed(reason))
    except (EOFError, ConnectionError):
        pass  # the parent has ended
