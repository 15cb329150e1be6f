"""Every client does what the cases say with the real service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from clients.conformance.drivers import Driver, Kind
from clients.conformance.steps import Run
from scripts.load.target import Target
from tests.support.waiting import wait_until

CASES = json.loads(Path(__file__).with_name("service.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: CASES[number]["case"])
async def test_case(
    driver: Driver,
    kind: Kind,
    service: Target,
    token_for: Callable[[str, str], str],
    number: int,
    tmp_path: Path,
) -> None:
    name = f"{kind.name}-{number}"
    names = {
        "$BOARD": name,
        "$USER": name,
        "$TOKEN": service.token,
        "$OWN": token_for(name, "score:submit board:read"),
        "$STRANGER": token_for("stranger", "board:read"),
    }
    await Run(driver, tmp_path, service.url, None, names).steps(CASES[number]["steps"])


async def test_a_watch_of_a_period_sees_its_occurrence_end_and_the_next_begin(
    driver: Driver, kind: Kind, service: Target
) -> None:
    board = f"{kind.name}-blitz"
    blitz = {"name": "blitz", "every": "PT2S", "start": "2026-01-01T00:00:00Z"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {service.token}"}) as admin:
        url = f"{service.url}/api/admin/boards/{board}"
        async with admin.put(url, json={"allTime": False, "periods": [blitz]}) as made:
            assert made.ok, await made.text()

    async def told(event: str, *also: str) -> dict[str, Any]:
        """The next event, or the next of this name where those of ``also`` may come before it."""
        seen = await driver.event()
        while seen["event"] in also:
            seen = await driver.event()
        assert seen["event"] == event, seen
        return seen

    driver.send({"do": "open", "url": service.url, "clock": "real", "tokens": [service.token]})
    await told("opened")
    driver.send({"do": "submit", "board": board, "userId": "ada", "points": 15, "actionId": "a1"})
    await told("kept")
    settled = await told("settled")
    counted = settled["periods"]["blitz"]
    driver.send({"do": "watch", "board": board, "period": "blitz"})
    shown = await told("top", "state")
    closed = await told("periodClosed", "top")
    following = await told("top")

    async def is_listed() -> bool:
        driver.send({"do": "read", "call": "occurrences", "board": board, "period": "blitz"})
        listed = (await told("answer", "top", "periodClosed"))["value"]["occurrences"]
        return (counted["occurrence"], 1) in [(one["occurrence"], one["users"]) for one in listed]

    await wait_until(is_listed, description="ada is in an occurrence")
    driver.send({"do": "close"})
    await told("closed", "top", "periodClosed")

    assert settled.get("score") is None
    assert (counted["score"], counted["rank"]) == (15, 1)
    ended = closed["message"]["occurrence"]
    assert counted["occurrence"] <= shown["occurrence"] <= ended
    assert (following["occurrence"], following["topScores"]) == (ended + 1, [])


async def test_nothing_is_lost_or_doubled_when_the_process_is_killed_again_and_again(
    kind: Kind, service: Target, tmp_path: Path
) -> None:
    opening: dict[str, Any] = {"do": "open", "url": service.url, "clock": "real", "random": 0}
    opening |= {"tokens": [service.token], "board": f"{kind.name}-killed"}
    opening |= {"store": str(tmp_path / "queue")}
    number = 0
    for kept in (1, 3, 10, 30):
        driver = await Driver.start(kind)
        driver.send(opening)
        for _ in range(kept):
            number += 1
            driver.send(
                {"do": "submit", "userId": "ada", "points": number, "actionId": f"a{number}"}
            )
        while kept:
            kept -= (await driver.event())["event"] == "kept"
        await driver.kill()
    driver = await Driver.start(kind)
    driver.send(opening)
    driver.send({"do": "flush"})
    while (await driver.event())["event"] != "flushed":
        pass
    driver.send({"do": "read", "call": "user", "userId": "ada"})
    told = await driver.event()
    await driver.kill()

    assert told["value"]["score"] == sum(range(1, number + 1))
