"""``scoreboard replay``: posts recorded score actions to the HTTP API, in their order."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from scoreboard.commands.options import DataDirOption, TokenOption, UrlOption
from scoreboard.domain.actions import MAX_BATCH
from scoreboard.errors import ConfigurationError
from scoreboard.local import running_service
from scoreboard.local.running_service import DEFAULT_DATA_DIR, Target

COLUMNS = ("ts", "user_id", "action_id", "points")
TEXT_CONTEXT = {
    "ip": "ip",
    "country": "country",
    "device_id": "deviceId",
    "user_agent": "userAgent",
    "action_type": "actionType",
}
NUMBER_CONTEXT = ("latitude", "longitude")
ATTEMPTS = 30  # attempts for one batch, while the service answers 503 or not at all
LONGEST_PAUSE = 10.0  # seconds

ACCEPTED = "accepted"
HARMLESS = {ACCEPTED, "duplicate_action"}


def replay_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="CSV[.gz]",
            help="Columns ts (epoch milliseconds), user_id, action_id, points; optionally "
            "latitude, longitude, country, device_id, user_agent, ip, action_type.",
            exists=True,
            dir_okay=False,
        ),
    ],
    board: Annotated[str, typer.Option(help="The board to post to.")],
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    batch: Annotated[int, typer.Option(help="Actions in one call.", min=1, max=MAX_BATCH)] = 500,
    speed: Annotated[
        float | None,
        typer.Option(help="Replay in real time, this many times faster.", min=0.001),
    ] = None,
    as_fast_as_possible: Annotated[
        bool, typer.Option("--max", help="As fast as the service takes them (the default).")
    ] = False,
) -> None:
    """Replay a file of score actions; a second replay changes nothing.

    Exit code 1 if any action was neither accepted nor a duplicate.
    """
    if speed is not None and as_fast_as_possible:
        raise typer.BadParameter("choose one of --speed and --max")
    service = running_service.find(url, token, data_dir)
    outcomes = asyncio.run(_replay(service, file, board, batch, speed))
    console = Console()
    for outcome, count in sorted(outcomes.items()):
        style = "green" if outcome in HARMLESS else "red"
        console.print(f"[{style}]{count:>10,}[/] {outcome}")
    if not outcomes.keys() <= HARMLESS:
        raise typer.Exit(1)


async def _replay(
    service: Target, file: Path, board: str, batch: int, speed: float | None
) -> Counter[str]:
    total = sum(map(len, _batches(file, batch)))  # finds a malformed file first
    outcomes: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(headers=service.headers, timeout=timeout) as session:
        with progress:
            task = progress.add_task(f"{file.name} to {board}", total=total, pace="")
            started, first_ms = loop.time(), None
            for rows in _batches(file, batch):
                if speed is not None:
                    first_ms = rows[0][0] if first_ms is None else first_ms
                    due = started + (rows[-1][0] - first_ms) / 1000 / speed
                    await asyncio.sleep(max(0.0, due - loop.time()))
                actions = [action for _, action in rows]
                board_url = f"{service.url}/api/boards/{board}"
                outcomes.update(await _post(session, board_url, actions, first=not outcomes))
                pace = sum(outcomes.values()) / (loop.time() - started)
                progress.update(task, advance=len(rows), pace=f"{pace:,.0f} actions/s")
    return outcomes


async def _post(
    session: aiohttp.ClientSession, board_url: str, actions: list[dict[str, Any]], *, first: bool
) -> list[str]:
    """The outcome of each action. A batch without an answer is posted again, which is safe: an
    action that counted the first time is answered as a duplicate."""
    body = msgspec.json.encode({"actions": actions})
    headers = {"Content-Type": "application/json"}
    problem = ""
    for attempt in range(ATTEMPTS):
        pause = min(LONGEST_PAUSE, 0.25 * 2**attempt)
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


def _lines(file: Path) -> Iterator[str]:
    with contextlib.ExitStack() as opened:
        try:
            raw = opened.enter_context(file.open("rb"))
            zipped = file.suffix == ".gz"
            plain = opened.enter_context(gzip.GzipFile(fileobj=raw)) if zipped else raw
            yield from opened.enter_context(io.TextIOWrapper(plain, encoding="utf-8", newline=""))
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} can't be read: {error}") from error


def _batches(file: Path, size: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Lists of up to ``size`` pairs: the time in milliseconds and the action."""
    reader = csv.DictReader(_lines(file))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ConfigurationError(f"{file}: no column {', '.join(missing)}")
    batch: list[tuple[int, dict[str, Any]]] = []
    for number, row in enumerate(reader, 2):
        try:
            batch.append(_action(row))
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"{file}, line {number}: {error}") from error
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _action(row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if row["points"] is None:
        raise ValueError("fewer columns than the first line names")
    ms = int(row["ts"])
    moment = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    context: dict[str, Any] = {"occurredAt": moment}
    context.update({name: row[column] for column, name in TEXT_CONTEXT.items() if row.get(column)})
    context.update({name: float(row[name]) for name in NUMBER_CONTEXT if row.get(name)})
    return ms, {
        "userId": row["user_id"],
        "actionId": row["action_id"],
        "points": int(row["points"]),
        "context": context,
    }
