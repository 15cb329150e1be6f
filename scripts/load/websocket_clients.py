"""Many WebSocket clients in one process, for scripts/bench/fanout.py: plain sockets and epoll, so
that the clients cost little next to the server that is measured."""

from __future__ import annotations

import base64
import os
import selectors
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any

PONG = bytes((0x8A, 0x80, 0, 0, 0, 0))
IN_FLIGHT = 200  # handshakes under way at once
PORTS = 20_000  # connections per source address


@dataclass(eq=False, slots=True)
class Client:
    """One socket; ``version`` is the newest one received."""

    sock: socket.socket
    buffer: bytes = b""
    open: bool = False
    version: int = -1
    snapshots: int = 0


@dataclass
class Seen:
    """What the process has seen since it was last asked."""

    latencies: list[int] = field(default_factory=list)  # ns from the server's publish to here
    heartbeats: int = 0
    pings: int = 0
    closed: int = 0
    backwards: int = 0  # versions that did not grow


class Clients:
    """Answers commands that come through ``pipe``: (name, argument) -> reply."""

    def __init__(self, pipe: Pipe, port: int, path: str, receive_buffer: int | None) -> None:
        self._pipe = pipe
        self._port = port
        self._path = path
        self._receive_buffer = receive_buffer
        self._selector = selectors.EpollSelector()
        self._selector.register(pipe.fileno(), selectors.EVENT_READ, None)
        self._clients: list[Client] = []
        self._waking: dict[Client, int] = {}  # woken clients and the version they wait for
        self._woken_at = 0
        self._wake_times: list[int] = []
        self._seen = Seen()

    def run(self) -> None:
        """Serves until the command ``end``."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._readable(key.data)
                    continue
                name, argument = self._pipe.recv()
                if name == "end":
                    return
                self._pipe.send(getattr(self, name)(argument))

    def connect(self, count: int) -> int:
        """Opens ``count`` connections; returns how many got their snapshot."""
        fresh: list[Client] = []
        for index in range(count):
            fresh.append(self._dial(index))
            while sum(1 for c in fresh[-IN_FLIGHT:] if c.version < 0) >= IN_FLIGHT:
                self._turn()
        deadline = time.monotonic() + 30
        while any(c.version < 0 for c in fresh) and time.monotonic() < deadline:
            self._turn()
        self._clients += fresh
        return sum(1 for c in fresh if c.version >= 0)

    def report(self, _: Any) -> Seen:
        """What was seen since the last report."""
        seen, self._seen = self._seen, Seen()
        return seen

    def versions(self, _: Any) -> list[int]:
        """The newest version of each client."""
        return [client.version for client in self._clients]

    def stall(self, _: Any) -> None:
        """Stops reading."""
        for client in self._clients:
            self._selector.unregister(client.sock)

    def wake(self, version: int) -> list[int]:
        """Reads again; returns for each client the ns until it had ``version`` or a newer one."""
        self._wake_times = []
        self._woken_at = time.monotonic_ns()
        for client in self._clients:
            self._waking[client] = version
            self._selector.register(client.sock, selectors.EVENT_READ, client)
        deadline = time.monotonic() + 5
        while self._waking and time.monotonic() < deadline:
            self._turn()
        return self._wake_times

    def _turn(self) -> None:
        for key, _ in self._selector.select(0.1):
            if key.data is not None:
                self._readable(key.data)

    def _dial(self, index: int) -> Client:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        sock.bind((f"127.0.0.{1 + len(self._clients) // PORTS}", 0))
        sock.connect(("127.0.0.1", self._port))
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0\r\n"
            "Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n"
            "Origin: http://127.0.0.1:8080\r\nCache-Control: no-cache\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        sock.setblocking(False)
        client = Client(sock)
        self._selector.register(sock, selectors.EVENT_READ, client)
        return client

    def _readable(self, client: Client) -> None:
        try:
            data = client.sock.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = time.monotonic_ns()
        if not data:
            self._seen.closed += 1
            self._waking.pop(client, None)
            self._selector.unregister(client.sock)
            client.sock.close()
            return
        data = client.buffer + data
        position = 0
        if not client.open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                client.buffer = data
                return
            client.open = True
            position = end + 4
        while len(data) - position >= 2:
            size, start = data[position + 1], position + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            if len(data) < start + size:
                break
            self._frame(client, data[position] & 0xF, data[start : start + size], now)
            position = start + size
        client.buffer = data[position:]

    def _frame(self, client: Client, opcode: int, payload: bytes, now: int) -> None:
        if opcode == 0x9:
            self._seen.pings += 1
            client.sock.send(PONG)
        elif payload.startswith(b'{"type":"heartbeat"'):
            self._seen.heartbeats += 1
        elif opcode == 0x1:
            start = payload.index(b'"version":') + 10
            version = int(payload[start : payload.index(b",", start)])
            if version <= client.version:
                self._seen.backwards += 1
            client.version = version
            if payload.startswith(b'{"type":"update"'):
                self._seen.latencies.append(now - int(payload[-21:-2]))
            if client in self._waking and version >= self._waking[client]:
                del self._waking[client]
                self._wake_times.append(time.monotonic_ns() - self._woken_at)


def main(pipe: Pipe, port: int, path: str, receive_buffer: int | None = None) -> None:
    """The client process."""
    Clients(pipe, port, path, receive_buffer).run()
