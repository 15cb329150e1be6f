"""Reads by scripts that write nothing, for boards that are live."""

from __future__ import annotations

from typing import Any

import structlog
from redis.exceptions import ResponseError

from scoreboard.errors import BoardCold, OutcomeUnknown, RetryLater, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.wire.scripts import COLD, ScriptCall

log = structlog.get_logger(__name__)


async def read(lines: ScriptLines, call: ScriptCall) -> list[Any]:
    """The reply of a script that reads a board. Raises BoardCold, or Unavailable when Redis is
    away: for all but one of the reads of a moment at once."""
    there = await lines.at(call.keys[0])
    there.check_silence()
    deadline = there.deadline()  # for the wait and the call together
    line = await there.acquire(deadline)
    line.unsure = False
    try:
        reply: list[Any] = (await line.run(call, deadline=deadline))[0]
    except RetryLater as error:
        there.note_failure(deadline)
        if isinstance(error, OutcomeUnknown):  # a read has none
            raise Unavailable("Redis can't be reached.") from error
        raise
    except ResponseError as error:
        log.error("read_script_failed", script=call.script.name, error=str(error))
        raise Unavailable("Redis can't read this board.") from error
    finally:
        there.release(line)
    if reply[0] == COLD:
        raise BoardCold("The board is not live in Redis.")
    return reply
