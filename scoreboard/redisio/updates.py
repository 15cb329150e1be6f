"""The channels on which Redis announces changes of a board's top 10: one pub/sub connection for the
whole process, which notices when Redis is gone and reconnects when it is back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from scoreboard.background import first_of
from scoreboard.backoff import Backoff
from scoreboard.redisio.connections import Connects

log = structlog.get_logger(__name__)

SILENCE = 3.0  # seconds of silence until Redis is pinged, and then until the connection is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between attempts to connect

# RuntimeError: raised by asyncio when redis-py sends on a connection that was just lost and
# connects again while the other task still reads from it.
_LOST = (RedisError, OSError, TimeoutError, RuntimeError)

OnUpdate = Callable[[str, bytes], None]
OnResubscribed = Callable[[str], None]


class RedisUpdates:
    """Subscriptions to boards on one ``server``. ``channel_of`` names a board's channel, which
    several may share; ``timeout`` in seconds bounds connecting and subscribing. On a server of a
    cluster (``sharded``) ``on_trouble`` is called when the connection is lost, and when a channel's
    slot has left the server; such channels are in ``strays``."""

    def __init__(
        self,
        server: Connects,
        channel_of: Callable[[str], str],
        *,
        timeout: float,
        silence: float = SILENCE,
        sharded: bool = False,
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        self._server = server
        self._channel_of = channel_of
        self._timeout = timeout
        self._silence = silence
        self._boards: dict[bytes, list[str]] = {}  # who wants it, by channel
        self._session: _Session | None = None
        self._sharded = sharded
        self._on_trouble = on_trouble
        self.strays: set[bytes] = set()

    @property
    def lost(self) -> bool:
        """Whether there is no connection now."""
        return self._session is None

    def subscribe_again(self, channel: bytes) -> None:
        """To be called for a stray whose slot is on this server all the same."""
        self.strays.discard(channel)
        if self._session is not None:
            self._session.again(channel)

    async def subscribe(self, board: str) -> None:
        """Returns once Redis has confirmed the subscription, so everything published from then on
        arrives. While Redis is away it returns at once, and after ``timeout`` in any case;
        ``on_resubscribed`` follows later. Subscribers to one board share what it takes."""
        channel = self._channel(board)
        boards = self._boards.setdefault(channel, [])
        if board not in boards:
            boards.append(board)
        if self._session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._session.subscribed(channel)

    def unsubscribe(self, board: str) -> None:
        """Ends a subscription."""
        channel = self._channel(board)
        boards = self._boards.get(channel, [])
        if board in boards:
            boards.remove(board)
            if not boards:
                del self._boards[channel]
                self.strays.discard(channel)
                if self._session is not None:
                    self._session.unsubscribed(channel)

    async def run(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        """Receives until cancelled: calls ``on_update(board, text)`` for each message, and
        ``on_resubscribed(board)`` when messages of a board may have been lost."""
        backoff, told = Backoff(FIRST_PAUSE, LONGEST_PAUSE), False
        while True:
            try:
                async with (
                    self._server.client(timeout=self._timeout, connections=1) as redis,
                    _OneConnection(redis.connection_pool) as pubsub,
                ):
                    await pubsub.connect()
                    if told:
                        log.info("redis_updates_back", boards=len(self._boards))
                    backoff, told = Backoff(FIRST_PAUSE, LONGEST_PAUSE), False
                    self._session = _Session(
                        pubsub, self._boards, self._silence, self._stray if self._sharded else None
                    )
                    self.strays.clear()
                    try:
                        await self._session.run(on_update, on_resubscribed)
                    finally:
                        self._session = None
            except _LOST as error:
                if not told:
                    log.warning(
                        "redis_updates_lost",
                        error=str(error) or type(error).__name__,
                        boards=len(self._boards),
                        effect="clients keep the last top 10 until Redis is back",
                    )
                    told = True
                self._on_trouble()
            await asyncio.sleep(backoff.next())

    def _stray(self, channel: bytes) -> None:
        self.strays.add(channel)
        self._on_trouble()

    def _channel(self, board: str) -> bytes:
        return self._channel_of(board).encode()


class _OneConnection(PubSub):
    async def on_connect(self, connection: Any) -> None:
        """Called when redis-py has connected again by itself. It would subscribe to all channels by
        one command, which on a cluster may name those of one slot only; the next session does."""
        raise RedisConnectionError("the connection was lost")


class _Session:
    """One connection. A task of its own brings its subscriptions in line with the channels in
    ``wanted``, so that callers may come, go and be cancelled without disturbing one another. With
    ``on_stray`` the channels are sharded, and it is called for those whose slots leave the
    server."""

    def __init__(
        self,
        pubsub: PubSub,
        wanted: dict[bytes, list[str]],
        silence: float,
        on_stray: Callable[[bytes], None] | None,
    ) -> None:
        self._pubsub = pubsub
        self._on_stray = on_stray
        self._leaving: Counter[bytes] = Counter()  # of sharded ones: confirmations still to come
        self._wanted = wanted
        self._silence = silence
        self._told: set[bytes] = set()  # the channels to which Redis was told to subscribe
        self._unconfirmed: Counter[bytes] = Counter()  # its confirmations that are still to come
        self._unsettled = set(wanted)  # the channels that may be wanted and not told, or not wanted
        self._news = asyncio.Event()
        self._news.set()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._missed = set(wanted)  # messages of these may have been lost before the confirmation

    async def run(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        """Goes on until the connection is lost, which raises one of _LOST."""
        try:
            await first_of(self._send(), self._receive(on_update, on_resubscribed))
        finally:
            for waiting in self._waiting.values():
                waiting.set_result(None)  # the next session tells them by on_resubscribed

    async def subscribed(self, channel: bytes) -> None:
        """Returns when Redis has confirmed the subscription to a wanted channel, or the session is
        over."""
        if channel in self._told and not self._unconfirmed[channel]:
            return
        waiting = self._waiting.get(channel)
        if waiting is None:
            waiting = self._waiting[channel] = asyncio.get_running_loop().create_future()
        self._reconsider(channel)
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._missed.add(channel)
            raise

    def unsubscribed(self, channel: bytes) -> None:
        """The channel is no longer wanted."""
        if waiting := self._waiting.pop(channel, None):
            waiting.set_result(None)
        self._reconsider(channel)

    def again(self, channel: bytes) -> None:
        """Subscribes again to a channel that the server has dropped."""
        self._missed.add(channel)
        self._reconsider(channel)

    def _reconsider(self, channel: bytes) -> None:
        self._unsettled.add(channel)
        self._news.set()

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            unsettled, self._unsettled = self._unsettled, set()
            new = {channel for channel in unsettled if channel in self._wanted} - self._told
            gone = {channel for channel in unsettled if channel not in self._wanted} & self._told
            # Before any of it is sent: who asks meanwhile has to see what Redis will have been
            # told by then.
            self._told |= new
            self._told -= gone
            self._unconfirmed.update(new)
            if self._on_stray is not None:
                await self._send_sharded(new, gone)
                continue
            if gone:
                await self._pubsub.unsubscribe(*gone)
            if new:
                await self._pubsub.subscribe(*new)

    async def _send_sharded(self, new: set[bytes], gone: set[bytes]) -> None:
        """One by one, since a command may name channels of one slot only."""
        for channel in gone:
            self._leaving[channel] += 1
            await self._pubsub.sunsubscribe(channel)
        for channel in new:
            await self._pubsub.ssubscribe(channel)

    async def _receive(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        pinged = False
        while True:
            message: dict[str, Any] | None = await self._pubsub.get_message(timeout=self._silence)
            if message is None:
                # A half-open connection: a peer that vanished does not answer the ping either.
                if pinged:
                    raise ConnectionError(f"no answer in {self._silence:g} s")
                await self._pubsub.ping()
                pinged = True
                continue
            pinged = False
            channel = message["channel"]
            boards = self._wanted.get(channel, ())
            if message["type"] in ("subscribe", "ssubscribe"):
                if self._confirmed(channel):
                    for board in boards:
                        on_resubscribed(board)
            elif message["type"] in ("message", "smessage"):
                for board in boards:
                    on_update(board, message["data"])
            elif message["type"] == "sunsubscribe":
                self._left(channel)

    def _left(self, channel: bytes) -> None:
        if self._leaving[channel]:
            self._leaving[channel] -= 1
        elif channel in self._told and self._on_stray is not None:
            self._told.discard(channel)
            self._unconfirmed.pop(channel, None)
            self._on_stray(channel)

    def _confirmed(self, channel: bytes) -> bool:
        """Tells those who wait for the channel. True when messages may have been lost before
        this."""
        asked = self._unconfirmed[channel]
        if asked > 1:
            self._unconfirmed[channel] = asked - 1
        else:
            del self._unconfirmed[channel]
        if asked > 1 or channel not in self._told:
            return False  # of an earlier subscription, which has ended since
        if waiting := self._waiting.pop(channel, None):
            waiting.set_result(None)
        lost = channel in self._missed
        self._missed.discard(channel)
        return lost
