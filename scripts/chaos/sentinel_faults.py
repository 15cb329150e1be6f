"""The faults of a master that Sentinels watch."""

from __future__ import annotations

import random
import time

from scoreboard.local.embedded_servers import Valkey
from scripts.chaos.faults import Emptied, Fault
from scripts.chaos.replicated import Replicated
from scripts.chaos.replicated_faults import ReplicatedFaults
from scripts.load.sentinels import Watched


class SentinelFaults(ReplicatedFaults[Watched]):
    """As Faults says."""

    def __init__(self, stack: Replicated[Watched]) -> None:
        super().__init__(stack, {})
        self._watched = stack.redis

    async def pair(self, rng: random.Random) -> tuple[Valkey, Valkey]:
        """The only one."""
        return await self._watched.pair()

    async def replaced(self, master: Valkey, replica: Valkey) -> None:
        """As ReplicatedFaults says."""
        await self._watched.changed(master.port)

    async def restored(self, master: Valkey) -> None:
        """As ReplicatedFaults says."""
        await self._watched.settled(master)
        await self._watched.caught_up()

    async def _promote_replica(self, fault: Fault) -> None:
        """What the master takes after its replica was promoted is lost: Sentinels do not stop it
        first."""
        master, replica = await self.pair(random.Random(fault.draw))
        since = await self.known_to(master, replica)
        await self._watched.fail_over()
        await self.restored(master)
        self.losses.append(Emptied("promote", since, time.monotonic(), split=True))
