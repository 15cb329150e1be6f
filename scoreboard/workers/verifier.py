"""The audit checks that for every user of every table the ledger's total, user_score and the zset
are the same number, that final ranks follow from the totals, that limits count whom and what the
ledger does, that Redis knows the occurrences of periods that Postgres has, and that every receipt
agrees with the ledger.

It runs while scores come in. A first pass compares everything without a lock. Whatever differs is
compared again under the partition's lock, right after draining its stream, so that only real
differences are reported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import TypeVar

from scoreboard.domain.audit import Difference, LedgerTotal, Misplaced, Report
from scoreboard.domain.moments import moment_of
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.stamps import total_of
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod, known_periods
from scoreboard.workers.postgres_ports import AuditedLedger, PartitionLocks
from scoreboard.workers.progress import Progress
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import AuditedBoards, BoardLoader, Scores

Found = TypeVar("Found")
Due = TypeVar("Due")

LOOKS = 5  # at a user whose score changes between two reads; then it gives up
UNREADABLE = 80  # characters that are told of a text that is none of a period
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
        """Compares a whole board with the tables of its occurrences, reports each difference as it
        is found, and calls ``progress`` with the number of users compared since its last call. What
        is not live in Redis, like a final table, is compared within Postgres only."""
        partition = self._keyspace.partition_of(board)
        async with self._locks.locked(partition) as session:
            await self._rebuilder.drain(partition, session)
        report = Report(board, await self._is_live(board))

        def tell(differences: list[Difference]) -> None:
            report.differences += len(differences)
            for difference in differences:
                on_difference(difference)

        occurrences = await self._postgres.occurrences(board)
        final = [one.table for one in occurrences if one.state == "final"]
        moving = [board, *(one.table for one in occurrences if one.state != "final")]
        live = {table: await self._is_live(table) for table in moving}
        # Those that move come first: the longer ago the ledger was read, the more has changed.
        async for table, totals in self._postgres.totals(board, moving + final):
            suspects = await self._suspects(table, totals, live=live.get(table, False))
            tell(await self.confirm(table, suspects, report))
            report.users += len(totals) if table == board else 0
            progress(len(totals))
        for table in final:
            tell([_misplaced(table, one) for one in await self._postgres.misplaced(table)])
        for table in moving:
            if live[table]:
                tell(await self._only_in_redis(table, report))
                tell(await self._players(table, report))
        report.occurrences = len(occurrences)
        if report.live:
            tell(await self.check_periods(board))
            tell(await self._receipts(board, report))
        return report

    async def check(self, table: str, users: Sequence[str]) -> list[Difference]:
        """The differences of these users of a table; of one that is not live none, since its next
        load sets it by Postgres, and takes back the late duplicates that wait for that. Of a final
        one, which is never loaded, those within Postgres."""
        final = occurrence_of(table) is not None and not await self._postgres.is_open(table)
        live = await self._is_live(table)
        if not (live or final):
            return []
        totals = await self._postgres.totals_of(table, users)
        suspects = await self._suspects(table, totals, live=live)
        found = await self.confirm(table, suspects, Report(board_of(table), live))
        return found if final or await self._is_live(table) else []

    async def check_periods(self, board: str) -> list[Difference]:
        """Where a live board knows other occurrences of its periods than Postgres has. When a
        period turns at every look, nothing is said."""
        if not await self._is_live(board):
            return []
        kept = await self._kept_periods(board)
        now, found = await self._redis.periods(board, list(kept))
        if not _other_periods(board, kept, found, now):
            return []
        partition = self._keyspace.partition_of(board)
        for _ in range(LOOKS):
            async with self._locks.locked(partition) as session:
                names = await self._kept_periods(board)
                _, before = await self._redis.periods(board, list(names))
                await self._rebuilder.drain(partition, session)
                kept = await self._kept_periods(board)
                now, found = await self._redis.periods(board, list(kept))
                live = await self._is_live(board)
            if not live:
                return []
            if found == before:
                return _other_periods(board, kept, found, now)
        return []

    async def confirm(self, table: str, users: Sequence[str], report: Report) -> list[Difference]:
        """The differences of these users once the stream is drained; ``report`` counts the users
        who changed at every look."""

        async def due(left: Sequence[str]) -> dict[str, LedgerTotal]:
            return {row.user_id: row for row in await self._postgres.totals_of(table, left)}

        def differences(
            user: str, row: LedgerTotal | None, scores: Scores, live: bool
        ) -> list[Difference]:
            total = row or LedgerTotal(user, None, None, None, False)
            return _differences(table, total, scores if live else None)

        found = partial(self._redis.scores, table)
        return await self._confirmed(table, users, report, found, due, differences)

    async def _confirmed(
        self,
        table: str,
        users: Sequence[str],
        report: Report,
        found: Callable[[Sequence[str]], Awaitable[Sequence[Found]]],
        due: Callable[[Sequence[str]], Awaitable[Mapping[str, Due]]],
        differences: Callable[[str, Due | None, Found, bool], list[Difference]],
    ) -> list[Difference]:
        """What ``differences`` says of each user, who is ``due`` what Postgres has with the stream
        drained and has what is ``found`` in Redis, and whether the table is live. Those of whom
        something else is found after the drain than before are looked at again."""
        confirmed: list[Difference] = []
        left = list(dict.fromkeys(users))
        partition = self._keyspace.partition_of(table)
        for _ in range(LOOKS):
            if not left:
                return confirmed
            async with self._locks.locked(partition) as session:
                before = await found(left)
                await self._rebuilder.drain(partition, session)
                rows = await due(left)
                after = await found(left)
                live = await self._is_live(table)
            moved = []
            for user, first, second in zip(left, before, after, strict=True):
                if first != second:
                    moved.append(user)
                else:
                    confirmed += differences(user, rows.get(user), first, live)
            left = moved
        report.moving += len(left)
        return confirmed

    async def _is_live(self, table: str) -> bool:
        """Whether Redis has the table and answers for it."""
        board = board_of(table)
        state = await self._loader.state(board)
        if table == board or not state.live:
            return state.live
        return state.tables.get(table, False) and await self._postgres.is_open(table)

    async def _suspects(
        self, table: str, totals: Sequence[LedgerTotal], *, live: bool
    ) -> list[str]:
        if not live:
            return [total.user_id for total in totals if total.total != total.ledger]
        scores = await self._redis.scores(table, [total.user_id for total in totals])
        return [
            total.user_id
            for total, score in zip(totals, scores, strict=True)
            if _differences(table, total, score)
        ]

    async def _only_in_redis(self, table: str, report: Report) -> list[Difference]:
        """The users that only Redis has. They are looked for one by one only if the numbers of
        users differ."""
        if await self._redis.users(table) == await self._postgres.users(table):
            return []
        found: list[Difference] = []
        async for users in self._redis.members(table):
            known = {total.user_id for total in await self._postgres.totals_of(table, users)}
            found += await self.confirm(table, [u for u in users if u not in known], report)
        return found

    async def _players(self, table: str, report: Report) -> list[Difference]:
        """Where the limits of a live table count other users or actions than the ledger."""
        if not await self._postgres.counts_players(table):
            return []
        suspects, known = list[str](), 0
        async for players in self._postgres.players(table):
            counts = await self._redis.attempts(table, [one.user_id for one in players])
            known += sum(count is not None for count in counts)
            suspects += [
                one.user_id
                for one, count in zip(players, counts, strict=True)
                if count != one.attempts
            ]
        if await self._redis.players(table) != known:
            async for users in self._redis.joined(table):
                there = {one.user_id for one in await self._postgres.players_of(table, users)}
                suspects += [user for user in users if user not in there]

        async def due(left: Sequence[str]) -> dict[str, int]:
            return dict(await self._postgres.players_of(table, left))

        def differences(
            user: str, kept: int | None, count: int | None, live: bool
        ) -> list[Difference]:
            if not live or kept == count:
                return []
            return [Difference(table, user, "players", _text(kept), _text(count))]

        found = partial(self._redis.attempts, table)
        return await self._confirmed(table, suspects, report, found, due, differences)

    async def _kept_periods(self, board: str) -> dict[str, KnownPeriod]:
        return known_periods(await self._postgres.latest_occurrences(board))

    async def _receipts(self, board: str, report: Report) -> list[Difference]:
        oldest = self._loader.oldest_receipt(await self._loader.state(board))
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


def _differences(table: str, row: LedgerTotal, scores: Scores | None) -> list[Difference]:
    """The places where a user's total differs from the ledger's; ``scores`` is None for a table
    that is not live."""
    user, expected = row.user_id, _text(row.ledger)
    found: list[Difference] = []
    if row.total != row.ledger:
        found.append(Difference(table, user, "user_score", expected, _text(row.total)))
    if scores is not None:
        here, elsewhere = scores[row.hidden], scores[not row.hidden]
        if here is not None and not isfinite(here):
            found.append(Difference(table, user, "redis", expected, str(here)))
        elif (total := None if here is None else total_of(here)) != row.ledger:
            found.append(Difference(table, user, "redis", expected, _text(total)))
        if elsewhere is not None:
            home = "hidden" if row.hidden else "shown"
            there = "shown" if row.hidden else "hidden"
            found.append(Difference(table, user, "redis", home, f"also {there}"))
    return found


def _misplaced(table: str, one: Misplaced) -> Difference:
    due, stored = _text(one.due), _text(one.stored)
    if due == stored:
        stored += ", and another place among those who share it"
    return Difference(table, one.user_id, "rank", due, stored)


def _other_periods(
    board: str, kept: Mapping[str, KnownPeriod], found: Mapping[str, KnownPeriod | str], now: int
) -> list[Difference]:
    return [
        Difference(board, None, f"period {name}", _told(due), _told(known))
        for name in sorted(kept)
        if (due := kept[name].settled(now)) != (known := _settled(found.get(name), now))
    ]


def _settled(known: KnownPeriod | str | None, now: int) -> KnownPeriod | str | None:
    return known.settled(now) if isinstance(known, KnownPeriod) else known


def _told(known: KnownPeriod | str | None) -> str:
    if known is None:
        return "nothing"
    if isinstance(known, str):
        return f"what nobody can read: {known[:UNREADABLE]!r}"
    told = _occurrence(known.latest, known.final_at)
    if known.before is not None:
        told += ", after " + _occurrence(known.before, known.before_final_at)
    return told


def _occurrence(one: Occurrence, final_at: int) -> str:
    ends = f"occurrence {one.number} until {moment_of(one.ends_at).isoformat()}"
    if not final_at:
        return f"{ends}, over"
    starts = moment_of(one.starts_at).isoformat()
    return f"{ends} from {starts}, final at {moment_of(final_at).isoformat()}"


def _text(number: int | None) -> str:
    return "nothing" if number is None else str(number)
