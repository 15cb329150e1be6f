"""A client whose process is killed, at any point, loses no action that it has taken, and counts
none twice: the server is as the real one in that it counts an action once, and tells so."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clients.conformance.drivers import Driver, DriverEnded, Kind
from clients.conformance.scripted_server import ScriptedServer

USERS = ["ada", "bob", "cy"]
STAGES = ["reached", "counted", "half answered", "answered"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Ledger:
    """What has counted, in order."""

    def __init__(self) -> None:
        self.points: dict[str, int] = {}
        self.order: dict[str, list[str]] = {user: [] for user in USERS}
        self.attempts = 0

    def count(self, action: dict[str, Any]) -> dict[str, Any]:
        """The service's answer to an action."""
        user, name = action["userId"], action["actionId"]
        told = {"userId": user, "actionId": name, "score": 1}
        self.attempts += 1
        if name in self.points:
            return {"status": 409, "code": "duplicate_action", "detail": "", **told}
        self.points[name] = action["points"]
        self.order[user].append(name)
        return {"status": 200, "rank": 1, **told}


def answer_to(body: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    if "actions" in body:
        results = [ledger.count(action) for action in body["actions"]]
        return {"status": 200, "body": {"results": results}}
    result = ledger.count(body)
    return {"status": result["status"], "body": result}


async def serve(
    server: ScriptedServer, ledger: Ledger, driver: Driver, killed_at: tuple[int, str] | None
) -> None:
    """Answers requests; ``killed_at`` is the number of a request, and the stage of it, at which the
    driver is killed."""
    for number in itertools.count():
        request = await server.next()
        now = killed_at[1] if killed_at is not None and killed_at[0] == number else ""
        if now == "reached":
            return await driver.kill()
        answer = answer_to(request.body, ledger)
        if now == "counted":
            return await driver.kill()
        request.answer.set_result({"half": answer["body"]} if now == "half answered" else answer)
        if now:
            return await driver.kill()
    return None


def opening(server: ScriptedServer, store: Path) -> dict[str, Any]:
    command = {"do": "open", "url": server.url, "clock": "real", "random": 0, "most": 3}
    return {**command, "store": str(store)}


async def drained(kind: Kind, server: ScriptedServer, ledger: Ledger, store: Path) -> None:
    """Opens the store once more, and waits until it has nothing to send."""
    driver = await Driver.start(kind)
    serving = asyncio.create_task(serve(server, ledger, driver, None))
    driver.send(opening(server, store))
    driver.send({"do": "flush"})
    while (await driver.event())["event"] != "flushed":
        pass
    driver.send({"do": "close"})
    while (await driver.event())["event"] != "closed":
        pass
    serving.cancel()
    await driver.kill()


async def test_nothing_is_lost_or_doubled_by_a_kill_at_any_stage_of_a_call(
    kind: Kind, server: ScriptedServer, tmp_path: Path
) -> None:
    random = Random(15)
    ledger = Ledger()
    store = tmp_path / "queue"
    kept: dict[str, tuple[str, int]] = {}
    names = (f"a{number}" for number in itertools.count())
    for stage in STAGES * 2:
        driver = await Driver.start(kind)
        serving = asyncio.create_task(serve(server, ledger, driver, (random.randrange(3), stage)))
        driver.send(opening(server, store))
        sent: list[tuple[str, tuple[str, int]]] = []
        acknowledged = 0
        try:
            while True:
                if len(sent) < 8:
                    user, points = random.choice(USERS), random.randrange(1, 100)
                    sent.append((next(names), (user, points)))
                    name = sent[-1][0]
                    driver.send(
                        {"do": "submit", "userId": user, "points": points, "actionId": name}
                    )
                if (await driver.event())["event"] == "kept":
                    kept.update([sent[acknowledged]])
                    acknowledged += 1
        except (DriverEnded, ConnectionError):
            await serving

    await drained(kind, server, ledger, store)

    assert {name: points for name, (_, points) in kept.items()}.items() <= ledger.points.items()
    for user in USERS:
        own = [name for name, (whose, _) in kept.items() if whose == user]
        assert [name for name in ledger.order[user] if name in kept] == own
    attempts = ledger.attempts
    await drained(kind, server, ledger, store)
    assert ledger.attempts == attempts > len(ledger.points) > 20


async def test_a_store_that_was_cut_anywhere_gives_what_was_whole(
    driver: Driver, server: ScriptedServer, tmp_path: Path
) -> None:
    store = tmp_path / "queue"
    await written(driver, server, store)
    whole = store.read_bytes()
    lines = [len(line) + 1 for line in whole.split(b"\n")[:-1]]
    assert len(lines) == 4
    for cut in range(len(whole) + 1):
        store.write_bytes(whole[:cut])
        entries = [json.loads(line) for line in whole[:cut].split(b"\n") if complete(line)]
        added = {entry["add"]: entry["action"]["actionId"] for entry in entries if "add" in entry}
        for entry in entries:
            added.pop(entry.get("done"), None)

        sent = await sent_by(driver, server, store)

        assert sent == list(added.values()), f"cut behind {cut} bytes"


def complete(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


async def written(driver: Driver, server: ScriptedServer, store: Path) -> None:
    """Makes a store of three actions of which the first is settled."""
    driver.send(opening(server, store))
    assert (await driver.event())["event"] == "opened"
    driver.send({"do": "submit", "userId": "ada", "points": 1, "actionId": "a1"})
    assert (await driver.event())["event"] == "kept"
    request = await server.next()
    request.answer.set_result(answer_to(request.body, Ledger()))
    assert (await driver.event())["event"] == "settled"
    for name in ("a2", "a3"):
        driver.send({"do": "submit", "userId": "ada", "points": 1, "actionId": name})
        assert (await driver.event())["event"] == "kept"
    await server.next()
    driver.send({"do": "close"})
    assert (await driver.event())["event"] == "closed"


async def sent_by(driver: Driver, server: ScriptedServer, store: Path) -> list[str]:
    """The ids of the actions that a client with this store sends."""
    driver.send(opening(server, store))
    driver.send({"do": "flush"})
    assert (await driver.event())["event"] == "opened"
    sent: list[str] = []
    event = asyncio.ensure_future(driver.event())
    while True:
        request = asyncio.ensure_future(server.next())
        done, _ = await asyncio.wait({event, request}, return_when=asyncio.FIRST_COMPLETED)
        if request in done:
            body = (await request).body
            sent += [action["actionId"] for action in body.get("actions", [body])]
            (await request).answer.set_result(answer_to(body, Ledger()))
        else:
            request.cancel()
            if (await event)["event"] == "flushed":
                break
            event = asyncio.ensure_future(driver.event())
    driver.send({"do": "close"})
    assert (await driver.event())["event"] == "closed"
    return sent
