"""Which connections a process takes, and which it lets go of to make room."""

from __future__ import annotations

import asyncio
from heapq import nsmallest
from operator import attrgetter
from typing import Protocol

from scoreboard.api.edge.addresses import Addresses, Shares
from scoreboard.errors import ScoreboardError, TooManyRequests, Unavailable
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog

log = SparingLog(__name__)

DROPPED_AT_ONCE = 0.05  # of all connections: looking for those to drop costs milliseconds
LOOK_AGAIN = 0.1  # seconds after a look that found none to drop


class Droppable(Protocol):
    """A connection, as far as its admission goes. Implemented in http_connection.py, which imports
    this module: so it stands here."""

    address: str

    @property
    def waits_for_client(self) -> bool:
        """True unless a request that has come in full is being answered."""

    @property
    def waiting_since(self) -> float:
        """When the connection was opened or the latest answer ended, loop time."""

    def drop(self) -> None:
        """Ends the connection."""


class Admission:
    """Caps the connections that are no WebSockets: ``most`` in total, ``most_per_address`` of each
    address that is not trusted.

    Who comes when all places are taken gets the place of a connection that waits for its client: an
    idle one, a slow sender or reader. Those that have waited longest go first, as they would by
    their timeouts. So idle connections can't keep newcomers out, and nobody is refused while there
    is room to be made. A newcomer is refused when every connection is being answered, or when
    its address has its share.
    """

    def __init__(self, addresses: Addresses, *, most: int, most_per_address: int) -> None:
        self.addresses = addresses
        self.shares = Shares(most_per_address)
        self._most = most
        self._held: dict[Droppable, None] = {}  # in the order in which they were opened
        self._looked_at = -LOOK_AGAIN

    def enter(self, connection: Droppable, peer: object) -> ScoreboardError | None:
        """Takes the connection, whose peername is ``peer``, or says why not."""
        connection.address = self.addresses.of_peer(peer)
        if not self.shares.take(connection.address):
            connection_refused("connections_per_address", remote_of(peer))
            return too_many_of_address()
        if len(self._held) >= self._most and not self._make_room():
            self.shares.give_back(connection.address)
            connection_refused("connections", remote_of(peer))
            return Unavailable("This server has as many connections as it can have.")
        self._held[connection] = None
        metrics.http_connections.inc()
        return None

    def leave(self, connection: Droppable) -> None:
        """Forgets a connection that has ended, or has become a WebSocket."""
        if connection in self._held:
            del self._held[connection]
            self.shares.give_back(connection.address)
            metrics.http_connections.dec()

    def _make_room(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._looked_at + LOOK_AGAIN:
            return False
        waiting = [each for each in self._held if each.waits_for_client]
        most = max(1, int(DROPPED_AT_ONCE * len(self._held)))
        dropped = nsmallest(most, waiting, key=attrgetter("waiting_since"))
        if not dropped:
            self._looked_at = now
            return False
        for connection in dropped:
            self.leave(connection)
            connection.drop()
        metrics.limits.labels("connections_dropped").inc(len(dropped))
        log.warning("waiting_connections_dropped", held=len(self._held), dropped=len(dropped))
        return True


def connection_refused(limit: str, remote: str) -> None:
    """Counts and logs somebody who was turned away at ``limit``."""
    metrics.limits.labels(limit).inc()
    log.warning(f"{limit}_refused", remote=remote)


def remote_of(peer: object) -> str:
    """The address in a peername, for the log."""
    return str(peer[0]) if isinstance(peer, tuple) else str(peer)


def too_many_of_address() -> TooManyRequests:
    """The error for an address that has its share of places already."""
    return TooManyRequests("Too many connections from this address.", retry_after=5)
