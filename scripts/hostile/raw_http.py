"""Bytes that are not quite HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

from scripts.hostile.ground import HANG, Ground

MARK = "zXq7-not-for-a-log"  # in everything that is sent: it may be echoed nowhere
AT_ONCE = 8


def _corpus(ground: Ground) -> Iterator[bytes]:
    bearer = f"Authorization: Bearer {MARK}"
    end = b"\r\n\r\n"
    host = f"Host: {ground.target.authority}\r\n".encode()
    get = ground.head("GET /api/score/top HTTP/1.1", bearer)
    post = ground.head("POST /api/score HTTP/1.1", bearer, "Content-Type: application/json")
    yield b"\r\n" * 500 + get + b"\r\n"
    yield b"GET /api/score/top HTTP/1.1\r\n" + host + bearer.encode() + b"\n\r\n"
    yield b"GET /api/score/top HTTP/1.1\r\n" + host + bearer.encode() + b"\0x" + end
    yield from (b"GET * HTTP/1.1\r\n" + host + end, b"GET * HTTP/1.1" + end, b"\x01" * 60_000)
    yield from (b"GET / HTTP/0.9" + end, b"GET /\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for version in (
        b"HTTP/1.0",
        b"HTTP/1.2",
        b"HTTP/2.0",
        b"HTTP/11.1",
        b"http/1.1",
        b"HTTP/1.1 x",
    ):
        yield b"GET /healthz " + version + b"\r\n" + host + b"\r\n"
    for target in (
        b"//",
        b"/%",
        b"/%00",
        b"/\xff",
        b"http://",
        b"/" + b"a" * 70_000,
        b"/a b",
        b"?",
    ):
        yield b"GET " + target + b" HTTP/1.1\r\n" + host + b"\r\n"
    for name in (b"a/b", b"a b", b"", b"a\tb", b"\xff", b"[::", b"a:b:c", b"a" * 9000):
        yield b"GET /healthz HTTP/1.1\r\nHost: " + name + end
    yield b"GET /healthz HTTP/1.1\r\n" + host + host + b"\r\n"
    yield b"GET /healthz HTTP/1.1" + end
    for coding in ("gzip, chunked", "chunked, gzip", "gzip", "identity", "chunked, chunked", "x"):
        yield post + f"Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n".encode()
    for length in ("-1", "+1", "1, 1", "1,2", "0x1", "1.0", "9" * 30, "", "1 1", "\x01"):
        yield post + f"Content-Length: {length}\r\n\r\n{{}}".encode()
    yield post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    for chunk in (b"-1\r\n", b"zz\r\n", b"1;" + b"a" * 70_000, b"ffffffffffffffffff\r\n", b"1\n{"):
        yield post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
    for coding in ("br", "gzip", "x", "identity", "gzip, gzip", "*"):
        yield post + f"Content-Encoding: {coding}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    for expected in ("100-continue", "200-ok", "x" * 5000):
        yield post + f"Expect: {expected}\r\nContent-Length: 2\r\n\r\n".encode()
    for header in (b": x", b"x", b" x: y", b"x : y", b"\0: y", b"x: \0", b"x: " + b"y" * 70_000):
        yield get + header + end
    yield get + b"".join(b"x%d: y\r\n" % i for i in range(20_000)) + b"\r\n"
    for method in (b"", b"\xff", b"G" * 9000, b"CONNECT", b"TRACE", b"get", b"G\0T"):
        yield method + b" /healthz HTTP/1.1\r\n" + host + b"\r\n"
    socket = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    for method, version in ((b"HEAD", b"13"), (b"GET", b"12"), (b"GET", b""), (b"POST", b"13")):
        start = method + b" /ws/leaderboard HTTP/1.1\r\n" + host + socket
        yield start + b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: " + version + end
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500  # TLS


def _mutated(text: bytes, ground: Ground) -> bytes:
    """Some of its bytes changed, removed or repeated."""
    rng, spoiled = ground.rng, bytearray(text[:2000])
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(spoiled))
        match rng.randrange(3):
            case 0:
                spoiled[at] = rng.randrange(256)
            case 1:
                del spoiled[at : at + rng.randint(1, 8)]
            case _:
                spoiled[at:at] = spoiled[at : at + 8]
        spoiled = spoiled or bytearray(b"x")
    return bytes(spoiled)


async def raw_http(ground: Ground) -> str:
    """Sends each on a connection of its own, then mutations of them; each must be answered, or its
    connection closed."""
    ground.secrets.add(MARK)
    corpus, tried = list(_corpus(ground)), 0
    waiting = list(reversed(corpus))
    end = time.monotonic() + ground.seconds

    async def sender() -> None:
        nonlocal tried
        while waiting or time.monotonic() < end:
            text = waiting.pop() if waiting else _mutated(ground.rng.choice(corpus), ground)
            tried += 1
            await _send(ground, text)

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return f"{tried} messages"


async def _send(ground: Ground, text: bytes) -> None:
    try:
        reader, writer = await ground.connect()
    except OSError:
        return
    try:
        writer.write(text)
        with contextlib.suppress(OSError):
            writer.write_eof()
            async with asyncio.timeout(HANG):
                answer = await reader.read()
            _judge(ground, text, answer)
    except TimeoutError:
        ground.find(f"neither answered nor closed: {text[:80]!r}")
    finally:
        writer.transport.abort()


def _judge(ground: Ground, text: bytes, answer: bytes) -> None:
    if MARK.encode() in answer:
        ground.find(f"the answer repeats the request: {text[:80]!r}")
    status = answer[9:12]
    if answer.startswith(b"HTTP/1.") and status.isdigit():
        ground.judge(f"{text[:80]!r}", int(status))
    elif answer:
        ground.find(f"an answer that is not HTTP/1.1 to {text[:80]!r}: {answer[:40]!r}")
