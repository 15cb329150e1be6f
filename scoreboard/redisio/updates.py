"""The channels on which Redis announces changes of a board's top 10: one pub/sub connection for the
whole process, which notices when Redis is gone and reconnects when it is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from scoreboard.redisio.connections import client

log = structlog.get_logger(__name__)

SILENCE = 3.0  # seconds of silence until Redis is pinged, and then until the connection is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between attempts to connect

# RuntimeError: raised by asyncio when redis-py sends on a connection that was just lost and
# connects again while the other task still reads from it.
_LOST = (RedisError, OSError, TimeoutError, RuntimeError)


class RedisUpdates:
    """Subscriptions to boards. ``channel_of`` names a board's channel; ``timeout`` in seconds
    bounds connecting and subscribing."""

    def __init__(
        self,
        url: str,
        channel_of: Callable[[str], str],
        *,
        timeout: float,
        silence: float = SILENCE,
    ) -> None:
        self._url = url
        self._channel_of = channel_of
        self._timeout = timeout
        self._silence = silence
        self._boards: dict[bytes, str] = {}
        self._confirmed: dict[bytes, asyncio.Future[None]] = {}
        self._session: PubSub | None = None
        self._sending = asyncio.Lock()  # so that commands are sent in the order of the calls

    async def subscribe(self, board: str) -> None:
        """Returns once Redis has confirmed the subscription, so everything published from then on
        arrives. While Redis is away it returns at once; ``on_resubscribed`` follows later."""
        channel = self._channel(board)
        self._boards[channel] = board
        if self._session is None:
            return
        confirmed = asyncio.get_running_loop().create_future()
        self._confirmed[channel] = confirmed
        try:
            with suppress(*_LOST):  # the session notices this too
                async with asyncio.timeout(self._timeout):
                    await self._send("subscribe", channel)
                    await confirmed
        finally:
            self._confirmed.pop(channel, None)

    async def unsubscribe(self, board: str) -> None:
        """Ends a subscription."""
        channel = self._channel(board)
        if self._boards.pop(channel, None) is not None:
            with suppress(*_LOST):  # the next session will not subscribe to it
                await self._send("unsubscribe", channel)

    async def run(
        self,
        on_update: Callable[[str, bytes], None],
        on_resubscribed: Callable[[str], None],
    ) -> None:
        """Receives until cancelled: calls ``on_update(board, text)`` for each message, and
        ``on_resubscribed(board)`` when messages of a board may have been lost."""
        pause = FIRST_PAUSE
        told = False
        while not _cancelled():
            try:
                async with (
                    client(self._url, timeout=self._timeout, connections=1) as redis,
                    redis.pubsub() as session,
                ):
                    await session.connect()
                    if told:
                        log.info("redis_updates_back", boards=len(self._boards))
                    pause, told = FIRST_PAUSE, False
                    await self._receive(session, on_update, on_resubscribed)
            except _LOST as error:
                if not told:
                    log.warning(
                        "redis_updates_lost",
                        error=str(error) or type(error).__name__,
                        boards=len(self._boards),
                        effect="clients keep the last top 10 until Redis is back",
                    )
                    told = True
            finally:
                self._session = None
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE)
        raise asyncio.CancelledError

    async def _receive(
        self,
        session: PubSub,
        on_update: Callable[[str, bytes], None],
        on_resubscribed: Callable[[str], None],
    ) -> None:
        self._session = session
        if self._boards:
            await self._send("subscribe", *self._boards)
        pinged = False
        while not _cancelled():
            message: dict[str, Any] | None = await session.get_message(timeout=self._silence)
            if message is None:
                # A half-open connection: a peer that vanished does not answer the ping either.
                if pinged:
                    raise ConnectionError(f"no answer in {self._silence:g} s")
                await session.ping()
                pinged = True
                continue
            pinged = False
            board = self._boards.get(message["channel"])
            if board is None:
                continue  # a pong, or what was still on its way when we unsubscribed
            if message["type"] == "message":
                on_update(board, message["data"])
            elif message["type"] == "subscribe":
                confirmed = self._confirmed.get(message["channel"])
                if confirmed is None:
                    on_resubscribed(board)
                elif not confirmed.done():
                    confirmed.set_result(None)

    async def _send(self, command: str, *channels: bytes) -> None:
        async with self._sending:
            if self._session is not None:
                await getattr(self._session, command)(*channels)

    def _channel(self, board: str) -> bytes:
        return self._channel_of(board).encode()


def _cancelled() -> bool:
    """True when this task was cancelled, even if the CancelledError was swallowed. In Python 3.11
    asyncio.wait_for, which redis-py uses, swallows it when its task ends at the same moment."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
