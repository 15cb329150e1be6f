"""The data directory of `up`: its lock, its secret, and the file that describes what runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scoreboard.api.tokens import verification_key
from scoreboard.errors import ConfigurationError
from scoreboard.local.child_processes import Pause
from scoreboard.local.embedded_servers import write_private

LEFTOVER_TIMEOUT = 30.0


@contextlib.contextmanager
def claimed(directory: Path, pause: Pause) -> Iterator[int]:
    """Makes ``directory`` and keeps every other `up` out of it during the block. Gives a descriptor
    for the children to inherit: it holds a lock as long as any of them lives, so that after a
    kill -9 the next `up` waits until the last child is gone. Raises ConfigurationError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = (directory / "lock").open("a+", encoding="ascii")
        children = (directory / "children.lock").open("a+", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"can't write to the data directory: {error}; choose another with --data-dir"
        ) from error
    with owner, children:
        if not _lock(owner):
            owner.seek(0)
            raise ConfigurationError(
                f"{directory} is in use by the `scoreboard up` with process id {owner.read()}: "
                "stop that one, or choose another directory with --data-dir"
            )
        owner.truncate(0)
        owner.write(str(os.getpid()))
        owner.flush()
        deadline = time.monotonic() + LEFTOVER_TIMEOUT
        while not _lock(children):
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"processes of an earlier run still use {directory}: end them, or choose "
                    "another directory with --data-dir"
                )
            pause()
        yield children.fileno()


def secret(directory: Path) -> str:
    """The signing secret kept in ``directory``; created at the first call. Raises
    ConfigurationError."""
    path = directory / "secret"
    try:
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return verification_key(path.read_text(encoding="utf-8").strip(), "HS256")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is of no use ({error}); remove it and a new secret is made, which ends the "
            "tokens signed so far"
        ) from error


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
