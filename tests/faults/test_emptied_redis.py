"""Redis emptied under writers: one rebuild however many ask, each action counts once, and no
reply promises what is gone."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from aiohttp import ClientSession

from scoreboard.wire.keys import Keyspace
from scripts.chaos.actions import Book
from scripts.chaos.audit import audit
from scripts.chaos.clients import Client
from scripts.chaos.faults import Fault
from scripts.chaos.run import drained
from scripts.chaos.service import PARTITIONS
from scripts.chaos.stack import Stack
from scripts.chaos.valkey_faults import ValkeyFaults
from tests.faults.conftest import StartStack
from tests.support.extent import further
from tests.support.waiting import wait_until

FLUSH = Fault(0, "flush_redis", 0, 0.0, 0)


def boards_made_live(logs: Path) -> list[str]:
    """The boards that were loaded or reconciled, one entry a time, over all processes."""
    lines = [line for log in logs.glob("serve-*.log") for line in log.read_text().splitlines()]
    return [line.split('"board": "')[1].split('"')[0] for line in lines if '"board_live"' in line]


def begun(book: Book, number: int) -> bool:
    return len(book.actions) > number


async def flush(stack: Stack, faults: ValkeyFaults) -> None:
    lock = faults.lock(FLUSH)
    await lock.acquire()
    await faults.do(FLUSH, lock)


@further
async def test_redis_is_emptied_again_and_again_under_writers(start_stack: StartStack) -> None:
    stack = await start_stack(servers=2, persisters=1)
    book, faults = Book(3_000), ValkeyFaults(stack)
    async with stack.apis() as apis:
        clients = [Client(n, 5, apis, book, lambda: True) for n in range(8)]
        posting = [asyncio.create_task(client.run()) for client in clients]
        for began in range(300, 3_000, 450):
            await wait_until(partial(begun, book, began), description="load")
            await flush(stack, faults)
        await asyncio.gather(*posting)
    await drained(stack)
    await audit(stack, book, faults.losses)

    assert book.violations == [], stack.errors()
    assert faults.done == {"flush_redis": 6}


async def test_one_rebuild_serves_however_many_ask(
    start_stack: StartStack, http: ClientSession
) -> None:
    stack = await start_stack(servers=2, persisters=0)
    calls = [f"{url}/api/boards/arena/score" for url in stack.urls]

    async def post(number: int) -> int:
        """Repeated while a busy machine needs longer for the board than a call waits for it."""
        action = {"userId": f"u{number}", "actionId": "a", "points": 1}
        while True:
            async with http.post(calls[number % 2], json=action, headers=stack.headers) as response:
                if response.status != 503:
                    return response.status
                assert (await response.json())["code"] == "unavailable", "nothing was written"
            await asyncio.sleep(0.05)

    assert await post(0) == 200
    before = boards_made_live(stack.folder).count("arena")
    async with stack.redis() as redis:
        await redis.flushall()
    statuses = await asyncio.gather(*(post(number) for number in range(1, 61)))

    assert set(statuses) == {200}
    assert boards_made_live(stack.folder).count("arena") == before + 1


async def test_a_commit_behind_a_lost_event_is_no_promise_for_it(
    start_stack: StartStack, http: ClientSession
) -> None:
    """The event waits for the persister, Redis loses it and goes on, and a later one is
    committed: the reply to the first must not say Postgres."""
    stack = await start_stack(
        servers=1, persisters=1, settings={"DURABILITY_TIMEOUT": "10", "DEFAULT_BOARD": "arena"}
    )
    url = f"{stack.urls[0]}/api/boards/arena/score"

    async def post(action_id: str, level: str) -> tuple[int, str]:
        """Repeated while a busy machine needs longer for the board than a call waits for it."""
        action = {"userId": "u", "actionId": action_id, "points": 1}
        headers = {**stack.headers, "Prefer": f"durability={level}"}
        while True:
            async with http.post(url, json=action, headers=headers) as response:
                if response.status != 503:
                    return response.status, response.headers.get("Preference-Applied", "")
                assert (await response.json())["code"] == "unavailable", "nothing was written"
            await asyncio.sleep(0.05)

    async def committed(action_id: str) -> bool:
        return (await post(action_id, "postgres"))[1] == "durability=postgres"

    await wait_until(lambda: committed("first"), description="the first is committed")
    await asyncio.to_thread(stack.persisters[0].kill)
    waiting = asyncio.create_task(post("lost", "postgres"))
    async with stack.redis() as redis:

        async def written() -> bool:
            score = await redis.zscore(Keyspace(PARTITIONS).board("arena").board, "u")
            return score is not None and score > 2

        await wait_until(written, description="Redis has the second action")
        await redis.flushall()
    assert await post("later", "redis") == (200, "durability=redis")
    await stack.start_persister(0)

    assert await waiting == (202, "")
    assert (await post("lost", "postgres"))[0] in (200, 202), "a retry counts it"
    await wait_until(lambda: committed("lost"), description="and it is committed")
