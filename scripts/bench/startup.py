"""Start-up time and resting memory of a serving process, with Redis and Postgres already there."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from scoreboard.local.embedded_servers import Postgres, Valkey, free_port

SETTLE = 2.0  # seconds at rest before the memory is read


def main(
    rounds: Annotated[int, typer.Option(help="How often to start.", min=1)] = 5,
    write_json: Annotated[Path | None, typer.Option("--json", help="Also write here.")] = None,
) -> None:
    """Measure start-up (until /readyz answers 200) and resident memory at rest."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-startup-")))
        valkey = Valkey(folder / "valkey")
        stack.callback(valkey.stop)
        valkey.start()
        postgres = Postgres(folder / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        environment = {
            **os.environ,
            "SCOREBOARD_REDIS_URL": valkey.url,
            "SCOREBOARD_DATABASE_URL": postgres.url,
            "SCOREBOARD_JWT_KEYS": json.dumps({"bench": secrets.token_hex(32)}),
        }
        subprocess.run(
            [sys.executable, "-m", "scoreboard", "migrate"],
            env=environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        measured = [_start(environment) for _ in range(rounds)]
    seconds, megabytes = zip(*measured, strict=True)
    figures = {
        "startup_s": statistics.median(seconds),
        "startup_s_worst": max(seconds),
        "idle_rss_mb": statistics.median(megabytes),
    }
    typer.echo(f"start-up     {figures['startup_s']:6.2f} s   (worst {max(seconds):.2f}; target 2)")
    typer.echo(f"idle memory  {figures['idle_rss_mb']:6.1f} MB  (target 70)")
    if write_json is not None:
        write_json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _start(environment: dict[str, str]) -> tuple[float, float]:
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "scoreboard", "serve"],
        env={**environment, "SCOREBOARD_PORT": str(port)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not _ready(port):
            if process.poll() is not None:
                raise SystemExit("the service ended at once; run `scoreboard serve` to see why")
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        time.sleep(SETTLE)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        kilobytes = int(status.split("VmRSS:")[1].split()[0])
    finally:
        process.terminate()
        process.wait()
    return seconds, kilobytes / 1024


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
