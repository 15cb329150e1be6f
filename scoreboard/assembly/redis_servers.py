"""What operators are told of the servers of Redis: what is known from other work, and of a cluster
its table of the moment, which is otherwise read only when it is found wrong."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import isnan

from redis.exceptions import RedisError

from scoreboard.api.health_admin import RedisServer
from scoreboard.assembly.probes import RedisState, Stream
from scoreboard.redisio.topology import Known, Node, Topology
from scoreboard.wire.keys import PartitionKeys


async def redis_servers(topology: Topology, state: RedisState) -> list[RedisServer]:
    """The servers, with what the last report of their ``state`` told."""
    await topology.ask_again()  # replicas come and go, and no command finds that out
    known = topology.known()
    partitions: dict[Node, list[int]] = {}
    for partition in range(len(state.streams) if known else 0):
        with suppress(RedisError):  # no server has it
            owner = await topology.owner(PartitionKeys(partition).events)
            partitions.setdefault(owner, []).append(partition)
    return [
        _told(one, partitions.get(one.node, []) if one.node else [], state.streams) for one in known
    ]


def _told(server: Known, partitions: list[int], streams: Sequence[Stream]) -> RedisServer:
    of_it = [streams[partition] for partition in partitions]
    unknown = not of_it or any(isnan(stream.backlog) for stream in of_it)
    return RedisServer(
        server.address,
        server.role,
        server.master,
        server.replicas,
        partitions,
        None if unknown else sum(int(stream.backlog) for stream in of_it),
        None if unknown else round(max(stream.lag for stream in of_it), 3),
    )
