"""A server that takes connections and commands and says nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from scoreboard.local.embedded_servers import Valkey


@contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    """The server's process is stopped during the block."""
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
