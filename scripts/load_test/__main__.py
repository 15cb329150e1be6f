"""The command: ``python -m scripts.load_test`` (``make load-test``)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from scoreboard.errors import ConfigurationError
from scripts.load import service
from scripts.load.api import ApiError
from scripts.load.processes import ProcessFailed
from scripts.load.service import Server
from scripts.load.target import Target
from scripts.load_test import results
from scripts.load_test.plan import Plan, refusal
from scripts.load_test.run import run
from scripts.load_test.screen import Screen
from scripts.load_test.summary import summary

load = partial(typer.Option, rich_help_panel="Load")
generator = partial(typer.Option, rich_help_panel="Generator")
output = partial(typer.Option, rich_help_panel="Server and report")

URL = "A server that runs on this machine; default: start one."


def command(
    rate: Annotated[float, load(help="Actions a second, sent whatever the server does.")] = 2000,
    clients: Annotated[int, load(help="WebSocket clients watching the boards.")] = 200,
    duration: Annotated[float, load(help="Seconds that are measured.")] = 20,
    warmup: Annotated[float, load(help="Seconds of load before that.")] = 3,
    duplicates: Annotated[
        float, load(help="Share of actions that repeat an acknowledged one.")
    ] = 0.05,
    users: Annotated[int, load(help="Users that score, by Zipf's law.")] = 10_000,
    boards: Annotated[int, load(help="Boards that share the load.")] = 1,
    batch: Annotated[int, load(help="Actions in a call of POST /api/scores; 0: one by one.")] = 0,
    skew: Annotated[float, load(help="Zipf's exponent; 0 makes all users alike.")] = 1.0,
    even: Annotated[
        bool, load("--even", help="Evenly spaced calls instead of a Poisson process.")
    ] = False,
    seed: Annotated[int, load(help="Of everything random.")] = 1,
    connections: Annotated[int, generator(help="HTTP connections of the game servers.")] = 64,
    senders: Annotated[int, generator(help="Processes of game servers.")] = 2,
    watchers: Annotated[int, generator(help="Processes of WebSocket clients.")] = 1,
    url: Annotated[str | None, output(envvar="SCOREBOARD_URL", help=URL)] = None,
    token: Annotated[
        str, output(envvar="SCOREBOARD_TOKEN", help="Token for it, with score:write.")
    ] = "",
    workers: Annotated[int, output(help="Serving processes of the server that is started.")] = 1,
    compare: Annotated[
        Path | None,
        output(help="JSON of an earlier run to compare with.", exists=True, dir_okay=False),
    ] = None,
    reports: Annotated[Path, output(help="Folder for the JSON and the HTML report.")] = Path(
        "reports"
    ),
) -> None:
    """Load a server at a constant rate, measure it, and audit that nothing got lost or doubled.

    Latencies count from the moment a call was due, so a server that stalls can't hide it. Without
    a URL a server is started for the while on fresh data. The exit code is 1 when the audit fails.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it must not leave a server behind
    url = url or None
    plan = Plan(
        run=secrets.token_hex(4), rate=rate, clients=clients, duration=duration,
        duplicates=duplicates, users=users, boards=boards, batch=batch, warmup=warmup, skew=skew,
        even=even, seed=seed, connections=max(connections, senders), senders=senders,
        watchers=watchers,
    )  # fmt: skip
    if reason := refusal(plan, url):
        raise typer.BadParameter(reason)
    if url is not None and not token:
        raise typer.BadParameter(
            "a token with score:write is needed for this server: --token or SCOREBOARD_TOKEN"
        )
    earlier = None if compare is None else _earlier(compare)
    console = Console()
    stem = f"load-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        with contextlib.ExitStack() as stack:
            screen = stack.enter_context(Screen(console, plan))
            if url is None:
                screen.step("starting a server")
                target = stack.enter_context(service.of_our_own(workers))
            else:
                target = Server(Target(url.rstrip("/"), token))
            found = asyncio.run(run(plan, target, screen.tell, screen.step))
            files = _write(found, earlier, reports, stem)
            if not found.passed:
                files += target.save_logs(reports / f"{stem}-logs")
    except (ApiError, ConfigurationError, ProcessFailed) as error:
        console.print(f"[red]The run could not be made:[/] {error}")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        console.print("Stopped; nothing was written.")
        raise typer.Exit(130) from None
    console.print(summary(found, earlier))
    for path in files:
        console.print(f"Written: {path}", highlight=False, soft_wrap=True)
    if not found.passed:
        console.print("[bold red]The audit failed: see above what differs.[/]")
        raise typer.Exit(1)


def _earlier(path: Path) -> results.Results:
    try:
        return results.load(path.read_bytes())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--compare") from error


def _write(
    found: results.Results, earlier: results.Results | None, folder: Path, stem: str
) -> list[Path]:
    from scripts.load_test import report  # matplotlib is not for every process of the generator

    folder.mkdir(parents=True, exist_ok=True)
    raw, page = folder / f"{stem}.json", folder / f"{stem}.html"
    raw.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    page.write_text(report.page(found, earlier), encoding="utf-8")
    return [raw, page]


if __name__ == "__main__":
    typer.run(command)
