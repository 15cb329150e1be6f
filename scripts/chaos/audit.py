"""The end of a run: what the clients were told against what Postgres and Redis hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from scripts.chaos.actions import Action, Book, Doubt
from scripts.chaos.faults import Emptied
from scripts.chaos.service import Service


@dataclass
class Lost:
    """Acknowledged actions that are gone, by level; ``ages`` are upper bounds of the seconds that
    they had counted when they were lost."""

    by_level: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    ages: list[float] = field(default_factory=list)


async def ledger_of(stack: Service) -> dict[tuple[str, str, str], asyncpg.Record]:
    """Every row of the ledger by its key."""
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        rows = await connection.fetch(
            "SELECT board, user_id, action_id, points, status::text, reverted_event_ms"
            " FROM score_action"
        )
        return {(row[0], row[1], row[2]): row for row in rows}
    finally:
        await connection.close()


async def audit(stack: Service, book: Book, losses: Sequence[Emptied]) -> Lost:
    """Adds to ``book`` whatever contradicts a promise; what was lost within the promises."""
    for doubt in book.doubts:
        if by_a_former_master(doubt, losses):
            book.count("by a former master")
        else:
            book.violation(doubt.action, doubt.text)
    rows = await ledger_of(stack)
    lost = Lost()
    for action in book.actions:
        row = rows.pop(action.key, None)
        if row is None:
            if action.level is not None:
                _judge_loss(book, action, losses, lost)
        elif action.given_up:
            book.violation(action, "counted, though every answer was that nothing was written")
        elif row["status"] != "accepted" or row["reverted_event_ms"] is not None:
            book.violation(action, f"the ledger has it as {row['status']}, or reverted")
        elif row["points"] != action.points:
            book.violation(action, f"{action.points} points, the ledger has {row['points']}")
    for key in rows:
        book.violations.append(f"{' '.join(key)}: in the ledger, and nobody sent it")
    code, text = await stack.command("verify")
    if code:
        book.violations += [line for line in text.splitlines() if "the ledger" in line][:50]
        book.violations.append(f"scoreboard verify ended with {code}: {text[-500:]}")
    connection = await asyncpg.connect(stack.postgres.url)
    try:
        for table in ("dead_event", "review"):
            count = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
            if count:
                book.violations.append(f"{count} rows in {table}, there is no cause for any")
    finally:
        await connection.close()
    return lost


def by_a_former_master(doubt: Doubt, losses: Sequence[Emptied]) -> bool:
    """Whether one of the two answers may be that of a master that was replaced already."""
    return any(
        loss.since <= came and asked <= loss.until
        for loss in losses
        if loss.split
        for asked, came in doubt.spans
    )


def _judge_loss(book: Book, action: Action, losses: Sequence[Emptied], lost: Lost) -> None:
    """An acknowledged action is gone: which loss took it, and was it allowed to?"""
    assert action.level is not None
    if action.level != "redis":
        book.violation(action, f"acknowledged at level {action.level}, and gone")
        return
    culprits = [
        loss for loss in losses if loss.since <= action.counted_at and action.sent_at <= loss.until
    ]
    if not culprits:
        near = sorted(losses, key=lambda loss: abs(loss.until - action.counted_at))[:2]
        told = ", ".join(
            f"{loss.kind} of {loss.since - action.counted_at:+.3f} to "
            f"{loss.until - action.counted_at:+.3f} s"
            for loss in near
        )
        book.violation(action, f"acknowledged, and gone; no loss fits (nearest: {told or 'none'})")
        return
    lost.by_level[action.level] += 1
    lost.by_kind[culprits[-1].kind] += 1
    lost.ages.append(culprits[-1].until - max(action.sent_at, culprits[-1].since))
