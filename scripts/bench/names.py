"""How long a new name takes into a browser's row: python -m scripts.bench.names [--rounds 40]

One `serve` and one `persist` process, a board in Chromium (`CHROMIUM`, or one on the path). Each
round sets another name of a player of the top, by PUT, and waits until the page's row has it.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer
from aiohttp import ClientSession
from playwright.async_api import async_playwright

from scoreboard.api import tokens
from scoreboard.local.embedded_servers import free_port
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.players import percentile, ready
from scripts.load import servers
from scripts.load.target import Target

USER = "user0"
ROW = f"[data-user={USER}] .user"
SHOWN = f"name => document.querySelector('{ROW}')?.textContent === name"
LONGEST = "from PUT to the row, longest, ms"
TARGETS = {LONGEST: Bound(1_000.0)}


def chromium() -> str:
    """The path of the program."""
    names = ("chromium-headless-shell", "chromium")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise SystemExit("There is no Chromium: install one, or name it in CHROMIUM.")
    return found


async def measure(target: Target, rounds: int) -> dict[str, float]:
    """All figures."""
    draw, answered, shown = random.Random(1), list[float](), list[float]()
    headers = {"Authorization": f"Bearer {target.token}"}
    async with ClientSession(headers=headers) as http, async_playwright() as playwright:
        action = {"userId": USER, "actionId": "a1", "points": 5}
        async with http.post(f"{target.url}/api/score", json=action) as answer:
            answer.raise_for_status()
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page()
        await page.goto(f"{target.url}/?board=global")
        await page.wait_for_selector(ROW)
        for number in range(rounds):
            await asyncio.sleep(draw.random())  # so that no round has the phase of the one before
            name = f"Ada {number}"
            seen = asyncio.create_task(page.wait_for_function(SHOWN, arg=name, polling="raf"))
            started = time.perf_counter()
            url = f"{target.url}/api/users/{USER}"
            async with http.put(url, json={"displayName": name}) as answer:
                answer.raise_for_status()
            answered.append(1e3 * (time.perf_counter() - started))
            await seen
            shown.append(1e3 * (time.perf_counter() - started))
        await browser.close()
    return {
        "rounds": rounds,
        "from PUT to its answer, p50, ms": percentile(answered, 0.5),
        "from PUT to the row, p50, ms": percentile(shown, 0.5),
        "from PUT to the row, p95, ms": percentile(shown, 0.95),
        LONGEST: max(shown),
        "load of the machine in the last minute": os.getloadavg()[0],
    }


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 40,
    json: JsonFile = None,
) -> None:
    """Set names and watch a page; about a minute."""
    with ExitStack() as stack:
        valkey, postgres = stack.enter_context(servers.databases())
        keys = tokens.local_keys(secrets.token_hex(32))
        token = tokens.mint(keys, "HS256", subject="bench", scope="score:write", ttl=86_400)
        port = free_port()
        environment = servers.environment(valkey.url, postgres.url, keys, PORT=str(port))
        servers.migrate(environment)
        for role in ("persist", "serve"):
            process = subprocess.Popen([sys.executable, "-m", "scoreboard", role], env=environment)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        target = Target(f"http://127.0.0.1:{port}", token)
        asyncio.run(ready(target))
        figures = asyncio.run(measure(target, rounds))
    if report(figures, json, TARGETS):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
