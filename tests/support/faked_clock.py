"""Another clock for one process, by libfaketime, which can be turned while the process runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

_FOLDERS = ("/usr/lib", "/usr/local/lib")
LIBRARY = next(
    (path for folder in _FOLDERS for path in Path(folder).rglob("libfaketimeMT.so.1")), None
)
needs_faketime = pytest.mark.skipif(
    LIBRARY is None, reason="needs libfaketime to turn a clock (Debian: faketime)"
)


class FakedClock:
    """The clock of the processes that get ``environment``: it goes at the usual pace, from
    wherever it was ``turned`` to. Their timers do not see it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.turn("+0")

    def turn(self, offset: str) -> None:
        """``offset`` is the difference to the right time: +3d, -1h, +74y."""
        draft = self._file.with_name("clock.new")
        draft.write_text(f"{offset}\n")
        draft.rename(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def wrapped(self, binaries: Path, program: str) -> Path:
        """A folder with links to all ``binaries``, but for one ``program`` that gets the clock. As
        root another user starts it: libfaketime keeps a semaphore for each process, which must not
        have been made before under the same id by root."""
        folder = self._file.with_name("bin")
        folder.mkdir()
        for binary in binaries.iterdir():
            (folder / binary.name).symlink_to(binary)
        settings = " ".join(f"{name}={shlex.quote(v)}" for name, v in self.environment.items())
        wrapper = folder / program
        wrapper.unlink()
        wrapper.write_text(
            f'#!/bin/sh\nexec env {settings} {shlex.quote(str(binaries / program))} "$@"\n'
        )
        wrapper.chmod(0o755)
        return folder

    @contextmanager
    def for_what_is_made(self) -> Iterator[None]:
        """Servers that are made in the block get the clock."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
