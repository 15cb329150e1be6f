"""A board as it changes: a WebSocket that is opened again whenever it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from scoreboard_client.calls import Calls, Query, Tokens, address, segment
from scoreboard_client.clocks import Clock, by
from scoreboard_client.decoding import decoded
from scoreboard_client.errors import Refused, ScoreboardError, bad_answer, bounded
from scoreboard_client.transport import HandshakeRefused, Socket, SocketClosed, Transport
from scoreboard_client.types import Overtaken, PlayerStanding, TopEntry

log = logging.getLogger("scoreboard_client")

OPENING = 15.0  # seconds that a connection may take to say something
SILENCE = 60.0  # two heartbeats and a little: the connection is dead
CATCH_UP = 2.0  # an update announced by a heartbeat may still be on its way
STABLE = 10.0  # a connection that lasted this long starts the pauses anew
LEAST_PAUSE = 0.5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 30.0

Reason = Literal[
    "lost",
    "restart",
    "unavailable",
    "token",
    "forbidden",
    "unknown_board",
    "full",
    "invalid_request",
]

_CLOSED_FOR: dict[int, Reason] = {
    1012: "restart",
    1013: "unavailable",
    4401: "token",
    4404: "unknown_board",
    4429: "full",
}
_REFUSED_FOR: dict[int, Reason] = {
    400: "invalid_request",
    401: "token",
    403: "forbidden",
    404: "unknown_board",
    429: "full",
    503: "unavailable",
}


@dataclass(frozen=True)
class Top:
    """The first of the board, newer than all that came before. ``occurrence`` is told of a
    period's table."""

    board: str
    version: int
    top_scores: list[TopEntry]
    at: str
    occurrence: int | None = None


@dataclass(frozen=True)
class PeriodClosed:
    """The period's occurrence has ended; the next top is that of the new one."""

    board: str
    message: dict[str, Any]


@dataclass(frozen=True)
class Heartbeat:
    """Nothing has changed; the board still has this ``version``."""

    board: str
    version: int
    occurrence: int | None = None


@dataclass(frozen=True)
class State:
    """How the connection fares. Unless it is ``live``, what was shown last is stale. While
    ``waiting``, ``reason`` says why, and ``seconds`` when it goes on."""

    name: Literal["connecting", "live", "waiting"]
    reason: Reason | None = None
    seconds: float | None = None


Event = Top | PlayerStanding | Overtaken | PeriodClosed | Heartbeat | State

_MESSAGES: dict[str, type[Top | Heartbeat | PlayerStanding | Overtaken]] = {
    "snapshot": Top,
    "update": Top,
    "heartbeat": Heartbeat,
    "standing": PlayerStanding,
    "overtaken": Overtaken,
}


