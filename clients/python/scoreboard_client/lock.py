"""Keeps other processes away from a store: a file beside it, locked by the system, that names its
process. Clients of other languages, which can't see such locks, read the name; what they leave is
read here: a file with a name too, a link to one, or a folder with one in it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LONGEST_NAME = 64


class Lock:
    """Raises BlockingIOError when another process has it, or another Lock of this one. On Windows
    nothing is locked."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO | None = None
        if fcntl is None:
            return
        while self._file is None:
            _take_away(path)
            self._file = _locked(path)

    def release(self) -> None:
        """Lets others have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(0)
            self._file.close()
            self._file = None


def _locked(path: Path) -> BinaryIO | None:
    """The file, locked and with this process's name; None when another one has come between."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            return None
        raise error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _refuse_if_held(path, _text(file.read(LONGEST_NAME)))
        with contextlib.suppress(OSError):  # a full disk: the system's lock remains
            file.truncate(0)
            os.pwrite(file.fileno(), (_name_of(os.getpid()) or "").encode(), 0)
        if _is_at(file, path):
            return file
    except OSError:
        file.close()
        raise
    file.close()
    return None


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether nobody has moved the file away."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _take_away(path: Path) -> None:
    """Removes the link or folder of a client whose process is gone."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_symlink():
            _refuse_if_held(path, str(path.readlink()))
            path.unlink()
        elif path.is_dir():
            for one in path.iterdir():
                _refuse_if_held(path, one.name)
                one.rmdir()
            path.rmdir()


def _refuse_if_held(path: Path, name: str) -> None:
    pid = name.partition("-")[0]
    if pid.isdecimal() and name != _name_of(os.getpid()) and _name_of(int(pid)) == name:
        raise BlockingIOError(errno.EAGAIN, f"the process {name} has {path}")


def _name_of(pid: int) -> str | None:
    """A process, so that a later one with the same number is another; None if it has ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return str(pid) if _is_running(pid) else None  # not on Linux
    parts = told[told.rindex(")") + 2 :].split()
    return None if parts[0] == "Z" else f"{pid}-{parts[19]}"  # when it was started


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _text(content: bytes) -> str:
    return content.decode("ascii", "replace").strip()
