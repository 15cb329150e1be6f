"""The running service, or the servers, that a command talks to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scoreboard.errors import ConfigurationError
from scoreboard.files import bounded_bytes
from scoreboard.settings import PREFIX

DEFAULT_DATA_DIR = Path(".scoreboard")
DEVELOPER = "developer"  # the subject of the token that `up` makes
SERVERS = ("redis_url", "database_url")
OWNERS = "migration_url"  # an embedded Postgres's; '' where the database is somebody else's
KNOWN = (*SERVERS, OWNERS)
VARIABLES = {f"{PREFIX}{name.upper()}{suffix}" for name in KNOWN for suffix in ("", "_FILE")}


@dataclass(frozen=True, slots=True)
class Target:
    """The base URL without a final slash, and a token if one is known."""

    url: str
    token: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that present the token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def find(url: str | None, token: str | None, data_dir: Path | None) -> Target:
    """The service to talk to: from the options, else the ``up`` of ``data_dir``, else the
    environment, else the ``up`` of this folder. Raises ConfigurationError when none is known. A
    token from run.json is sent only to that service."""
    if data_dir is None:
        url = url or os.environ.get("SCOREBOARD_URL")
    token = token or os.environ.get("SCOREBOARD_TOKEN")
    if url is None:
        run = _running(data_dir or DEFAULT_DATA_DIR, "url", "token")
        if run is None:
            raise ConfigurationError(
                f"no `scoreboard up` runs with its data in {data_dir or DEFAULT_DATA_DIR}; start "
                "one, or name a service with --url"
            )
        url, token = run["url"], token or run["token"]
    return Target(url.rstrip("/"), token)


def with_servers(environ: Mapping[str, str], data_dir: Path | None) -> Mapping[str, str]:
    """``environ`` with the servers of the running ``up`` of ``data_dir``; when that is None and
    ``environ`` names no server, with those of this folder's ``up``, if there is one. Raises
    ConfigurationError when ``data_dir`` has none."""
    if data_dir is None and names_servers(environ):
        return environ
    run = _running(data_dir or DEFAULT_DATA_DIR, *SERVERS)
    if run is None:
        if data_dir is None:
            return environ
        raise ConfigurationError(f"no `scoreboard up` runs with its data in {data_dir}")
    others = {name: value for name, value in environ.items() if name not in VARIABLES}
    return {**others, **{f"{PREFIX}{name.upper()}": run[name] for name in KNOWN if run.get(name)}}


def names_servers(environ: Mapping[str, str]) -> bool:
    """Whether ``environ`` names a server of its own."""
    return not VARIABLES.isdisjoint(environ)


def _running(data_dir: Path, *names: str) -> dict[str, str] | None:
    """What run.json says, ``names`` among it; None while no ``up`` runs there."""
    try:
        run: dict[str, str] = json.loads(bounded_bytes(str(data_dir / "run.json")))
        return run if all(run[name] for name in names) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
