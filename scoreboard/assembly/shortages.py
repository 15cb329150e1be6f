"""What the event loop meets by itself, before any part of the process has a say: no memory for what
a client has sent, say."""

from __future__ import annotations

import asyncio
from typing import Any

from scoreboard.errors import is_shortage
from scoreboard.telemetry.sparing_log import SparingLog

log = SparingLog(__name__)


def log_shortages_sparingly() -> None:
    """Makes the running loop log a shortage, of which every client may get one, now and then and
    without a traceback. The connection that met it is closed in any case."""
    asyncio.get_running_loop().set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if is_shortage(error):
        log.warning("connection_lacks", error=repr(error))
    else:
        loop.default_exception_handler(context)
