"""A real headless Chromium for the tests of the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from scoreboard.settings import Settings
from tests.e2e.console import Console, kept_console
from tests.e2e.review_queue import Queue, filled_queue
from tests.e2e.stand_in import Feed, stand_in
from tests.support.network_changes import load_again_after_a_change_of_network
from tests.support.programs import lacking
from tests.support.waiting import PATIENCE

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=1000 * PATIENCE)

OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The Chromium named by ``CHROMIUM``, or one on the path: if it can be, that without a screen,
    with which these tests take two thirds of the time."""
    named, path = os.environ.get("CHROMIUM"), ("chromium-headless-shell", "chromium")
    executable = named or next(filter(None, map(shutil.which, path)), None)
    if executable is None:
        lacking("no Chromium: install one (apt-get install chromium) or name it in CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def new_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Makes blank pages in contexts of their own: ``await new_page(color_scheme="dark")``. In the
    end none of them may have had an uncaught error or broken its content security policy."""
    contexts = []
    wrongs: list[str] = []

    async def make(**options: Any) -> Page:
        context = await browser.new_context(locale="en-US", **options)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        load_again_after_a_change_of_network(page)
        page.on("pageerror", lambda error: wrongs.append(str(error)))
        # For the report of a test that fails.
        page.on("requestfailed", lambda request: print("failed:", request.url, request.failure))
        page.on("console", lambda message: print("console:", message.type, message.text))
        page.on(
            "console",
            lambda message: (
                wrongs.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        return page

    yield make
    for context in contexts:
        await context.close()
    assert wrongs == []


@pytest_asyncio.fixture(loop_scope="module")
async def feed() -> AsyncIterator[Feed]:
    """Stands in for the service."""
    async with stand_in() as feed:
        yield feed


@pytest_asyncio.fixture(loop_scope="module")
async def queue(settings: Settings) -> AsyncIterator[Queue]:
    """A service with four cases in its queue."""
    async with filled_queue(settings) as queue:
        yield queue


@pytest_asyncio.fixture(loop_scope="module")
async def console(settings: Settings) -> AsyncIterator[Console]:
    """A service with boards, and the console."""
    async with kept_console(settings) as console:
        yield console
