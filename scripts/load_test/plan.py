"""What a run is to do, as every process of the generator knows it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from scoreboard.domain.actions import MAX_BATCH, MAX_POINTS

MAX_GAIN = 100  # points of an ordinary action: 1 to this
PROBES_PER_SECOND = 10.0
PROBE = "probe"  # the user of each board whose score is watched for on its way to the clients
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` is in actions a second, ``warmup``, ``duration``, ``timeout`` and ``patience`` are
    in seconds, ``duplicates`` is a share, ``skew`` the exponent of Zipf's law over the users."""

    run: str  # makes the boards and actions of this run its own
    rate: float
    clients: int
    duration: float
    duplicates: float
    users: int
    boards: int
    batch: int = 0  # actions in a call of POST /api/scores; 0: POST /api/score
    warmup: float = 3.0
    skew: float = 1.0
    even: bool = False  # evenly spaced arrivals instead of Poisson's
    seed: int = 1
    connections: int = 64
    senders: int = 2
    watchers: int = 1
    timeout: float = 10.0  # after which a call without an answer is sent again
    patience: float = 30.0  # how long after the end unknown outcomes are asked for

    @property
    def seconds(self) -> float:
        """Of load, the warm-up included."""
        return self.warmup + self.duration

    @property
    def probe_rate(self) -> float:
        """Probes a second: a part of ``rate``, at most half of it."""
        return min(PROBES_PER_SECOND, self.rate / 2)

    @property
    def lift(self) -> list[int]:
        """Points that put a probe above whatever an ordinary user can reach, in actions."""
        reachable = int(self.rate * self.seconds * MAX_GAIN) + 1
        full, rest = divmod(reachable, MAX_POINTS)
        return [MAX_POINTS] * full + [rest]

    def board(self, index: int) -> str:
        return f"load-{self.run}-{index}"

    def user(self, index: int) -> str:
        """The name of a user; the one after the last is the probe."""
        return PROBE if index == self.users else f"u{index}"


def refusal(plan: Plan, url: str | None) -> str | None:
    """Why the run can't be made, or None."""
    for name in ("rate", "duration", "users", "boards", "connections", "senders", "watchers"):
        if getattr(plan, name) <= 0:
            return f"--{name} must be above 0"
    if plan.clients < 0 or plan.warmup < 0:
        return "--clients and --warmup can't be negative"
    if not 0 <= plan.duplicates < 1:
        return "--duplicates is a share: 0 up to, not including, 1"
    if not 0 <= plan.batch <= MAX_BATCH:
        return f"--batch is 0 (one action a call) or up to {MAX_BATCH} actions a call"
    return None if url is None else _refused_url(url)


def _refused_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}"
    if parts.scheme != "http" or parts.path.strip("/"):
        return f"{url!r}: give the server's address as http://127.0.0.1:8080"
    if parts.hostname not in LOOPBACK:
        return (
            f"{parts.hostname!r} is another machine: only a server on this one (127.0.0.1) is put "
            "under load, since its figures would be the network's and its owner may not expect it"
        )
    return None
