"""The HTTP write and read paths against their bounds, as ratios in one run.

Compared, in turn and several times over, so that a machine whose speed drifts does not decide:
a bare aiohttp handler that reads the body and answers; the service with one EVALSHA a request;
the service as it is. Also batches of 100 against the script called directly, and reads.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer
from redis import Redis
from rich.console import Console

from scoreboard.anomaly.training import train
from scoreboard.api import tokens
from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.boards import BoardSettings
from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.pg.models import Models
from scoreboard.pg.pool import open_pool
from scoreboard.wire.keys import Keyspace, PartitionKeys
from scripts.bench import http_client, http_servers
from scripts.bench.figures import Bound, JsonFile, report
from scripts.bench.http_client import Load, Outcome
from scripts.bench.script_calls import Line, submit_call
from scripts.load import cpu, servers
from scripts.load.processes import ProcessFailed
from scripts.load.target import Target
from scripts.synthetic_season import season

START_TRIES = 6  # of up to 10 s
console = Console()


class Rig:
    """A server of each kind on one Valkey and one Postgres."""

    def __init__(self, stack: ExitStack) -> None:
        # The server under test has one core and all others share the rest: left alone, the kernel
        # now and then wakes Valkey on the server's core while another is idle.
        cores = sorted(os.sched_getaffinity(0))
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, cores[1:] or cores)
        # A rewrite of the append-only file, on the same core, would fall on some measurements only.
        options = {"auto-aof-rewrite-percentage": "0"}
        self.valkey, postgres = stack.enter_context(servers.databases(options))
        keys = tokens.local_keys(secrets.token_hex(32))
        token = tokens.mint(keys, "HS256", subject="bench", scope="score:write", ttl=86_400)
        environment = servers.environment(
            self.valkey.url, postgres.url, keys, BACKLOG_LIMIT=str(10**9)
        )
        servers.migrate(environment)
        asyncio.run(_activate_model(postgres.url))
        self._targets: dict[str, Target] = {}
        self._pids: dict[str, int] = {}
        for kind in http_servers.KINDS:
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.bench.http_servers", kind, str(port)],
                env=environment | http_servers.ENVIRONMENTS.get(kind, {}),
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            self._targets[kind] = Target(f"http://127.0.0.1:{port}", token)
            self._pids[kind] = process.pid
            if len(cores) > 1:
                os.sched_setaffinity(process.pid, cores[:1])
        for kind in http_servers.KINDS:
            self._wait_for(kind)

    def _wait_for(self, kind: str) -> None:
        for _ in range(START_TRIES):
            # The first request makes the board live.
            try:
                outcome, _ = self.load(kind, "score", 0.5, connections=1)
            except ProcessFailed:
                continue
            if outcome.statuses[200]:
                return
        raise SystemExit(f"the server {kind} did not start")

    def load(
        self,
        server: str,
        kind: str,
        seconds: float,
        *,
        connections: int = 64,
        rate: float | None = None,
    ) -> tuple[Outcome, float]:
        """What the client saw, and the server's CPU in microseconds a request."""
        self._forget_events()
        before = cpu.used(self._pids[server])
        seed = secrets.randbits(32)
        load = Load(self._targets[server], kind, seconds, connections, rate, seed)
        outcome = asyncio.run(http_client.run(load))
        used = cpu.used(self._pids[server]) - before
        return outcome, used / max(1, len(outcome.latencies)) * 1e6

    def _forget_events(self) -> None:
        """What a persister would do: no measurement finds more of them than another."""
        with Redis.from_url(self.valkey.url) as redis:
            for partition in range(8):
                redis.delete(PartitionKeys(partition).events)


async def _activate_model(url: str) -> None:
    """Trains the agents on a synthetic season, for the server whose gate is on."""
    model = train(season(players=100, days=60, seed=1))
    pool = await open_pool(url, connections=1, timeout=30)
    models = Models(pool)
    await models.activate(
        await models.add(
            "", model.to_bytes(), first_ms=0, last_ms=0, false_alarm_rate=0.001, quality={}
        ),
        by="bench",
    )
    await pool.close()