class Watch:
    """Iterate over it (``async for``) for what happens; it goes on until ``close``. ``top`` is the
    newest top, ``standings`` has the newest of each player who is followed, by id, and ``stale``
    says whether changes of these may be missing by now."""

    def __init__(
        self,
        url: str,
        board: str,
        period: str | None,
        occurrence: int | str | None,
        players: Sequence[str],
        *,
        calls: Calls,
        tokens: Tokens,
        transport: Transport,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._url = f"{_websocket(url)}/ws/boards/{segment(board)}"
        self._query: Query = {"period": period, "occurrence": occurrence, "user": players}
        self._calls = calls
        self._tokens = tokens
        self._transport = transport
        self._clock = clock
        self._random = random
        self._events = self._run()
        self._next: asyncio.Future[Event] | None = None
        self._closed = False
        self._failures = 0
        self._live_since: float | None = None
        self._announced: tuple[tuple[int, int], float] | None = None
        self._connections = 0
        self._passings: dict[str, tuple[Overtaken, int]] = {}  # with the number of a connection
        self.top: Top | None = None
        self.standings: dict[str, PlayerStanding] = {}
        self.stale = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._next = asyncio.ensure_future(anext(self._events))
        try:
            return await self._next
        except asyncio.CancelledError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    async def close(self) -> None:
        """Ends the watch, its connection, and the iteration over it."""
        self._closed = True
        if self._next is not None and not self._next.done():
            self._next.cancel()
            await asyncio.wait({self._next})
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        while True:
            yield State("connecting")
            socket: Socket | None = None
            token: str | None = None
            retry_after = 0.0
            reason: Reason = "lost"
            deadline = self._clock.now() + OPENING
            try:
                token = await by(self._clock, deadline, self._tokens.get())
                socket = await by(self._clock, deadline, self._open())
                while True:
                    text = await by(self._clock, deadline, socket.receive())
                    events, deadline = self._received(text)
                    for event in events:
                        yield event
            except SocketClosed as error:
                reason = _CLOSED_FOR.get(error.code, "lost")
            except HandshakeRefused as error:
                reason = _REFUSED_FOR.get(error.status, "lost")
                retry_after = bounded(error.retry_after)
            except ScoreboardError as error:
                reason, retry_after = _reason_of(error), error.retry_after
            except Exception:  # one of the transport's own, too: a watch goes on until it is closed
                log.debug("a watch has lost its connection", exc_info=True)
            finally:
                self.stale = True
                if socket is not None:
                    await socket.close()
            if self._goes_on_at_once(reason, token):
                continue
            seconds = retry_after + self._pause(reason)
            until = self._clock.now() + seconds
            yield State("waiting", reason, seconds)
            await self._clock.sleep_until(until)

    async def _open(self) -> Socket:
        self._connections += 1
        query = dict(self._query)
        if self._tokens.given:
            try:
                query["ticket"] = (await self._calls.call("POST", "/api/ws-ticket"))["ticket"]
            except Refused as error:
                if error.code != "forbidden":
                    raise
                # A token that only writes: then reads need none, or the handshake says so.
        return await self._transport.connect(address(self._url, "", query))

    def _received(self, text: str) -> tuple[list[Event], float]:
        """What a message says, and by when the next one has to come."""
        now = self._clock.now()
        told = _message(text)
        events: list[Event] = []
        if self._live_since is None:
            self._live_since, self.stale = now, False
            events.append(State("live"))
        if told is not None and self._is_news(told):
            events.append(told)
        self._note(told if isinstance(told, Heartbeat) else None, now)
        gap = self._announced[1] if self._announced else now + SILENCE
        return events, min(now + SILENCE, gap)

    def _is_news(self, told: Event) -> bool:
        """Keeps what it says, and whether that is not yet known."""
        match told:
            case Top():
                if not self._is_newer(told):
                    return False
                self.top = told
            case PeriodClosed():
                self.top = None  # versions of another occurrence are no measure for the next
            case PlayerStanding():
                known = self.standings.get(told.user_id)
                self.standings[told.user_id] = told
                return known is None or replace(known, at=told.at) != told
            case Overtaken():
                # The server of the next connection may tell what that of the last one told.
                before, connection = self._passings.get(told.user_id, (None, 0))
                self._passings[told.user_id] = told, self._connections
                is_new = before is None or replace(before, at=told.at) != told
                return is_new or connection == self._connections
        return True

    def _is_newer(self, told: Top | Heartbeat) -> bool:
        return _place(told) > _place(self.top)

    def _note(self, heartbeat: Heartbeat | None, now: float) -> None:
        """A heartbeat may tell of a version that is still to come; it has CATCH_UP seconds."""
        if self._announced and self._announced[0] <= _place(self.top):
            self._announced = None
        if heartbeat and self._is_newer(heartbeat):
            self._announced = self._announced or (_place(heartbeat), now + CATCH_UP)

    def _goes_on_at_once(self, reason: Reason, token: str | None) -> bool:
        """A token may merely have outlived its connection: then a new one opens the next."""
        now = self._clock.now()
        was_live = self._live_since is not None
        if self._live_since is not None and now - self._live_since > STABLE:
            self._failures = 0
        self._live_since = self._announced = None
        if reason != "token":
            return False
        self._tokens.refuse(token)
        if not was_live or self._failures:
            return False
        self._failures = 1
        return True

    def _pause(self, reason: Reason) -> float:
        """Full jitter: clients that were cut off together come back spread out."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        if reason == "full":
            longest = LONGEST_PAUSE
        return LEAST_PAUSE + self._random() * (longest - LEAST_PAUSE)


def _place(told: Top | Heartbeat | None) -> tuple[int, int]:
    """What grows from message to message: each occurrence of a period has versions of its own."""
    return (0, -1) if told is None else (told.occurrence or 0, told.version)


def _message(text: str) -> Event | None:
    """What this text says, None if it is of a kind of tomorrow. Raises TryLater ``bad_answer``."""
    try:
        message = json.loads(text)
        if message["type"] == "closed":
            return PeriodClosed(message["board"], message)
        kind = _MESSAGES.get(message["type"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise bad_answer("no message") from error
    return decoded(kind, message) if kind is not None else None


def _reason_of(error: ScoreboardError) -> Reason:
    if error.code == "no_token":
        return "token"
    return _REFUSED_FOR.get(error.status or 0, "lost")


def _websocket(url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    return parts._replace(scheme={"http": "ws", "https": "wss"}[parts.scheme]).geturl()
