"""`scoreboard up` as a person meets it: one command, real servers, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import psutil
import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from scoreboard.api.tokens import SCORE_WRITE, mint
from scoreboard.wire.keys import Keyspace
from tests.support.command import environment
from tests.support.extent import further, kept
from tests.support.servers import redis_client
from tests.support.waiting import PATIENCE, wait_until

OWN_KEY, LOGIN_KEY = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
PUBLIC = OWN_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

# Seconds for a start or a stop. `up` gives each of its parts at most 120, and then says itself
# which one hangs.
LIMIT = 400.0


class Up:
    """One `scoreboard up` and what it says: also on standard output, unless ``output`` is another
    descriptor for that."""

    def __init__(
        self,
        data: Path,
        said: Path,
        options: tuple[str, ...],
        output: int | None = None,
        **variables: str,
    ):
        self.data = data
        self._said = said
        command = [sys.executable, "-m", "scoreboard", "up", "--data-dir", str(data), *options]
        with said.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                env=environment(**variables),
                stdout=file if output is None else output,
                stderr=file,
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

    def start(*options: str, output: int | None = None, **variables: str) -> Up:
        said = tmp_path / f"said-{len(started)}"
        options = options or ("--port=0",)
        started.append(Up(tmp_path / "data", said, options, output, **variables))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGTERM)


def said(up: Up, text: str) -> bool:
    """Whether it has said so; it still runs."""
    assert up.process.poll() is None, up.said
    return text in up.said


def children(pid: int) -> dict[str, int]:
    """The ids of Postgres and the roles that a process runs, by their names."""
    found = {}
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            command = child.cmdline()
            if command[1:3] == ["-m", "scoreboard"]:
                found[command[3]] = child.pid
            elif child.name() == "postgres":
                found["Postgres"] = child.pid
    return found


def fill(pipe: int) -> None:
    """Write to the pipe until it takes nothing more."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, bytes(select.PIPE_BUF))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"\n")
    os.set_blocking(pipe, True)


def top(run: dict[str, Any]) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{run['url']}/api/score/top", timeout=PATIENCE) as answer:
        scores: list[dict[str, Any]] = json.load(answer)["topScores"]
        return scores


def paste(banner: str) -> dict[str, Any]:
    """Run the curl lines of the banner in a shell, as pasted."""
    curl = banner[banner.index("TOKEN=") : banner.index("Ctrl-C")]
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_the_pasted_curl_scores_and_the_score_survives_ctrl_c_and_kill_9(
    up: Callable[..., Up],
) -> None:
    first = up("--port=0", "--workers=2")
    run = await first.ready()
    assert set(run) == {"url", "redis_url", "database_url", "migration_url", "pid", "token"}
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


async def test_whatever_is_killed_is_started_again_and_nothing_is_lost(
    up: Callable[..., Up],
) -> None:
    running = up()
    run = await running.ready()
    assert paste(await running.banner())["score"] == 15
    async with redis_client(run["redis_url"]) as client:
        valkey = (await client.info("server"))["process_id"]
    killed = {"Valkey": valkey, **children(running.process.pid)}
    for name, pid in killed.items():
        os.kill(pid, signal.SIGKILL)
        await wait_until(
            partial(said, running, f"{name} ended: killed by SIGKILL"),
            description="its end is said",
        )
    for name in killed:
        await wait_until(
            partial(said, running, f"{name} runs again."), description="its start is said"
        )

    async def posted() -> bool:
        try:
            return bool(paste(running.said).get("score") == 30)
        except (subprocess.CalledProcessError, json.JSONDecodeError):
            return False

    await wait_until(posted, description="scores count again")
    assert "Traceback" not in running.said
    assert running.end(signal.SIGTERM) == 0


@further
@pytest.mark.parametrize("reader", ["stops", "leaves"])
async def test_what_runs_does_not_depend_on_who_reads_what_up_says(
    up: Callable[..., Up], reader: str
) -> None:
    its_end, output = os.pipe()
    running = up(output=output)
    run = await running.ready()
    if reader == "leaves":
        os.close(its_end)
    else:
        fill(output)
    os.close(output)
    killed = children(running.process.pid)["persist"]
    os.kill(killed, signal.SIGKILL)

    def started_again() -> bool:
        assert running.process.poll() is None, "it ended"
        return children(running.process.pid).get("persist", killed) != killed

    await wait_until(started_again, description="the persister runs again")
    assert top(run) == []
    assert running.end(signal.SIGINT) == 0
    if reader == "stops":
        os.close(its_end)


@further
async def test_on_every_address_and_with_foreign_variables_it_serves_only_its_own_pages(
    up: Callable[..., Up],
) -> None:
    foreign = {"PGHOST": "192.0.2.1", "PGSSLMODE": "verify-full", "PGPORT": "1", "PGUSER": "nobody"}
    running = up("--port=0", "--host=::", **foreign, PGOPTIONS="-c nonsense=1", PGDATA="/nowhere")
    url = (await running.ready())["url"]
    assert url.startswith("http://[::1]:")
    assert paste(await running.banner())["score"] == 15
    port = url.rpartition(":")[2]
    async with ClientSession() as http:
        for origin in (url, f"http://localhost:{port}", f"http://127.0.0.1:{port}"):
            async with http.ws_connect(f"{url}/ws/leaderboard", headers={"Origin": origin}):
                pass
        for headers, status in (
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "http://localhost:1"}, 403),
            ({"Origin": f"http://evil.example:{port}", "Host": f"evil.example:{port}"}, 421),
        ):
            with pytest.raises(WSServerHandshakeError) as refusal:
                await http.ws_connect(f"{url}/ws/leaderboard", headers=headers)
            assert refusal.value.status == status


