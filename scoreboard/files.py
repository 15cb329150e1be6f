"""The files that the package carries beside its code: Lua scripts, SQL, the pages' static files.
They are found in every way of installing, in a checkout too, where ``scoreboard/lua`` is a link.
And files that somebody names, of which nothing is known."""

from __future__ import annotations

import os
import select
import time
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

MOST_BYTES = 1024 * 1024  # of a file that somebody names
PATIENCE = 5.0  # seconds that such a file, when it is a pipe, may take


def folder(*path: str) -> Traversable:
    """A folder of the package, by its names from the top."""
    return resources.files("scoreboard").joinpath(*path)


def texts(*path: str, suffix: str) -> dict[str, str]:
    """The texts of a folder's files that end in ``suffix``, by their names without it, sorted."""
    found = sorted(folder(*path).iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(suffix): file.read_text(encoding="utf-8")
        for file in found
        if file.name.endswith(suffix)
    }


def check_lasting(path: str) -> None:
    """Raises OSError or ValueError for what can't be read now and again by others, to its end: a
    library that is given a pipe waits for it without limit, and a device fills the memory."""
    if Path(path).is_fifo():
        raise ValueError("it is a pipe")
    bounded_bytes(path)


def bounded_bytes(path: str) -> bytes:
    """All of a small file that somebody names, which may be a pipe to whose end somebody writes.
    Raises OSError, or ValueError saying what is wrong with it."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        content, deadline = b"", time.monotonic() + PATIENCE
        readable = select.poll()
        readable.register(opened, select.POLLIN)
        while len(content) <= MOST_BYTES:
            if not readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ValueError(f"nobody wrote all of it within {PATIENCE:g} s")
            part = os.read(opened, MOST_BYTES)
            if not part:
                return content
            content += part
        raise ValueError(f"it has more than {MOST_BYTES} bytes")
    finally:
        os.close(opened)
