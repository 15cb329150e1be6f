"""The WebSocket's messages, one JSON text each. Updates come ready-made from lua/lib_top.lua;
snapshots and heartbeats are made here in the same form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from scoreboard.domain.moments import moment_of
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.standings import TopEntry


class BoardMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A snapshot (once on connect, and of the next occurrence when one has ended) or an update
    (when the top 10 changed). ``period`` and ``occurrence`` are there when a period is watched."""

    type: Literal["snapshot", "update"]
    board: str
    period: str | UnsetType = UNSET
    occurrence: int | UnsetType = UNSET
    version: int
    top_scores: list[TopEntry]
    at: str


class Closed(msgspec.Struct, frozen=True, tag_field="type", tag="closed", rename="camel"):
    """An occurrence has ended; a snapshot of the next one follows at once, to who did not ask for
    this one by its number."""

    board: str
    period: str
    occurrence: int
    starts_at: str
    ends_at: str
    at: str


class Heartbeat(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """Sent while a board is idle, since a browser's script can't see pings. A version above the
    client's own tells the client that it missed an update."""

    board: str
    version: int
    period: str | UnsetType = UNSET
    occurrence: int | UnsetType = UNSET


class _Versioned(msgspec.Struct):
    version: int


class PeriodNews(msgspec.Struct):
    """What a text on a period's channel is about: an update, or the end of an occurrence, which
    has no version."""

    type: Literal["update", "closed"]
    occurrence: int
    version: int = -1


# Published on a board's channel when the board is gone: whoever relays it looks for it anew.
GONE = b'{"type":"gone"}'

CLOSED = b'{"type":"closed",'  # begins the text of an occurrence's end

_UPDATE = b'{"type":"update",'
_SNAPSHOT = b'{"type":"snapshot",'

_encoder = msgspec.json.Encoder()
_versioned = msgspec.json.Decoder(_Versioned)
_period_news = msgspec.json.Decoder(PeriodNews)


def snapshot(board: str, version: int, top_scores: bytes) -> bytes:
    """The snapshot of a board; ``top_scores`` is the ready JSON array of its entries."""
    return b'{"type":"snapshot","board":"%b","version":%d,"topScores":%b,"at":"%b"}' % (
        board.encode(),
        version,
        top_scores,
        _moment(datetime.now(UTC)),
    )


def heartbeat(board: str, version: int) -> bytes:
    """The heartbeat of an idle board."""
    return _encoder.encode(Heartbeat(board, version))


def period_heartbeat(board: str, period: str, occurrence: int, version: int) -> bytes:
    """The same of an occurrence."""
    return _encoder.encode(Heartbeat(board, version, period, occurrence))


def update(board: str, version: int, top_scores: bytes) -> bytes:
    """An update in the form that lua/lib_top.lua publishes, for a version that was read from the
    board, not received on its channel."""
    return _UPDATE + snapshot(board, version, top_scores).removeprefix(_SNAPSHOT)


def period_update(
    board: str, period: str, occurrence: int, version: int, top_scores: bytes
) -> bytes:
    """The same of an occurrence."""
    subject = b'{"type":"update","board":"%b",' % board.encode()
    about = subject + b'"period":"%b","occurrence":%d,' % (period.encode(), occurrence)
    return about + update(board, version, top_scores).removeprefix(subject)


def closed(board: str, period: str, ended: Occurrence) -> bytes:
    """The end of an occurrence in the form that lua/lib_periods.lua publishes, for who was not
    there then."""
    moments = (
        _moment(moment).decode()
        for moment in (moment_of(ended.starts_at), moment_of(ended.ends_at), datetime.now(UTC))
    )
    return _encoder.encode(Closed(board, period, ended.number, *moments))


def as_snapshot(update: bytes) -> bytes:
    """An update's version as a snapshot, for a client that connects later."""
    return _SNAPSHOT + update.removeprefix(_UPDATE)


def period_news(text: bytes) -> PeriodNews:
    """What a text on a period's channel is about. Raises msgspec.DecodeError for one that is
    neither an update nor the end of an occurrence."""
    return _period_news.decode(text)


def _moment(moment: datetime) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].encode() + b"Z"


def version_of(update: bytes) -> int:
    """The version of an update. Raises msgspec.DecodeError for text that is not an update."""
    return _versioned.decode(update).version