def compare(
    rig: Rig, kinds: list[tuple[str, str]], seconds: float, rounds: int
) -> dict[str, dict[str, float]]:
    """Median rate and CPU of each (server, request kind), measured in turn."""
    rates: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        for server, kind in kinds:
            outcome, cpu = rig.load(server, kind, seconds)
            name = f"{server} {kind}"
            rates.setdefault(name, []).append(outcome.rate)
            costs.setdefault(name, []).append(cpu)
    return {
        name: {"rate": statistics.median(rates[name]), "cpu_us": statistics.median(costs[name])}
        for name in rates
    }


def direct(valkey: Valkey, seconds: float, size: int) -> float:
    """Actions a second of the script called directly with commands that were made before."""
    keys = Keyspace(8).board("global")
    with Redis.from_url(valkey.url, protocol=2) as redis:
        settings = BoardSettings.from_text(redis.hget(keys.meta, "settings"))
    run_id = secrets.token_hex(4)
    actions = [
        ScoreAction(f"user{number * 7919 % 10_000}", f"match-{run_id}:{number}", 15)
        for number in range(int(seconds * 100_000))
    ]
    calls = [
        submit_call(keys, "global", settings, actions[start : start + size])
        for start in range(0, len(actions), size)
    ]
    line = Line(valkey.url)
    started = time.perf_counter()
    done = 0
    for call in calls:
        line.run([call], 1)
        done += size
        if time.perf_counter() - started > seconds:
            break
    rate = done / (time.perf_counter() - started)
    line.close()
    return rate


def main(
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.5)] = 3.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.", min=1)] = 3,
    json: JsonFile = None,
) -> None:
    """Measure the HTTP paths; about two minutes."""
    with ExitStack() as stack:
        rig = Rig(stack)
        with console.status("single posts"):
            kinds = [(server, "score") for server in ("bare", "single", "full")]
            posts = compare(rig, kinds, seconds, rounds)
        with console.status("single posts with the gate on"):
            kinds = [("full", "score-context"), ("gated", "score-context")]
            gated = compare(rig, kinds, seconds, rounds)
        with console.status("reads"):
            reads = compare(
                rig, [("bare", "top"), ("full", "top"), ("full", "around")], seconds, rounds
            )
        with console.status("latency at half the highest rate"):
            half = posts["full score"]["rate"] / 2
            calm, _ = rig.load("full", "score", seconds * 2, rate=half)
        with console.status("batches of 100"):
            batches, scripts = [], []
            for _ in range(rounds):
                scripts.append(direct(rig.valkey, seconds, 100))
                outcome, _ = rig.load("full", "scores-100", seconds, connections=8)
                batches.append(outcome.rate * 100)
    figures = {
        "post_rate": posts["full score"]["rate"],
        "post_vs_single": posts["full score"]["rate"] / posts["single score"]["rate"],
        "post_vs_bare": posts["full score"]["rate"] / posts["bare score"]["rate"],
        "post_cpu_vs_bare": posts["bare score"]["cpu_us"] / posts["full score"]["cpu_us"],
        "post_p50_ms_at_half": calm.percentile_ms(50),
        "post_p99_ms_at_half": calm.percentile_ms(99),
        "top_vs_bare": reads["full top"]["rate"] / reads["bare top"]["rate"],
        "gated_vs_ungated": (
            gated["gated score-context"]["rate"] / gated["full score-context"]["rate"]
        ),
        "batch_actions": statistics.median(batches),
        "direct_actions": statistics.median(scripts),
        "batch_vs_direct": statistics.median(b / s for b, s in zip(batches, scripts, strict=True)),
    }
    for name, measured in {**posts, **gated, **reads}.items():
        figures[f"{name}, requests/s"] = measured["rate"]
        figures[f"{name}, server CPU, µs"] = measured["cpu_us"]
    report(
        figures,
        json,
        targets={
            "post_vs_single": Bound(2.2, at_least=True),
            "post_vs_bare": Bound(0.55, at_least=True),
            "post_p99_ms_at_half": Bound(10),
            "top_vs_bare": Bound(0.8, at_least=True),
            "batch_vs_direct": Bound(0.8, at_least=True),
            "gated_vs_ungated": Bound(0.45, at_least=True, aim=", aim 0.6"),
        },
    )


if __name__ == "__main__":
    typer.run(main)
