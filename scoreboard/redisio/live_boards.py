"""Reads of live boards. Every read runs a small script that also checks the epoch, so that a board
that may have lost its last writes never answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import floor
from typing import Any, TypedDict

import msgspec

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.descriptions import Description
from scoreboard.domain.stamps import total_of
from scoreboard.domain.standings import (
    Page,
    Place,
    Standing,
    UserStanding,
    percentile,
    ranked,
    user_standing,
)
from scoreboard.domain.tables import board_of
from scoreboard.redisio.reads import Reads, readable
from scoreboard.wire import scripts
from scoreboard.wire.keys import BoardKeys, Keyspace
from scoreboard.wire.scripts import ScriptCall


class LiveBoards:
    """Reads boards from Redis. Every method raises BoardCold, or Unavailable when Redis is away.

    It uses script lines, which cost the process a third of what redis-py's commands cost, and which
    repeat a read whose answer was lost.
    """

    def __init__(self, reads: Reads, *, keyspace: Keyspace) -> None:
        self._reads = reads
        self._keyspace = keyspace
        # One call for a table, so that reads of many users can share it.
        remembered = lru_cache(maxsize=4096)
        self._around: Callable[[str], ScriptCall] = remembered(
            lambda table: scripts.read_around(**keys_of(keyspace.board(table)))
        )
        self._user: Callable[[str], ScriptCall] = remembered(
            lambda table: scripts.read_user(**keys_of(keyspace.board(table)))
        )

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10)."""
        keys = self._keyspace.board(board)
        version, top = await self._reads.read(scripts.read_top(**keys_of(keys)))
        with readable():
            _check_top(top)
            return int(version), top

    async def settings(self, table: str) -> BoardSettings:
        """Those of its board."""
        return (await self.description(board_of(table))).settings

    async def description(self, board: str) -> Description:
        """The board's settings, its version, and how many users it shows."""
        keys = self._keyspace.board(board)
        version, settings, users = await self._reads.read(scripts.read_board(**keys_of(keys)))
        with readable():
            return Description(BoardSettings.from_text(settings), int(users), int(version))

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""
        keys = self._keyspace.board(board)
        call = scripts.read_standings(**keys_of(keys))
        call.args.extend(user.encode() for user in users)
        reply = await self._reads.read(call)
        with readable():
            players = int(reply[0])
            pairs = zip(users, reply[1::2], reply[2::2], strict=True)
            return [
                Standing(user, int(score), int(rank), percentile(int(rank), players))
                if score
                else None
                for user, score, rank in pairs
            ]

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not on the board."""
        reply = await self._reads.read_entry(self._around(board), user.encode(), b"%d" % radius)
        if len(reply) == 1:
            return None
        with readable():
            return _part(reply)

    async def user(self, board: str, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        on the board."""
        reply = await self._reads.read_entry(self._user(board), user.encode())
        if len(reply) == 1:
            return None
        with readable():
            *above, own = _part(reply)
            sign, tenth = reply[2], reply[5]
            return user_standing(
                own,
                above[0] if above else None,
                total_of(float(tenth)) * sign if tenth else None,
            )

    async def page(self, board: str, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on."""
        keys = self._keyspace.board(board)
        call = scripts.read_page(
            **keys_of(keys),
            arg_from=place.kind,
            arg_at=repr(place.at),
            arg_user=place.user_id,
            arg_limit=limit,
        )
        reply = await self._reads.read(call)
        with readable():
            standings = _part(reply)
            players, above, rows = reply[0], reply[1], reply[4]
            last = None
            if standings and above + len(standings) < players:
                last = Place("after", float(rows[-1]), standings[-1].user_id)
            return Page(standings, above + 1, players, last)


class _Shown(msgspec.Struct):
    userId: str  # noqa: N815 (as the script writes it)
    score: int


_check_top = msgspec.json.Decoder(list[_Shown]).decode


class ReadKeys(TypedDict):
    """The KEYS of a script that reads a table."""

    key_board: str
    key_meta: str
    key_table: str


def keys_of(keys: BoardKeys) -> ReadKeys:
    """The KEYS of a script that reads a table, of this board or occurrence."""
    return ReadKeys(key_board=keys.board, key_meta=keys.guard, key_table=keys.meta)


def _part(reply: list[Any]) -> list[Standing]:
    """The standings that a script replies (lua/lib_pages.lua)."""
    players, above, sign, shared, rows = reply[:5]
    users = [user.decode() for user in rows[::2]]
    scores = [floor(float(zset_score)) * sign for zset_score in rows[1::2]]
    shown = zip(users, scores, strict=True)
    return ranked(shown, above, players, int(shared) if shared else None)
