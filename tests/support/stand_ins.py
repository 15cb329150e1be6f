"""Stand-ins for parts that a test does not expect to be asked: each fails the test if it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from scoreboard.domain.erasures import ErasedEvents
from scoreboard.domain.ledger import LateDuplicate
from scoreboard.write_path.commit_watch import Commit, Expected
from scoreboard.write_path.durability_waits import DurabilityWaits


class NoReverter:
    """For streams without late duplicates."""

    async def revert(self, duplicate: LateDuplicate) -> bool:
        raise AssertionError(f"{duplicate} was not expected")

    async def take_out(self, events: ErasedEvents) -> None:
        raise AssertionError(f"{events} were not expected")


class _NoCommits:
    async def watch(self, partition: int) -> None:
        raise AssertionError("nobody waits for Postgres")

    def expecting(self, attempts: Sequence[str]) -> AbstractContextManager[Expected]:
        raise AssertionError("nobody waits for Postgres")

    async def wait(
        self,
        partition: int,
        last: str,
        expected: Expected,
        attempts: Sequence[str],
        timeout: float,
    ) -> Commit:
        raise AssertionError("nobody waits for Postgres")

    async def has_counted(self, board: str, actions: Sequence[tuple[str, str]]) -> bool:
        raise AssertionError("nobody waits for Postgres")


def no_durability_waits() -> DurabilityWaits:
    """For actions that ask for no more than ``durability=redis``."""
    return DurabilityWaits(_NoCommits(), _NoCommits(), timeout=1)
