"""The end of occurrences, in Redis."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from scoreboard.domain.periods import Period
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.redisio.commands import reachable, run_script
from scoreboard.redisio.period_states import told_periods
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod, latest
from scoreboard.wire.scripts import BACKLOG, COLD, DONE, PERIOD

LEFT_FOR_MS = 7 * 86_400_000  # by then whoever makes an occurrence final has done so


class ClosedBoards:
    """Every method may be repeated. It raises Unavailable when Redis is away, and BoardCold when
    the board is not live."""

    def __init__(self, redis: Redis, *, keyspace: Keyspace, backlog_limit: int) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._backlog_limit = backlog_limit

    async def now_ms(self) -> int:
        """Unix milliseconds by the clock that decides when occurrences end."""
        with reachable():
            seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def turn(
        self, board: str, period: str, following: KnownPeriod, *, follows: bool = False
    ) -> bool:
        """Opens a period's next occurrence, and tells live clients. False when there is nothing to
        open any more, or not yet. With ``follows``, for a board with shards, numbers may be
        skipped, and the occurrence may have ended already."""
        reply = await self._turn(board, period, following, follows)
        return bool(reply[0] == DONE and reply[1])

    async def known(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        """The board's time in Unix ms, and what it knows of each period; None: no occurrence."""
        call = scripts.read_periods(key_meta=self._keyspace.board(board).guard)
        call.args.extend(period.encode() for period in periods)
        reply: list[bytes] = await run_script(self._redis, call)
        _check_live(reply[0])
        time, _, known = told_periods(reply, periods)
        return time, known

    async def open_due(self, board: str, period: Period) -> None:
        """Opens the period's first occurrence, or what follows on one that has ended, unless that
        is open already."""
        reply = await self._turn(board, period.name, latest(period, None, await self.now_ms()))
        if reply[0] == PERIOD:  # there was one before; now its time, and what is known of it
            known = KnownPeriod.from_text(reply[2])
            await self._turn(board, period.name, latest(period, known, int(reply[1])))

    async def _turn(
        self, board: str, period: str, following: KnownPeriod, follows: bool = False
    ) -> list[bytes]:
        keys = self._keyspace.board(occurrence_table(board, period, following.latest.number))
        reply: list[bytes] = await run_script(
            self._redis,
            scripts.turn_period(
                key_meta=keys.guard,
                key_events=keys.events,
                key_channel=keys.channel,
                key_table=keys.meta,
                arg_board=board,
                arg_period=period,
                arg_next=following.to_text(),
                arg_backlog=self._backlog_limit,
                arg_follows=b"1" if follows else b"",
            ),
        )
        _check_live(reply[0])
        if reply[0] == BACKLOG:
            raise Unavailable("The stream is full.")
        return reply

    async def seal(self, board: str, period: str, number: int) -> bool:
        """Lets nothing count in an occurrence any more; False while latecomers may."""
        meta = self._keyspace.board(board).guard
        call = scripts.seal_period(key_meta=meta, arg_period=period, arg_number=number)
        reply = await run_script(self._redis, call)
        _check_live(reply[0])
        return bool(reply[0] == DONE)

    async def let_expire(self, table: str) -> None:
        """What Redis holds of an occurrence that is about to be final goes by itself, in a week if
        nothing else says when. Raises no BoardCold."""
        with reachable():
            for key in self._keys(table):
                await self._redis.pexpire(key, LEFT_FOR_MS, nx=True)

    async def forget(self, table: str) -> None:
        """Unlinks what Redis holds of an occurrence that is final. Raises no BoardCold."""
        with reachable():
            await self._redis.unlink(*self._keys(table))

    def _keys(self, table: str) -> tuple[str, ...]:
        keys = self._keyspace.board(table)
        return keys.board, keys.hidden, keys.meta, keys.players


def _check_live(answer: bytes) -> None:
    if answer == COLD:
        raise BoardCold("The board is not live in Redis.")
