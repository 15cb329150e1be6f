"""The wheel of pings and heartbeats while nobody is on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scoreboard.api.live.heartbeats import Heartbeats
from scoreboard.background import end


class Rider:
    """Of a connection what the wheel has to know to take it along."""

    slot: set[Any] | None = None
    reader = None


async def test_the_wheel_turns_only_while_somebody_is_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks, pause = 0, asyncio.sleep

    async def tick(_: float) -> None:
        nonlocal ticks
        ticks += 1
        await pause(0)

    async def ticks_meanwhile() -> int:
        before = ticks
        for _ in range(10):
            await pause(0)
        return ticks - before

    wheel = Heartbeats(25.0)
    monkeypatch.setattr(asyncio, "sleep", tick)
    turning = asyncio.create_task(wheel.run())
    assert await ticks_meanwhile() == 0
    riders: list[Any] = [Rider(), Rider()]
    ann, bob = riders
    for rider in riders:
        wheel.add(rider)
    monkeypatch.setattr(wheel, "_visit", lambda *_: None)
    assert await ticks_meanwhile() > 0
    wheel.discard(ann)
    wheel.discard(ann)  # again: it is counted once
    assert await ticks_meanwhile() > 0
    wheel.discard(bob)
    await ticks_meanwhile()
    assert await ticks_meanwhile() == 0
    wheel.add(ann)
    assert await ticks_meanwhile() > 0
    await end(turning)
