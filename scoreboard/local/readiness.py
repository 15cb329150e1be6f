"""What /readyz says, told to a person: each trouble once when it begins and once when it ends."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from scoreboard.domain.quantities import quantity

CALM = 10.0  # seconds between two looks while all is well
INTERVAL = 1.0  # and while anything is not
TIMEOUT = 5.0
BEGINS_AFTER = 3  # looks in a row; one that fails may be due to a busy machine

NAMES = {
    "audit": "The audit",
    "behind": "Writing to Postgres",
    "board": "The default board",
    "gate": "The anomaly gate",
    "keys": "The list of published keys",
    "partitions": "A partition",
    "persist": "The persister",
    "persister": "The persister",
    "postgres": "Postgres",
    "process": "The process",
    "redis": "Redis",
    "serve": "The service",
    "start": "The persister's start",
    "tokens": "The list of revoked tokens",
    "players": "Whether there are players whom not all may see",
    "writes": "Writing to Redis",
}
MOST_LAG = 30.0  # seconds that an event may wait for Postgres before that is told
KEPT_IN_REDIS = ("audit", "board", "persister", "tokens", "writes")  # down with it: no news

Parts = Mapping[str, Mapping[str, Any]]
Say = Callable[[str], None]


def ask(role: str, address: str) -> tuple[bool, Parts]:
    """Whether the process at ``address`` (host:port) is ready, and the state of its parts. The
    process itself is the part ``role``, up when it answers."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        parts = json.loads(response.read(1_000_000))["parts"]
        return response.status == 200, {role: {"up": True}, **parts}
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return False, {role: {"up": False, "detail": f"no answer ({error})"}}
    finally:
        connection.close()


def behind(parts: Parts) -> Parts:
    """A part for the write-behind, if it is known: down when events have waited for long."""
    redis = parts.get("redis", {})
    if (lag := redis.get("lagSeconds")) is None:
        return {}
    events = quantity(redis["backlog"], "event")
    waiting = f"behind by {events}, the oldest {lag:.0f} s old"
    return {"behind": {"up": lag <= MOST_LAG, "detail": waiting}}


def reasons(parts: Parts) -> str:
    """Which parts are down and why, in one line."""
    down = {name: part for name, part in parts.items() if not part["up"]}
    return "; ".join(f"{NAMES.get(name, name)}: {_reason(part)}" for name, part in down.items())


def _reason(part: Mapping[str, Any]) -> str:
    return str(part.get("detail", "down")).rstrip(".")


class Troubles:
    """Compares what each look shows with what was told."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._looks: dict[str, int] = {}
        self._since: dict[str, float] = {}

    def look(self, parts: Parts) -> None:
        """Tells what is new. Of a part that is not there nothing is known."""
        unknown = KEPT_IN_REDIS if not parts.get("redis", {"up": True})["up"] else ()
        for name, part in parts.items():
            if name in unknown:
                continue
            if part["up"]:
                self._looks.pop(name, None)
                if (since := self._since.pop(name, None)) is not None:
                    took = self._clock() - since
                    self._say(f"{NAMES.get(name, name)} is all right again, after {took:.0f} s.")
                continue
            self._looks[name] = self._looks.get(name, 0) + 1
            if self._looks[name] == BEGINS_AFTER:
                self._since[name] = self._clock()
                self._say(f"{NAMES.get(name, name)} is in trouble: {_reason(part)}.")


class Watch:
    """A context manager that looks at the processes at ``addresses``, by their roles, in a thread,
    as one that hangs takes seconds."""

    def __init__(self, addresses: Mapping[str, str], say: Say) -> None:
        self._addresses = dict(addresses)
        self._troubles = Troubles(say)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Starts the thread unless it runs. Raises RuntimeError when none is to be had."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, daemon=True)
            thread.start()
            self._thread = thread

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        """From now on nothing is said; a look that is under way is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        pause = INTERVAL
        while not self._stop.wait(pause):
            parts: dict[str, Mapping[str, Any]] = {}
            for role, address in self._addresses.items():
                for name, part in ask(role, address)[1].items():
                    if name not in parts or not part["up"]:
                        parts[name] = part
            parts |= behind(parts)
            if not self._stop.is_set():
                self._troubles.look(parts)
            pause = CALM if all(part["up"] for part in parts.values()) else INTERVAL
