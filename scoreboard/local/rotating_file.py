"""A log file of bounded size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 8 * 1024 * 1024
KEPT = 3


class RotatingFile:
    """Lines are appended to ``path``, which only its owner can read. Before it grows beyond
    ``most_bytes`` it becomes ``<path>.1``, an older one ``<path>.2``, and so on up to ``kept``.
    ``trouble`` says, for a person, why the latest lines could not be written; it is empty when they
    were."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        self.trouble = ""
        self._path = path
        self._most = most_bytes
        self._kept = kept
        self._file: int | None = None
        self._size = 0
        self._lost = 0
        self._in_a_line = False

    def write(self, lines: bytes) -> None:
        """Appends them, and never raises: lines that can't be written, on a full disk for example,
        are counted, and their number is written as soon as that is possible."""
        left = lines
        try:
            if self._file is None:
                self._open()
            if self._lost:
                self._append(self._confession())
                self._lost = 0
            while left:
                if piece := self._fitting(left):
                    self._append(piece)
                    left = left[len(piece) :]
                else:
                    self._rotate()
        except OSError as error:
            self._lost += left.count(b"\n") or 1
            self.trouble = f"lines of {self._path} are lost ({error.strerror})"
        else:
            self.trouble = ""

    def close(self) -> None:
        """Closes the file; a later write opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _fitting(self, lines: bytes) -> bytes:
        """As many whole lines as the file has room for, none when another file has to be begun;
        of a line that is longer than a file, a piece."""
        room = self._most - self._size
        if len(lines) <= room:
            return lines
        end = lines.rfind(b"\n", 0, max(room, 0)) + 1
        return lines[: end or (0 if self._size else self._most)]

    def _confession(self) -> bytes:
        ended = b"\n" if self._in_a_line else b""
        return ended + b"%d lines could not be written to this file\n" % self._lost

    def _open(self) -> None:
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        found = os.fstat(self._file)
        if stat.S_ISREG(found.st_mode):  # a device is everybody's, also where a link leads to it
            os.fchmod(self._file, 0o600)  # it may have been there before
        self._size = found.st_size

    def _append(self, lines: bytes) -> None:
        assert self._file is not None
        left = memoryview(lines)
        while left:
            written = os.write(self._file, left)
            self._size += written
            self._in_a_line = left[written - 1] != 10
            left = left[written:]

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
