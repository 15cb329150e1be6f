"""SIGTERM under load: accepted requests are answered, and locks and connections are released."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import aiohttp
from aiohttp import ClientSession, WSMsgType

from scripts.chaos.actions import Book
from scripts.chaos.audit import audit, ledger_of
from scripts.chaos.run import drained
from tests.faults.conftest import StartStack
from tests.support.extent import further
from tests.support.waiting import wait_until

RESTARTING = 1012
LIMIT = 25  # seconds


async def test_a_stop_under_load_answers_what_it_accepted_and_says_goodbye(
    start_stack: StartStack, http: ClientSession
) -> None:
    stack = await start_stack(servers=1, persisters=1)
    [url], headers = stack.urls, stack.headers
    answers: Counter[object] = Counter()
    counted: list[str] = []
    stopped = asyncio.Event()

    async def post(client: int) -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            action = {"userId": f"u{client}", "actionId": f"{client}-{number}", "points": 1}
            try:
                async with http.post(f"{url}/api/score", json=action, headers=headers) as response:
                    await response.json()
                    answers[response.status] += 1
                    counted.append(f"{client}-{number}")
            except aiohttp.ClientConnectionError:
                # Refused, or an idle connection was closed as the request set out: not accepted,
                # as the ledger will show.
                answers["not accepted"] += 1
                return

    async def first() -> bool:
        action = {"userId": "u", "actionId": "0", "points": 1}
        async with http.post(f"{url}/api/score", json=action, headers=headers) as response:
            return response.status == 200

    await wait_until(first, description="the board is open")
    counted.append("0")
    sockets = [await http.ws_connect(f"{url}/ws/leaderboard") for _ in range(20)]

    async def watch(socket: aiohttp.ClientWebSocketResponse) -> int | None:
        async for message in socket:
            assert message.type is WSMsgType.TEXT
        return socket.close_code

    watching = [asyncio.create_task(watch(socket)) for socket in sockets]
    posting = [asyncio.create_task(post(client)) for client in range(16)]
    await wait_until(lambda: len(counted) > 300, description="load has built up")
    began = time.monotonic()
    server, persister = stack.servers[0], stack.persisters[0]
    server.ask_to_stop()
    persister.ask_to_stop()
    codes = await asyncio.gather(*watching)
    stopped.set()
    await asyncio.gather(*posting)
    await asyncio.to_thread(server.wait_or_kill, LIMIT)
    await asyncio.to_thread(persister.wait_or_kill, LIMIT)

    assert time.monotonic() - began < LIMIT
    assert (server.exit_code, persister.exit_code) == (0, 0)
    assert set(codes) == {RESTARTING}
    assert set(answers) <= {200, "not accepted"}, answers
    await stack.start_persister(0)
    await drained(stack)
    ledger = await ledger_of(stack)
    assert {action for _, _, action in ledger} == set(counted), "answered and counted are the same"


@further
async def test_a_persister_that_is_stopped_has_acknowledged_what_it_committed(
    start_stack: StartStack, http: ClientSession
) -> None:
    stack = await start_stack(servers=1, persisters=1)
    batch = {"actions": [{"userId": "u", "actionId": f"{n}", "points": 1} for n in range(1000)]}

    async def posted() -> bool:
        url = f"{stack.urls[0]}/api/scores"
        async with http.post(url, json=batch, headers=stack.headers) as response:
            return response.status == 200

    await wait_until(posted, description="the board is open and has taken the batch")
    persister = stack.persisters[0]
    persister.ask_to_stop()
    await asyncio.to_thread(persister.wait_or_kill, LIMIT)

    assert persister.exit_code == 0
    async with stack.redis() as redis:
        left = sum([await redis.xlen(f"sb:{{{p}}}:events") for p in range(4)])
    assert left + len(await ledger_of(stack)) == 1000, "nothing is both, and nothing is neither"
    await stack.start_persister(0)
    await drained(stack)
    book = Book(0)
    await audit(stack, book, ())
    assert [line for line in book.violations if "nobody sent it" not in line] == []
