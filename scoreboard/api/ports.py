"""What the API needs of the write path, the workers, Redis and Postgres, whose rooms it may not
import; ``assembly`` hands it what fits. Every method raises Unavailable when a server that it needs
is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.durability import Durability
from scoreboard.domain.reviews import Decision, Filter, Review, ReviewDetails
from scoreboard.domain.standings import Standing
from scoreboard.domain.submissions import Result, Submission


class ScoreSubmitter(Protocol):
    """Submits score actions. Implemented in write_path/submitter.py."""

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability,
    ) -> tuple[list[Result], Durability]:
        """The result of each submission, in order, and the durability reached; ``create`` lets the
        first accepted action create the board. Raises UnknownBoard, Unavailable (nothing
        was written) or OutcomeUnknown."""


class ReadableBoards(Protocol):
    """Boards as one place has them. Redis (redisio/live_boards.py) raises BoardCold for one that is
    not live, Postgres (pg/archived_boards.py) UnknownBoard for one that does not exist."""

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, ready JSON array of the top 10)."""

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not on the board."""


class BoardOpener(Protocol):
    """Makes boards live. Implemented in workers/rebuilder.py."""

    async def ensure(self, board: str, *, create: bool) -> None:
        """Returns when the board is live; a caller that stops waiting does not stop the work.
        Raises UnknownBoard when there is none and ``create`` is False, Unavailable when it can't
        be made live now."""


class CaseModerator(Protocol):
    """Carries out decisions. After an error the same call may be repeated. Implemented in
    workers/moderator.py."""

    async def approve(self, review_id: int, *, by: str, reason: str) -> Decision:
        """Lets the action count. Raises NotFound, AlreadyDecided, NotDecidable or
        ScoreOutOfRange."""

    async def confirm(
        self, review_id: int, *, by: str, reason: str, revert_earlier: bool, hide_user: bool
    ) -> Decision:
        """Keeps the action out or takes it back. Raises as ``approve``."""

    async def set_hidden(
        self, board: str, user: str, *, hidden: bool, by: str, reason: str
    ) -> None:
        """Hides a user or shows the user again. Raises UnknownBoard or UnknownUser."""

    async def configure(self, board: str, settings: BoardSettings, *, by: str) -> None:
        """Replaces the settings of a board, which may be new."""


class ReviewReader(Protocol):
    """Reads the review queue. Implemented in pg/reviews.py."""

    async def page(self, wanted: Filter, *, before: int | None, limit: int) -> list[Review]:
        """Up to ``limit`` cases, newest first, with ids below ``before``."""

    async def get(self, review_id: int) -> Review:
        """Raises NotFound."""

    async def details(self, review: Review) -> ReviewDetails:
        """The case with what its user did lately."""


class SettingsReader(Protocol):
    """Reads boards' settings. Implemented in pg/board_settings.py."""

    async def get(self, board: str) -> BoardSettings:
        """Raises UnknownBoard."""
