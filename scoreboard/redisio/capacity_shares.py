"""What shards have of their board's capacity, in Redis (domain/capacity_shares.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from scoreboard.domain.capacity_shares import Dealt, NotDealt, OtherTerm, Share
from scoreboard.domain.tables import occurrence_of
from scoreboard.errors import BoardCold
from scoreboard.redisio.commands import run_script
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import COLD, DONE, MOVED, OTHER, PERIOD, SETTINGS, ScriptCall

_NOT_DEALT = {
    DONE: NotDealt.FINAL,
    PERIOD: NotDealt.UNOPENED,
    SETTINGS: NotDealt.UNSETTLED,
    MOVED: NotDealt.MOVED,
}


class CapacityShares:
    """Every method raises BoardCold when the board or shard is not live, and Unavailable when Redis
    is away; then it may have been done."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def deal(
        self,
        table: str,
        *,
        term: int | None,
        returned: Sequence[Share | None],
        wanted: Sequence[int],
    ) -> Dealt | OtherTerm | NotDealt:
        """Deals out, for a table of the board, how many users more each shard wants, as far as
        there is room. ``returned`` is what each shard has after it gave back what it does not use,
        by the number of its last deal then; ``term`` one that all have entered, and that begins
        now."""
        keys = self._keyspace.board(table)
        call = scripts.deal_shares(
            key_meta=keys.guard,
            key_table=keys.meta,
            arg_occurrence=occurrence_of(table) or "",
            arg_term="" if term is None else term,
        )
        for share, more in zip(returned, wanted, strict=True):
            number, users = (b"", b"") if share is None else (b"%d" % one for one in share)
            call.args.extend((number, users, b"%d" % more))
        reply = await self._run(call)
        if reply[0] == OTHER:
            return OtherTerm(int(reply[2]), int(reply[1]))
        if reply[0] in _NOT_DEALT:
            return _NOT_DEALT[reply[0]]
        capacity, began, moved, *dealt = map(int, reply)
        shares = list(map(Share, dealt[::3], dealt[1::3]))
        return Dealt(capacity, began, bool(moved), shares, dealt[2::3])

    async def hold(
        self, part: str, capacity: int, term: int, share: Share
    ) -> OtherTerm | NotDealt | None:
        """Gives a shard what it was dealt, in its part of a table."""
        told = await self._set(part, capacity, term, share.number, b"%d" % share.users)
        return None if isinstance(told, int) else told

    async def give_back(
        self, part: str, capacity: int, term: int, number: int
    ) -> Share | OtherTerm | NotDealt:
        """Takes back what a shard has no user for, in its part of a table, unless something was
        dealt to it after the deal of this ``number``. With 0 it enters the term."""
        told = await self._set(part, capacity, term, number, b"")
        if told is NotDealt.UNOPENED:
            return Share(number, 0)
        return Share(number, told) if isinstance(told, int) else told

    async def _set(
        self, part: str, capacity: int, term: int, number: int, users: bytes
    ) -> int | OtherTerm | NotDealt:
        keys = self._keyspace.board(part)
        reply = await self._run(
            scripts.set_share(
                key_meta=keys.guard,
                key_table=keys.meta,
                key_players=keys.players,
                arg_capacity=capacity,
                arg_occurrence=occurrence_of(part) or "",
                arg_term=term,
                arg_number=number,
                arg_users=users,
            )
        )
        if reply[0] == OTHER:
            return OtherTerm(int(reply[1]))
        return _NOT_DEALT[reply[0]] if reply[0] in _NOT_DEALT else int(reply[0])

    async def _run(self, call: ScriptCall) -> list[Any]:
        reply = await run_script(self._redis, call)
        if reply[0] == COLD:
            raise BoardCold("The board is not live in Redis.")
        return reply
