"""One-use WebSocket tickets, kept in Redis so that any server can redeem them."""

from __future__ import annotations

import secrets

from msgspec import DecodeError
from redis.asyncio import Redis

from scoreboard.redisio.commands import reachable
from scoreboard.wire import keys
from scoreboard.wire.tickets import (
    TICKET_BYTES,
    TICKET_SECONDS,
    Ticket,
    decode_ticket,
    encode_ticket,
    is_ticket,
)


class RedisTickets:
    """Issues tickets that are valid once, within 30 seconds. Raises Unavailable when Redis is
    away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, ticket: Ticket) -> str:
        """The ticket's text: 128 random bits."""
        token = secrets.token_urlsafe(TICKET_BYTES)
        with reachable():
            await self._redis.set(
                keys.ticket(token), encode_ticket(ticket), ex=TICKET_SECONDS, nx=True
            )
        return token

    async def redeem(self, token: str) -> Ticket | None:
        """The rights of the ticket, which can be redeemed only once; None for an unknown, used or
        expired one."""
        if not is_ticket(token):
            return None
        with reachable():
            text = await self._redis.getdel(keys.ticket(token))
        try:
            return None if text is None else decode_ticket(text)
        except DecodeError:
            return None  # it is none of ours
