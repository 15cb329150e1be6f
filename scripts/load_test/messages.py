"""What the generator's processes and their parent say to each other over pipes: msgpack, typed."""

from __future__ import annotations

from multiprocessing.connection import Connection as Pipe
from typing import TypeVar

import msgspec

M = TypeVar("M", bound=msgspec.Struct)


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A process is connected."""


class Start(msgspec.Struct, frozen=True, tag=True):
    """The timetable begins at the monotonic ns ``at``."""

    at: int


class Finish(msgspec.Struct, frozen=True, tag=True):
    """To a watcher: report and end."""


class AskPositions(msgspec.Struct, frozen=True, tag=True):
    """To a watcher: where does each client stand?"""


class SentSoFar(msgspec.Struct, frozen=True, tag=True):
    """A sender's progress; latencies in seconds, since the last message."""

    finished: int
    waiting: int
    outcomes: dict[str, int]
    p50: float
    p99: float


class SenderReport(msgspec.Struct, frozen=True, tag=True):
    """A sender's account. Bytes are arrays of int64: of each finished call ``due`` (ns after the
    start), ``lag``, ``service`` (negative: never sent) and ``latency`` (ns), ``accepted``,
    ``known`` (duplicates) and ``refused`` (actions); of each probe ``board``, ``due`` (monotonic
    ns) and the ``score`` acknowledged; ``acknowledged`` points by board and user."""

    due: bytes
    lag: bytes
    service: bytes
    latency: bytes
    accepted: bytes
    known: bytes
    refused: bytes
    probe_board: bytes
    probe_due: bytes
    probe_score: bytes
    acknowledged: bytes
    acknowledged_actions: int
    outcomes: dict[str, int]
    violations: list[str]
    violation_count: int
    unsettled: int
    cpu_seconds: float


class Position(msgspec.Struct, frozen=True):
    """Where a WebSocket client stands: the newest version it has, and that top 10 as text.
    ``backwards`` counts versions that did not grow, ``lost`` connections that ended."""

    board: int
    connected: bool
    version: int
    top: str
    backwards: int
    lost: int


class Positions(msgspec.Struct, frozen=True, tag=True):
    """A watcher's clients; ``received`` messages by all of them."""

    clients: list[Position]
    received: int


class WatcherReport(msgspec.Struct, frozen=True, tag=True):
    """Of each client its ``boards`` entry and, as bytes of int64, when (monotonic ns) the probe's
    score was seen to grow, and to what."""

    boards: list[int]
    seen_at: list[bytes]
    seen_score: list[bytes]
    received: int
    cpu_seconds: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A process can't go on."""

    reason: str


Message = (
    Ready
    | Start
    | Finish
    | AskPositions
    | SentSoFar
    | SenderReport
    | Positions
    | WatcherReport
    | Failed
)

_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_encode = msgspec.msgpack.Encoder().encode


def send(pipe: Pipe, message: Message) -> None:
    pipe.send_bytes(_encode(message))


def receive(pipe: Pipe) -> Message:
    """The next message; waits for it. Raises EOFError when the other side is gone."""
    return _decoder.decode(pipe.recv_bytes())
