"""Lets users into boards that want them to join, or that keep room for so many."""

from __future__ import annotations

import msgspec
from redis.exceptions import ResponseError

from scoreboard.domain.boards import board_closed, board_full
from scoreboard.errors import InvalidRequest, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire.events import JOIN, RULES, Body, format_of
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.scripts import ScriptCall, join_board
from scoreboard.write_path.board_calls import BoardCall, BoardCalls
from scoreboard.write_path.ports import BoardCalendar, BoardRecovery
from scoreboard.write_path.sharded import LacksRoom

log = SparingLog(__name__)

_encode = msgspec.json.Encoder().encode


class Joiner:
    """``backlog_limit`` is how many entries the stream may hold."""

    def __init__(
        self,
        lines: ScriptLines,
        recovery: BoardRecovery,
        calendar: BoardCalendar,
        *,
        keyspace: Keyspace,
        backlog_limit: int,
    ) -> None:
        self._lines = lines
        self._boards = BoardCalls(recovery, calendar, keyspace)
        self._keyspace = keyspace
        self._backlog = backlog_limit

    async def join(self, board: str, user: str) -> None:
        """Lets the user in; where the board has periods, into the latest occurrence of each. One
        who is in stays so. Raises UnknownBoard, BoardClosed, BoardFull, InvalidRequest for an id
        that the board does not take, Unavailable, OutcomeUnknown, OnOtherShard or LacksRoom."""
        keys = self._keyspace.board(board)
        attempt = self._boards.begin(board, create=False)
        while True:
            attempt.check_shard([user])
            if flaws := attempt.unfit_ids([user]):
                raise InvalidRequest(
                    f"The board does not take this user id: it {flaws[0]}.", path="userId"
                )
            # Joins came with the second format, so those of boards with the first have it too.
            event_format = max(RULES, format_of(attempt.settings))
            body = _encode(Body(event_format, board, user, JOIN, 0, JOIN))
            call = join_board(
                key_meta=keys.meta,
                key_events=keys.events,
                key_players=keys.players,
                arg_board=board,
                arg_settings=attempt.text,
                arg_limits=attempt.settings.limits,
                arg_periods=attempt.settings.period_flags,
                arg_user=user,
                arg_backlog=self._backlog,
                arg_body=body,
            )
            if attempt.settings.periods:
                periods = await attempt.occurrences()
                call.keys.extend(periods.keys)
                call.args.extend(periods.args)
            reply = await self._run(call, attempt)
            if reply is None or await attempt.has_to_repeat(reply):
                continue
            if reply[0] == b"K":
                raise board_closed()
            if reply[0] == b"F" and len(reply) > 1:
                raise LacksRoom(reply[1].decode(), attempt.settings.shard_count)
            if reply[0] == b"F":
                raise board_full()
            return

    async def _run(self, call: ScriptCall, attempt: BoardCall) -> list[bytes] | None:
        """The script's reply; None when the call has to be made again."""
        lines = await self._lines.at(call.keys[0])
        line = await lines.acquire()
        line.unsure = False
        try:
            reply: list[bytes] = (await line.run(call))[0]
            return reply
        except ResponseError as error:
            if await attempt.is_mended(error, call, line):
                return None
            log.warning("join_script_failed", error=str(error))
            raise Unavailable("Redis refused the call.") from error
        finally:
            lines.release(line)
