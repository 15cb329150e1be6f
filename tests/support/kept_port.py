"""A port of one's own while nobody listens at it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_port(host: str, port: int) -> Iterator[None]:
    """Nobody who asks the system for any free port gets this one during the block. Whoever knows
    it may listen there, at the end of the block at the latest."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((host, port))
        yield
