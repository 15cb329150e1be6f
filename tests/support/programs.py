"""Programs of the system that some tests run: CI has them, a person's machine may not."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from typing import NoReturn

import pytest

FOLDERS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


def program(name: str, *, package: str) -> str:
    """Its path, or what the variable of its name says, such as CHROMIUM. Where there is none the
    test is skipped, and in CI it fails."""
    found = os.environ.get(name.upper()) or shutil.which(name, path=FOLDERS)
    if found is None:
        lacking(f"{name} is not installed (Debian's package {package})")
    return found


def lacking(reason: str) -> NoReturn:
    """Skips the test, but fails it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is to have it")
    pytest.skip(reason)


def answers_at(port: int) -> Callable[[], bool]:
    """Whether somebody takes connections at this port of 127.0.0.1, as a condition."""

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    return answers
