"""Pages through a whole board again and again while posts move half of its users.

    python -m scripts.bench.paging [--users 100000] [--rate 500] [--seconds 30]

Starts a service of its own. Of the users who stay, nobody may be skipped, come twice or out of
order.
The time of a page is what a client on the same machine waits for it.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from aiohttp import ClientSession
from redis import Redis

from scoreboard.api.board_reads import StandingsPage
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.stamps import stamp
from scoreboard.redisio.script_source import source
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load.servers import databases
from scripts.load.service import of_our_own
from scripts.load.target import Target

BOARD = "paging"
PAGE = 1_000
BATCH = 1_000  # actions in a call that fills the board
SCORES = 2_000  # that users begin with: many have the same
MOVE = 1_000  # points up or down
SENDERS = 100
START_MS = 1_750_000_000_000  # at which the board of `in_redis` is filled

FLAWS = ("skipped", "repeated", "out of order")

_page = msgspec.json.Decoder(StandingsPage)


class Table(NamedTuple):
    """A board under test, by the URL of its calls."""

    http: ClientSession
    url: str

    async def fill(self, users: list[str], draw: random.Random) -> None:
        """Gives each user a first score."""
        for first in range(0, len(users), BATCH):
            actions = [
                {"userId": user, "actionId": "first", "points": draw.randrange(SCORES)}
                for user in users[first : first + BATCH]
            ]
            async with self.http.post(f"{self.url}/scores", json={"actions": actions}) as answer:
                answer.raise_for_status()

    async def walk(self, limit: int, seconds: list[float]) -> list[str]:
        """Everybody on the board, page by page; adds how long each page took."""
        seen: list[str] = []
        query = {"limit": str(limit)}
        while True:
            began = time.perf_counter()
            async with self.http.get(f"{self.url}/standings", params=query) as answer:
                answer.raise_for_status()
                body = await answer.read()
            seconds.append(time.perf_counter() - began)
            page = _page.decode(body)
            seen += [one.user_id for one in page.standings]
            if page.next is None:
                return seen
            query["after"] = page.next

    async def stir(
        self, users: list[str], draw: random.Random, *, posts: int, rate: float | None = None
    ) -> float:
        """Posts so many actions of random users, ``rate`` a second or as fast as it goes. Returns
        when the last was answered."""
        numbers = iter(range(posts))
        began = time.perf_counter()

        async def send() -> None:
            for number in numbers:
                if rate is not None:
                    await asyncio.sleep(began + number / rate - time.perf_counter())
                points = draw.randint(-MOVE, MOVE)
                action = {"userId": draw.choice(users), "actionId": f"m{number}", "points": points}
                async with self.http.post(f"{self.url}/score", json=action) as answer:
                    answer.raise_for_status()

        await asyncio.gather(*(send() for _ in range(SENDERS)))
        return time.perf_counter()


def flaws(staying: list[str], seen: list[str]) -> dict[str, int]:
    """What is wrong with those who stay, who stand in this order, in a walk."""
    times = Counter(seen)
    kept = set(staying)
    came = list(dict.fromkeys(user for user in seen if user in kept))
    there = set(came)
    expected = [user for user in staying if user in there]
    counts = (
        sum(times[user] == 0 for user in staying),
        sum(times[user] > 1 for user in staying),
        sum(one != other for one, other in zip(came, expected, strict=True)),
    )
    return dict(zip(FLAWS, counts, strict=True))


class Walks(NamedTuple):
    """What walks through a moving board have found: how often each of FLAWS, the walks, the seconds
    that each page took, and those that all posts took."""

    flaws: Counter[str]
    walks: int
    pages: list[float]
    posting: float


async def walked_while_moving(
    table: Table, users: list[str], limit: int, *, posts: int, rate: float | None = None
) -> Walks:
    """Fills the board, and then walks through it until half of the users have made so many posts;
    the others stay."""
    draw = random.Random(1)
    await table.fill(users, draw)
    moving = users[::2]
    moves = set(moving)
    staying = [user for user in await table.walk(limit, []) if user not in moves]
    found: Counter[str] = Counter()
    pages: list[float] = []
    walks = 0
    began = time.perf_counter()
    stirring = asyncio.create_task(table.stir(moving, draw, posts=posts, rate=rate))
    while not stirring.done():
        found.update(flaws(staying, await table.walk(limit, pages)))
        walks += 1
    return Walks(found, walks, pages, await stirring - began)


async def measure(target: Target, users: int, rate: float, seconds: float) -> dict[str, float]:
    """Walks through a board that is moved for so long."""
    headers = {"Authorization": f"Bearer {target.token}"}
    names = [f"player-{n:07}" for n in range(users)]
    posts = round(rate * seconds)
    async with ClientSession(headers=headers) as http:
        table = Table(http, f"{target.url}/api/boards/{BOARD}")
        walks = await walked_while_moving(table, names, PAGE, posts=posts, rate=rate)
    cuts = statistics.quantiles(walks.pages, n=100)
    return {
        **walks.flaws,
        "walks": walks.walks,
        "pages of 1,000": len(walks.pages),
        "posts a second": posts / walks.posting,
        "p50 of a page, ms": cuts[49] * 1e3,
        "p99 of a page, ms": cuts[98] * 1e3,
    }


def in_redis(users: int, calls: int = 200) -> dict[str, float]:
    """What Redis itself takes for a call of each kind, in the middle of a board."""
    keys = Keyspace(8).board(BOARD)
    draw = random.Random(1)
    stamps = {f"player-{n:07}": stamp(draw.randrange(SCORES), START_MS + n) for n in range(users)}
    user = sorted(stamps, key=lambda name: stamps[name])[users // 2]
    table: dict[str, Any] = {
        "key_board": keys.board, "key_meta": keys.guard, "key_table": keys.meta
    }  # fmt: skip
    of_user = scripts.read_user(**table)
    of_user.args.append(user.encode())
    behind: dict[str, Any] = {"arg_from": "after", "arg_at": repr(stamps[user]), "arg_user": user}
    kinds = {
        f"{limit:,} users": scripts.read_page(**table, **behind, arg_limit=limit)
        for limit in (PAGE, 100)
    } | {
        "a score's rank": scripts.read_page(
            **table, arg_from="behind", arg_at=SCORES // 2, arg_user="", arg_limit=0
        ),
        "a user": of_user,
    }
    figures = {}
    with databases() as (valkey, _), Redis.from_url(valkey.url) as connected:
        redis: Any = connected  # its annotations are those of all of its modes at once
        info = redis.info()
        epoch = f"{info['run_id']}:{info['master_replid']}"
        settings = BoardSettings().to_text()
        redis.hset(keys.meta, mapping={"epoch": epoch, "settings": settings, "top": "[]"})
        redis.zadd(keys.board, stamps)
        for name, (script, names, arguments) in kinds.items():
            sha = redis.script_load(source(script).decode())
            redis.config_resetstat()
            for _ in range(calls):
                redis.evalsha(sha, len(names), *names, *arguments)
            used = redis.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
            figures[f"in Redis: {name}, µs"] = float(used)
    return figures


def main(
    users: Annotated[int, typer.Option(help="On the board.", min=2)] = 100_000,
    rate: Annotated[float, typer.Option(help="Posts a second.", min=1)] = 500.0,
    seconds: Annotated[float, typer.Option(help="How long they are sent.", min=1)] = 30.0,
    json: JsonFile = None,
) -> None:
    """Page through a board that moves; about a minute."""
    with of_our_own(workers=1) as server:
        figures = asyncio.run(measure(server.target, users, rate, seconds))
    figures |= in_redis(users)
    if report(figures, json, targets=dict.fromkeys(FLAWS, Bound(0))):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
