"""Looking up where a webhook's name leads, whatever the system's resolver does."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from scoreboard.webhooks.names import Names
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A resolver that answers when it is told to."""
    answering = threading.Event()

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        answering.wait(PATIENCE)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield answering
    answering.set()


async def test_a_name_leads_where_the_system_says(resolver: threading.Event) -> None:
    resolver.set()
    (found,) = await Names(1).resolve("game.example", 443)
    assert (found["host"], found["port"], found["hostname"]) == ("192.0.2.1", 443, "game.example")


async def test_lookups_that_nobody_waits_for_any_more_are_bounded(
    resolver: threading.Event,
) -> None:
    names = Names(2)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await names.resolve("game.example", 443)
    with pytest.raises(OSError, match="too many lookups"):
        await names.resolve("game.example", 443)

    resolver.set()

    async def resolved() -> bool:
        try:
            return bool(await names.resolve("game.example", 443))
        except OSError:
            return False

    await wait_until(resolved, description="a lookup when the others have ended")


async def test_a_name_that_is_none_is_an_error_of_the_attempt() -> None:
    with pytest.raises((OSError, UnicodeError)):
        await Names(1).resolve("a" * 64 + ".example", 443)


def test_a_process_ends_without_waiting_for_a_resolver_that_is_out_of_reach() -> None:
    code = f"""if True:
        import asyncio, socket, time
        from scoreboard.webhooks.names import Names
        socket.getaddrinfo = lambda *_, **__: time.sleep({10 * PATIENCE})
        async def look_up():
            try:
                async with asyncio.timeout(0):
                    await Names(1).resolve("game.example", 443)
            except TimeoutError:
                print("given up")
        asyncio.run(look_up())"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert ended.stdout == "given up\n"
