"""A network of its own for some processes, which can be cut: from then on nothing passes, and
nobody is told. Needs root and iproute2."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NET = "10.213"  # of which every network takes four addresses


class CutNetwork:
    """``here`` is the address of this machine in it, ``there`` that of the processes inside."""

    def __init__(self) -> None:
        name = secrets.token_hex(3)
        block = secrets.randbelow(2**14) * 4
        base = f"{NET}.{block // 256}"
        self.here, self.there = f"{base}.{block % 256 + 1}", f"{base}.{block % 256 + 2}"
        self._space, self._outer, self._inner = f"sb-{name}", f"sbo{name}", f"sbi{name}"

    def open(self) -> None:
        _ip("netns", "add", self._space)
        _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
        _ip("link", "set", self._inner, "netns", self._space)
        _ip("addr", "add", f"{self.here}/30", "dev", self._outer)
        _ip("link", "set", self._outer, "up")
        _ip("-n", self._space, "addr", "add", f"{self.there}/30", "dev", self._inner)
        _ip("-n", self._space, "link", "set", self._inner, "up")
        _ip("-n", self._space, "link", "set", "lo", "up")

    def inside(self, *command: str) -> list[str]:
        """The command that runs ``command`` inside."""
        return ["ip", "netns", "exec", self._space, *command]

    async def cut(self) -> None:
        """Lets nothing pass any more, in either direction."""
        await asyncio.to_thread(_ip, "-n", self._space, "link", "set", self._inner, "down")

    async def mend(self) -> None:
        """Lets everything pass again."""
        await asyncio.to_thread(_ip, "-n", self._space, "link", "set", self._inner, "up")

    def close(self) -> None:
        subprocess.run(["ip", "link", "del", self._outer], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self._space], check=False, capture_output=True)


@contextmanager
def cut_network() -> Iterator[CutNetwork]:
    """A network for as long as the block lasts; skips the test where none can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network that can be cut needs root and iproute2")
    network = CutNetwork()
    try:
        network.open()
    except subprocess.CalledProcessError as error:
        network.close()
        pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
    try:
        yield network
    finally:
        network.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
