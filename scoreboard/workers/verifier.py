"""The audit checks that for every user the ledger's sum, user_score and the zset are the same
number, and that every receipt agrees with the ledger.

It runs while scores come in. A first pass compares everything without a lock. Whatever differs is
compared again under the partition's lock, right after draining its stream, so that only real
differences are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scoreboard.domain.audit import Difference, LedgerTotal, Report
from scoreboard.domain.stamps import total_of
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.ports import (
    AuditedBoards,
    AuditedLedger,
    BoardLoader,
    PartitionLocks,
    Progress,
    Scores,
)
from scoreboard.workers.rebuilder import Rebuilder

LOOKS = 5  # at a user whose score changes between two reads; then it gives up
RECEIPT_MARGIN_MS = 10_000  # receipts that expire this soon may be gone already


class Verifier:
    """Audits boards. Every method raises Unavailable when Redis or Postgres is away."""

    def __init__(
        self,
        postgres: AuditedLedger,
        redis: AuditedBoards,
        locks: PartitionLocks,
        loader: BoardLoader,
        rebuilder: Rebuilder,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._postgres = postgres
        self._redis = redis
        self._locks = locks
        self._loader = loader
        self._rebuilder = rebuilder
        self._keyspace = keyspace

    async def verify(
        self, board: str, on_difference: Callable[[Difference], None], progress: Progress
    ) -> Report:
        """Compares a whole board, reports each difference as it is found, and calls ``progress``
        with the number of users compared since its last call. A board that is not live is compared
        within Postgres only."""
        partition = self._keyspace.partition_of(board)
        async with self._locks.locked(partition) as session:
            await self._rebuilder.drain(partition, session)
        state = await self._loader.state(board)
        report = Report(board, state.live)

        def tell(differences: list[Difference]) -> None:
            report.differences += len(differences)
            for difference in differences:
                on_difference(difference)

        async for totals in self._postgres.totals(board):
            suspects = await self._suspects(board, totals, live=state.live)
            tell(await self.confirm(board, suspects, report))
            report.users += len(totals)
            progress(len(totals))
        if state.live:
            tell(await self._only_in_redis(board, report))
            tell(await self._receipts(board, report))
        return report

    async def check(self, board: str, users: Sequence[str]) -> list[Difference]:
        """The differences of these users; none on a board that is not live, since its next load
        will use Postgres alone."""
        if not (await self._loader.state(board)).live:
            return []
        totals = await self._postgres.totals_of(board, users)
        suspects = await self._suspects(board, totals, live=True)
        return await self.confirm(board, suspects, Report(board, live=True))

    async def confirm(self, board: str, users: Sequence[str], report: Report) -> list[Difference]:
        """The differences of these users once the stream is drained; ``report`` counts the users
        who changed at every look."""
        found: list[Difference] = []
        left = list(dict.fromkeys(users))
        partition = self._keyspace.partition_of(board)
        for _ in range(LOOKS):
            if not left:
                return found
            async with self._locks.locked(partition) as session:
                before = await self._redis.scores(board, left)
                await self._rebuilder.drain(partition, session)
                rows = {row.user_id: row for row in await self._postgres.totals_of(board, left)}
                after = await self._redis.scores(board, left)
                live = (await self._loader.state(board)).live
            moved = []
            for user, first, second in zip(left, before, after, strict=True):
                if first != second:
                    moved.append(user)
                    continue
                total = rows.get(user) or LedgerTotal(user, None, 0, None, False)
                found += _differences(board, total, first if live else None)
            left = moved
        report.moving += len(left)
        return found

    async def _suspects(
        self, board: str, totals: Sequence[LedgerTotal], *, live: bool
    ) -> list[str]:
        if not live:
            return [total.user_id for total in totals if total.total != total.ledger]
        scores = await self._redis.scores(board, [total.user_id for total in totals])
        return [
            total.user_id
            for total, score in zip(totals, scores, strict=True)
            if _differences(board, total, score)
        ]

    async def _only_in_redis(self, board: str, report: Report) -> list[Difference]:
        """The users that only Redis has. They are looked for one by one only if the numbers of
        users differ."""
        state = await self._loader.state(board)
        if state.users == await self._postgres.users(board):
            return []
        found: list[Difference] = []
        async for users in self._redis.members(board):
            known = {total.user_id for total in await self._postgres.totals_of(board, users)}
            found += await self.confirm(board, [u for u in users if u not in known], report)
        return found

    async def _receipts(self, board: str, report: Report) -> list[Difference]:
        oldest = self._loader.oldest_receipt()
        since = oldest._replace(ms=oldest.ms + RECEIPT_MARGIN_MS)
        partition = self._keyspace.partition_of(board)
        found: list[Difference] = []
        async for actions in self._postgres.receipts(board, since):
            report.receipts += len(actions)
            suspects = await self._redis.differing_receipts(board, actions)
            if not suspects:
                continue
            async with self._locks.locked(partition) as session:
                await self._rebuilder.drain(partition, session)
                rows = await self._postgres.receipts_of(board, [a for a, _, _ in suspects])
                found += [
                    Difference(board, action.user_id, "receipt", expected, there, action.action_id)
                    for action, expected, there in await self._redis.differing_receipts(board, rows)
                ]
        return found


def _differences(board: str, row: LedgerTotal, scores: Scores | None) -> list[Difference]:
    """The places where a user's total differs from the ledger's sum; ``scores`` is None for a board
    that is not live."""
    user, expected = row.user_id, str(row.ledger)
    found: list[Difference] = []
    if (row.total or 0) != row.ledger:
        found.append(Difference(board, user, "user_score", expected, _text(row.total)))
    if scores is not None:
        here, elsewhere = scores[row.hidden], scores[not row.hidden]
        total = None if here is None else total_of(here)
        if total != row.ledger and (total, row.total) != (None, None):
            found.append(Difference(board, user, "redis", expected, _text(total)))
        if elsewhere is not None:
            home = "hidden" if row.hidden else "shown"
            there = "shown" if row.hidden else "hidden"
            found.append(Difference(board, user, "redis", home, f"also {there}"))
    return found


def _text(number: int | None) -> str:
    return "nothing" if number is None else str(number)
