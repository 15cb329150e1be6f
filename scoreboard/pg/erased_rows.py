"""What Postgres has of a player, taken out or given a pseudonym, in transactions of a bounded
number of rows each. Every step may be repeated, and goes on where it was left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.erasures import ErasureJob, digest_of
from scoreboard.domain.ledger import EventId, KeptAction
from scoreboard.domain.profiles import KnownProfile
from scoreboard.domain.shards import sharded_board
from scoreboard.pg import erasures
from scoreboard.pg.board_source import kept_action
from scoreboard.pg.erased_events import whose
from scoreboard.pg.erasures import Erasures
from scoreboard.pg.failures import translated
from scoreboard.pg.outside_events import forget_in_events
from scoreboard.pg.sql import statements

_sql = statements("erased_rows")

CHUNK = 2_000  # rows that one transaction deletes or changes
PATIENCE = 60.0  # seconds for a statement; one that ranks a large final table anew takes that long
RANKING = 600.0

_TOLD = frozenset("icfw")  # of a body (wire/events.Body): its own time, context, findings, reason


class ErasedRows:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, record: Erasures) -> None:
        self._pool = pool
        self._record = record

    async def boards(self, user: str) -> list[str]:
        """The boards that have something of the player."""
        with translated():
            rows = await self._pool.fetch(_sql["boards"], user, timeout=PATIENCE)
        return [row["board"] for row in rows]

    async def devices(self, board: str, user: str) -> AsyncIterator[list[str]]:
        """The devices that the player's actions on the board named, in chunks."""
        last = ""
        while True:
            with translated():
                rows = await self._pool.fetch(_sql["devices"], board, user, CHUNK, last)
            if not rows:
                return
            yield [row["device"] for row in rows]
            last = rows[-1]["device"]

    async def begin_board(self, job: ErasureJob, board: str, version: int) -> bool:
        """To be called under the lock of the board's partition, with its stream drained: from now
        on what comes of the player to the board is left out, and what Redis has of it below this
        version is not taken for whole. False when that was begun before."""
        digest = digest_of(job.user_id, await self._record.key())
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                begun = await erasures.begin_board(connection, digest, board)
                await erasures.load_whole(connection, board, version)
        return begun

    async def take_out(self, job: ErasureJob, board: str, pseudonym: str | None) -> None:
        """Takes the player off the board, or gives what counts the pseudonym. To be called under
        the same lock."""
        user = job.user_id
        if pseudonym is None:
            await self._chunks(job, "actions", "erase_actions", board, user)
        else:
            await self._chunks(job, "actions", "erase_refused", board, user)
            await self._chunks(
                job, "actions", "rename_actions", board, user, more=(pseudonym, job.salt)
            )
        await self._chunks(
            job, "cases", "erase_reviews", board, user, more=(pseudonym is not None,)
        )
        with translated():
            tables = await self._pool.fetch(_sql["tables"], board, user, timeout=PATIENCE)
        for table, final in tables:
            await self._take_out_of(job, table, pseudonym, final=final)
        await self._take_out_of_rest(job, board, pseudonym)

    async def end_board(self, job: ErasureJob, board: str) -> None:
        """All is done of the board."""
        with translated():
            await erasures.end_board(self._pool, job, board)

    async def receipts(self, board: str, user: str, since: EventId) -> list[KeptAction]:
        """The user's actions whose latest event is beyond ``since``."""
        with translated():
            rows = await self._pool.fetch(_sql["receipts"], board, user, *since, timeout=PATIENCE)
        return [kept_action(*row) for row in rows]

    async def strip_profile(self, job: ErasureJob) -> KnownProfile | None:
        """Takes what the profile shows away, and leaves whom may see the player. Returns what is
        known then; None: there was nothing to take."""
        with translated():
            row = await self._pool.fetchrow(_sql["strip_profile"], job.user_id, timeout=PATIENCE)
        return row and KnownProfile(job.user_id, row["revision"], row["visibility"])

    async def forget_profile(self, job: ErasureJob) -> int | None:
        """Deletes the profile. Returns the revision that it had; None: there was none."""
        async with self._transaction() as connection:
            await erasures.wait_for_writers(connection)
            revision: int | None = await connection.fetchval(_sql["erase_profile"], job.user_id)
            await erasures.count(connection, job, "profile", int(revision is not None))
        return revision

    async def forget(self, job: ErasureJob) -> bool:
        """Takes the player out of what else is of no board: the audit, what outsiders are to be
        told, the dead letters. True when there was something."""
        found = 0
        for place, name in (("profile", "erase_all_changes"), ("audit", "erase_audit")):
            async with self._transaction() as connection:
                found += await _changed(connection, job, place, name, job.user_id)
        async with self._transaction() as connection:
            events = await forget_in_events(connection, job.user_id)
            await erasures.count(connection, job, "events", events)
        return bool(found + events + await self._forget_letters(job))

    async def count(self, job: ErasureJob, place: str, number: int) -> None:
        """Adds to what the receipt says of a place outside Postgres."""
        with translated():
            await erasures.count(self._pool, job, place, number)

    async def _take_out_of(
        self, job: ErasureJob, table: str, pseudonym: str | None, *, final: bool
    ) -> None:
        """In a final table, which is read by places, the rest moves up in the same transaction."""
        user = job.user_id
        async with self._transaction() as connection:
            if pseudonym is None:
                await _changed(connection, job, "totals", "erase_total", table, user)
            else:
                await _changed(connection, job, "totals", "rename_total", table, user, pseudonym)
            if final:
                name = "rank_without" if pseudonym is None else "rank_renamed"
                await connection.execute(_sql[name], table, timeout=RANKING)

    async def _take_out_of_rest(self, job: ErasureJob, board: str, pseudonym: str | None) -> None:
        user = job.user_id
        async with self._transaction() as connection:
            if pseudonym is None:
                await _changed(connection, job, "folded", "erase_folded", board, user)
                await _changed(connection, job, "joins", "erase_joins", board, user)
            else:
                await _changed(connection, job, "folded", "rename_folded", board, user, pseudonym)
                await connection.execute(_sql["rename_reviews"], board, user, pseudonym, job.salt)
                await _changed(connection, job, "joins", "rename_joins", board, user, pseudonym)
            await _changed(connection, job, "profile", "erase_changes", board, user)
            await connection.execute(_sql["judge_again"], board, user, timeout=PATIENCE)
            # Those of a board with shards are kept of all of them together.
            for named in dict.fromkeys((board, sharded_board(board))):
                await connection.execute(_sql["wait_for_days"], named, timeout=PATIENCE)
                for name in ("erase_lone_days", "erase_days"):
                    await _changed(connection, job, "days", name, named, user)

    async def _chunks(
        self,
        job: ErasureJob,
        place: str,
        name: str,
        board: str,
        user: str,
        more: Sequence[Any] = (),
    ) -> None:
        rows = CHUNK
        while rows == CHUNK:
            async with self._transaction() as connection:
                rows = await connection.fetchval(
                    _sql[name], board, user, CHUNK, *more, timeout=PATIENCE
                )
                await erasures.count(connection, job, place, rows)

    async def _forget_letters(self, job: ErasureJob) -> int:
        """Drops the player's dead letters; those of a board that goes on under a pseudonym may
        still count there, and get it."""
        found, last = 0, (-1, "")
        while True:
            with translated():
                rows = await self._pool.fetch(_sql["dead_letters"], CHUNK, *last, timeout=PATIENCE)
            for partition, event_id, names, values in rows:
                found += await self._forget_letter(job, (partition, event_id), names, values)
            if not rows:
                return found
            last = rows[-1]["partition"], rows[-1]["event_id"]

    async def _forget_letter(
        self, job: ErasureJob, key: tuple[int, str], names: Sequence[bytes], values: Sequence[bytes]
    ) -> bool:
        body = whose(dict(zip(names, values, strict=True))) if len(names) == len(values) else None
        if body is None:
            if not any(msgspec.json.encode(job.user_id) in value for value in values):
                return False
        elif body.u != job.user_id:
            return False
        pseudonym = None if body is None else job.pseudonym(body.b)
        async with self._transaction() as connection:
            if pseudonym is None:
                await _changed(connection, job, "deadLetters", "drop_letter", *key)
            else:
                renamed = _renamed(job, pseudonym, names, values)
                await _changed(connection, job, "deadLetters", "rename_letter", *key, renamed)
        return True

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection


def _renamed(
    job: ErasureJob, pseudonym: str, names: Sequence[bytes], values: Sequence[bytes]
) -> list[bytes]:
    """The values of an entry's fields under the pseudonym, without what the player told."""
    fields = dict(zip(names, values, strict=True))
    body = msgspec.json.decode(fields[b"d"])
    body |= {"u": pseudonym, "a": job.action_name(str(body.get("a", "")))}
    kept = {name: value for name, value in body.items() if name not in _TOLD}
    return list({**fields, b"d": msgspec.json.encode(kept)}.values())


async def _changed(connection: Any, job: ErasureJob, place: str, name: str, *args: Any) -> int:
    """Runs a statement and adds the number of its rows to what the receipt says of the place."""
    status = await connection.execute(_sql[name], *args, timeout=PATIENCE)
    rows = int(status.rpartition(" ")[2])
    await erasures.count(connection, job, place, rows)
    return rows
