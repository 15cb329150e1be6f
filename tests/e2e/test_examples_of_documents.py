"""The examples in docs/try.md, docs/boards.md and the guides answer as they say."""

from __future__ import annotations

import asyncio
import json
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

from scoreboard.domain.periods import Period
from scoreboard.settings import Settings
from tests.support.command import scoreboard
from tests.support.nakama import Record, nakama_database
from tests.support.pasted_examples import check, examples
from tests.support.programs import program
from tests.support.signing import TEST_KEY
from tests.support.waiting import PATIENCE
from tests.support.whole_service import service

DOCS = Path(__file__).parents[2] / "docs"
NAKAMA = Path(__file__).with_name("nakama.mjs")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def away(text: str) -> str:
    """The text with its days of the week and midnights moved, so that no boundary is near."""
    hour = (datetime.now(UTC).hour + 12) % 24
    text = text.replace("0 0 * * *", f"0 {hour} * * *")
    day = DAYS[(datetime.now(UTC) + timedelta(days=3)).isoweekday() % 7]
    return re.sub(r"\* \* (1|sat)\b", f"* * {day}", text)


@pytest.mark.parametrize(
    ("document", "least"), [("boards.md", 19), ("players.md", 8), ("in-and-out.md", 5)]
)
async def test_the_examples_of_a_document_answer_as_they_say(
    settings: Settings, tmp_path: Path, document: str, least: int
) -> None:
    text = away((DOCS / document).read_text(encoding="utf-8"))
    found = list(examples(text.replace("fair.csv", f"{tmp_path}/fair.csv")))
    async with service(settings) as running, running.persisting():
        for example in found:
            await check(example, running)

    assert len(found) >= least


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


ADA, BOB, CY = (
    f"{name}-{rest}-8f2b-6d1c7e0a9b11"
    for name, rest in (
        ("ada00000", "0c1e-4a57"),
        ("b0b00000", "7c1e-4a57"),
        ("c0000000", "3c1e-4a57"),
    )
)
RECORDS = (
    Record(ADA, "ada", 70, "2026-11-24", "2100-01-01", subscore=1),
    Record(BOB, "bob", 70, "2026-11-25", "2100-01-01", subscore=2),
    Record(CY, "cy", 50, "2026-11-26", "2100-01-01"),
    Record(ADA, "ada", 99, "2026-11-22", "2026-11-23T00:00:00Z"),
)

GUIDES = sorted(guide.name for guide in (DOCS / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES)
async def test_the_commands_of_a_guide_answer_as_they_say(
    settings: Settings, redis: Redis, tmp_path: Path, guide: str
) -> None:
    await redis.zadd("highscores", {"ada": 15, "bob": 20})  # the board that one moves from
    text = away((DOCS / "guides" / guide).read_text(encoding="utf-8"))
    text = text.replace("redis://old.example:6379/0", settings.redis_url)
    text = text.replace("/tmp/", f"{tmp_path}/")
    async with (
        playfab() as title,
        nakama_database(settings.database_url, *RECORDS) as nakama,
        service(settings) as running,
        running.persisting(),
    ):
        text = text.replace("https://TITLE.playfabapi.com", title)
        text = text.replace("postgresql://nakama@old.example/nakama", f"'{nakama}'")
        found = list(examples(text.replace("http://127.0.0.1:8080", running.url)))
        for example in found:
            await check(example, running)

    assert found


async def test_a_game_that_moves_from_nakama_plays_on_as_its_guide_says(
    settings: Settings, tmp_path: Path
) -> None:
    text = (DOCS / "guides" / "from-nakama.md").read_text(encoding="utf-8")
    before, after, module = re.findall(r"```js\n(.*?)```", text, re.DOTALL)
    client = DOCS.parent / "clients" / "javascript" / "src" / "node.js"
    game = tmp_path / "game.mjs"
    async with service(settings) as running:
        week = Period("week", cron=away("0 0 * * 1"))
        await running.make_board("weekly", operator="best", periods=(week,))
        program_text = f"""
            import {{ signedIn }} from "{NAKAMA.as_uri()}";
            {module}
            const {{ client, session }} = signedIn(InitModule, "{TEST_KEY}", "ada");
            {before}
            const forwarded = await (await fetch("{running.url}/api/boards/weekly/top")).json();
            {after.replace('"scoreboard-client"', f'"{client.as_uri()}"')}
            console.log(JSON.stringify([forwarded.topScores, topScores, users.length]));
            await scores.close();
        """
        game.write_text(program_text.replace("https://scores.example.org", running.url))
        played = await asyncio.create_subprocess_exec(
            program("node", package="nodejs"), str(game), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(played.communicate(), PATIENCE)

    assert json.loads(out) == [
        [{"userId": "ada", "score": 85}],
        [{"userId": "ada", "score": 90}],
        1,
    ]


async def test_the_calls_to_try_answer_as_they_say(settings: Settings) -> None:
    text = (DOCS / "try.md").read_text(encoding="utf-8")
    found = list(examples(text))
    async with service(settings) as running, running.persisting():
        for example in found:
            await check(example, running)

        program = re.search(r"python - <<'END'\n(.*?)^END$", text, re.DOTALL | re.MULTILINE)
        assert program
        watcher = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program[1].replace("http://127.0.0.1:8080", running.url),
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
