"""Stores in bad times: a full disk, a second process, a client of another language. What was said
to be kept counts once in the end, and nothing else does."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clients.conformance.drivers import Driver, Kind
from clients.conformance.scripted_server import ScriptedServer
from clients.conformance.test_kills import Ledger, drained, opening

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = 4096  # bytes
# Root can read everything, unless it gives this right away.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


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


def names_in(folder: Path) -> set[str]:
    """What the folder has."""
    return {file.name for file in folder.iterdir()}


async def submitted(driver: Driver, name: str) -> bool:
    """Whether the action was kept."""
    driver.send({"do": "submit", "userId": "ada", "points": 1, "actionId": name})
    while True:
        told = (await driver.event())["event"]
        if told in ("kept", "notKept"):
            return bool(told == "kept")


@asynccontextmanager
async def opened(
    kind: Kind,
    server: ScriptedServer,
    store: Path,
    told: str = "opened",
    within: Sequence[str] = (),
) -> AsyncIterator[Driver]:
    """A driver that has opened the store, or tells that it can't; killed in the end."""
    driver = await Driver.start(kind, within)
    try:
        driver.send(opening(server, store))
        assert (await driver.event())["event"] == told
        yield driver
    finally:
        await driver.kill()


async def test_a_full_disk_loses_nothing_that_was_kept_and_counts_nothing_else(
    kind: Kind, server: ScriptedServer, disk: Path
) -> None:
    store = disk / "queue"
    ledger = Ledger()
    names = (f"a{number:03}" for number in itertools.count())
    kept = []

    async def until_full(driver: Driver) -> None:
        fill(disk)
        for name in itertools.islice(names, PAGE // 20):  # a line has more bytes
            if not await submitted(driver, name):
                return
            kept.append(name)
        raise AssertionError("more was said to be kept than the disk has room for")

    async with opened(kind, server, store) as driver:
        kept.append(next(names))
        assert await submitted(driver, kept[0])
        await server.next()  # which nobody answers
        await until_full(driver)
    await drained(kind, server, ledger, store)  # while the disk is full
    assert sorted(ledger.points) == kept
    assert len(kept) > 3

    async with opened(kind, server, store) as driver:
        await until_full(driver)
        (disk / "ballast").unlink()
        kept.append(next(names))
        assert await submitted(driver, kept[-1])
        await server.next()
    await drained(kind, server, ledger, store)
    assert sorted(ledger.points) == kept


async def test_a_store_that_can_not_be_read_is_left_as_it_is(
    kind: Kind, server: ScriptedServer, tmp_path: Path
) -> None:
    store = tmp_path / "queue"
    store.write_text("what somebody has kept")
    store.chmod(0)
    within = UNPRIVILEGED if os.geteuid() == 0 else []

    async with opened(kind, server, store, "notOpened", within):
        pass

    store.chmod(0o600)
    assert store.read_text() == "what somebody has kept"
    assert names_in(tmp_path) <= {"queue", "queue.lock"}


async def test_of_two_processes_of_any_languages_one_has_the_store(
    kind: Kind, other: Kind, server: ScriptedServer, tmp_path: Path
) -> None:
    store = tmp_path / "queue"
    async with opened(kind, server, store) as first:
        assert await submitted(first, "a1")
        await server.next()
        async with opened(other, server, store, told="notOpened"):
            pass
    async with opened(other, server, store):  # what a killed process has left keeps nobody away
        request = await server.next()
        assert request.body["actionId"] == "a1"
        async with opened(kind, server, store, told="notOpened"):
            pass
    ledger = Ledger()
    await drained(kind, server, ledger, store)
    await drained(other, server, ledger, store)

    assert ledger.order["ada"] == ["a1"]
    assert names_in(tmp_path) <= {"queue", "queue.lock"}
