"""The client that the benchmark of the HTTP paths measures with."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scripts.bench.http_client import Client, Load, requests_of
from scripts.load.target import Target


class Service:
    """Takes posts; remembers the ids of their actions."""

    def __init__(self) -> None:
        self.actions: list[str] = []
        self.target = Target("", "")

    async def post(self, request: web.Request) -> web.Response:
        self.actions.append((await request.json())["actionId"])
        return web.json_response({})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_post("/api/score", service.post)
    async with TestServer(app, host="127.0.0.1") as server:
        service.target = Target(f"http://127.0.0.1:{server.port}", "token")
        yield service


async def test_each_connection_posts_new_actions_as_fast_as_it_is_answered(
    service: Service,
) -> None:
    client = Client(Load(service.target, "score", seconds=0.3, connections=4))
    await client.connect()
    found = await client.run()

    assert len(service.actions) == len(set(service.actions))
    assert set(found.statuses) == {200}
    assert found.unanswered == 4  # one under way on each connection
    assert len(found.latencies) <= len(service.actions) <= len(found.latencies) + 4
    assert found.rate == len(found.latencies) / found.seconds


async def test_at_a_rate_there_are_as_many_calls_as_are_due_however_many_are_answered(
    service: Service,
) -> None:
    client = Client(Load(service.target, "score", seconds=0.3, connections=4, rate=100))
    await client.connect()
    found = await client.run()

    assert len(found.latencies) + found.unanswered == 30
    assert len(service.actions) == len(set(service.actions)) <= 30


def test_reads_are_of_users_of_the_board_that_is_named() -> None:
    load = Load(Target("http://127.0.0.1:1", "token"), "around", seconds=1, board="b", users=3)
    heads = {request.partition(b"\r")[0] for request in itertools.islice(requests_of(load), 100)}

    assert heads == {b"GET /api/boards/b/users/user%d/around HTTP/1.1" % n for n in (1, 2)}


def test_a_batch_has_as_many_actions_as_its_name_says() -> None:
    load = Load(Target("http://127.0.0.1:1", "token"), "scores-3", seconds=1)
    bodies = [
        json.loads(request.partition(b"\r\n\r\n")[2])
        for request in itertools.islice(requests_of(load), 2)
    ]
    ids = [action["actionId"] for body in bodies for action in body["actions"]]

    assert len(set(ids)) == 6
