"""Erasures as they are asked for and end, and the digests that are left of erased players. What
goes of a player is in erased_rows.py."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.erasures import Erasure, ErasureJob, ErasureMode, digest_of
from scoreboard.errors import ErasureRunning, NotFound
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.outside_events import tell_of_erasure
from scoreboard.pg.partition_locks import ERASED_LOCK, ERASURES_LOCK, LOCK_SPACE
from scoreboard.pg.sql import statements
from scoreboard.pg.turns import turn_of

_sql = statements("erasures")

SERVICE = "scoreboard"  # who ends an erasure, in the audit


class Erasures:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._key: bytes | None = None

    async def key(self) -> bytes:
        """By which ids are digested."""
        if self._key is None:
            with translated():
                text = await self._pool.fetchval(_sql["secret"])
                if text is None:
                    await self._pool.execute(_sql["make_secret"])
                    text = await self._pool.fetchval(_sql["secret"])
            self._key = bytes.fromhex(text)
        return self._key

    async def ask(self, user: str, mode: ErasureMode, *, by: str) -> Erasure:
        """Asks for a player to be erased, unless that is under way; audited without the id. Raises
        ErasureRunning when it is under way in the other mode."""
        digest = digest_of(user, await self.key())
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["lock"], digest)
                running = await connection.fetchrow(_sql["running_of"], user)
                if running is not None:
                    if running["mode"] != mode:
                        raise _running(running["id"], running["mode"])
                    return await _get(connection, running["id"])
                name = f"era_{secrets.token_hex(12)}"
                salt = secrets.token_hex(16)
                await connection.execute(_sql["ask"], name, mode, user, salt)
                await connection.execute(_sql["bury"], digest)
                details = msgspec.json.encode({"erasure": name, "mode": mode}).decode()
                await admin_audit.record(connection, "player_erasure_asked", by=by, details=details)
                return await _get(connection, name)

    async def get(self, name: str) -> Erasure:
        """Raises NotFound."""
        with translated():
            return await _get(self._pool, name)

    async def admit(self, user: str, since_ms: int, *, by: str) -> bool:
        """Lets the id of an erased player be that of a new one from a moment on, by Redis's clock.
        False when no erased player had it. Raises ErasureRunning."""
        digest = digest_of(user, await self.key())
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql["lock"], digest)
                running = await connection.fetchrow(_sql["running_of"], user)
                if running is not None:
                    raise _running(running["id"], running["mode"])
                if not await connection.fetchval(_sql["admit"], digest, since_ms):
                    return False
                await admin_audit.record(connection, "player_admitted", by=by)
        return True

    async def since(self, moment: datetime | None) -> list[tuple[bytes, bool, datetime]]:
        """The digests that changed since a moment, or all (None), in the order of the changes: each
        with whether the id is an erased player's, and when it changed."""
        with translated():
            return [tuple(row) for row in await self._pool.fetch(_sql["since"], moment)]

    async def erased_among(self, users: Collection[str]) -> set[str]:
        """Which of these ids are those of erased players; none that is no text of UTF-8 is."""
        with translated():
            return await _erased(self._pool, filter(_is_text, users))

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time."""
        return turn_of(self._pool, ERASURES_LOCK)

    async def running(self) -> list[ErasureJob]:
        """Those that are not done, the oldest first."""
        key = await self.key()
        jobs: list[ErasureJob] = []
        with translated():
            for name, mode, user, salt, boards in await self._pool.fetch(_sql["jobs"]):
                stone = await self._pool.fetchrow(_sql["of_job"], digest_of(user, key))
                closed, begun = stone or (False, ())
                done = frozenset(boards)
                jobs.append(ErasureJob(name, mode, user, salt, done, frozenset(begun), closed))
        return jobs

    async def close(self, job: ErasureJob) -> ErasureJob:
        """From now on nothing that comes of the player is written."""
        digest = digest_of(job.user_id, await self.key())
        with translated():
            await self._pool.execute(_sql["close"], digest)
        return job._replace(closed=True)

    async def finish(self, job: ErasureJob, epoch: str) -> bool:
        """Nothing is left of the player, in the history ``epoch`` of Redis neither: forgets the id,
        in the transaction that tells outsiders of it. False when it was done before."""
        digest = digest_of(job.user_id, await self.key())
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                counts = await connection.fetchval(_sql["finish"], job.id)
                if counts is None:
                    return False
                await connection.execute(_sql["swept"], [digest], epoch)
                await tell_of_erasure(connection, user=job.user_id, mode=job.mode, erasure=job.id)
                details = {
                    "erasure": job.id,
                    "mode": job.mode,
                    "counts": msgspec.Raw(counts.encode()),
                }
                await admin_audit.record(
                    connection,
                    "player_erased",
                    by=SERVICE,
                    details=msgspec.json.encode(details).decode(),
                )
        return True

    async def unswept(self, epoch: str) -> set[bytes]:
        """The digests of erased players of whom a history of Redis may have something again."""
        with translated():
            return {row["digest"] for row in await self._pool.fetch(_sql["unswept"], epoch)}

    async def swept(self, digests: Collection[bytes], epoch: str) -> None:
        """Nothing of these is left in this history of Redis."""
        with translated():
            await self._pool.execute(_sql["swept"], list(digests), epoch)


async def erased_in(connection: Any, users: Collection[str]) -> set[str]:
    """Which of these ids are those of erased players, in a transaction that writes of the others:
    no erasure passes ``wait_for_writers`` before it ends, so none overlooks what it writes."""
    await connection.execute(_sql["write"], LOCK_SPACE, ERASED_LOCK)
    return await _erased(connection, users)


async def wait_for_writers(connection: Any) -> None:
    """Returns when no transaction is open any more that did not see whom ``erased_in`` names by
    now; until this one ends, none begins."""
    await connection.execute(_sql["wait_for_writers"], LOCK_SPACE, ERASED_LOCK)


async def count(connection: Any, job: ErasureJob, place: str, rows: int) -> None:
    """Adds to what the receipt says of a place, in the transaction in which it went."""
    if rows:
        await connection.execute(_sql["count"], job.id, place, rows)


async def begin_board(connection: Any, digest: bytes, board: str) -> bool:
    """From now on, what comes of the player to the board is left out. False when it was before."""
    return bool(await connection.fetchval(_sql["begin_board"], digest, board))


async def load_whole(connection: Any, board: str, version: int) -> None:
    """A Redis that has the board below this version has lost an erasure."""
    await connection.execute(_sql["load_whole"], board, version)


async def end_board(connection: Any, job: ErasureJob, board: str) -> None:
    """All is done of the board."""
    await connection.execute(_sql["end_board"], job.id, board)


async def _erased(connection: Any, users: Iterable[str]) -> set[str]:
    if (key := await connection.fetchval(_sql["known"])) is None:
        return set()
    digests = {digest_of(user, bytes.fromhex(key)): user for user in users}
    rows = await connection.fetch(_sql["tombstones"], list(digests))
    return {digests[row["digest"]] for row in rows if row["admitted"] is None}


async def _get(connection: Any, name: str) -> Erasure:
    row = await connection.fetchrow(_sql["get"], name)
    if row is None:
        raise NotFound("There is no such erasure.")
    return Erasure(
        erasure=row["id"],
        mode=row["mode"],
        state="running" if row["done"] is None else "done",
        asked=row["asked"],
        done=row["done"],
        counts=msgspec.json.decode(row["counts"], type=dict[str, int]),
    )


def _is_text(user: str) -> bool:
    try:
        return user.isascii() or bool(user.encode())
    except UnicodeEncodeError:
        return False


def _running(name: str, mode: str) -> ErasureRunning:
    return ErasureRunning(f"An erasure in the mode {mode} is under way.", erasure=name)
