"""Starts the servers and roles of `up` in order, keeps them running, and stops them in reverse."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scoreboard.api import tokens
from scoreboard.errors import ConfigurationError
from scoreboard.local import addresses, data_directory, readiness, server_check
from scoreboard.local.caretaker import Caretaker
from scoreboard.local.child_processes import Child, Pause, stop_together
from scoreboard.local.duties import Duty
from scoreboard.local.embedded_servers import Postgres, Valkey, free_port, write_private
from scoreboard.local.interruption import Interruption
from scoreboard.local.postgres_roles import SERVICE, Confined
from scoreboard.local.restarts import Restarts
from scoreboard.local.running_service import DEVELOPER
from scoreboard.settings import DATA_DIR_VARIABLE, PREFIX, Settings

READY_TIMEOUT = 120.0
MIGRATE_TIMEOUT = 600.0
QUIET = 10.0  # seconds of waiting without a word
TOKEN_TTL = 12 * 3600
TOKEN_RENEWAL = 3 * 3600.0
RENEWED_LATE = 30.0  # seconds until a renewal that failed is tried again
LOOK = 0.5  # seconds between two looks at what runs; what ends is seen at once

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The options of `up`; ``settings`` come from its own environment. ``say`` tells a person what
    happens, a sentence at a time; it is called from several threads."""

    host: str
    port: int
    directory: Path
    workers: int
    settings: Settings
    say: Say


