"""Servers of our own for the while: Valkey, Postgres, and what the service's processes are told of
them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scoreboard.local.embedded_servers import Postgres, Valkey


def given_server() -> Path | None:
    """The redis-server that ``REDIS_SERVER`` in the environment names; None: the wheel's."""
    given = os.environ.get("REDIS_SERVER")
    return Path(given) if given else None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that Postgres can reach where it runs as another user."""
    with tempfile.TemporaryDirectory(prefix="scoreboard-load-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def databases(options: Mapping[str, str] | None = None) -> Iterator[tuple[Valkey, Postgres]]:
    """A Valkey with the ``options`` and a Postgres, both empty, ended and removed afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        valkey = Valkey(folder / "valkey", options=options)
        postgres = Postgres(folder / "postgres")
        stack.callback(valkey.stop)
        valkey.start()
        stack.callback(postgres.stop)
        postgres.start()
        yield valkey, postgres


def environment(
    redis_url: str, database_url: str, keys: Mapping[str, str], **settings: str
) -> dict[str, str]:
    """Of a process of the service: this one's, with the servers, the signing ``keys`` and further
    ``settings`` (by their variables without SCOREBOARD_) in place of what it says of the service.
    """
    told = {name: text for name, text in os.environ.items() if not name.startswith("SCOREBOARD_")}
    settings |= {
        "REDIS_URL": redis_url, "DATABASE_URL": database_url, "JWT_KEYS": json.dumps(dict(keys))
    }  # fmt: skip
    return told | {f"SCOREBOARD_{name}": value for name, value in settings.items()}


def migrate(environment: Mapping[str, str]) -> None:
    """Makes the database's schema."""
    command = [sys.executable, "-m", "scoreboard", "migrate"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
