"""The running service, or the servers, that a command talks to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scoreboard.errors import ConfigurationError
from scoreboard.settings import PREFIX

DEFAULT_DATA_DIR = Path(".scoreboard")
SERVERS = ("redis_url", "database_url")


@dataclass(frozen=True, slots=True)
class Target:
    """The base URL without a final slash, and a token if one is known."""

    url: str
    token: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that present the token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def find(url: str | None, token: str | None, data_dir: Path) -> Target:
    """The service to talk to: from the options, else the environment, else a running ``up``. Raises
    ConfigurationError when none is known. A token from run.json is sent only to that service."""
    url = url or os.environ.get("SCOREBOARD_URL")
    token = token or os.environ.get("SCOREBOARD_TOKEN")
    if url is None:
        path = data_dir / "run.json"
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            url, token = run["url"], token or run["token"]
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(
                f"No service is known: {path} can't be read. Start one with `scoreboard up`, or "
                "name one with --url."
            ) from error
    return Target(url.rstrip("/"), token)


def with_servers(environ: Mapping[str, str]) -> Mapping[str, str]:
    """``environ``; if it names neither server, those of a running ``up`` in this folder are
    added."""
    named = {f"{PREFIX}{name.upper()}{suffix}" for name in SERVERS for suffix in ("", "_FILE")}
    if named & environ.keys():
        return environ
    try:
        run = json.loads((DEFAULT_DATA_DIR / "run.json").read_text(encoding="utf-8"))
        return {**environ, **{f"{PREFIX}{name.upper()}": run[name] for name in SERVERS}}
    except (OSError, ValueError, KeyError):
        return environ
