"""`scoreboard up` as a person meets it: one command, real servers, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.command import environment
from tests.support.waiting import PATIENCE, wait_until

# Seconds for a start or a stop. `up` gives each of its parts at most 120, and then says itself
# which one hangs.
LIMIT = 400.0


class Up:
    """One `scoreboard up` and what it says."""

    def __init__(self, data: Path, said: Path, options: tuple[str, ...], **variables: str):
        self.data = data
        self._said = said
        command = [sys.executable, "-m", "scoreboard", "up", "--data-dir", str(data), *options]
        with said.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=environment(**variables), stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    async def ready(self) -> dict[str, Any]:
        """Wait for run.json of this very process; what it says."""
        return await wait_until(self._facts, description="run.json", timeout=LIMIT)

    async def banner(self) -> str:
        """Wait for what it prints once run.json is there."""
        await wait_until(lambda: "Ctrl-C" in self.said, description="the banner")
        return self.said

    def end(self, number: signal.Signals | None = None) -> int:
        """Send the signal, if any, and wait; the exit code."""
        if number:
            self.process.send_signal(number)
        return self.process.wait(LIMIT)

    def _facts(self) -> dict[str, Any]:
        assert self.process.poll() is None, self.said
        try:
            facts: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        except FileNotFoundError:
            return {}
        return facts if facts.get("pid") == self.process.pid else {}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts `scoreboard up` on the test's data directory; what still runs is stopped."""
    started: list[Up] = []

    def start(*options: str, **variables: str) -> Up:
        said = tmp_path / f"said-{len(started)}"
        started.append(Up(tmp_path / "data", said, options or ("--port=0",), **variables))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGTERM)


def top(run: dict[str, Any]) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{run['url']}/api/score/top", timeout=PATIENCE) as answer:
        scores: list[dict[str, Any]] = json.load(answer)["topScores"]
        return scores


def paste(banner: str) -> dict[str, Any]:
    """Run the curl lines of the banner in a shell, as pasted."""
    curl = banner[banner.index("curl ") : banner.index("Ctrl-C")]
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_the_pasted_curl_scores_and_the_score_survives_ctrl_c_and_kill_9(
    up: Callable[..., Up],
) -> None:
    first = up("--port=0", "--workers=2")
    run = await first.ready()
    assert set(run) == {"url", "redis_url", "database_url", "pid", "token"}
    assert (first.data / "run.json").stat().st_mode & 0o777 == 0o600
    banner = await first.banner()
    assert f"{run['url']}/\n" in banner
    assert paste(banner)["score"] == 15
    assert top(run) == [{"userId": "ada", "score": 15}]
    assert first.end(signal.SIGINT) == 0
    assert not (first.data / "run.json").exists()

    second = up()
    assert top(await second.ready()) == [{"userId": "ada", "score": 15}]
    second.end(signal.SIGKILL)

    third = up()
    assert top(await third.ready()) == [{"userId": "ada", "score": 15}]


async def test_a_server_that_crashes_ends_all_with_one_event(up: Callable[..., Up]) -> None:
    running = up()
    run = await running.ready()
    async with Redis.from_url(run["redis_url"]) as client:
        pid = (await client.info("server"))["process_id"]
    os.kill(pid, signal.SIGKILL)
    assert running.end() == 1
    (event,) = [line for line in running.said.splitlines() if "child_ended" in line]
    assert "Valkey" in event
    assert "Traceback" not in running.said


async def test_servers_that_are_named_are_used_instead(
    up: Callable[..., Up], redis_url: str, database_url: str
) -> None:
    running = up(SCOREBOARD_REDIS_URL=redis_url, SCOREBOARD_DATABASE_URL=database_url)
    run = await running.ready()
    assert (run["redis_url"], run["database_url"]) == (redis_url, database_url)
    assert paste(await running.banner())["score"] == 15
    async with Redis.from_url(redis_url) as client:
        assert await client.keys("sb:*:board:global")
    assert not (running.data / "valkey").exists()
    assert not (running.data / "postgres").exists()


async def test_a_second_run_on_the_same_data_is_told_who_uses_it(up: Callable[..., Up]) -> None:
    first = up()
    await first.ready()
    second = up()
    assert second.end() == 1
    assert f"in use by the `scoreboard up` with process id {first.process.pid}:" in second.said
    assert (await first.ready())["pid"] == first.process.pid


def test_a_port_that_is_taken_is_one_clear_line(up: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = up(f"--port={port}")
        assert refused.end() == 1
    assert errors(refused) == [
        f"scoreboard: can't listen on port {port} of 127.0.0.1 (Address already in use): choose "
        "another with --port (make run PORT=...), or stop what uses it"
    ]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SCOREBOARD_REDIS_URL", "redis://:hunter2@127.0.0.1:1/0", "no Redis answers there"),
        ("SCOREBOARD_REDIS_URL", "http://:hunter2@127.0.0.1", "is no Redis URL"),
        ("SCOREBOARD_REDIS_URL", "redis://127.0.0.1:hunter2", "is no Redis URL"),
        ("SCOREBOARD_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d", "no Postgres takes"),
        ("SCOREBOARD_DATABASE_URL", "mysql://u:hunter2@127.0.0.1/d", "is no Postgres URL"),
        ("SCOREBOARD_REDIS_ULR", "hunter2", "is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_clear_line_without_its_password(
    up: Callable[..., Up], variable: str, value: str, reason: str
) -> None:
    refused = up("--port=0", **{variable: value})
    assert refused.end() == 1
    (error,) = errors(refused)
    assert error.startswith(f"scoreboard: {variable}")
    assert reason in error
    assert "hunter2" not in error


def test_a_server_that_cannot_start_is_one_clear_line(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    data = tmp_path / "data" / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6")
    refused = up()
    assert refused.end() == 1
    (error,) = errors(refused)
    assert error.startswith("scoreboard: Postgres did not start: ")
    assert "postgres.log" in error


def errors(up: Up) -> list[str]:
    """All that it said behind its first line, which says that it starts."""
    return [line for line in up.said.splitlines() if not line.startswith("Starting; ")]
