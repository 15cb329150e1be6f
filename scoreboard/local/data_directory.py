"""The data directory of `up`: its lock, its secret, and the file that describes what runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from scoreboard.api.tokens import verification_key
from scoreboard.errors import ConfigurationError
from scoreboard.local.child_processes import Pause
from scoreboard.local.embedded_servers import write_private

LEFTOVER_TIMEOUT = 30.0
OTHERS = 0o077
OWN = (
    "lock", "children.lock", "secret", "secret.new", "run.json", "run.json.new", "*.log", "*.log.?",
    "valkey", "postgres", "figures",
)  # fmt: skip
FIGURES = "scoreboard-figures-"
IN_MEMORY = Path("/dev/shm")  # noqa: S108


@contextlib.contextmanager
def claimed(directory: Path, pause: Pause, say: Callable[[str], None]) -> Iterator[int]:
    """Makes ``directory``, private to its owner, and keeps every other `up` out of it during the
    block. Gives a descriptor
    for the children to inherit: it holds a lock as long as any of them lives, so that after a
    kill -9 the next `up` waits until the last child is gone. Raises ConfigurationError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(directory, say)
        owner = _opened(directory / "lock")
        children = _opened(directory / "children.lock")
    except OSError as error:
        raise ConfigurationError(
            f"can't write to the data directory: {error}; choose another with "
            "--data-dir (make run DATA_DIR=...)"
        ) from error
    with owner, children:
        if not _lock(owner):
            owner.seek(0)
            raise ConfigurationError(
                f"{directory} is in use by the `scoreboard up` with process id {owner.read()}: "
                "stop that one, or choose another directory with --data-dir (make run DATA_DIR=...)"
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


@contextlib.contextmanager
def figures(directory: Path) -> Iterator[Path]:
    """A folder for the metrics that the processes share, during the block: in memory where there is
    such a place, since a full disk would end a process that counts. A link in ``directory`` leads
    to it, by which the one of an `up` that was killed is found and removed."""
    link = directory / "figures"
    if link.is_symlink():
        left = link.readlink()
        if left.name.startswith(FIGURES) and left.exists() and left.stat().st_uid == os.geteuid():
            shutil.rmtree(left)
        link.unlink()
    in_memory = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else directory
    folder = Path(tempfile.mkdtemp(prefix=FIGURES, dir=in_memory))
    try:
        link.symlink_to(folder)
        yield folder
    finally:
        with contextlib.suppress(OSError):  # the next `up` removes it
            if link.is_symlink():
                link.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def _opened(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+")


def _make_private(directory: Path, say: Callable[[str], None]) -> None:
    """Takes the rights of others from the directory and from what `up` keeps there, which may be
    older than this care. A directory with other things in it keeps its own rights."""
    strange = False
    for entry in directory.iterdir():
        if not any(fnmatch(entry.name, pattern) for pattern in OWN):
            strange = True
            continue
        _check_kind(entry)
        if entry.is_dir() and not entry.is_symlink():
            _check_kinds(entry)
        if not entry.is_symlink():
            _take_rights(entry)
    if not strange:
        _take_rights(directory)
    elif directory.stat().st_mode & OTHERS:
        say(f"Others can see what is in {directory}, which is not only Scoreboard's.")


def _check_kind(path: Path) -> None:
    """Raises OSError for a pipe, a socket or a device: reading one might wait for ever."""
    with contextlib.suppress(FileNotFoundError):  # a link that leads nowhere
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise OSError(f"'{path}' is a pipe, a socket or a device; remove it")


def _check_kinds(folder: Path) -> None:
    """The same for all that is below, which the servers read."""
    # Those of an earlier run may still be at work, and remove some of it meanwhile.
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _check_kinds(Path(entry))
            elif not entry.is_file(follow_symlinks=False):
                _check_kind(Path(entry))


def _take_rights(path: Path) -> None:
    found = path.stat()
    if found.st_mode & OTHERS and os.geteuid() in (0, found.st_uid):
        path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
