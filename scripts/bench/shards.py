"""What a board's shards cost, and what two masters give.

    python -m scripts.bench.shards [--seconds 4] [--rounds 5]

First a whole service of our own has two boards, one of them of 8 shards, and each load runs in turn
on both, at the same rate: what all processes spend on an action, and the ratio of the two, pair by
pair. All shards are on one master here, so this is the work itself.

Then prepared calls of submit_scores go to one master or to two at once, each with a shard of its
own, with nothing else beside: actions a second. It needs two cores that nobody else uses: the line
about cores says how far they were that.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack, closing
from typing import Annotated, NamedTuple

import typer
from aiohttp import ClientSession
from redis import Redis
from rich.console import Console

from scripts.bench.durable import posted
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.http_client import Load
from scripts.bench.script_calls import FullBoard, Line, running
from scripts.bench.shared_cores import slowdown
from scripts.load import service
from scripts.load.service import Server
from scripts.load.target import Target

SHARDS = 8
BOARDS = {"whole": 1, "spread": SHARDS}
USERS = 100_000  # of each master's shard
CALL = 100  # actions in a prepared call
IN_FLIGHT = 2  # prepared calls that are sent to a master while it works on as many
MOST = 1.1  # times the work of a board without shards


class Kind(NamedTuple):
    """Posts of ``size`` actions at a ``rate`` a second."""

    size: int
    rate: int

    def __str__(self) -> str:
        what = "single posts" if self.size == 1 else f"batches of {self.size}"
        return f"{what}, {self.rate:,}/s"


SPARSE, DENSE = Kind(1, 250), Kind(1, 2_000)
KINDS = (SPARSE, DENSE, Kind(100, 20), Kind(1_000, 10))


def main(
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.5)] = 4.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 5,
    json: JsonFile = None,
) -> None:
    """Measure boards of several shards, then two masters beside one; about three minutes."""
    figures: dict[str, float] = {}
    with Console().status("starting a service") as status, service.of_our_own(1) as server:
        asyncio.run(_make_boards(server.target))
        for kind in KINDS:
            status.update(str(kind))
            figures |= _work(server, kind, seconds, rounds)
    figures |= _masters(seconds, rounds)
    missed = report(figures, json, targets={f"{DENSE}: spread / whole, median": Bound(MOST)})
    if missed:
        raise typer.Exit(1)


async def _make_boards(target: Target) -> None:
    headers = {"Authorization": f"Bearer {target.token}"}
    async with ClientSession(target.url, headers=headers) as http:
        for board, shards in BOARDS.items():
            rules = {"shards": shards} if shards > 1 else {}
            async with http.put(f"/api/admin/boards/{board}", json=rules) as answer:
                if not answer.ok:
                    raise SystemExit(await answer.text())


def _work(server: Server, kind: Kind, seconds: float, rounds: int) -> dict[str, float]:
    spent: dict[str, list[dict[str, float]]] = {board: [] for board in BOARDS}
    for turn in range(rounds + 1):
        for board in BOARDS if turn % 2 else reversed(BOARDS):
            parts = asyncio.run(_spent(server, kind, board, seconds))
            if turn:  # the first makes the board live
                spent[board].append(parts | {"all": sum(parts.values())})
    ratios = [spread["all"] / whole["all"] for whole, spread in zip(*spent.values(), strict=True)]
    return {
        **{
            f"{kind}: {board}, {part}, µs": statistics.median(one[part] for one in seen)
            for board, seen in spent.items()
            for part in seen[0]
        },
        f"{kind}: spread / whole, median": statistics.median(ratios),
        f"{kind}: spread / whole, least": min(ratios),
        f"{kind}: spread / whole, most": max(ratios),
    }


async def _spent(server: Server, kind: Kind, board: str, seconds: float) -> dict[str, float]:
    """What each part spends on an action, in microseconds, with what follows on the last post."""
    requests = "score" if kind.size == 1 else f"scores-{kind.size}"
    seed = time.monotonic_ns()
    load = Load(server.target, requests, seconds, 16, kind.rate, seed, board=board)
    _, spent = await posted(server, load)
    return spent


def _masters(seconds: float, rounds: int) -> dict[str, float]:
    """Actions a second of one master and of two."""
    with ExitStack() as stack:
        masters = []
        for name in ("first", "second"):
            valkey, redis = stack.enter_context(running(None))
            line = stack.enter_context(closing(Line(valkey.url)))
            masters.append((FullBoard(redis, name, USERS), line, redis))
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for number, seen in rates.items():
                seen.append(_rate(masters[:number], seconds))
    ratios = [two / one for one, two in zip(*rates.values(), strict=True)]
    return {
        "a busy core slows the other one, times": slowdown(),
        **{
            f"actions/s with {number} master{'s' * (number > 1)}": statistics.median(seen)
            for number, seen in rates.items()
        },
        "two masters / one, median": statistics.median(ratios),
        "two masters / one, least": min(ratios),
        "two masters / one, most": max(ratios),
    }


def _rate(masters: list[tuple[FullBoard, Line, Redis]], seconds: float) -> float:
    """Actions a second that all of the masters take together. The calls are made beforehand, piece
    by piece, which is not counted."""
    spent, actions = 0.0, 0
    while spent < seconds:
        pieces = [[board.call(CALL) for _ in range(16 * IN_FLIGHT)] for board, _, _ in masters]
        lines = [line for _, line, _ in masters]
        started = time.perf_counter()
        waiting = False
        for start in range(0, len(pieces[0]), IN_FLIGHT):
            for line, calls in zip(lines, pieces, strict=True):
                line.send(calls[start : start + IN_FLIGHT])
            if waiting:  # so a master has the next ones before it has answered these
                for line in lines:
                    line.receive(IN_FLIGHT)
            waiting = True
        for line in lines:
            line.receive(IN_FLIGHT)
        spent += time.perf_counter() - started
        actions += CALL * sum(map(len, pieces))
        for board, _, redis in masters:
            redis.xtrim(board.keys.events, maxlen=0, approximate=False)
    return actions / spent


if __name__ == "__main__":
    typer.run(main)
