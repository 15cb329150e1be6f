"""Who is compared, what each promises, and how its processes are started, each product on a Valkey
and a Postgres of its own."""

from __future__ import annotations

import http.client
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from scoreboard.api import tokens
from scoreboard.local.child_processes import Child, stop_together
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port
from scripts.bench.peers.installation import install_fastapi, install_redis_rank
from scripts.load import cpu, servers
from scripts.load.api import Api
from scripts.load.target import Target

START_TIMEOUT = 60.0
SCOREBOARD, FASTAPI, NODE = "Scoreboard", "FastAPI, redis-py, asyncpg", "Node.js, redis-rank, pg"


@dataclass(frozen=True)
class Product:
    """A service that runs. ``service`` is the process that takes requests, ``others`` are its
    further ones; ``ledger`` is its table of actions."""

    name: str
    target: Target
    service: Child
    others: Sequence[Child]
    valkey: Valkey
    postgres: Postgres
    ledger: str

    def cpu_used(self) -> float:
        """CPU seconds of all processes of it so far, those of its servers included."""
        children = (self.service, *self.others, self.valkey.process, self.postgres.process)
        return sum(cpu.used(child.pid) for child in children if child.pid is not None)

    def start(self) -> None:
        """Starts the process that takes requests, and waits until it answers. Raises
        ConfigurationError."""
        self.service.start()
        self.service.wait_until(self._answers, timeout=START_TIMEOUT)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.target.host, self.target.port, timeout=5)
        try:
            connection.request("GET", "/api/score/top")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    async def scores(self, users: Sequence[str]) -> dict[str, int]:
        """What the board has of each of ``users``."""
        if self.name == SCOREBOARD:
            async with Api(self.target) as api:
                return await api.scores("global", users)
        with Redis.from_url(self.valkey.url, decode_responses=True) as redis:
            found = redis.zmscore("leaderboard", list(users))
        return {user: int(s) for user, s in zip(users, found, strict=True) if s is not None}


@dataclass(frozen=True)
class Contender:
    """A row of the comparison: a product, and the ``durability`` that its posts ask for (None: the
    product has one only). ``counted`` is its promise for retries and kills, ``durable`` that of
    its answer."""

    name: str
    product: str
    durability: str | None
    counted: str
    durable: str


ONCE = "exactly once: a retry gets the first outcome, also after a kill"
COMMITTED = "the row is committed in Postgres; the board can lose a second with its machine"
CONTENDERS = (
    Contender(
        "Scoreboard, level redis", SCOREBOARD, "redis", ONCE,
        "in Redis, within a second on its disk; in Postgres soon after",
    ),
    Contender(
        "Scoreboard, level postgres", SCOREBOARD, "postgres", ONCE,
        "committed in Postgres, from which the board is rebuilt",
    ),
    Contender(
        FASTAPI, FASTAPI, None,
        "at most once on the board: a kill between the row and ZINCRBY loses the action, whose "
        "retry finds the row",
        COMMITTED,
    ),
    Contender(
        NODE, NODE, None,
        "at least once on the board: a retry adds the points again",
        COMMITTED,
    ),
)  # fmt: skip

Say = Callable[[str], None]


@contextmanager
def products(say: Say) -> Iterator[dict[str, Product]]:
    """All of them by name, installed into a temporary folder and started; ended and removed
    afterwards. Each step is told to ``say``. Raises ConfigurationError."""
    with ExitStack() as stack:
        folder = stack.enter_context(servers.temporary_folder())
        say("installing FastAPI, uvicorn and their drivers from PyPI into a temporary folder")
        install_fastapi(folder / "fastapi")
        say("installing redis-rank, ioredis and pg from npm into a temporary folder")
        install_redis_rank(folder / "node")
        started = {}
        for name, make in ((SCOREBOARD, _scoreboard), (FASTAPI, _fastapi), (NODE, _node)):
            say(f"starting {name}")
            product = make(folder, *stack.enter_context(servers.databases()))
            children = [product.service, *product.others]
            stack.callback(stop_together, children)
            for other in product.others:
                other.start()
            product.start()
            started[name] = product
        yield started


def _scoreboard(folder: Path, valkey: Valkey, postgres: Postgres) -> Product:
    keys = tokens.local_keys(secrets.token_hex(32))
    token = tokens.mint(keys, "HS256", subject="bench", scope="score:write", ttl=86_400)
    port = free_port()
    environment = servers.environment(valkey.url, postgres.url, keys, PORT=str(port))
    servers.migrate(environment)
    roles = [
        Child(
            f"`scoreboard {role}`",
            [sys.executable, "-m", "scoreboard", role],
            log=folder / f"{role}.log",
            environment=environment,
        )
        for role in ("serve", "persist")
    ]
    target = Target(f"http://127.0.0.1:{port}", token)
    return Product(SCOREBOARD, target, roles[0], roles[1:], valkey, postgres, "score_action")


def _fastapi(folder: Path, valkey: Valkey, postgres: Postgres) -> Product:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "service:app", "--no-access-log"]
    command += ["--port", str(port)]
    # What was installed there comes before this environment's own packages.
    more = {"PYTHONPATH": str(folder / "fastapi")}
    return _peer(FASTAPI, command, folder / "fastapi", port, valkey, postgres, more)


def _node(folder: Path, valkey: Valkey, postgres: Postgres) -> Product:
    port = free_port()
    more = {"PORT": str(port), "NODE_ENV": "production"}
    return _peer(NODE, ["node", "service.js"], folder / "node", port, valkey, postgres, more)


def _peer(
    name: str,
    command: Sequence[str],
    folder: Path,
    port: int,
    valkey: Valkey,
    postgres: Postgres,
    more: Mapping[str, str],
) -> Product:
    environment = servers.environment(valkey.url, postgres.url, {})
    environment |= {"REDIS_URL": valkey.url, "DATABASE_URL": postgres.url, **more}
    service = Child(
        name, command, log=folder / "service.log", folder=folder, environment=environment
    )
    target = Target(f"http://127.0.0.1:{port}", "none")
    return Product(name, target, service, (), valkey, postgres, "actions")
