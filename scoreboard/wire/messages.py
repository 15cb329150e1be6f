"""The WebSocket's messages, one JSON text each. Updates come ready-made from lua/lib_top.lua;
snapshots and heartbeats are made here in the same form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from scoreboard.domain.standings import TopEntry


class BoardMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A snapshot (once on connect) or an update (when the top 10 changed)."""

    type: Literal["snapshot", "update"]
    board: str
    version: int
    top_scores: list[TopEntry]
    at: str


class Heartbeat(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """Sent while a board is idle, since a browser's script can't see pings. A version above the
    client's own tells the client that it missed an update."""

    board: str
    version: int


class _Versioned(msgspec.Struct):
    version: int


_UPDATE = b'{"type":"update",'
_SNAPSHOT = b'{"type":"snapshot",'

_encoder = msgspec.json.Encoder()
_versioned = msgspec.json.Decoder(_Versioned)


def snapshot(board: str, version: int, top_scores: bytes) -> bytes:
    """The snapshot of a board; ``top_scores`` is the ready JSON array of its entries."""
    return b'{"type":"snapshot","board":"%b","version":%d,"topScores":%b,"at":"%b"}' % (
        board.encode(),
        version,
        top_scores,
        datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].encode() + b"Z",
    )


def heartbeat(board: str, version: int) -> bytes:
    """The heartbeat of an idle board."""
    return _encoder.encode(Heartbeat(board, version))


def update(board: str, version: int, top_scores: bytes) -> bytes:
    """An update in the form that lua/lib_top.lua publishes, for a version that was read from the
    board, not received on its channel."""
    return _UPDATE + snapshot(board, version, top_scores).removeprefix(_SNAPSHOT)


def as_snapshot(update: bytes) -> bytes:
    """An update's version as a snapshot, for a client that connects later."""
    return _SNAPSHOT + update.removeprefix(_UPDATE)


def version_of(update: bytes) -> int:
    """The version of an update. Raises msgspec.DecodeError for text that is not an update."""
    return _versioned.decode(update).version
