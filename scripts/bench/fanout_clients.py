"""The clients of bench/fanout.py: many WebSockets in a process, some of which stop reading."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field

from scripts.load.websocket import WebSocket, handshake

PATH = "/ws/leaderboard"
IN_FLIGHT = 200  # handshakes under way at once
PORTS = 20_000  # connections per source address
CONNECT_TIMEOUT = 30.0
WAKE_TIMEOUT = 5.0
BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0\r\n"
    "Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Origin: http://127.0.0.1:8080\r\nCache-Control: no-cache\r\n"
)


@dataclass
class Seen:
    """What the process has seen since it was last asked."""

    latencies: list[int] = field(default_factory=list)  # ns from the server's publish to here
    backwards: int = 0  # versions that did not grow


class Client(WebSocket):
    """One connection; ``version`` is the newest one received, ``open`` set with the first."""

    def __init__(self, request: bytes, crowd: Crowd) -> None:
        super().__init__(request)
        self.open = asyncio.Event()
        self.version = -1
        self._crowd = crowd

    def received(self, payload: bytes, now: int) -> None:
        if payload.startswith(b'{"type":"heartbeat"'):
            return
        start = payload.index(b'"version":') + 10
        version = int(payload[start : payload.index(b",", start)])
        seen = self._crowd.seen
        if version <= self.version:
            seen.backwards += 1
        self.version = version
        if payload.startswith(b'{"type":"update"'):
            seen.latencies.append(now - int(payload[-21:-2]))
        self.open.set()
        if self in self._crowd.waking:
            self._crowd.woken(self, version)


class Crowd:
    """The clients of one process, on the server's ``port``; the kernel holds ``receive_buffer``
    bytes for each, if given."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._port = port
        self._receive_buffer = receive_buffer
        self._clients: list[Client] = []
        self.seen = Seen()
        self.waking: dict[Client, int] = {}  # woken clients and the version they wait for
        self._woken_at = 0
        self._wake_times: list[int] = []
        self._all_woken = asyncio.Event()

    async def connect(self, count: int) -> int:
        """Opens ``count`` connections, one after the other so that the server is not asked to
        accept hundreds at a stroke; returns how many got their snapshot."""
        in_flight = asyncio.Semaphore(IN_FLIGHT)
        opening = []
        for _ in range(count):
            await in_flight.acquire()
            client = await self._dial()
            self._clients.append(client)
            opened = asyncio.create_task(client.open.wait())
            opened.add_done_callback(lambda _: in_flight.release())
            opening.append(opened)
        done, late = await asyncio.wait(opening, timeout=CONNECT_TIMEOUT)
        for task in late:
            task.cancel()
        return len(done)

    async def report(self) -> Seen:
        """What was seen since the last report."""
        seen, self.seen = self.seen, Seen()
        return seen

    async def versions(self) -> list[int]:
        """The newest version of each client."""
        return [client.version for client in self._clients]

    async def stall(self) -> None:
        """Stops reading."""
        for client in self._clients:
            client.transport.pause_reading()

    async def wake(self, version: int) -> list[int]:
        """Reads again; returns for each client the ns until it had ``version`` or a newer one."""
        self._wake_times = []
        self._all_woken.clear()
        self._woken_at = time.monotonic_ns()
        self.waking = dict.fromkeys(self._clients, version)
        for client in self._clients:
            client.transport.resume_reading()
        await asyncio.wait({asyncio.create_task(self._all_woken.wait())}, timeout=WAKE_TIMEOUT)
        return self._wake_times

    def woken(self, client: Client, version: int) -> None:
        """From a client that waits: it is on ``version`` now."""
        if version >= self.waking[client]:
            del self.waking[client]
            self._wake_times.append(time.monotonic_ns() - self._woken_at)
            if not self.waking:
                self._all_woken.set()

    async def _dial(self) -> Client:
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        sock.setblocking(False)
        sock.bind((f"127.0.0.{1 + len(self._clients) // PORTS}", 0))
        await loop.sock_connect(sock, ("127.0.0.1", self._port))
        client = Client(handshake(f"127.0.0.1:{self._port}", PATH, BROWSER), self)
        await loop.create_connection(lambda: client, sock=sock)
        return client
