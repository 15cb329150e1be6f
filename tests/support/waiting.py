"""Waiting for a condition, in place of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

PATIENCE = 60.0  # seconds for what has to come, on any machine: only a failure takes as long


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T]],
    *,
    description: str,
    timeout: float = ...,
    interval: float = ...,
) -> T: ...


@overload
async def wait_until(
    condition: Callable[[], T], *, description: str, timeout: float = ..., interval: float = ...
) -> T: ...


async def wait_until(
    condition: Callable[[], Any],
    *,
    description: str,
    timeout: float = PATIENCE,
    interval: float = 0.01,
) -> Any:
    """Call ``condition`` (plain or async) every ``interval`` seconds until it is true, and return
    what it gave. Fails the test, saying what it waited for and what it saw last, after
    ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        seen = condition()
        value = await seen if inspect.isawaitable(seen) else seen
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {description} (last seen: {value!r})")
        await asyncio.sleep(interval)
