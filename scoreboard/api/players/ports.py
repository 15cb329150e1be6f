"""What the calls about players need of the workers, Redis and Postgres, whose rooms they may not
import. Every method raises Unavailable when a server that it needs is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.erasures import Erasure, ErasureMode
from scoreboard.domain.found_players import FoundPlayer, PlayerOnBoard
from scoreboard.domain.ledger import EventId
from scoreboard.domain.past import Explained, PastAction, PastScore
from scoreboard.domain.profiles import KnownProfile, Privacy, Profile, UserProfile


class ProfileWriter(Protocol):
    """Changes profiles. Implemented in workers/profile_keeper.py."""

    async def put(self, user: str, profile: Profile) -> KnownProfile:
        """Makes it the user's profile, and tells all processes what is shown of it."""


class ProfileReader(Protocol):
    """Reads profiles. Implemented in pg/profiles.py."""

    async def whole(self, users: Collection[str]) -> dict[str, UserProfile]:
        """The profiles of these users, of those who have one."""


class KnownProfiles(Protocol):
    """Reads what is shown of users. Implemented in pg/profiles.py."""

    async def known(self, users: Collection[str]) -> Mapping[str, KnownProfile]:
        """What is shown of each of these users, also of those without a profile."""

    async def privacy(self) -> Privacy:
        """Whether there are profiles, and anybody whom not all may see."""

    async def secret(self) -> bytes:
        """What only this installation knows."""


class PrivacyCopy(Protocol):
    """The copy of ``privacy``, for when it can't be read. Implemented in
    redisio/shared_profiles.py."""

    async def privacy(self) -> Privacy | None:
        """What it says; None when there is none."""

    async def keep(self, privacy: Privacy) -> None:
        """Keeps it, unless what is there says more."""


class PlayerFinder(Protocol):
    """Finds players for operators. Implemented in pg/player_search.py."""

    async def named(self, beginning: str, limit: int) -> list[FoundPlayer]:
        """Up to ``limit`` players whose names begin so, by name, whoever may see them."""

    async def boards(self, user: str) -> list[PlayerOnBoard]:
        """The boards that have a total of the user, by name."""


class PastOfUsers(Protocol):
    """What users did. Implemented in pg/histories.py, which says more."""

    async def actions(
        self,
        table: str,
        user: str,
        *,
        from_ms: int,
        to_ms: int,
        before: EventId | None,
        limit: int,
        refused: bool,
    ) -> list[PastAction]:
        """Up to ``limit`` actions, newest first."""

    async def scores(
        self, table: str, user: str, bounds: Sequence[int]
    ) -> tuple[list[PastScore], bool]:
        """The totals at the ends of hours or days, newest first, and whether something happened
        before them."""

    async def detail_from(self, board: str) -> int | None:
        """The Unix ms from which on everything of the board is known; None: all that ever was."""


class ExplainedUsers(Protocol):
    """Why users stand where they do. Implemented in pg/histories.py, which says more."""

    async def explained(
        self, table: str, user: str, *, before: EventId | None, limit: int
    ) -> tuple[BoardSettings, Explained] | None:
        """The rules of the table, and why the user stands where; None for who is not known
        there."""

    async def reached_ms(self, table: str, user: str) -> int | None:
        """The Unix ms at which the user reached the total; None for who is not in the table."""

    async def detail_from(self, board: str) -> int | None:
        """The Unix ms from which on everything of the board is known; None: all that ever was."""


class PlayerEraser(Protocol):
    """Erases players. Implemented in workers/eraser.py."""

    async def ask(self, user: str, mode: ErasureMode, *, by: str) -> Erasure:
        """From now on the player is erased to everybody; a persister does the rest. Raises
        ErasureRunning when it is under way in the other mode."""

    async def admit(self, user: str, *, by: str) -> bool:
        """Lets the id of an erased player be a new player's. False when no erased player had it.
        Raises ErasureRunning."""


class ErasureReader(Protocol):
    """Reads what became of erasures. Implemented in pg/erasures.py."""

    async def get(self, name: str) -> Erasure:
        """Raises NotFound."""


class ErasedReader(Protocol):
    """Reads which ids are those of erased players. Implemented in pg/erasures.py."""

    async def key(self) -> bytes:
        """By which ids are digested."""

    async def since(self, moment: datetime | None) -> list[tuple[bytes, bool, datetime]]:
        """The digests that changed since a moment, or all (None), in the order of the changes: each
        with whether the id is an erased player's, and when it changed."""


class PlayerSnapshot(Protocol):
    """What there is of a player at one moment."""

    async def boards(self) -> list[str]:
        """The boards that have something of the player."""

    def json(self, memory_of: Callable[[str], object]) -> AsyncIterator[bytes]:
        """All of it as one JSON object, in parts; ``memory_of`` gives what the agents remember of
        the player on a board."""


class PlayerReader(Protocol):
    """Reads all that Postgres has about a player. Implemented in pg/player_data.py."""

    def open(self, user: str) -> AbstractAsyncContextManager[PlayerSnapshot]:
        """One moment."""


class MemoryReader(Protocol):
    """Reads what the agents remember. Implemented in redisio/erased_users.py."""

    async def memory(self, board: str, user: str) -> object:
        """What they remember of the user on the board; None: nothing."""
