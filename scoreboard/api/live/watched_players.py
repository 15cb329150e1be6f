"""A player whom clients follow, and the messages about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoreboard.api.live import frames
from scoreboard.api.live.player_connections import PlayerConnection
from scoreboard.api.live.ports import SeenPlayers
from scoreboard.domain.passings import Passing
from scoreboard.domain.standings import percentile
from scoreboard.wire.places import Place, RawPlace
from scoreboard.wire.player_messages import Overtaken, Passer, StandingMessage, timed, untimed


class WatchedPlayer:
    """A player as those see it who may see it in any case (``sees``), or as others do."""

    __slots__ = (
        "connections",
        "frame",
        "idle_since",
        "key",
        "percentile",
        "raw",
        "sees",
        "since",
        "text",
        "user",
        "version",
        "zset_score",
    )

    def __init__(self, user: str, sees: bool, now: float) -> None:
        self.user = user
        self.sees = sees
        self.key = user.encode()
        self.connections: set[PlayerConnection] = set()
        self.idle_since = now  # when the last client left, loop time
        self.raw: RawPlace | None = None  # None: not read yet
        self.zset_score: float | None = None
        self.percentile: float | None = None
        self.since = 0  # the moves from here on came after the read
        self.text = b""  # of the standing, without its moment
        self.frame = b""
        self.version = 0  # grows with every standing

    def share_is_told(self, players: int) -> bool:
        """Whether the percentile of who stands where it was told is the same among so many."""
        if self.percentile is None or not self.raw:
            return True
        return percentile(int(self.raw[0]), players) == self.percentile

    def stand(
        self, place: Place | None, about: Mapping[str, Any], seen: SeenPlayers, at: bytes
    ) -> bytes:
        """The frame that tells of this place at this moment; empty if it was told. ``about`` is
        what messages say of the table."""
        if place is None:
            message = StandingMessage(**about, user_id=self.user)
        else:
            message = StandingMessage(
                **about,
                user_id=self.user,
                player=seen.player(self.user),
                score=place.score,
                rank=place.rank,
                percentile=place.percentile,
                above=seen.next(place.above),
                below=seen.next(place.below),
            )
        text = untimed(message)
        if text == self.text:
            return b""
        self.text = text
        self.frame = frames.frame(frames.TEXT, timed(text, at))
        self.version += 1
        return self.frame

    def overtaken(
        self, place: Place, passing: Passing, about: Mapping[str, Any], seen: SeenPlayers, at: bytes
    ) -> bytes:
        """The frame that tells of a passing; empty for a hidden passer, off the table in a
        moment."""
        shown = seen.shown(passing.by)
        if shown is None:
            return b""
        message = Overtaken(
            **about,
            user_id=self.user,
            player=seen.player(self.user),
            by=Passer(shown[0], passing.gap(place.zset_score), shown[1]),
            others=passing.others,
            rank=place.rank,
        )
        return frames.frame(frames.TEXT, timed(untimed(message), at))
