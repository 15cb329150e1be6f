"""What erasing players needs of Postgres and Redis, whose rooms it may not import; ``assembly``
hands it what fits. Every method raises Unavailable when a server is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scoreboard.domain.erasures import Erasure, ErasureJob, ErasureMode
from scoreboard.domain.ledger import EventId, KeptAction
from scoreboard.domain.profiles import KnownProfile


class ErasureRecord(Protocol):
    """Erasures, and the digests of erased players. Implemented in pg/erasures.py."""

    async def key(self) -> bytes:
        """By which ids are digested."""

    async def ask(self, user: str, mode: ErasureMode, *, by: str) -> Erasure:
        """Asks for one, unless it is under way. Raises ErasureRunning: in the other mode."""

    async def get(self, name: str) -> Erasure:
        """Raises NotFound."""

    async def admit(self, user: str, since_ms: int, *, by: str) -> bool:
        """Lets the id be a new player's. False when no erased player had it. Raises
        ErasureRunning."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time."""

    async def running(self) -> list[ErasureJob]:
        """Those that are not done, the oldest first."""

    async def close(self, job: ErasureJob) -> ErasureJob:
        """From now on nothing that comes of the player is written."""

    async def finish(self, job: ErasureJob, epoch: str) -> bool:
        """Forgets the id, since nothing is left, in this history of Redis neither. False when it
        was done before."""

    async def unswept(self, epoch: str) -> set[bytes]:
        """The digests of players of whom a history of Redis may have something again."""

    async def swept(self, digests: Collection[bytes], epoch: str) -> None:
        """Nothing of these is left in this history of Redis."""


class ErasedRows(Protocol):
    """What Postgres has of a player. Implemented in pg/erased_rows.py."""

    async def boards(self, user: str) -> list[str]:
        """The boards that have something of the player."""

    def devices(self, board: str, user: str) -> AsyncIterator[list[str]]:
        """The devices that the player's actions on the board named, in chunks."""

    async def begin_board(self, job: ErasureJob, board: str, version: int) -> bool:
        """From now on what comes of the player to the board is left out, and what Redis has of it
        below this version is not taken for whole. False when that was begun before."""

    async def take_out(self, job: ErasureJob, board: str, pseudonym: str | None) -> None:
        """Takes the player off the board, or gives what counts the pseudonym."""

    async def end_board(self, job: ErasureJob, board: str) -> None:
        """All is done of the board."""

    async def receipts(self, board: str, user: str, since: EventId) -> list[KeptAction]:
        """The user's actions whose latest event is beyond ``since``."""

    async def strip_profile(self, job: ErasureJob) -> KnownProfile | None:
        """Takes what the profile shows away, and leaves whom may see the player. Returns what is
        known then; None: there was nothing to take."""

    async def forget_profile(self, job: ErasureJob) -> int | None:
        """Deletes the profile. Returns the revision that it had; None: there was none."""

    async def forget(self, job: ErasureJob) -> bool:
        """Takes the player out of what is of no board. True when there was something."""

    async def count(self, job: ErasureJob, place: str, number: int) -> None:
        """Adds to what the receipt says of a place."""


class ErasedUsers(Protocol):
    """Takes erased players away. Every method may be repeated. Implemented in
    redisio/erased_users.py."""

    async def tell(self, digest: bytes, *, erased: bool) -> None:
        """Tells all processes whether an id is an erased player's from now on."""

    async def take_out(
        self, board: str, user: str, name: str | None = None, version: int = 0
    ) -> int:
        """Takes a user out of all tables of a board, or gives the user a name there; the board has
        at least this version then, if it is live. Returns in how many zsets the user was."""

    async def forget_devices(self, board: str, devices: Sequence[str]) -> int:
        """Deletes the agents' memories of devices. Returns how many there were."""

    async def sweep(self, user: str) -> tuple[int, set[str]]:
        """Takes away all keys of the user, and the user from every zset. Returns how many there
        were, and the boards of these zsets."""

    async def sweep_all(self, is_erased: Callable[[bytes], bool]) -> int:
        """Takes away all keys of users of whom that is true. Returns how many there were."""

    async def now_ms(self) -> int:
        """Unix milliseconds by the clock that gives events their ids."""

    async def epoch(self) -> str:
        """Which history of Redis this is."""
