"""What the keeper of the ledger needs of Postgres. Every method raises Unavailable when Postgres is
away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from scoreboard.domain.ledger_parts import LedgerPart

PartRows = AsyncIterator[list[Any]]


class LedgerParts(Protocol):
    """The ledger in parts of time. Implemented in pg/ledger_parts.py."""

    async def keep_ahead(self) -> bool:
        """Opens the parts that will be needed soon, unless the ledger is one plain table. Returns
        whether it has parts."""


class LedgerFolds(Protocol):
    """The steps by which parts of the ledger are folded. Implemented in pg/ledger_folds.py, which
    says more."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Whether it is this process's turn, until the end of the block."""

    async def due(self, retention_ms: int) -> LedgerPart | None:
        """The oldest part, if it ended so long ago, or was begun."""

    async def begin(self, part: LedgerPart) -> None:
        """From now on it is noted who changes in the part."""

    async def sum_up(self, part: LedgerPart) -> int:
        """Sums up the next users. Returns how many; 0: all are."""

    async def sum_up_changed(self, part: LedgerPart) -> int:
        """Sums up users again who have changed meanwhile. Returns how many."""

    async def has_changed(self, part: LedgerPart) -> bool:
        """Whether somebody has since."""

    async def end(self, part: LedgerPart, most: int) -> bool:
        """Drops the part, if no more than ``most`` users have changed since; its sums count
        instead. False when that can't be now."""

    async def merge(self) -> int:
        """Adds some sums to those of earlier parts. Returns how many; 0: all are."""

    def rows(self, part: LedgerPart) -> PartRows:
        """All of a part, in chunks."""
