"""Starts the servers and roles of `up` in order, watches them, and stops them in reverse."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from scoreboard.api import tokens
from scoreboard.errors import ConfigurationError
from scoreboard.local import data_directory, server_check
from scoreboard.local.child_processes import Child, Keeper, stop_together
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port, write_private
from scoreboard.local.interruption import Interruption
from scoreboard.local.watchdog import Watchdog
from scoreboard.settings import PREFIX, Settings

READY_TIMEOUT = 120.0
MIGRATE_TIMEOUT = 600.0
DEVELOPER = "developer"
TOKEN_TTL = 365 * 86_400

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plan:
    """The options of `up`; ``settings`` come from its own environment."""

    host: str
    port: int
    directory: Path
    workers: int
    settings: Settings


class Scoreboard:
    """Everything that `up` runs. ``environment`` is the roles' environment, completed while the
    servers start; ``children`` are in the order of their start."""

    def __init__(self, plan: Plan, interruption: Interruption, keeper: Keeper) -> None:
        self.plan = plan
        self.url = ""
        self.token = ""
        self.redis_url = plan.settings.redis_url
        self.database_url = plan.settings.database_url
        self.environment = dict(os.environ)
        self.children: list[Child] = []
        self._interruption = interruption
        self._keeper = keeper

    def start(self, stack: contextlib.ExitStack) -> None:
        """Starts everything; closing ``stack`` stops it. Raises ConfigurationError or
        Interrupted."""
        port = _usable_port(self.plan.host, self.plan.port)
        self.url = f"http://{_reachable_host(self.plan.host)}:{port}"
        self._set("HOST", self.plan.host)
        self._set("PORT", str(port))
        self._set("REUSE_PORT", str(self.plan.workers > 1).lower())
        if not _is_set("DEFAULT_GATE_MODE"):
            self._set("DEFAULT_GATE_MODE", "flag")
        self._choose_keys()
        self._start_servers(stack)
        self._migrate(stack)
        self._start_roles(stack)
        self._wait_until_ready()
        self._tell(stack)

    def wait(self) -> Child | None:
        """Waits until a stop is wanted (returns None) or a child ends, which is logged and
        returned."""
        while not self._interruption.wanted:
            if ended := self._ended():
                log.error(
                    "child_ended",
                    child=ended.name,
                    exit_code=ended.exit_code,
                    said=ended.last_words(),
                    action="everything else is stopped; see its log, then start again",
                )
                return ended
            time.sleep(0.1)
        return None

    def _choose_keys(self) -> None:
        settings = self.plan.settings
        if _is_set("JWT_KEYS"):
            keys = tokens.keys_from(settings)
        else:
            keys = tokens.local_keys(data_directory.secret(self.plan.directory))
            self._set("JWT_KEYS", json.dumps(keys))
        self.token = tokens.mint(
            keys,
            settings.jwt_algorithm,
            subject=DEVELOPER,
            scope=" ".join(tokens.SCOPES),
            ttl=TOKEN_TTL,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )

    def _start_servers(self, stack: contextlib.ExitStack) -> None:
        directory = self.plan.directory
        if _is_set("REDIS_URL"):
            server_check.check_redis(self.redis_url)
        else:
            valkey = Valkey(directory / "valkey", log=directory / "valkey.log", keeper=self._keeper)
            self._add(stack, valkey.process)
            valkey.start(self._interruption.pause)
            self.redis_url = valkey.url
            self._set("REDIS_URL", valkey.url)
        if _is_set("DATABASE_URL"):
            server_check.check_database(self.database_url)
        else:
            postgres = Postgres(
                directory / "postgres", log=directory / "postgres.log", keeper=self._keeper
            )
            self._add(stack, postgres.process)
            postgres.start(self._interruption.pause)
            self.database_url = postgres.url
            self._set("DATABASE_URL", postgres.url)

    def _migrate(self, stack: contextlib.ExitStack) -> None:
        migrate = self._role("migrate")
        stack.callback(migrate.stop)
        migrate.start()
        deadline = time.monotonic() + MIGRATE_TIMEOUT
        while migrate.running and time.monotonic() < deadline:
            self._interruption.pause()
        if migrate.exit_code != 0:
            raise ConfigurationError(f"the database can't be migrated: {migrate.last_words()}")

    def _start_roles(self, stack: contextlib.ExitStack) -> None:
        persist = self._role("persist")
        self._add(stack, persist)
        persist.start()
        serving = [self._role("serve") for _ in range(self.plan.workers)]
        stack.callback(stop_together, serving)
        for child in serving:
            child.start()
        self.children += serving

    def _wait_until_ready(self) -> None:
        answer = "none"
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline:
            if ended := self._ended():
                raise ConfigurationError(f"{ended.name} did not start: {ended.last_words()}")
            ready, answer = _readiness(self.url)
            if ready:
                return
            self._interruption.pause()
        raise ConfigurationError(
            f"not ready after {READY_TIMEOUT:.0f} s; last answer of {self.url}/readyz: {answer} "
            f"(logs: {self.plan.directory})"
        )

    def _tell(self, stack: contextlib.ExitStack) -> None:
        """Writes run.json, which exists for as long as everything runs."""
        path = self.plan.directory / "run.json"
        facts = {
            "url": self.url,
            "redis_url": self.redis_url,
            "database_url": self.database_url,
            "pid": os.getpid(),
            "token": self.token,
        }
        stack.callback(path.unlink, missing_ok=True)
        write_private(path, json.dumps(facts, indent=2) + "\n")

    def _role(self, name: str) -> Child:
        return Child(
            name,
            [sys.executable, "-m", "scoreboard", name],
            log=self.plan.directory / f"{name}.log",
            environment=self.environment,
            keeper=self._keeper,
        )

    def _add(self, stack: contextlib.ExitStack, child: Child) -> None:
        self.children.append(child)
        stack.callback(child.stop)

    def _ended(self) -> Child | None:
        return next((child for child in self.children if not child.running), None)

    def _set(self, name: str, value: str) -> None:
        self.environment.pop(f"{PREFIX}{name}_FILE", None)
        self.environment[f"{PREFIX}{name}"] = value


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Scoreboard]:
    """Runs a Scoreboard during the block and then stops it in reverse order. Raises
    ConfigurationError or Interrupted."""
    with (
        Interruption() as interruption,
        data_directory.claimed(plan.directory, interruption.pause) as lock,
        Watchdog() as watchdog,
        contextlib.ExitStack() as stack,
    ):
        (plan.directory / "run.json").unlink(missing_ok=True)  # left by an `up` that was killed
        scoreboard = Scoreboard(plan, interruption, Keeper(lock, watchdog.guard))
        scoreboard.start(stack)
        yield scoreboard


def _is_set(name: str) -> bool:
    return bool({f"{PREFIX}{name}", f"{PREFIX}{name}_FILE"} & os.environ.keys())


def _usable_port(host: str, port: int) -> int:
    """``port``, or a free port for 0. Raises ConfigurationError when it can't be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on port {port} of {host} ({error.strerror}): choose another with "
            "--port (make run PORT=...), or stop what uses it"
        ) from error
    return port or free_port()


def _reachable_host(host: str) -> str:
    """The host to put in a URL on this machine."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _readiness(url: str) -> tuple[bool, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status == 200, response.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return False, str(error)
    finally:
        connection.close()
