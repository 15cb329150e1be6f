"""The comparison with peers: what it counts, and what it says where it can't run."""

from __future__ import annotations

import pytest
import typer
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console
from typer.testing import CliRunner

from scripts.bench.peers.__main__ import main
from scripts.bench.peers.contenders import CONTENDERS
from scripts.bench.peers.picture import picture
from scripts.bench.peers.retries import Faults, RetryingClient, judged
from scripts.bench.peers.rows import Row, table
from scripts.load.target import Target
from tests.support.waiting import wait_until

ROWS = [
    Row(
        name=contender.name, counted=contender.counted, durable=contender.durable,
        post_rate=4100, post_p50_ms=14, post_p99_ms=30, post_cpu_us=337,
        calm_rate=500, calm_p50_ms=2, calm_p99_ms=9,
        top_rate=None if contender.durability == "postgres" else 5960,
        top_cpu_us=None if contender.durability == "postgres" else 170,
        around_rate=None if contender.durability == "postgres" else 3400,
        around_cpu_us=None if contender.durability == "postgres" else 280,
        faults=Faults(lost=179, doubled=164, actions=73_952),
    )
    for contender in CONTENDERS
]  # fmt: skip


def test_a_lost_action_is_not_made_up_for_by_one_that_counted_twice() -> None:
    found = judged(["ann", "bob", "cy", "dan", "eve"], {"ann": 1, "bob": 2, "cy": 0, "eve": 3})

    assert found == Faults(lost=2, doubled=2, actions=5)


async def test_an_action_is_sent_again_until_it_is_answered_as_counted() -> None:
    arrived: dict[str, list[str]] = {}

    async def post(request: web.Request) -> web.Response:
        action = await request.json()
        attempts = arrived.setdefault(action["userId"], [])
        attempts.append(action["actionId"])
        if len(attempts) == 1:  # the reply is lost
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status={2: 503, 3: 409}.get(len(attempts), 200))

    app = web.Application()
    app.router.add_post("/api/score", post)
    users = [f"user{number}" for number in range(6)]
    async with TestServer(app, host="127.0.0.1") as server:
        target = Target(f"http://127.0.0.1:{server.port}", "token")
        client = RetryingClient(target, None, users, connections=2)
        await client.begin()

        async def all_acknowledged() -> bool:
            return await client.acknowledged() == len(users)

        await wait_until(all_acknowledged, description="all are acknowledged")

    assert {user: len(attempts) for user, attempts in arrived.items()} == dict.fromkeys(users, 3)
    assert all(len(set(attempts)) == 1 for attempts in arrived.values())


def test_without_node_it_ends_with_one_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    app = typer.Typer()
    app.command()(main)

    ended = CliRunner().invoke(app)

    assert ended.exit_code == 1
    said = "this needs Node.js with npm, for the peer on redis-rank; there is no Node.js"
    assert " ".join(ended.stdout.split()) == said


def test_the_table_has_each_promise_beside_the_figures() -> None:
    console = Console(width=240)
    with console.capture() as captured:
        console.print(table(ROWS))
    words = captured.get()

    assert all(contender.name in words for contender in CONTENDERS)
    assert words.count("exactly once") == 2
    assert "at most once" in words
    assert "at least once" in words
    assert words.count("4,100") == 4
    assert words.count("3,400") == 3


def test_the_picture_names_everybody_and_what_kills_did() -> None:
    drawn = picture(ROWS)

    assert all(contender.name in drawn for contender in CONTENDERS)
    assert "Lost or doubled of 73,952" in drawn
    assert drawn.count(">343<") == 4
