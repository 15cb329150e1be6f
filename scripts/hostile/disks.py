"""Disks that are full: small file systems in memory for Redis and for Postgres, which only root can
mount."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from scripts.hostile.ground import HANG, Ground

SIZES = {"valkey": "160m", "postgres": "400m"}
BALLAST, PAGE = "ballast", 4096
# Seconds within which a full disk has to be told: what is preallocated has to be used up first, and
# who persists may be in a pause.
TELLING = 30.0


@contextlib.contextmanager
def small_disks(folder: Path) -> Iterator[None]:
    """Small file systems where `scoreboard up` keeps the servers' data, if we may mount them."""
    mounted = []
    try:
        if can_mount():
            for name, size in SIZES.items():
                place = folder / name
                place.mkdir(mode=0o700)
                subprocess.run(
                    ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)],
                    check=True,
                )
                mounted.append(place)
        yield
    finally:
        for place in mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def can_mount() -> bool:
    """Whether this attack is possible."""
    return os.geteuid() == 0


async def full_redis_disk(ground: Ground) -> str:
    """Fills the disk below Redis, which must be told by /readyz."""
    return await _fill(ground, "valkey")


async def full_postgres_disk(ground: Ground) -> str:
    """Fills the disk below Postgres, which must be told by /readyz."""
    return await _fill(ground, "postgres")


async def _fill(ground: Ground, disk: str) -> str:
    if not can_mount():
        return "left out: only root can mount small file systems"
    ballast = ground.folder / disk / BALLAST
    refused = told = looks = 0
    least = max(1, round(2 * ground.seconds))
    latest = asyncio.get_running_loop().time() + TELLING
    try:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * PAGE)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANG)) as session:
            while looks < least or (not told and asyncio.get_running_loop().time() < latest):
                refused += await _write_much(ground, session, f"{disk}-{looks}")
                told += await _is_told(ground, session)
                looks += 1
                await asyncio.sleep(0.5)
    finally:
        ballast.unlink(missing_ok=True)
    if not told:
        ground.find(f"/readyz said nothing of the full disk of {disk}")
    return f"told {told} of {looks} times, {refused} batches refused"


async def _write_much(ground: Ground, session: aiohttp.ClientSession, name: str) -> bool:
    """Posts 1,000 actions; whether they were refused."""
    actions = [{"userId": f"u{i}", "actionId": name, "points": 1} for i in range(1000)]
    headers = {"Authorization": f"Bearer {ground.target.token}"}
    url = f"{ground.target.url}/api/boards/much/scores"
    try:
        async with session.post(url, json={"actions": actions}, headers=headers) as answer:
            ground.judge("a batch with a full disk", answer.status)
            return answer.status != 200
    except TimeoutError:
        ground.find("a batch with a full disk hung")
    except aiohttp.ClientError:
        pass
    return True


async def _is_told(ground: Ground, session: aiohttp.ClientSession) -> bool:
    """Whether /readyz says that something is wrong."""
    try:
        async with session.get(f"{ground.target.url}/readyz") as answer:
            parts = (await answer.json())["parts"]
            return not all(part["up"] for part in parts.values())
    except (aiohttp.ClientError, TimeoutError):
        return False
