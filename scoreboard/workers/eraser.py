"""Erases players, or makes them anonymous.

Asking is one commit: from then on the id is an erased player's, by its digest. Processes are told
and refuse what comes for it. What a process counts that was not told yet goes with the rest or,
when that is done, is left out by the persisters, who take it out of Redis again. All that is held
goes in steps that may be repeated, beside live traffic:

1. What belongs to no board. The profile's visibility stays until the end: an anonymous player is
   still shown by the pseudonym, and a hidden one not at all.
2. Board by board, under the partition's lock with the stream drained, so that the ledger has all
   that Redis has: first in Redis by one script, then in Postgres in transactions of some rows. A
   Redis that loses the script in a crash has the board below a version that Postgres knows by
   then, and loads it anew as a whole.
3. Nothing that comes is written any more; what came until its board's turn still was. Once each
   partition was drained after that, no persister has a batch that it read before.
4. All keys of Redis are looked through, and Postgres once more, until nothing is left.
5. The profile goes, and one commit forgets the id, and tells of it.

A Redis with another history, after a crash or a failover, may have receipts and memories again. It
is looked through by digests."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.backoff import Backoff
from scoreboard.domain.erasures import Erasure, ErasureJob, ErasureMode, digest_of
from scoreboard.domain.ledger import VERSION_STRIDE
from scoreboard.domain.profiles import KnownProfile
from scoreboard.errors import Unavailable, cause_of
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.erasure_ports import ErasedRows, ErasedUsers, ErasureRecord
from scoreboard.workers.postgres_ports import PartitionLocks
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import BoardLoader, ProfileNews

log = structlog.get_logger(__name__)

PATIENCE = 30.0  # seconds that admitting a player may take
REST = 2.0  # least seconds between two looks for erasures to do
ROUNDS = 5  # looks for what came meanwhile; after that it goes on at the next turn


class Eraser:
    """Several processes may have one; they take turns. Every method raises Unavailable when Redis
    or Postgres is away, and may be repeated."""

    def __init__(
        self,
        record: ErasureRecord,
        rows: ErasedRows,
        users: ErasedUsers,
        loader: BoardLoader,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        profiles: ProfileNews,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._record = record
        self._rows = rows
        self._users = users
        self._loader = loader
        self._locks = locks
        self._rebuilder = rebuilder
        self._profiles = profiles
        self._keyspace = keyspace
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something may be to be done."""
        self._woken.set()

    async def ask(self, user: str, mode: ErasureMode, *, by: str) -> Erasure:
        """From now on the player is erased to everybody, and a persister does the rest. Raises
        ErasureRunning when it is under way in the other mode."""
        erasure = await self._record.ask(user, mode, by=by)
        log.info("erasure_asked", erasure=erasure.erasure, mode=mode, by=by)
        await self._tell(user, erased=True)
        return erasure

    async def admit(self, user: str, *, by: str) -> bool:
        """Lets the id of an erased player be a new player's. False when no erased player had it.
        Raises ErasureRunning."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._drain()  # what was left of the erased player goes before
        except TimeoutError:
            raise Unavailable("A partition is at work for long. Repeat the call.") from None
        admitted = await self._record.admit(user, await self._users.now_ms(), by=by)
        await self._tell(user, erased=False)
        return admitted

    async def run(self) -> None:
        """Works, when it is woken, until cancelled."""
        backoff: Backoff | None = None
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self.work()
            except Unavailable as error:
                if backoff is None:
                    log.warning("erasures_wait", reason=error.detail, cause=cause_of(error))
                    backoff = Backoff()
                await asyncio.sleep(backoff.next())
                self.wake()
                continue
            if backoff is not None:
                log.info("erasures_go_on")
                backoff = None
            await asyncio.sleep(REST)

    async def work(self) -> bool:
        """Does what is to be done now; False while another process is at it."""
        async with self._record.turn() as mine:
            if mine:
                failed: Unavailable | None = None
                for job in await self._record.running():
                    try:
                        await self._erase(job)
                    except Unavailable as error:  # one that can't go on keeps no other waiting
                        failed = error
                await self._sweep_remains()
                if failed is not None:
                    raise failed
        return mine

    async def _erase(self, job: ErasureJob) -> None:
        await self._tell(job.user_id, erased=True)
        await self._drain()  # or only Redis would know some of the boards
        if stripped := await self._rows.strip_profile(job):
            await self._profiles.tell(stripped)
        await self._rows.forget(job)
        left = frozenset() if job.closed else job.begun - job.boards  # by an interruption
        for board in sorted(left.union(await self._rows.boards(job.user_id))):
            await self._take_out(job, board)
        job = await self._record.close(job)
        await self._drain()
        for _ in range(ROUNDS):
            epoch = await self._users.epoch()
            found, boards = await self._users.sweep(job.user_id)
            await self._rows.count(job, "redis", found)
            boards |= set(await self._rows.boards(job.user_id))
            for board in sorted(boards):
                await self._take_out(job, board)
            forgotten = await self._rows.forget(job)
            if not (boards or forgotten) and await self._users.epoch() == epoch:
                await self._forget_profile(job)
                if await self._record.finish(job, epoch):
                    log.info("player_erased", erasure=job.id, mode=job.mode)
                return
        raise Unavailable("Something still comes of a player who is to be erased.")

    async def _take_out(self, job: ErasureJob, board: str) -> None:
        user, pseudonym = job.user_id, job.pseudonym(board)
        partition = self._keyspace.partition_of(board)
        async with self._locks.locked(partition) as session:
            await self._rebuilder.drain(partition, session)
            await self._rebuilder.drain(partition, session)  # what the first took back
            state = await self._loader.state(board)
            record = await session.source.record(board)
            if record is None:
                raise Unavailable("The board is being removed.")
            version = max(state.version, record.version) + VERSION_STRIDE
            begun = await self._rows.begin_board(job, board, version)
            found = await self._users.take_out(board, user, pseudonym, version)
            async for devices in self._rows.devices(board, user):
                found += await self._users.forget_devices(board, devices)
            await self._rows.count(job, "redis", found)
            await self._rows.take_out(job, board, pseudonym)
            if pseudonym is not None:
                since = self._loader.oldest_receipt(state)
                kept = await self._rows.receipts(board, pseudonym, since)
                await self._loader.begin(board, state, swap=False).restore_receipts(kept)
            if pseudonym is not None and not begun:
                # It was interrupted, and since then a persister may have taken all of the player
                # out of Redis for the sake of one late event.
                await self._loader.forget(board)
            await self._rows.end_board(job, board)

    async def _forget_profile(self, job: ErasureJob) -> None:
        revision = await self._rows.forget_profile(job)
        if revision is not None:
            await self._profiles.tell(KnownProfile(job.user_id, revision + 1))

    async def _drain(self) -> None:
        """Returns when no persister has a batch any more that it read before."""
        for partition in range(self._keyspace.partitions):
            async with self._locks.locked(partition) as session:
                await self._rebuilder.drain(partition, session)

    async def _sweep_remains(self) -> None:
        epoch = await self._users.epoch()
        digests = await self._record.unswept(epoch)
        if not digests:
            return
        key = await self._record.key()
        found = await self._users.sweep_all(
            lambda user: digest_of(user.decode(errors="replace"), key) in digests
        )
        if await self._users.epoch() == epoch:
            await self._record.swept(digests, epoch)
        log.info("erased_remains_swept", keys=found)

    async def _tell(self, user: str, *, erased: bool) -> None:
        digest = digest_of(user, await self._record.key())
        try:
            await self._users.tell(digest, erased=erased)
        except Unavailable as error:  # they find it in Postgres
            log.warning("erasure_not_told", reason=error.detail, cause=cause_of(error))
