"""The service behind the proxies of deploy/, as clients meet it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from scoreboard.api.edge import http_connection
from scoreboard.local.embedded_servers import Valkey
from scoreboard.settings import Settings
from tests.integration.deploy.proxies import Front, proxy
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service, service

ALL = ("nginx", "haproxy", "caddy")
PROBLEM = "application/problem+json"
TOO_MANY = 4429

StartProxy = Callable[..., AbstractContextManager[Front]]


@pytest.fixture(params=ALL)
def start_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> StartProxy:
    """Starts one of the proxies: ``with start_proxy(service=url) as front``."""
    return partial(proxy, request.param, folder=tmp_path)


@asynccontextmanager
async def deployed(settings: Settings, **changes: Any) -> AsyncIterator[Service]:
    """A service that is ready, told what the heads of the proxies' files say."""
    changes |= {"client_address_header": "X-Forwarded-For", "trusted_proxies": "127.0.0.1"}
    async with service(settings, **changes) as running, ClientSession() as http:

        async def ready() -> bool:
            async with http.get(f"{running.url}/readyz") as answer:
                return answer.status == 200

        await wait_until(ready, description="the service is ready")
        yield running


async def post(
    http: ClientSession, running: Service, action: str = "1"
) -> tuple[int, dict[str, str], Any]:
    """Posts an action; the answer's status, headers and document."""
    body = {"userId": "ada", "actionId": action, "points": 15}
    headers = {"Authorization": f"Bearer {running.token()}"}
    async with http.post("/api/score", json=body, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.json(content_type=None)


async def test_players_post_read_and_watch_through_the_proxy(
    settings: Settings, start_proxy: StartProxy
) -> None:
    async with deployed(settings) as running:
        with start_proxy(service=running.url) as front:
            async with front.session() as http, http.ws_connect("/ws/leaderboard") as socket:
                assert (await socket.receive_json())["topScores"] == []
                for number in range(1, 5):  # though one of two servers is not there
                    status, _, answered = await post(http, running, f"{number}")
                    assert (status, answered["score"]) == (200, 15 * number)
                seen = await socket.receive_json()
                while seen["topScores"] != [{"userId": "ada", "score": 60}]:
                    seen = await socket.receive_json()
                async with http.get("/api/boards/global/users/ada") as answer:
                    assert (await answer.json())["rank"] == 1


async def test_nobody_outside_sees_metrics_and_probes_and_no_body_is_larger_than_the_service_takes(
    settings: Settings, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long a proxy takes to send a body that nobody wants, it gets the answer.
    monkeypatch.setattr(http_connection, "LINGERING", PATIENCE)
    async with deployed(settings) as running:
        with start_proxy(service=running.url) as front:
            async with front.session() as http:
                for path in ("/metrics", "/healthz", "/readyz"):
                    async with http.get(path) as answer:
                        assert answer.status == 404
                        assert b"scoreboard" not in await answer.read()
                headers = {
                    "Authorization": f"Bearer {running.token()}",
                    "Content-Type": "application/json",
                }

                async def refused() -> bool:
                    body = BytesIO(bytes(settings.max_body_bytes + 1))
                    async with http.post("/api/scores", data=body, headers=headers) as answer:
                        # 503: on a busy machine a proxy takes the service for gone at times.
                        assert answer.status in (413, 503), await answer.text()
                        return answer.status == 413

                await wait_until(refused, description="the body is refused for its size")


async def test_the_service_knows_clients_by_their_own_addresses_whatever_they_say(
    settings: Settings, start_proxy: StartProxy
) -> None:
    async def closed_with(socket: ClientWebSocketResponse) -> int | None:
        """The code of a refusal; None when a snapshot comes."""
        message = await socket.receive()
        return None if message.type is WSMsgType.TEXT else socket.close_code

    async with (
        deployed(settings, max_connections_per_address=1) as running,
        AsyncExitStack() as stack,
    ):
        front = stack.enter_context(start_proxy(service=running.url))

        async def connect(address: str, says: str = "") -> ClientWebSocketResponse:
            http = await stack.enter_async_context(front.session(address))
            headers = {"X-Forwarded-For": says} if says else {}
            opening = http.ws_connect("/ws/leaderboard", headers=headers)
            return await stack.enter_async_context(opening)

        one, two = "127.0.0.2", "127.0.0.3"
        assert await closed_with(await connect(one)) is None
        assert await closed_with(await connect(one)) == TOO_MANY
        assert await closed_with(await connect(one, says="192.0.2.1")) == TOO_MANY
        assert await closed_with(await connect(one, says="127.0.0.1")) == TOO_MANY
        assert await closed_with(await connect(two, says=one)) is None


@pytest.mark.parametrize(
    ("kind", "timeout"),
    [
        ("nginx", {"proxy_read_timeout 60s": "proxy_read_timeout 8s"}),
        ("haproxy", {"timeout tunnel 60s": "timeout tunnel 8s"}),
    ],
)
async def test_heartbeats_keep_a_quiet_websocket_that_the_proxy_would_cut(
    settings: Settings, tmp_path: Path, kind: str, timeout: dict[str, str]
) -> None:
    async with AsyncExitStack() as stack:

        async def behind_a_proxy(name: str, heartbeat: float) -> ClientSession:
            running = await stack.enter_async_context(deployed(settings, heartbeat=heartbeat))
            folder = tmp_path / name
            folder.mkdir()
            front = stack.enter_context(proxy(kind, running.url, folder, timeout))
            return await stack.enter_async_context(front.session())

        async def watch(http: ClientSession) -> ClientWebSocketResponse:
            socket = await http.ws_connect("/ws/leaderboard")
            assert (await socket.receive_json())["type"] == "snapshot"
            return socket

        # Both run before somebody watches: to start one keeps this process from answering pings.
        often, rarely = [
            await behind_a_proxy(name, heartbeat)
            for name, heartbeat in (("often", 2.0), ("rarely", 3600.0))
        ]
        beating, silent = await watch(often), await watch(rarely)
        seen: list[str] = []

        async def read() -> None:
            while True:  # which answers pings, too
                seen.append((await beating.receive_json())["type"])

        reading = asyncio.create_task(read())
        cut = await silent.receive()
        assert cut.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}
        # By now the other one has been quiet for longer than its proxy's timeout as well.
        before = len(seen)
        await wait_until(lambda: len(seen) > before, description="one more heartbeat")
        assert set(seen) == {"heartbeat"}
        assert not reading.done()
        reading.cancel()


async def test_while_redis_is_away_reads_go_on_and_posts_are_asked_to_come_back(
    settings: Settings, start_proxy: StartProxy, valkey: Valkey
) -> None:
    async with deployed(settings, redis_timeout=0.5) as running, running.persisting():
        with start_proxy(service=running.url) as front:
            async with front.session() as http:

                async def archived() -> bool:
                    if (await post(http, running))[0] != 409:
                        return False
                    async with http.get(f"{running.url}/readyz") as answer:
                        redis = (await answer.json())["parts"]["redis"]
                        return bool(redis.get("backlog") == 0)  # none while Redis is slow

                await wait_until(archived, description="the action is in Postgres")
                valkey.stop()
                if front.process.name == "haproxy":
                    await wait_until(
                        lambda: front.process.said("backend 'ready' has no server available"),
                        description="HAProxy has seen that nobody is ready",
                    )
                status, headers, document = await post(http, running, "2")
                assert (status, document["code"]) == (503, "unavailable"), document
                assert document["detail"] != "No server is there.", "the service says so itself"
                assert headers["Content-Type"] == PROBLEM
                assert int(headers["Retry-After"]) >= 1
                async with http.get("/api/score/top") as answer:
                    assert (await answer.json())["topScores"] == [{"userId": "ada", "score": 15}]


async def test_what_a_proxy_answers_for_a_service_that_is_gone_says_when_to_come_back(
    settings: Settings, start_proxy: StartProxy
) -> None:
    async with deployed(settings) as running:
        with start_proxy(service=running.url) as front:
            async with front.session() as http:
                status, _, document = await post(http, running)
                assert status == 200, document
                async with running.away():
                    status, headers, document = await post(http, running)
                    assert status == 503
                    assert headers["Content-Type"] == PROBLEM
                    assert int(headers["Retry-After"]) >= 1
                    assert document["code"] in {"unavailable", "outcome_unknown"}
                    assert document["status"] == status

                async def answered() -> bool:
                    return (await post(http, running))[0] == 409  # it counts once, as ever

                await wait_until(answered, description="the proxy has found the service again")


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("nginx", {"rate=50r/s": "rate=1r/m", "burst=100": "burst=4"}),
        ("haproxy", {"gt 500": "gt 5"}),
    ],
)
async def test_who_reads_too_often_is_asked_to_slow_down_and_may_post(
    settings: Settings, tmp_path: Path, kind: str, limit: dict[str, str]
) -> None:
    async with deployed(settings) as running:
        with proxy(kind, running.url, tmp_path, limit) as front:
            async with front.session() as http, front.session("127.0.0.2") as other:
                for _ in range(5):
                    async with http.get("/api/score/top") as answer:
                        assert answer.status == 200
                async with http.get("/api/score/top") as answer:
                    refused = await answer.json(content_type=None)
                assert (answer.status, answer.headers["Content-Type"]) == (429, PROBLEM)
                assert answer.headers["Retry-After"] == "1"
                assert refused["code"] == "too_many_requests"
                status, _, document = await post(http, running)
                assert status == 200, document
                async with other.get("/api/score/top") as answer:
                    assert answer.status == 200
