"""What the deliveries need of Postgres, whose room they may not import; ``assembly`` hands them
what fits. Every method raises Unavailable when Postgres is away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from scoreboard.domain.profiles import KnownProfile
from scoreboard.domain.webhooks import DueDelivery, Failed, WatchedTop


class EventRecord(Protocol):
    """What outsiders are to be told. Implemented in pg/outside_events.py."""

    async def take(
        self, busy: Mapping[int, int], *, at_once: int, lease: float
    ) -> list[DueDelivery]:
        """Takes on deliveries that are due: of each webhook up to ``at_once``, or one while it
        fails, less those that this process is ``busy`` with. Unless its end is recorded, others may
        take such a delivery on after ``lease`` seconds."""

    async def delivered(self, done: DueDelivery) -> bool:
        """Records that it was delivered. True when its webhook had failed until now."""

    async def failed(self, done: DueDelivery, failure: str, *, pause: float) -> Failed:
        """Records that an attempt failed. The next one comes ``pause`` seconds from now, but a day
        after the first at the latest; with that one failed it is dead."""

    async def tops_due(self) -> list[WatchedTop]:
        """The tables to look at now, for webhooks that want their tops; nobody else gets them
        before the webhooks' intervals have passed."""

    async def tell_top(self, watched: WatchedTop, top: bytes) -> None:
        """Records the table's top, a JSON array, for the webhook, in place of one that was not
        delivered yet; unless it is the one that was told last."""

    async def tidy(self) -> int:
        """Forgets what has been kept long enough, or is too much. Returns how many events will
        never be told because of that. What a wrong clock has put off for longer than a pause takes
        becomes due."""


class Profiles(Protocol):
    """What is shown of players. Implemented in pg/profiles.py."""

    async def known(self, users: Collection[str]) -> Mapping[str, KnownProfile]:
        """What is shown of each of these users, also of those without a profile."""

    async def secret(self) -> bytes:
        """From which pseudonyms follow."""


class Tops(Protocol):
    """Reads boards. Implemented in pg/archived_boards.py."""

    async def top(self, table: str) -> tuple[int, bytes]:
        """(version, JSON array of the top). Raises UnknownBoard."""