@pytest.fixture(params=kept(["server", "cluster"], "server"))
def named_redis(request: pytest.FixtureRequest) -> str:
    """The URL of a server, or of a cluster."""
    if request.param == "cluster":
        return str(request.getfixturevalue("redis_cluster").url)
    return str(request.getfixturevalue("redis_url"))


async def test_servers_that_are_named_are_used_instead(
    up: Callable[..., Up], named_redis: str, database_url: str
) -> None:
    running = up(SCOREBOARD_REDIS_URL=named_redis, SCOREBOARD_DATABASE_URL=database_url)
    run = await running.ready()
    assert (run["redis_url"], run["database_url"]) == (named_redis, database_url)
    assert paste(await running.banner())["score"] == 15
    async with redis_client(named_redis) as client:
        assert await client.exists(Keyspace(8).board("global").board)
    assert not (running.data / "valkey").exists()
    assert not (running.data / "postgres").exists()


async def test_what_up_says_is_there_when_it_is_said_and_a_second_run_is_told_who_uses_the_data(
    up: Callable[..., Up],
) -> None:
    first = up(PYTHONUNBUFFERED="", SCOREBOARD_DATA_DIR="/of/another")  # the option counts
    await first.ready()
    await first.banner()
    second = up()
    assert second.end() == 1
    assert f"in use by the `scoreboard up` with process id {first.process.pid}:" in second.said
    assert (await first.ready())["pid"] == first.process.pid


@pytest.mark.parametrize("named", ["--port={}", "SCOREBOARD_PORT"])
def test_a_port_that_is_taken_is_one_clear_line(up: Callable[..., Up], named: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = (
            up(named.format(port))
            if named.startswith("--")
            else up("--host=127.0.0.1", **{named: str(port)})
        )
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
        ("SCOREBOARD_REDIS_ULR", "hunter2", "is not a setting; is it SCOREBOARD_REDIS_URL?"),
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


@pytest.mark.parametrize(
    ("keys", "reason"), [({}, "set SCOREBOARD_JWT_KEYS to a private ES256 key"),
    ({"SCOREBOARD_JWT_KEYS": PUBLIC}, "is public: it can verify tokens, not sign")],
    ids=["no key", "a public key"],
)  # fmt: skip
def test_published_keys_without_one_that_signs_are_one_clear_line_at_once(
    up: Callable[..., Up], tmp_path: Path, keys: dict[str, str], reason: str
) -> None:
    refused = up(**login_service(tmp_path), **keys)
    assert refused.end() == 1
    (error,) = errors(refused)
    assert reason in error
    assert not (refused.data / "valkey").exists()


@further
async def test_tokens_of_a_login_service_are_taken_beside_its_own(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    run = await up(**login_service(tmp_path), SCOREBOARD_JWT_KEYS=pem(OWN_KEY)).ready()
    keys = {"login": pem(LOGIN_KEY)}
    foreign = mint(keys, "ES256", subject="ann", scope=SCORE_WRITE, ttl=600)
    action = {"userId": "ann", "actionId": "a", "points": 5}
    async with ClientSession() as http:
        for token, status in ((foreign, 200), (run["token"], 409)):
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"{run['url']}/api/score", json=action, headers=headers) as answer:
                assert answer.status == status


def test_a_server_that_cannot_start_is_one_clear_line(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    data = tmp_path / "data" / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6")
    refused = up()
    assert refused.end() == 1
    (error,) = errors(refused)
    assert error.startswith(f"scoreboard: Postgres can't use its data in {data}: ")


@pytest.mark.parametrize("name", ["run.json", "figures", "valkey"])
def test_something_else_by_the_name_of_what_it_keeps_is_one_clear_line(
    up: Callable[..., Up], tmp_path: Path, name: str
) -> None:
    taken = tmp_path / "data" / name
    taken.parent.mkdir()
    if name == "valkey":
        taken.touch()
    else:
        taken.mkdir()
    refused = up()
    assert refused.end() == 1
    (error,) = errors(refused)
    if found := re.search(r"/\S*/scoreboard-figures-\w+", error):
        assert not Path(found[0]).exists(), "it leaves nothing behind"
    assert error.startswith(f"scoreboard: can't keep data in {taken.parent}: ")
    assert f"'{taken}'" in error


@pytest.mark.parametrize("name", ["serve.log", "secret", "postgres/password", "valkey/valkey.conf"])
def test_a_pipe_by_the_name_of_what_it_keeps_is_one_clear_line(
    up: Callable[..., Up], tmp_path: Path, name: str
) -> None:
    """Whoever opens one waits for somebody at its other end."""
    pipe = tmp_path / "data" / name
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    refused = up()
    assert refused.end() == 1
    (error,) = errors(refused)
    assert error.startswith(f"scoreboard: can't write to the data directory: '{pipe}' is a pipe")


def pem(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def login_service(folder: Path) -> dict[str, str]:
    """The settings for a login service that publishes its key."""
    key = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(LOGIN_KEY.public_key()))
    published = folder / "jwks.json"
    published.write_text(json.dumps({"keys": [{**key, "kid": "login"}]}))
    return {"SCOREBOARD_JWT_JWKS": str(published), "SCOREBOARD_JWT_ALGORITHM": "ES256"}


def errors(up: Up) -> list[str]:
    """All that it said behind its first line, which says that it starts."""
    return [line for line in up.said.splitlines() if not line.startswith("Starting; ")]
