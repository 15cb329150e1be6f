"""Start-up time and resting memory of a serving process, with Redis and Postgres already there."""

from __future__ import annotations

import http.client
import secrets
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import psutil
import typer

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port
from scripts.bench.figures import Bound, JsonFile, report
from scripts.load import servers

START_TIMEOUT = 60.0
SETTLE = 2.0  # seconds at rest before the memory is read


def main(
    rounds: Annotated[int, typer.Option(help="How often to start.", min=1)] = 5,
    json: JsonFile = None,
) -> None:
    """Measure start-up (until /readyz answers 200) and resident memory at rest."""
    with servers.databases() as (valkey, postgres), servers.temporary_folder() as folder:
        keys = tokens.local_keys(secrets.token_hex(32))
        environment = servers.environment(valkey.url, postgres.url, keys)
        servers.migrate(environment)
        measured = [_start(environment, folder / "serve.log") for _ in range(rounds)]
    seconds, megabytes = zip(*measured, strict=True)
    report(
        {
            "startup_s": statistics.median(seconds),
            "startup_s_worst": max(seconds),
            "idle_rss_mb": statistics.median(megabytes),
        },
        json,
        targets={"startup_s": Bound(2), "idle_rss_mb": Bound(70)},
    )


def _start(environment: Mapping[str, str], log: Path) -> tuple[float, float]:
    """Seconds until it is ready, and its memory in MB after a while."""
    port = free_port()
    child = Child(
        "the service",
        [sys.executable, "-m", "scoreboard", "serve"],
        log=log,
        environment={**environment, "SCOREBOARD_PORT": str(port)},
    )
    started = time.perf_counter()
    child.start()
    try:
        child.wait_until(lambda: _ready(port), timeout=START_TIMEOUT)
        seconds = time.perf_counter() - started
        time.sleep(SETTLE)
        return seconds, psutil.Process(child.pid).memory_info().rss / 2**20
    finally:
        child.stop()


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    typer.run(main)
