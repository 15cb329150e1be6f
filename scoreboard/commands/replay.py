"""``scoreboard replay``: posts recorded score actions to the HTTP API, in their order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
import typer
from rich.text import Text

from scoreboard.backoff import Backoff
from scoreboard.commands.action_file import RecordedAction, read_actions
from scoreboard.commands.options import DataDirOption, TokenOption, UrlOption
from scoreboard.commands.progress import pace_bar
from scoreboard.commands.terminal import console, printable
from scoreboard.domain.actions import MAX_BATCH, ScoreAction
from scoreboard.errors import ConfigurationError
from scoreboard.local import running_service
from scoreboard.local.running_service import Target

COLUMNS = ("ts", "user_id", "action_id", "points")
ATTEMPTS = 30  # attempts for one batch, while the service answers 503 or not at all
LONGEST_PAUSE = 10.0  # seconds

ACCEPTED = "accepted"
HARMLESS = {ACCEPTED, "duplicate_action"}


def replay_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="CSV[.gz]",
            help="Columns ts (epoch milliseconds or seconds, or a time such as "
            "2026-01-31T18:00:00Z), user_id, action_id, points; optionally "
            "latitude, longitude, country, device_id, user_agent, ip, action_type.",
            exists=True,
            dir_okay=False,
        ),
    ],
    board: Annotated[str, typer.Option(help="The board to post to.")],
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    batch: Annotated[int, typer.Option(help="Actions in one call.", min=1, max=MAX_BATCH)] = 500,
    speed: Annotated[
        float | None,
        typer.Option(help="Replay in real time, this many times faster.", min=0.001),
    ] = None,
    as_fast_as_possible: Annotated[
        bool, typer.Option("--max", help="As fast as the service takes them (the default).")
    ] = False,
) -> None:
    """Replay a file of score actions; a second run changes nothing.

    Exit code 1 if any action was neither accepted nor a duplicate.
    """
    if speed is not None and as_fast_as_possible:
        raise typer.BadParameter("choose one of --speed and --max")
    service = running_service.find(url, token, data_dir)
    outcomes = asyncio.run(_replay(service, file, board, batch, speed))
    output = console()
    for outcome, count in sorted(outcomes.items()):
        style = "green" if outcome in HARMLESS else "red"
        output.print(Text.assemble((f"{count:>10,}", style), f" {printable(outcome)}"))
    if not outcomes.keys() <= HARMLESS:
        raise typer.Exit(1)


async def _replay(
    service: Target, file: Path, board: str, batch: int, speed: float | None
) -> Counter[str]:
    # The whole file is read before the first post, so that a malformed one is refused right here.
    total = sum(1 for _ in read_actions(file, COLUMNS))
    outcomes: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(headers=service.headers, timeout=timeout) as session:
        with pace_bar(console(err=True)) as bar:
            task = bar.add_task(printable(f"{file.name} to {board}"), total=total, pace="")
            started, first_ms = loop.time(), None
            for rows in _batches(file, batch):
                if speed is not None:
                    first_ms = rows[0].at_ms if first_ms is None else first_ms
                    due = started + (rows[-1].at_ms - first_ms) / 1000 / speed
                    await asyncio.sleep(max(0.0, due - loop.time()))
                actions = [row.action for row in rows]
                board_url = f"{service.url}/api/boards/{board}"
                outcomes.update(await _post(session, board_url, actions, first=not outcomes))
                pace = sum(outcomes.values()) / (loop.time() - started)
                bar.update(task, advance=len(rows), pace=f"{pace:,.0f} actions/s")
    return outcomes


async def _post(
    session: aiohttp.ClientSession, board_url: str, actions: list[ScoreAction], *, first: bool
) -> list[str]:
    """The outcome of each action. A batch without an answer is posted again, which is safe: an
    action that counted the first time is answered as a duplicate."""
    body = msgspec.json.encode({"actions": actions})
    headers = {"Content-Type": "application/json"}
    problem = ""
    backoff = Backoff(0.25, LONGEST_PAUSE)
    for _ in range(ATTEMPTS):
        pause = backoff.next()
        try:
            async with session.post(f"{board_url}/scores", data=body, headers=headers) as response:
                answer = await response.json(content_type=None)
                if response.status == 200:
                    return [_outcome(result) for result in answer["results"]]
                problem = f"{answer.get('code')}: {answer.get('detail')}"
                if response.status != 503:
                    break
                pause = min(LONGEST_PAUSE, float(response.headers.get("Retry-After", pause)))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            problem = f"{board_url} does not answer: {error}"
            if first and isinstance(error, aiohttp.ClientConnectorError):
                break  # more likely a wrong address than a restart
        await asyncio.sleep(pause)
    raise ConfigurationError(problem)


def _outcome(result: dict[str, Any]) -> str:
    return ACCEPTED if result["status"] in (200, 202) else str(result["code"])


def _batches(file: Path, size: int) -> Iterator[list[RecordedAction]]:
    actions = read_actions(file, COLUMNS)
    while batch := list(islice(actions, size)):
        yield batch
