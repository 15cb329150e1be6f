"""Posts that go on while something is done to their board."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.waiting import wait_until

POSTERS = 4


@dataclass
class Acknowledged:
    """Ids of actions, ``<poster>-<number>`` of the user ``user<poster>``, by when they were begun
    and answered."""

    before: set[str] = field(default_factory=set)
    meanwhile: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)


async def posts_around(
    do: Callable[[], Awaitable[object]],
    post: Callable[[str, str], Awaitable[bool]],
    *,
    enough: int = 40,
) -> Acknowledged:
    """Has four users post one action after the other until ``enough`` are acknowledged after
    ``do``, which begins after as many. ``post(user, action)`` is False where the action does not
    count."""
    begun, done = asyncio.Event(), asyncio.Event()
    acknowledged = Acknowledged()

    async def posting(poster: int) -> None:
        number = 0
        while len(acknowledged.after) < enough:
            sent_after = done.is_set()
            number += 1
            action = f"{poster}-{number}"
            if not await post(f"user{poster}", action):
                await asyncio.sleep(0)
            elif sent_after:
                acknowledged.after.add(action)
            elif begun.is_set():
                acknowledged.meanwhile.add(action)
            else:
                acknowledged.before.add(action)

    async with asyncio.TaskGroup() as tasks:
        for poster in range(POSTERS):
            tasks.create_task(posting(poster))
        await wait_until(lambda: len(acknowledged.before) >= enough, description="some posts")
        begun.set()
        await do()
        done.set()
    return acknowledged
