"""Pages that load although the machine's network changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from playwright.async_api import Error, Page, Request, Response

Load = Callable[..., Awaitable[Response | None]]

CHANGED = "net::ERR_NETWORK_CHANGED"
ITSELF = "is interrupted by another navigation"


def load_again_after_a_change_of_network(page: Page) -> None:
    """Chromium gives up what it is loading when an address comes or goes on this machine, as in
    tests of cut networks, which other processes may run meanwhile. It may load the page anew by
    itself then, in the way of who does so as well."""
    goto, anew, given_up = page.goto, page.reload, list[str]()
    loads = False
    reloads: list[asyncio.Task[None]] = []  # of pages that a link led to

    async def reload() -> None:
        with suppress(Error):  # the page is left or closed meanwhile
            await anew()

    def failed(request: Request) -> None:
        if request.failure == CHANGED:
            given_up.append(request.url)
            if not loads and request.resource_type in ("document", "script", "stylesheet"):
                reloads.append(asyncio.create_task(reload()))

    def whole(load: Load) -> Load:
        async def again(*args: Any, **options: Any) -> Response | None:
            nonlocal loads
            loads = True
            try:
                return await until_loaded(load, *args, **options)
            finally:
                loads = False

        return again

    async def until_loaded(load: Load, *args: Any, **options: Any) -> Response | None:
        given_up.clear()
        try:
            response = await load(*args, **options)
        except Error as error:
            if not any(sign in error.message for sign in (CHANGED, "chrome-error:", ITSELF)):
                raise
            return await until_loaded(load, *args, **options)
        while given_up:
            given_up.clear()
            response = await anew()
        return response

    page.on("requestfailed", failed)
    # mypy forbids the assignments.
    setattr(page, "goto", whole(goto))  # noqa: B010
    setattr(page, "reload", whole(anew))  # noqa: B010
