"""What a call of the write path has to settle with its board: that it is live, under which settings
the call is made, which occurrences of its periods are the latest, and that the stream has room.
Until then the call is made again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import DecodeError
from redis.exceptions import ResponseError

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.identifiers import id_flaw
from scoreboard.errors import Unavailable
from scoreboard.redisio.foreign_keys import WRONG_TYPE, tell
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import BACKLOG, COLD, PERIOD, SETTINGS, ScriptCall
from scoreboard.write_path.period_beliefs import PeriodArguments, PeriodBeliefs
from scoreboard.write_path.ports import BoardCalendar, BoardRecovery
from scoreboard.write_path.sharded import OnOtherShard, belong_to

PATIENCE = 1.0  # seconds a write waits for a board to become live before it is told to retry
SKEW = 0.005  # seconds between two looks: the clocks of shards differ by some of these

_NONE = (b"{}", BoardSettings())


class BoardCalls:
    """Remembers what the scripts told last of each board, its settings and its periods, for the
    next call."""

    def __init__(
        self, recovery: BoardRecovery, calendar: BoardCalendar, keyspace: Keyspace
    ) -> None:
        self.recovery = recovery
        self.calendar = calendar
        self.beliefs = PeriodBeliefs(keyspace)
        self.known: dict[str, tuple[bytes, BoardSettings]] = {}

    def begin(self, board: str, *, create: bool) -> BoardCall:
        """A call on the board, which it may bring into being with ``create``."""
        return BoardCall(self, board, create)


class BoardCall:
    """A call that is prepared under ``settings``; the script compares ``text`` with the board's."""

    def __init__(self, calls: BoardCalls, board: str, create: bool) -> None:
        self.text, self.settings = calls.known.get(board, _NONE)
        self._calls = calls
        self._board = board
        self._create = create
        self._deadline = asyncio.get_running_loop().time() + PATIENCE
        self._mended = False
        self._told = False  # the settings are those that the script told this very call

    def unfit_ids(self, users: Sequence[str]) -> dict[int, str]:
        """What is wrong, by their places, with the ids that the board does not take. A rule that is
        only remembered may have gone: it refuses nobody, but the call is then made under no
        settings, so that the script tells the present ones."""
        rule = self.settings.id_rule
        if rule == "any":
            return {}
        flaws = {at: flaw for at, user in enumerate(users) if (flaw := id_flaw(user, rule))}
        if flaws and not self._told:
            self.text, self.settings = _NONE
            return {}
        return flaws

    def check_shard(self, users: Sequence[str]) -> None:
        """Raises OnOtherShard when not all users belong to this shard. A number of shards that is
        only remembered refuses nobody, likewise."""
        if belong_to(self._board, self.settings, users):
            return
        if self._told:
            raise OnOtherShard(self.settings.shard_count)
        self.text, self.settings = _NONE

    async def occurrences(self) -> PeriodArguments:
        """What the call says of the board's periods, of which there is at least one. On a shard the
        latest occurrences are those of its board. Raises Unavailable when these can't be agreed
        on."""
        beliefs, shard = self._calls.beliefs, self._board
        if self.settings.shard_count > 1:
            while not beliefs.knows_latest(shard, self.settings):
                try:
                    async with asyncio.timeout_at(self._deadline):
                        beliefs.take(
                            shard, *await self._calls.calendar.agreed(shard, self.settings)
                        )
                        if not beliefs.knows_latest(shard, self.settings):
                            await asyncio.sleep(SKEW)
                except TimeoutError:
                    raise _not_agreed() from None
        return beliefs.arguments(shard, self.settings)

    async def has_to_repeat(self, answer: Sequence[bytes]) -> bool:
        """Whether the script, by its answer, has done nothing and the call has to be prepared and
        made again, for which all is ready then. Raises Unavailable when that would not help, and
        UnknownBoard."""
        if answer[0] == COLD:
            await self._warm()
        elif answer[0] == SETTINGS:
            try:
                self.text, self.settings = answer[1], BoardSettings.from_text(answer[1])
            except (DecodeError, Unavailable) as error:
                if await self._looked_at():
                    return True
                if isinstance(error, Unavailable):
                    raise
                raise Unavailable("The board's settings can't be read.") from error
            self._calls.known[self._board] = self.text, self.settings
            self._told = True
        elif answer[0] == PERIOD:
            try:
                self._calls.beliefs.learn(self._board, answer[1:])
            except Unavailable:
                await self._warm()
            if asyncio.get_running_loop().time() > self._deadline:
                # Who is told the truth is right the next time, unless a clock or a calendar is
                # wrong.
                raise _not_agreed()
        elif answer[0] == BACKLOG:
            raise Unavailable(
                "The write-behind backlog is full; Postgres is behind.", retry_after=5.0
            )
        else:
            return False
        return True

    async def is_mended(self, error: ResponseError, call: ScriptCall, line: ScriptLine) -> bool:
        """Whether the call is worth repeating after an error of its script, which then has done
        nothing. The cause may be something in the board's hash that no script has written: so the
        board was looked at, and loaded again if necessary; once in a call. Where another program
        has written over a key, which is logged, repeating does not help. Raises as
        ``has_to_repeat``."""
        if WRONG_TYPE in str(error):
            await tell(call, line.reply_of)
            return False
        return await self._looked_at()

    async def _looked_at(self) -> bool:
        if self._mended:
            return False
        self._mended = True
        await self._warm()
        return True

    async def _warm(self) -> None:
        """Waits for the board to become live; the load goes on even when this ends."""
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._calls.recovery.ensure(self._board, create=self._create)
        except TimeoutError:
            raise Unavailable("The board is being rebuilt.", retry_after=2.0) from None


def _not_agreed() -> Unavailable:
    return Unavailable("The board's periods can't be agreed on now.", retry_after=2.0)
