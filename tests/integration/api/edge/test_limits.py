"""Limits on all that waits for a client: who is slow or silent keeps nobody out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientWebSocketResponse, web
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from scoreboard.api.edge import http_connection
from scoreboard.api.health import HealthHandlers
from scoreboard.api.large_bodies import PART
from scoreboard.telemetry.sparing_log import SparingLog
from tests.integration.api.conftest import StartApi
from tests.integration.api.described_api import Api
from tests.integration.api.edge.lines_about_clients import about_clients
from tests.integration.api.live.hub_server import close_code, next_message
from tests.support.raw_http import Raw
from tests.support.waiting import wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def reached(limit: str) -> float:
    """How often a limit was reached."""
    return REGISTRY.get_sample_value("scoreboard_limits_reached_total", {"limit": limit}) or 0.0


def held() -> float:
    return REGISTRY.get_sample_value("scoreboard_http_connections") or 0.0


@asynccontextmanager
async def connections(api: Api, number: int) -> AsyncIterator[list[Raw]]:
    """Connections that have had an answer, and wait."""
    opened = []
    for _ in range(number):
        raw = await api.connect()
        opened.append(raw)
        await raw.send(HEALTH)
        assert (await raw.response()).status == 200
    yield opened
    for raw in opened:
        raw.close()


async def test_a_head_that_comes_slowly_is_given_up_with_408(start_api: StartApi) -> None:
    api = await start_api(header_timeout=0.2)
    before = reached("header_time")
    raw = await api.connect()
    with capture_logs():
        await raw.send(HEALTH[:-5])
        status, problem = await raw.answer()

    assert (status, problem["code"]) == (408, "request_timeout")
    assert await raw.rest() == b""
    assert reached("header_time") == before + 1


async def test_a_head_after_an_answer_has_its_own_time(start_api: StartApi) -> None:
    api = await start_api(header_timeout=0.2)
    raw = await api.connect()
    with capture_logs():
        for part in (HEALTH[:9], HEALTH[9:]):
            await raw.send(part)
        assert (await raw.response()).status == 200
        await raw.send(HEALTH[:9])
        assert (await raw.response()).status == 408


async def test_who_reads_nothing_of_an_answer_is_given_up(start_api: StartApi) -> None:
    api = await start_api(write_timeout=0.2)
    before = reached("write_time")
    raw = await api.connect(receive_buffer=4096)
    with capture_logs():
        await raw.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        await wait_until(lambda: reached("write_time") > before, description="it is given up")


async def test_of_a_large_answer_that_nobody_reads_only_a_part_waits(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "sparing_log", SparingLog("test"))
    api = await start_api(write_timeout=0.2)
    raw = await api.connect(receive_buffer=4096)
    with capture_logs() as logs:
        await raw.send(b"GET /static/redoc.js HTTP/1.1\r\nHost: x\r\n\r\n")  # two megabytes

        def given_up() -> list[int]:
            return [line["waiting"] for line in logs if line["event"] == "reader_stalled"]

        [waiting] = await wait_until(given_up, description="it is given up")
    assert 0 < waiting < 4 * PART


async def test_when_all_places_are_taken_newcomers_get_those_of_the_idle(
    start_api: StartApi,
) -> None:
    api = await start_api(max_http_connections=5)
    before = reached("connections_dropped")
    with capture_logs():
        async with connections(api, 4) as idle:  # the fifth is the client's own
            async with connections(api, 2):
                pass
            assert await idle[0].rest() == b"", "the longest idle has gone"
            await idle[3].send(HEALTH)
            assert (await idle[3].response()).status == 200, "the latest has not"

    assert reached("connections_dropped") >= before + 1


async def test_slow_senders_make_room_too(start_api: StartApi) -> None:
    api = await start_api(max_http_connections=4)
    bearer = api.service.token()
    slow = []
    with capture_logs():
        for sent in (
            HEALTH[:9],
            f"POST /api/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {bearer}\r\nContent-Length: 90\r\n\r\n{{".encode(),
        ) * 4:
            slow.append(await api.connect())
            await slow[-1].send(sent)
        for _ in range(8):
            assert (await api.get("/healthz")).status == 200
    for raw in slow:
        raw.close()


async def test_when_every_connection_is_being_answered_newcomers_get_503(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def slow(_: object, request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    monkeypatch.setattr(HealthHandlers, "readyz", slow)
    others = held()  # of whatever ran in this process before
    api = await start_api(max_http_connections=2, takes_tokens=False)
    await api.http.close()
    before = reached("connections")
    busy = [await api.connect() for _ in range(2)]
    with capture_logs() as logs:
        for raw in busy:
            await raw.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: held() == others + 2, description="both are there")
        newcomer = await api.connect()
        await newcomer.send(HEALTH)
        refused = await newcomer.response()
    newcomer.close()
    released.set()

    assert (refused.status, refused.json["code"]) == (503, "unavailable")
    assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
    assert [(await raw.response()).status for raw in busy] == [200, 200]
    assert reached("connections") == before + 1
    assert {entry["event"] for entry in about_clients(logs)} <= {"connections_refused"}
    for raw in busy:
        raw.close()


async def test_an_address_has_no_more_than_its_share_of_connections(start_api: StartApi) -> None:
    others = held()
    api = await start_api(trusted_proxies="", max_http_connections_per_address=3)
    before = reached("connections_per_address")
    await api.get("/healthz")
    with capture_logs():
        async with connections(api, 2) as own:  # the third is the client's
            newcomer = await api.connect()
            refused = await newcomer.response()
            newcomer.close()
            own.pop().close()
            await wait_until(lambda: held() == others + 2, description="one has gone")
            async with connections(api, 1):
                pass

    assert (refused.status, refused.json["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert reached("connections_per_address") == before + 1


async def test_behind_a_proxy_a_client_has_no_more_than_its_share_of_requests(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, waiting = asyncio.Event(), []

    async def slow(_: object, request: web.Request) -> web.Response:
        waiting.append(request)
        await released.wait()
        return web.Response()

    monkeypatch.setattr(HealthHandlers, "readyz", slow)
    api = await start_api(
        client_address_header="X-Forwarded-For",
        max_http_connections_per_address=2,
        takes_tokens=False,
    )
    greedy = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
    with capture_logs():
        held_up = [
            asyncio.create_task(_status(api, "/readyz", **greedy)),
            asyncio.create_task(_status(api, "/readyz", **greedy)),
        ]
        await wait_until(lambda: len(waiting) == 2, description="both are being answered")
        assert await _status(api, "/healthz", **greedy) == 429
        assert await _status(api, "/healthz", **{"X-Forwarded-For": "203.0.113.6"}) == 200
        assert await _status(api, "/healthz") == 200, "the proxy itself has no share"
        released.set()
        assert await asyncio.gather(*held_up) == [200, 200]

    assert await _status(api, "/healthz", **greedy) == 200


async def _status(api: Api, path: str, **headers: str) -> int:
    async with api.http.get(api.service.url + path, headers=headers) as response:
        return response.status


async def test_an_address_has_no_more_than_its_share_of_websockets(start_api: StartApi) -> None:
    api = await start_api(client_address_header="X-Real-IP", max_connections_per_address=2)
    await api.score("ann", 1)
    before = reached("websockets_per_address")

    async def watch(address: str) -> ClientWebSocketResponse:
        url = f"{api.service.url}/ws/leaderboard"
        return await api.http.ws_connect(url, headers={"X-Real-IP": address})

    with capture_logs():
        watching = [await watch("203.0.113.5") for _ in range(2)]
        one_too_many = await watch("203.0.113.5")
        assert await close_code(one_too_many) == 4429
        another = await watch("203.0.113.6")
        assert (await next_message(another))["type"] == "snapshot"
        await watching[0].close()
        for _ in range(2):
            later = await watch("203.0.113.5")
            watching.append(later)
        assert (await next_message(watching[2]))["type"] == "snapshot"
        assert await close_code(watching[3]) == 4429
    for ws in (another, *watching):
        await ws.close()

    assert reached("websockets_per_address") == before + 2


async def test_held_bodies_make_room_for_those_that_come_to_an_end(start_api: StartApi) -> None:
    api = await start_api(body_budget=400_000)
    head = (
        b"POST /api/boards/global/users:lookup HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 300000\r\n\r\n"
    )
    before = reached("bodies")
    assert (await api.score("ann", 1)).status == 200
    with capture_logs():
        holders = [await api.connect() for _ in range(3)]
        for raw in holders:
            await raw.send(head + b'{"userIds":["' + b" " * 250_000)
        refused = [await raw.response() for raw in holders[:2]]
        found = await api.post(
            "/api/boards/global/users:lookup", {"userIds": ["ann", *(f"u{n}" for n in range(400))]}
        )
    for raw in holders:
        raw.close()

    assert [(answer.status, answer.json["code"]) for answer in refused] == [
        (503, "unavailable")
    ] * 2
    assert refused[0].headers["retry-after"] == "1"
    assert found.status == 200
    assert reached("bodies") == before + 2


async def test_a_body_that_is_announced_as_too_large_is_not_waited_for(api: Api) -> None:
    raw = await api.connect()
    await raw.send(
        b"POST /api/boards/global/users:lookup HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
    )
    answer = await raw.response()
    raw.close()

    assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
    assert answer.headers["connection"] == "close"
