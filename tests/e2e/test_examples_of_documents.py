"""The examples in docs/try.md, docs/boards.md and the guides answer as they say."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from scoreboard.settings import Settings
from tests.support.command import scoreboard
from tests.support.pasted_examples import check, examples
from tests.support.waiting import PATIENCE
from tests.support.whole_service import service

DOCS = Path(__file__).parents[2] / "docs"
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def away(text: str) -> str:
    """The text with its days of the week and midnights moved, so that no boundary is near."""
    hour = (datetime.now(UTC).hour + 12) % 24
    text = text.replace("0 0 * * *", f"0 {hour} * * *")
    day = DAYS[(datetime.now(UTC) + timedelta(days=3)).isoweekday() % 7]
    return re.sub(r"\* \* (1|sat)\b", f"* * {day}", text)


async def test_the_examples_of_boards_answer_as_they_say(settings: Settings) -> None:
    found = list(examples(away((DOCS / "boards.md").read_text(encoding="utf-8"))))
    async with service(settings) as running, running.persisting():
        for example in found:
            await check(example, running)

    assert len(found) >= 19


@asynccontextmanager
async def playfab() -> AsyncIterator[str]:
    """The address of a stand-in for PlayFab's Server API: 105 players, with the values that
    docs/guides/from-playfab.md shows."""

    async def leaderboard(request: web.Request) -> web.Response:
        asked = await request.json()
        assert request.headers["X-SecretKey"] == "secret"
        assert (asked["StatisticName"], asked["MaxResultsCount"]) == ("HighScore", 100)
        start = asked["StartPosition"]
        rows = [
            {"PlayFabId": f"A{place + 1}", "StatValue": 204 - place, "Position": place}
            for place in range(start, min(start + 100, 105))
        ]
        data = {"Leaderboard": rows, "Version": 0}
        return web.json_response({"code": 200, "status": "OK", "data": data})

    app = web.Application()
    app.router.add_post("/Server/GetLeaderboard", leaderboard)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


GUIDES = sorted(guide.name for guide in (DOCS / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES)
async def test_the_commands_of_a_guide_answer_as_they_say(
    settings: Settings, redis: Redis, tmp_path: Path, guide: str
) -> None:
    await redis.zadd("highscores", {"ada": 15, "bob": 20})  # the board that one moves from
    text = away((DOCS / "guides" / guide).read_text(encoding="utf-8"))
    text = text.replace("redis://old.example:6379/0", settings.redis_url)
    text = text.replace("/tmp/", f"{tmp_path}/")
    async with service(settings) as running, running.persisting(), playfab() as elsewhere:
        text = text.replace("https://TITLE.playfabapi.com", elsewhere)
        found = list(examples(text.replace("http://127.0.0.1:8080", running.url)))
        for example in found:
            await check(example, running)

    assert found


async def test_the_calls_to_try_answer_as_they_say(settings: Settings) -> None:
    text = (DOCS / "try.md").read_text(encoding="utf-8")
    found = list(examples(text))
    async with service(settings) as running, running.persisting():
        for example in found:
            await check(example, running)

        program = re.search(r"python - <<'END'\n(.*?)^    END$", text, re.DOTALL | re.MULTILINE)
        assert program
        watcher = await asyncio.create_subprocess_exec(
            sys.executable, "-c",
            textwrap.dedent(program[1]).replace("http://127.0.0.1:8080", running.url),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert watcher.stdout
        first = await asyncio.wait_for(watcher.stdout.readline(), PATIENCE)
        watcher.kill()
        await watcher.wait()

    assert len(found) >= 9
    assert b'"snapshot"' in first
    assert b'[{"userId":"ada","score":115},{"userId":"bob","score":20}]' in first


async def test_the_command_previews_a_period_as_the_document_shows() -> None:
    text = (DOCS / "boards.md").read_text(encoding="utf-8")
    shown = re.search(r"^    scoreboard (calendar .*)\n((?:    .*\n)+)", text, re.MULTILINE)
    assert shown

    ended = await scoreboard(*shlex.split(shown[1]))

    assert ended.out.splitlines() == textwrap.dedent(shown[2]).splitlines()
