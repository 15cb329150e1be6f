"""The faults of a master that has a replica: it is killed, it stands still, its network is cut. Its
replica takes over each time, and afterwards it comes back and follows that one."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from abc import abstractmethod

from scoreboard.local.embedded_servers import Valkey
from scripts.chaos.clients import Levels
from scripts.chaos.faults import Emptied, Fault, Faults, Kinds
from scripts.chaos.replicated import R, Replicated
from scripts.load.replication import caught_up

OF_THE_SERVICE = {
    "kill_server": 8,
    "stop_server": 2,
    "kill_persister": 8,
    "stop_persister": 2,
    "kill_postgres": 2,
}
OF_A_MASTER = {"kill_master": 10, "freeze_master": 6, "cut_master": 10, "promote_replica": 8}
LEVELS: Levels = {None: 20, "redis": 20, "postgres": 30, "replica": 30}


class ReplicatedFaults(Faults[Replicated[R]]):
    """As Faults says. All that is done to Redis is done one after another. ``weights`` are of the
    faults that only one form has."""

    levels = LEVELS

    def __init__(self, stack: Replicated[R], weights: dict[str, int]) -> None:
        super().__init__(stack)
        of_redis = OF_A_MASTER | weights
        if stack.network is None:
            del of_redis["cut_master"]
        self.kinds = Kinds(OF_THE_SERVICE | of_redis, frozenset(OF_THE_SERVICE | of_redis))
        self._of_redis = frozenset(of_redis)

    def target(self, fault: Fault) -> str:
        """As Faults says."""
        return "redis" if fault.kind in self._of_redis else super().target(fault)

    @abstractmethod
    async def pair(self, rng: random.Random) -> tuple[Valkey, Valkey]:
        """A master and its replica."""

    @abstractmethod
    async def replaced(self, master: Valkey, replica: Valkey) -> None:
        """Returns once the replica is the master for whoever asks."""

    @abstractmethod
    async def restored(self, master: Valkey) -> None:
        """Returns once the master of before follows the new one, and all is well."""

    async def known_to(self, master: Valkey, replica: Valkey) -> float:
        """A moment (monotonic seconds) of which this is sure: what the master had counted by then,
        the replica has."""
        moment = time.monotonic()
        redis = self.stack.redis
        await caught_up(redis.client(master), redis.client(replica))
        return moment

    async def _kill_master(self, fault: Fault) -> None:
        master, replica = await self.pair(random.Random(fault.draw))
        since = await self.known_to(master, replica)
        await asyncio.to_thread(master.kill)
        self.losses.append(Emptied("kill", since, time.monotonic()))
        await self.replaced(master, replica)
        await asyncio.sleep(fault.pause)
        await asyncio.to_thread(master.start)
        await self.restored(master)

    async def _freeze_master(self, fault: Fault) -> None:
        """It says nothing, and nobody tells its clients; when it wakes it takes itself for the
        master."""
        master, replica = await self.pair(random.Random(fault.draw))
        assert master.process.pid is not None
        since = await self.known_to(master, replica)
        os.kill(master.process.pid, signal.SIGSTOP)
        try:
            await self.replaced(master, replica)
            await asyncio.sleep(fault.pause)
        finally:
            os.kill(master.process.pid, signal.SIGCONT)
        await self.restored(master)
        self.losses.append(Emptied("freeze", since, time.monotonic(), split=True))

    async def _cut_master(self, fault: Fault) -> None:
        """From all, or from all but the service, whose writes it goes on taking for a while."""
        assert self.stack.network is not None
        rng = random.Random(fault.draw)
        master, replica = await self.pair(rng)
        host = self.stack.redis.host(master)
        since = await self.known_to(master, replica)
        try:
            if rng.random() < 0.5:
                await host.cut()
            else:
                await host.cut_from(self.stack.network.others(host))
            await self.replaced(master, replica)
            await asyncio.sleep(fault.pause)
        finally:
            await host.mend()
        await self.restored(master)
        self.losses.append(Emptied("cut", since, time.monotonic(), split=True))
