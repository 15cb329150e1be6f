"""The faults of a cluster: those of a master, slots that move, servers that come and go."""

from __future__ import annotations

import asyncio
import random

from scoreboard.local.embedded_servers import Valkey
from scoreboard.wire.keys import PartitionKeys
from scripts.chaos.faults import Fault
from scripts.chaos.replicated import Replicated
from scripts.chaos.replicated_faults import ReplicatedFaults
from scripts.chaos.service import PARTITIONS
from scripts.load.clusters import CantMove, RedisCluster

WEIGHTS = {"move_slot": 12, "add_node": 8}


class ClusterFaults(ReplicatedFaults[RedisCluster]):
    """As Faults says."""

    def __init__(self, stack: Replicated[RedisCluster]) -> None:
        super().__init__(stack, WEIGHTS)
        self._cluster = stack.redis

    async def pair(self, rng: random.Random) -> tuple[Valkey, Valkey]:
        """Of a partition."""
        master = await self._cluster.owner_of_partition(rng.randrange(PARTITIONS))
        return master, await self._cluster.replica_of(master)

    async def replaced(self, master: Valkey, replica: Valkey) -> None:
        """As ReplicatedFaults says."""
        await self._cluster.leads(replica)

    async def restored(self, master: Valkey) -> None:
        """As ReplicatedFaults says."""
        await self._cluster.follows(master)
        await self._well()

    async def _promote_replica(self, fault: Fault) -> None:
        """In good order, so that nothing is lost."""
        master, _ = await self.pair(random.Random(fault.draw))
        await self._cluster.fail_over(master)
        await self._well()

    async def _move_slot(self, fault: Fault) -> None:
        """To another master, and back."""
        rng = random.Random(fault.draw)
        key = PartitionKeys(rng.randrange(PARTITIONS)).events
        home = await self._cluster.owner(key)
        away = rng.choice([one for one in await self._cluster.masters() if one is not home])
        at_once = rng.random() < 0.5
        await self._move(key, away, at_once=at_once)
        await asyncio.sleep(fault.pause)
        await self._move(key, home, at_once=at_once)
        await self._well()

    async def _add_node(self, fault: Fault) -> None:
        """A new one takes a slot, gives it back, and is removed."""
        rng = random.Random(fault.draw)
        key = PartitionKeys(rng.randrange(PARTITIONS)).events
        home = await self._cluster.owner(key)
        added = await self._cluster.add_server()
        at_once = rng.random() < 0.5
        await self._move(key, added, at_once=at_once)
        await asyncio.sleep(fault.pause)
        await self._move(key, home, at_once=at_once)
        await self._cluster.remove_server(added)
        await self._well()

    async def _move(self, key: str, there: Valkey, *, at_once: bool) -> None:
        """Key by key where the servers can't do it at once."""
        if at_once:
            try:
                await self._cluster.move_slot_at_once(key, there)
                return
            except CantMove:
                pass
        await self._cluster.move_slot(key, there)

    async def _well(self) -> None:
        await self._cluster.settled()
        await self._cluster.caught_up()
