"""What an error reply of Redis means: one place that tells "not here, not now" from errors of ours.

A server that was demoted, is starting, is full or does not let this user in answers at once, with
an error, and does not run the command. That is no fault of the command: it is answered 503, and
since another server may be behind the address by now, a new connection is tried (``Server``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics

RENEWAL = 1.0  # least seconds between two renewals of all connections to a server

# What each word at the beginning of an error reply says of the server. CLOCK and EVICTS are words
# of our own scripts (lua/lib_stamps.lua, lua/check_writes.lua), NODB is ours for a reply without a
# word, all others are Redis's and Valkey's.
STATES = {
    "READONLY": "it is a replica",
    "MASTERDOWN": "it is a replica that has lost its master",
    "UNBLOCKED": "it was just made a replica",
    "LOADING": "it is loading its data",
    "BUSY": "a script keeps it busy",
    "MISCONF": "it can't write to its disk",
    "OOM": "it is out of memory",
    "NOREPLICAS": "too few replicas follow it",
    "CLUSTERDOWN": "its cluster is down",
    "MOVED": "the data is on another server of its cluster",
    "ASK": "the data is moving to another server of its cluster",
    "TRYAGAIN": "the data is moving to another server of its cluster",
    "NOPERM": "its user lacks a right",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "it refuses the password",
    "DENIED": "it is in protected mode",
    "MAXCLIENTS": "it has too many clients",
    "NODB": "it has no database of the number that the URL names",
    "CLOCK": "its clock is wrong",
    "EVICTS": "its maxmemory-policy is not noeviction, so it would lose scores when it is full",
}
# What the servers of a cluster say of a slot: it is not here, but they are well.
REDIRECTIONS = frozenset(("MOVED", "ASK", "TRYAGAIN"))
_WITHOUT_A_WORD = {
    "ERR max number of clients": "MAXCLIENTS",
    "ERR ACL failure in script": "NOPERM",  # Valkey, of a channel
    "ERR The user executing the script": "NOPERM",  # Redis 7.0
    "ERR DB index is out of range": "NODB",
    "ERR SELECT is not allowed in cluster mode": "NODB",
}


class Refused(RedisConnectionError):
    """The server did not run a command, because of the state it is in. A kind of lost connection
    for redis-py, which therefore drops the connection. ``word`` is one of STATES."""

    def __init__(self, word: str, reply: str) -> None:
        super().__init__(reply)
        self.word = word

    @property
    def state(self) -> str:
        """What is wrong with the server, for everybody to read: it has no word of the reply."""
        return STATES[self.word]

    @property
    def may_have_run(self) -> bool:
        """True when a script was stopped in the middle: its user lacks the right to one of the
        script's commands, and those before it were run."""
        return self.word == "NOPERM" and "script" in str(self)

    def unavailable(self) -> Unavailable:
        """What the service answers."""
        return Unavailable(f"Redis refuses this now: {self.state}.")


def refusal(reply: str) -> Refused | None:
    """What an error reply says of the server; None for an error of the command itself."""
    word = reply.partition(" ")[0]
    if word in STATES:
        return Refused(word, reply)
    for beginning, state in _WITHOUT_A_WORD.items():
        if reply.startswith(beginning):
            return Refused(state, reply)
    return None


def error_of(reply: str) -> Exception:
    """The exception for an error reply."""
    if reply.startswith("NOSCRIPT"):
        return NoScriptError(reply)
    return refusal(reply) or ResponseError(reply)


class WrongForm(RedisConnectionError):
    """The servers are not of the kind that the URL says. ``detail`` is what to tell, ``words`` are
    the server's."""

    def __init__(self, detail: str, words: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.words = words


class Server:
    """What this process learns about a server over any of its connections there.

    A refusal dates all connections: each is made anew before it is used again, at most once a
    second. So when the address leads to another server by now, the whole process goes there, and no
    connection that was kept reads from the old one.

    ``counted``: calls of it are in the metrics by server.
    """

    def __init__(self, *, counted: bool = True) -> None:
        self.counted = counted
        self.renewed = -inf  # of time.monotonic(); connections made before it are outdated
        self.listeners: set[Callable[[], None]] = set()  # called at each refusal

    def refused(self, error: Refused) -> None:
        """Every refusal is told here. A redirection changes nothing for other connections."""
        metrics.redis_refusals.labels(error.word).inc()
        if error.word in REDIRECTIONS:
            return
        if time.monotonic() - self.renewed >= RENEWAL:
            self.renew()
        for listener in self.listeners:
            listener()

    def renew(self) -> None:
        """Dates all connections."""
        self.renewed = time.monotonic()

    async def place(self) -> tuple[str, int] | None:
        """Host and port for the next connection; None: those of its options."""
        return None

    async def close(self) -> None:
        """Ends what it has begun."""

    async def look_again(self) -> None:
        """Dates all connections if it is known that they lead to the wrong server by now."""
