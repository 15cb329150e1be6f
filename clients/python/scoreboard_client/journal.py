"""Where actions are kept until they are settled: a file that survives the end of the process.

Each line is JSON: ``{"add":7,"action":{...}}``, or ``{"done":7}`` when the action is settled. What
is no such line, as one that was cut by the end of the process, is left out when the file is read.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from scoreboard_client.lock import Lock

COMPACT_AFTER = 1_000  # settled actions whose lines are still in the file


class Store(Protocol):
    """Keeps actions, as JSON objects, under growing numbers."""

    def load(self) -> dict[int, dict[str, Any]]:
        """What was kept and not dropped, in order."""

    def add(self, number: int, action: dict[str, Any]) -> None:
        """Keeps an action. Raises OSError; then it is not kept."""

    def sync(self) -> None:
        """Returns when all that was added would survive the end of the machine. May block."""

    def drop(self, number: int) -> None:
        """The action is settled. If this is lost, it is sent again, and answered as counted."""

    def close(self) -> None:
        """Lets the store go; what it holds stays."""


class MemoryStore:
    """Keeps nothing beyond the process."""

    def load(self) -> dict[int, dict[str, Any]]:
        """Nothing."""
        return {}

    def add(self, number: int, action: dict[str, Any]) -> None:
        """Does nothing."""

    def sync(self) -> None:
        """Does nothing."""

    def drop(self, number: int) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class Journal:
    """A store in the file ``path``. One process uses it at a time; where the system can tell, a
    second one gets BlockingIOError."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._kept: dict[int, dict[str, Any]] = {}
        self._file: BinaryIO | None = None
        self._settled = 0
        self._dirty = False
        self._replacing = threading.Lock()  # sync runs in a thread of its own
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self._path.with_name(f"{self._path.name}.lock"))

    def load(self) -> dict[int, dict[str, Any]]:
        """See Store."""
        try:
            self._read()
            self._begin()
        except OSError:
            self._lock.release()
            raise
        return dict(self._kept)

    def add(self, number: int, action: dict[str, Any]) -> None:
        """See Store."""
        self._append({"add": number, "action": action})
        self._kept[number] = action
        self._dirty = True

    def sync(self) -> None:
        """See Store."""
        with self._replacing:
            if self._dirty and self._file is not None:
                self._dirty = False
                try:
                    os.fsync(self._file.fileno())
                except OSError:
                    self._dirty = True
                    raise

    def drop(self, number: int) -> None:
        """See Store."""
        del self._kept[number]
        self._settled += 1
        with contextlib.suppress(OSError):  # a full disk: as if the process had ended before
            self._append({"done": number})
            if self._settled >= COMPACT_AFTER and self._settled > len(self._kept):
                self._settled = 0
                self._rewrite()

    def close(self) -> None:
        """See Store."""
        with self._replacing:
            if self._file is not None:
                self._file.close()
                self._file = None
        self._lock.release()

    def _read(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for entry in _entries(self._path.read_bytes()):
                if "add" in entry:
                    self._kept[entry["add"]] = entry["action"]
                else:
                    self._kept.pop(entry["done"], None)

    def _begin(self) -> None:
        try:
            self._rewrite()
        except OSError:  # a full disk keeps nobody from sending what is there
            if not self._path.exists():
                raise
            self._go_on()

    def _append(self, entry: dict[str, Any]) -> None:
        assert self._file is not None
        end = self._file.tell()
        try:
            _write(self._file, entry)
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(end)  # nothing may follow half a line
                self._file.seek(end)
            raise

    def _rewrite(self) -> None:
        """Replaces the file by one with only what is still kept."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        file = fresh.open("wb", buffering=0)
        try:
            for number, action in self._kept.items():
                _write(file, {"add": number, "action": action})
            os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                fresh.unlink()  # nor does it take the room that is left
            raise
        with self._replacing:
            if self._file is not None:
                self._file.close()
            self._file, self._settled, self._dirty = file, 0, False

    def _go_on(self) -> None:
        """Goes on behind the whole lines of the file that is there."""
        whole = self._path.read_bytes().rfind(b"\n") + 1
        self._file = self._path.open("r+b", buffering=0)
        self._file.truncate(whole)
        self._file.seek(whole)
        self._dirty = True


def _write(file: BinaryIO, entry: dict[str, Any]) -> None:
    line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
    if file.write(line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _entries(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and (_adds(entry) or _is_number(entry.get("done"))):
                yield entry


def _adds(entry: dict[str, Any]) -> bool:
    action = entry.get("action")
    return (
        _is_number(entry.get("add"))
        and isinstance(action, dict)
        and all(isinstance(action.get(name), str) for name in ("board", "userId", "actionId"))
        and type(action.get("points")) is int
    )


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 53
