"""A network of its own for some processes, any of which can be cut off: from then on nothing
passes, and nobody is told. Needs root and iproute2, on Linux."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence

NET = "10.213"  # of which every network takes sixteen addresses


class NoNetwork(Exception):
    """None can be made here, and why."""


class Network:
    """``here`` is the address of this machine in it. Each of up to 13 hosts has a namespace, and
    all are joined by a bridge."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(3)
        block = secrets.randbelow(2**12) * 16
        self._base, self._first = f"{NET}.{block // 256}", block % 256
        self.here = self._address(1)
        self._bridge = f"sbb{self._name}"
        self._hosts: list[Host] = []

    def open(self) -> None:
        """Raises NoNetwork."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NoNetwork("a network that can be cut needs root and iproute2")
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.here}/28", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            self._try_a_host()
        except subprocess.CalledProcessError as error:
            self.close()
            raise NoNetwork(
                f"no network namespace can be made here: {error.stderr.strip()}"
            ) from error

    def _try_a_host(self) -> None:
        host = self.add()
        self._hosts.remove(host)
        host.close()

    def add(self) -> Host:
        """One more host, which is there until the network is closed."""
        number = len(self._hosts) + 2
        host = Host(f"{self._name}{number:x}", self._bridge, self.here, self._address(number))
        self._hosts.append(host)
        host.open()
        return host

    def others(self, host: Host) -> list[str]:
        """The addresses of all hosts but this one and ours."""
        return [one.there for one in self._hosts if one is not host]

    def close(self) -> None:
        """Removes all of it, whatever is there."""
        for host in self._hosts:
            host.close()
        _tidy("link", "del", self._bridge)

    def _address(self, number: int) -> str:
        return f"{self._base}.{self._first + number}"


class Host:
    """``here`` is the address of this machine, ``there`` that of the processes inside."""

    def __init__(self, name: str, bridge: str, here: str, there: str) -> None:
        self.here, self.there = here, there
        self._bridge = bridge
        self._space, self._outer, self._inner = f"sb-{name}", f"sbo{name}", f"sbi{name}"
        self._unreachable: list[str] = []

    def open(self) -> None:
        """Raises CalledProcessError."""
        _ip("netns", "add", self._space)
        _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
        _ip("link", "set", self._inner, "netns", self._space)
        _ip("link", "set", self._outer, "master", self._bridge, "up")
        _ip("-n", self._space, "addr", "add", f"{self.there}/28", "dev", self._inner)
        _ip("-n", self._space, "link", "set", self._inner, "up")
        _ip("-n", self._space, "link", "set", "lo", "up")

    def close(self) -> None:
        """Removes it, whatever is there of it."""
        _tidy("link", "del", self._outer)
        _tidy("netns", "del", self._space)

    def inside(self, *command: str) -> list[str]:
        """The command that runs ``command`` inside."""
        return ["ip", "netns", "exec", self._space, *command]

    async def cut(self) -> None:
        """Lets nothing pass any more, in either direction."""
        await asyncio.to_thread(_ip, "-n", self._space, "link", "set", self._inner, "down")

    async def cut_from(self, addresses: Sequence[str]) -> None:
        """Lets nothing pass to these any more, so that no connection from them is made either."""
        for address in addresses:
            await asyncio.to_thread(
                _ip, "-n", self._space, "route", "add", "blackhole", f"{address}/32"
            )
            self._unreachable.append(address)

    async def mend(self) -> None:
        """Lets everything pass again."""
        while self._unreachable:
            address = self._unreachable.pop()
            await asyncio.to_thread(
                _ip, "-n", self._space, "route", "del", "blackhole", f"{address}/32"
            )
        await asyncio.to_thread(_ip, "-n", self._space, "link", "set", self._inner, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _tidy(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=False, capture_output=True)
