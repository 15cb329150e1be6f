"""A WebSocket that also follows players. What is written to it is guarded as in connections.py: a
stalled client gets the newest standing of each once its buffer is empty, and none of those
before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from scoreboard.api.live.connections import BoardFeed, Connection, Keeper
from scoreboard.api.live.ports import Reader
from scoreboard.telemetry import metrics


class Watched(Protocol):
    """A watched player. Implemented in player_feeds.py, which imports this module."""

    connections: set[PlayerConnection]
    idle_since: float
    frame: bytes
    version: int


class PlayerConnection(Connection):
    """``version`` is that of the board's top, as ever; those of the players' standings are kept
    apart."""

    __slots__ = ("_told",)

    def __init__(
        self, keeper: Keeper, feed: BoardFeed, reader: Reader | None, players: Iterable[Watched]
    ) -> None:
        super().__init__(keeper, feed, reader)
        self._told = dict.fromkeys(players, 0)

    def follow(self) -> None:
        """Writes where the players stand, and from now on what changes."""
        if not self.closing:
            for player in self._told:
                player.connections.add(self)
            self._tell()

    def tell(self, player: Watched, frame: bytes) -> bool:
        """Writes what is new of a player, and returns True, unless an earlier frame is still
        waiting: then the newest standing follows when it has gone."""
        if self.closing or not self.write(frame):
            return False
        self._told[player] = player.version
        return True

    def catch_up(self) -> None:
        """See Connection."""
        super().catch_up()
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """See Connection."""
        now = asyncio.get_running_loop().time()
        for player in self._told:
            player.connections.discard(self)
            player.idle_since = now
        super().connection_lost(exc)

    def _tell(self) -> None:
        late = [player for player, version in self._told.items() if version < player.version]
        if not late or self.closing:
            return
        text = b"".join(player.frame for player in late)
        if self.write(text):
            self._told.update((player, player.version) for player in late)
            metrics.standings_written.inc(len(late))
            metrics.bytes_written.inc(len(text))
