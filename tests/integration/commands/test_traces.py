"""Traces of ``serve`` and ``persist`` as processes, and a receiver of them."""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import ClientConnectionError, ClientSession
from redis.asyncio import Redis

from scoreboard.api.tokens import keys_from, mint
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from tests.support.command import named, started
from tests.support.extent import further
from tests.support.trace_receiver import TraceReceiver, receiving_traces
from tests.support.waiting import PATIENCE, wait_until

CALLER = "00f067aa0ba902b7"  # the span of a game server's own that its calls are below
SAMPLED, UNSAMPLED = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
QUICKLY = {"OTEL_BSP_SCHEDULE_DELAY": "20"}  # ms between two batches of spans


def action(number: int) -> dict[str, Any]:
    return {"userId": "a-shy-player", "actionId": f"a-secret-{number}", "points": 5}


@dataclass
class Served:
    """A `serve` of its own, and calls of it as a game server."""

    url: str
    http: ClientSession
    process: Process
    token: str

    async def post(self, path: str, body: Any, **headers: str) -> int:
        async with self.http.post(self.url + path, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def lost(self) -> float:
        """The spans that it could not hand over."""
        async with self.http.get(f"{self.url}/metrics") as answer:
            lines = (line.split(" ") for line in (await answer.text()).splitlines())
            return float(
                dict(line for line in lines if len(line) == 2)["scoreboard_spans_lost_total"]
            )

    async def stop(self) -> str:
        """All that it has said, once it has ended in good order."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        assert self.process.returncode == 0, said.decode()
        return said.decode()


def variables(settings: Settings, endpoint: str, **more: str) -> dict[str, str]:
    servers = named(settings.redis_url, settings.database_url)
    return {
        **servers,
        "SCOREBOARD_DURABILITY_TIMEOUT": "60",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        **QUICKLY,
        **more,
    }


@asynccontextmanager
async def served(
    settings: Settings, port: int, endpoint: str, **more: str
) -> AsyncIterator[Served]:
    """`serve`, which sends its traces to ``endpoint``, once it takes tokens."""
    token = mint(keys_from(settings), "HS256", subject="game", scope="score:write", ttl=600)
    environment = variables(settings, endpoint, SCOREBOARD_PORT=str(port), **more)
    bearer = {"Authorization": f"Bearer {token}"}
    async with started("serve", **environment) as process, ClientSession(headers=bearer) as http:
        url = f"http://127.0.0.1:{port}"

        async def ready() -> bool:
            try:
                async with http.get(f"{url}/readyz") as answer:
                    return answer.status == 200
            except ClientConnectionError:
                return False

        await wait_until(ready, description="it is ready")
        yield Served(url, http, process, token)


def caller(trace: str, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{CALLER}-{flags}"}


async def all_of(receiver: TraceReceiver, trace: str, *names: str) -> dict[str, Any]:
    """The spans of the trace, once all that are named are there."""
    wanted = set(names)

    async def there() -> bool:
        return wanted <= set(receiver.of(trace))

    await wait_until(there, description=f"{sorted(wanted)} of {trace}")
    assert set(receiver.of(trace)) == wanted
    return receiver.of(trace)


async def test_one_trace_leads_from_a_post_over_script_and_stream_to_the_commit(
    settings: Settings, unused_tcp_port: int
) -> None:
    batch = {"actions": [action(number) for number in range(1, 4)]}
    async with (
        receiving_traces() as receiver,
        served(settings, unused_tcp_port, receiver.url) as server,
        started("persist", **variables(settings, receiver.url)),
    ):
        durable = {"Prefer": "durability=postgres"}
        of_batch = SAMPLED[::-1]
        assert await server.post("/api/score", action(0), **durable, **caller(SAMPLED)) == 200
        assert await server.post("/api/scores", batch, **durable, **caller(of_batch)) == 200

        one = await all_of(
            receiver, SAMPLED, "POST /api/score", "submit_scores", "wait for commit", "commit"
        )
        many = await all_of(
            receiver, of_batch, "POST /api/scores", "submit_scores", "wait for commit", "commit"
        )
    post, script = one["POST /api/score"], one["submit_scores"]
    assert [span.parent for span in (post, script, one["wait for commit"], one["commit"])] == [
        CALLER,
        post.id,
        post.id,
        script.id,
    ]
    assert [span.service for span in (post, script, one["wait for commit"], one["commit"])] == [
        *("scoreboard-serve",) * 3,
        "scoreboard-persist",
    ]
    assert post.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/score",
        "http.response.status_code": 200,
    }
    assert one["wait for commit"].attributes == {"scoreboard.durability": "postgres"}
    assert post.start <= script.start <= script.end <= one["wait for commit"].end <= post.end
    assert (many["submit_scores"].attributes["scoreboard.actions"], many["commit"].parent) == (
        3,
        many["submit_scores"].id,
    )
    for word in ("a-shy-player", "a-secret", server.token):
        assert not any(word.encode() in body for body in receiver.bodies), word


@further
async def test_what_is_not_sampled_is_neither_sent_nor_carried_through_the_stream(
    settings: Settings, redis: Redis, unused_tcp_port: int
) -> None:
    async with (
        receiving_traces() as receiver,
        served(settings, unused_tcp_port, receiver.url) as server,
    ):
        assert await server.post("/api/score", action(0), **caller(UNSAMPLED, "00")) == 200
        assert await server.post("/api/score", action(1), **caller(SAMPLED)) == 200
        stream = Keyspace(settings.partitions).board(settings.default_board).events
        entries: Any = await redis.xrange(stream)
        bodies = [msgspec.json.decode(fields[b"d"]) for _, fields in entries]
        async with started("persist", **variables(settings, receiver.url)):
            found = await all_of(receiver, SAMPLED, "POST /api/score", "submit_scores", "commit")

    assert [body.get("x") for body in bodies] == [None, f"{SAMPLED}-{found['submit_scores'].id}"]
    assert receiver.of(UNSAMPLED) == {}, "it went first, so it would have been sent first"


async def test_a_receiver_that_is_away_costs_spans_and_few_lines_of_the_log_and_no_request(
    settings: Settings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    began = time.monotonic()
    async with served(
        settings, unused_tcp_port_factory(), nobody, OTEL_EXPORTER_OTLP_TIMEOUT="0.1"
    ) as server:
        for number in range(10):
            assert await server.post("/api/score", action(number)) == 200
            lost = 2 * (number + 1)

            async def given_up(lost: int = lost) -> bool:
                return await server.lost() >= lost

            await wait_until(given_up, description=f"{lost} spans are given up")
        said = await server.stop()

    assert 1 <= said.count("traces_not_sent") <= 1 + (time.monotonic() - began) // 60, said
    assert "Traceback" not in said


async def test_a_receiver_that_never_answers_keeps_nobody_waiting(
    settings: Settings, unused_tcp_port: int
) -> None:
    async with (
        receiving_traces(holds=True) as receiver,
        served(settings, unused_tcp_port, receiver.url, OTEL_EXPORTER_OTLP_TIMEOUT="600") as server,
    ):
        assert await server.post("/api/score", action(0)) == 200
        await wait_until(lambda: receiver.bodies, description="it holds the first spans")
        assert await server.post("/api/score", action(1)) == 200
        await server.stop()
