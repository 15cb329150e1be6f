"""Which key holds what another program has written. Redis's own error does not name the key, and
whoever has to remove it needs the name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from scoreboard.errors import RetryLater
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire import scripts
from scoreboard.wire.scripts import ScriptCall

log = SparingLog(__name__)

WRONG_TYPE = "WRONGTYPE"

# By the third part of a key's name (lua/README.md): a command for keys of its type. Keys that hold
# text are not here: a SET replaces whatever there is.
_ANSWERED = {
    b"board": b"ZCARD",
    b"hidden": b"ZCARD",
    b"players": b"ZCARD",
    b"load": b"ZCARD",
    b"meta": b"HGET",
    b"events": b"XLEN",
    b"moves": b"XLEN",
    b"rate": b"LINDEX",
}


def check_of(call: ScriptCall) -> ScriptCall | None:
    """The call that finds such keys among those of ``call``; None when none could be one."""
    asked = [
        (key, command)
        for key in dict.fromkeys(call.keys)
        if (command := _ANSWERED.get(key.split(b":", 3)[2])) is not None
    ]
    if not asked:
        return None
    check = scripts.find_foreign()
    for key, command in asked:
        check.keys.append(key)
        check.args.append(command)
    return check


async def tell(call: ScriptCall, run: Callable[[ScriptCall], Awaitable[list[Any]]]) -> None:
    """Logs which keys made a script fail with WRONG_TYPE. ``run`` has to run a script on the same
    server."""
    check = check_of(call)
    if check is None:
        return
    try:
        found = await run(check)
    except (RedisError, RetryLater):
        return
    if found:
        keys = [key.decode(errors="backslashreplace") for key in found]
        log.warning(
            "redis_key_of_another_type",
            keys=keys[:3],
            script=call.script.name,
            remedy="find out which program wrote the key, and DEL it: the board is loaded again",
        )
