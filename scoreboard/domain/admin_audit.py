"""The audit of what administrators and operators did, as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class AuditEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One line: ``actor`` did what ``decision`` names, for this ``reason``. What it was not about
    is null; ``details`` are the decision's own."""

    id: int
    at: datetime
    actor: str
    decision: str
    board: str | None
    user_id: str | None
    action_id: str | None
    review_id: int | None
    reason: str
    details: dict[str, Any]


class AuditFilter(msgspec.Struct, frozen=True):
    """Which lines to list; a field that is None does not filter. ``boards`` are those that the
    caller may see. They were recorded at ``since`` or later, and before ``until``."""

    actor: str | None = None
    decision: str | None = None
    board: str | None = None
    user: str | None = None
    boards: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
