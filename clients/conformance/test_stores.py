"""Stores in bad times: a full disk, a second process. What was said to be kept counts once in the
end, and nothing else does."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.conformance.drivers import Driver, Kind
from clients.conformance.scripted_server import ScriptedServer
from clients.conformance.test_kills import Ledger, drained, opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = 4096  # bytes


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 pages, which root can mount."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={16 * PAGE}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> None:
    """Takes all pages that are left."""
    with (
        contextlib.suppress(OSError),
        (disk / "ballast").open("ab", buffering=0) as ballast,
    ):
        while True:
            ballast.write(b"\0" * PAGE)


async def submitted(driver: Driver, name: str) -> bool:
    """Whether the action was kept."""
    driver.send({"do": "submit", "userId": "ada", "points": 1, "actionId": name})
    while True:
        told = (await driver.event())["event"]
        if told in ("kept", "notKept"):
            return bool(told == "kept")


async def opened(kind: Kind, server: ScriptedServer, store: Path) -> Driver:
    driver = await Driver.start(kind)
    driver.send(opening(server, store))
    assert (await driver.event())["event"] == "opened"
    return driver


async def test_a_full_disk_loses_nothing_that_was_kept_and_counts_nothing_else(
    kind: Kind, server: ScriptedServer, disk: Path
) -> None:
    store = disk / "queue"
    ledger = Ledger()
    names = (f"a{number:03}" for number in itertools.count())
    kept = []

    async def until_full(driver: Driver) -> None:
        fill(disk)
        for name in names:
            if not await submitted(driver, name):
                return
            kept.append(name)

    driver = await opened(kind, server, store)
    kept.append(next(names))
    assert await submitted(driver, kept[0])
    await server.next()  # which nobody answers
    await until_full(driver)
    await driver.kill()
    await drained(kind, server, ledger, store)  # while the disk is full
    assert sorted(ledger.points) == kept
    assert len(kept) > 3

    driver = await opened(kind, server, store)
    await until_full(driver)
    (disk / "ballast").unlink()
    again = next(names)
    assert await submitted(driver, again)
    kept.append(again)
    await server.next()
    await driver.kill()
    await drained(kind, server, ledger, store)
    assert sorted(ledger.points) == kept


async def test_of_two_processes_one_has_the_store(
    kind: Kind, server: ScriptedServer, tmp_path: Path
) -> None:
    store = tmp_path / "queue"
    first = await opened(kind, server, store)
    assert await submitted(first, "a1")

    second = await Driver.start(kind)
    second.send(opening(server, store))
    refused = await second.event()
    await second.kill()
    assert await submitted(first, "a2")
    await server.next()
    await first.kill()
    ledger = Ledger()
    await drained(kind, server, ledger, store)

    assert refused == {"event": "notOpened"}
    assert sorted(ledger.points) == ["a1", "a2"]