class Scoreboard:
    """Everything that `up` runs. ``environment`` is the roles' environment, completed while the
    servers start; ``children`` are in the order of their start."""

    def __init__(self, plan: Plan, interruption: Interruption, caretaker: Caretaker) -> None:
        self.plan = plan
        self.url = ""
        self.token = ""
        self.redis_url = plan.settings.redis_url
        self.database_url = plan.settings.database_url
        self.environment = dict(os.environ)
        # For the commands of whoever has it there: ours are told which servers to use.
        self.environment.pop(DATA_DIR_VARIABLE, None)
        self._migrating: dict[str, str] = {}  # settings that only `migrate` may know
        self._grants: list[str] = []
        self.children: list[Child] = []
        self._interruption = interruption
        self._caretaker = caretaker
        self._keys: dict[str, str] = {}
        self._observed: dict[str, str] = {}  # where each role answers /readyz

    @property
    def gate_mode(self) -> str:
        """The mode of a new default board's gate."""
        return self.plan.settings.default_gate_mode if _is_set("DEFAULT_GATE_MODE") else "flag"

    def start(self, stack: contextlib.ExitStack) -> None:
        """Starts everything; closing ``stack`` stops it. Raises ConfigurationError or
        Interrupted."""
        self._choose_addresses()
        if not _is_set("DEFAULT_GATE_MODE"):
            self._set("DEFAULT_GATE_MODE", self.gate_mode)
        self._choose_keys()
        figures = stack.enter_context(data_directory.figures(self.plan.directory))
        self.environment["PROMETHEUS_MULTIPROC_DIR"] = str(figures)
        self._start_servers(stack)
        self._migrate(stack)
        self._start_roles(stack)
        self._wait_until_ready()
        stack.callback(self._forget)
        self._renew_token()

    def wait(self) -> None:
        """Keeps everything running until a stop is wanted. Raises ConfigurationError when a child
        can't be kept running."""
        say = self.plan.say
        restarts = Restarts(self.children, say)
        with readiness.Watch(self._observed, say) as watch:
            duties = (
                Duty("Looking after what runs", restarts.look, say, interval=0, retry=LOOK),
                Duty("Writing the logs", self._caretaker.look, say, interval=0, retry=1),
                Duty("Looking for troubles", watch.look, say, interval=0, retry=1),
                Duty(
                    "Renewing the token in run.json",
                    self._renew_token,
                    say,
                    interval=TOKEN_RENEWAL,
                    retry=RENEWED_LATE,
                ),
            )
            while not self._interruption.wanted:
                for duty in duties:
                    duty.look()
                self._interruption.sleep(LOOK)

    def _choose_addresses(self) -> None:
        host = self.plan.host
        port = addresses.usable_port(host, self.plan.port)
        self.url = f"http://{addresses.reachable(host, port)}"
        self._set("HOST", host)
        self._set("PORT", str(port))
        self._set("REUSE_PORT", str(self.plan.workers > 1).lower())
        if not _is_set("ALLOWED_ORIGINS"):
            self._set("ALLOWED_ORIGINS", addresses.own_origins(host, port))
        if not _is_set("ALLOWED_HOSTS"):
            self._set("ALLOWED_HOSTS", addresses.own_hosts(host))
        self._observed = {
            "serve": addresses.reachable(host, self.plan.settings.serve_metrics_port or port),
            "persist": addresses.reachable("127.0.0.1", free_port()),
        }

    def _choose_keys(self) -> None:
        algorithm = self.plan.settings.jwt_algorithm
        if _is_set("JWT_KEYS"):
            self._keys = tokens.keys_from(self.plan.settings)
        elif algorithm == "HS256":
            self._keys = tokens.local_keys(data_directory.secret(self.plan.directory))
            self._set("JWT_KEYS", json.dumps(self._keys))
        else:
            raise ConfigurationError(
                "`up` makes a key for HS256 only: set SCOREBOARD_JWT_KEYS to a private "
                f"{algorithm} key (PEM); it signs the token of `up`"
            )
        self.token = self._sign()  # before anything starts, in case the key can't

    def _start_servers(self, stack: contextlib.ExitStack) -> None:
        directory = self.plan.directory
        if _is_set("REDIS_URL"):
            server_check.check_redis(self.plan.settings)
        else:
            valkey = Valkey(
                directory / "valkey", log=directory / "valkey.log", keeper=self._caretaker
            )
            self._add(stack, valkey.process)
            valkey.start(self._pause("Valkey starts"))
            self.redis_url = valkey.url
            self._set("REDIS_URL", valkey.url)
        if _is_set("DATABASE_URL"):
            server_check.check_database(self.database_url)
        else:
            # They are for another server: the roles would take what its URL leaves open from them.
            for name in [name for name in self.environment if name.startswith("PG")]:
                del self.environment[name]
            postgres = Postgres(
                directory / "postgres", log=directory / "postgres.log", keeper=self._caretaker
            )
            self._add(stack, postgres.process)
            postgres.make(self._pause("Postgres makes its data"))
            confined = Confined(postgres)
            confined.confine()
            postgres.start(self._pause("Postgres starts"))
            self.database_url = confined.service_url
            self._set("DATABASE_URL", self.database_url)
            self._migrating = {"MIGRATION_URL": confined.owner_url}
            self._grants = ["--grant-to", SERVICE]

    def _migrate(self, stack: contextlib.ExitStack) -> None:
        migrate = self._role("migrate", *self._grants, **self._migrating)
        stack.callback(migrate.stop)
        migrate.start()
        deadline = time.monotonic() + MIGRATE_TIMEOUT
        pause = self._pause("the database is migrated")
        while migrate.running and time.monotonic() < deadline:
            pause()
        if migrate.exit_code != 0:
            raise ConfigurationError(f"the database can't be migrated: {migrate.last_words()}")
        migrate.let_go()

    def _start_roles(self, stack: contextlib.ExitStack) -> None:
        host, _, port = self._observed["persist"].rpartition(":")
        persist = self._role("persist", HOST=host, METRICS_PORT=port)
        self._add(stack, persist)
        persist.start()
        serving = [
            self._role("serve", name=f"serve-{number}" if number > 1 else "serve")
            for number in range(1, self.plan.workers + 1)
        ]
        stack.callback(stop_together, serving)
        for child in serving:
            child.start()
        self.children += serving

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        begun = time.monotonic()
        told = False
        while True:
            if ended := next((child for child in self.children if not child.running), None):
                raise ConfigurationError(f"{ended.name} did not start: {ended.last_words()}")
            ready, parts = readiness.ask("serve", self._observed["serve"])
            if ready:
                return
            now = time.monotonic()
            if now > deadline:
                raise ConfigurationError(
                    f"not ready after {READY_TIMEOUT:.0f} s: {readiness.reasons(parts)} "
                    f"(logs: {self.plan.directory})"
                )
            if not told and now > begun + QUIET:
                told = True
                self.plan.say(f"Still waiting. {readiness.reasons(parts)}.")
            self._interruption.pause()

    def _pause(self, what: str) -> Pause:
        """A pause that says once, after a while, what is waited for."""
        begun = time.monotonic()
        told = False

        def pause() -> None:
            nonlocal told
            if not told and time.monotonic() > begun + QUIET:
                told = True
                self.plan.say(f"Still waiting until {what}.")
            self._interruption.pause()

        return pause

    def _renew_token(self) -> None:
        """Makes a token and writes run.json, which exists for as long as everything runs."""
        self.token = self._sign()
        facts = {
            "url": self.url,
            "redis_url": self.redis_url,
            "database_url": self.database_url,
            "migration_url": self._migrating.get("MIGRATION_URL", ""),
            "pid": os.getpid(),
            "token": self.token,
        }
        write_private(self.plan.directory / "run.json", json.dumps(facts, indent=2) + "\n")

    def _forget(self) -> None:
        """Removes run.json: nothing runs any more."""
        run = self.plan.directory / "run.json"
        try:
            run.unlink(missing_ok=True)
        except OSError as error:
            self.plan.say(
                f"{run} describes what has ended, and can't be removed: {error.strerror}."
            )

    def _sign(self) -> str:
        """A development token."""
        settings = self.plan.settings
        return tokens.mint(
            self._keys,
            settings.jwt_algorithm,
            subject=DEVELOPER,
            scope=" ".join(tokens.SCOPES),
            ttl=TOKEN_TTL,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )

    def _role(self, role: str, *options: str, name: str = "", **settings: str) -> Child:
        """``name`` is that of the child and its log, by default the role's."""
        own = {f"{PREFIX}{setting}": value for setting, value in settings.items()}
        others = {
            variable: value
            for variable, value in self.environment.items()
            if variable.removesuffix("_FILE") not in own
        }
        return Child(
            name or role,
            [sys.executable, "-m", "scoreboard", role, *options],
            log=self.plan.directory / f"{name or role}.log",
            environment=others | own,
            keeper=self._caretaker,
        )

    def _add(self, stack: contextlib.ExitStack, child: Child) -> None:
        self.children.append(child)
        stack.callback(child.stop)

    def _set(self, name: str, value: str) -> None:
        self.environment.pop(f"{PREFIX}{name}_FILE", None)
        self.environment[f"{PREFIX}{name}"] = value


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Scoreboard]:
    """Runs a Scoreboard during the block and then stops it in reverse order. Raises
    ConfigurationError or Interrupted."""
    with (
        Interruption() as interruption,
        data_directory.claimed(plan.directory, interruption.pause, plan.say) as lock,
        Caretaker(lock) as caretaker,
        contextlib.ExitStack() as stack,
    ):
        scoreboard = Scoreboard(plan, interruption, caretaker)
        try:
            (plan.directory / "run.json").unlink(missing_ok=True)  # left by an `up` that was killed
            scoreboard.start(stack)
        except OSError as error:  # something else has the name of what is kept there, say
            raise ConfigurationError(
                f"can't keep data in {plan.directory}: {error}; choose another with --data-dir"
            ) from error
        yield scoreboard


def _is_set(name: str) -> bool:
    return bool({f"{PREFIX}{name}", f"{PREFIX}{name}_FILE"} & os.environ.keys())
