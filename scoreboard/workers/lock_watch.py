"""Notices a partition whose lock is kept by a session that does nothing: of a process that stalls,
or of a host that vanished behind a proxy that did not."""

from __future__ import annotations

import time

import structlog

from scoreboard.domain.ledger import LockHolder
from scoreboard.workers.postgres_ports import PartitionLocks

log = structlog.get_logger(__name__)

SUSPICIOUS = 15.0  # seconds without the lock: as long as others work, it is free again and again
LOOK = 5.0  # seconds between two looks at who holds it


class LockWatch:
    """``blocked`` has the partitions that nobody can work on, and who keeps each."""

    def __init__(self, locks: PartitionLocks) -> None:
        self._locks = locks
        self._next_look: dict[int, float] = {}
        self.blocked: dict[int, LockHolder] = {}

    async def missed(self, partition: int) -> None:
        """Takes note that another session had the lock. Raises Unavailable."""
        now = time.monotonic()
        if now < self._next_look.setdefault(partition, now + SUSPICIOUS):
            return
        self._next_look[partition] = now + LOOK
        holder = await self._locks.holder(partition)
        if holder is None or not holder.stalled:
            self._free(partition)
        elif partition not in self.blocked:
            self.blocked[partition] = holder
            log.error(
                "partition_blocked", partition=partition, holder=str(holder), remedy=holder.remedy
            )

    def had(self, partition: int) -> None:
        """Takes note that the lock could be had."""
        self._next_look.pop(partition, None)
        self._free(partition)

    def _free(self, partition: int) -> None:
        if self.blocked.pop(partition, None) is not None:
            log.info("partition_free", partition=partition)
