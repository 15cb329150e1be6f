"""What a service of some size needs, reckoned from what one action, user and receipt take.

    python -m scripts.bench.capacity             # the table of docs/capacity.md, by its own figures
    python -m scripts.bench.capacity --measure   # the same by what this machine takes now

The units are measured, one node's share each; all else is arithmetic (`Needs`). A test holds
docs/capacity.md to both. The measurement takes about four minutes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from scoreboard.assembly.recovery import recovery
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.workers.persister import QUIET, Persister
from scripts.bench import persister
from scripts.bench.figures import JsonFile, report, write
from scripts.bench.memory import grown
from scripts.bench.script_calls import FullBoard, Line, running
from scripts.load.cpu import used
from scripts.load.servers import databases

DAY, HOUR = 86_400, 3_600  # seconds
PEAK = 4  # how much denser actions come at the peak than on average
SPARE = 0.5  # of a core that may be busy at the peak
MEMORY = 64e9  # bytes that one master may hold, the room for its copies included
COPIES = 2  # memory is given twice (docs/sizing.md)
KEPT_DAYS = 70  # the most that a retention of 35 days keeps
POSTGRES_MOST = 30_608  # actions a second that one Postgres was seen to take
SIZES = [
    *((10_000, 1_000_000), (10_000, 10_000_000), (100_000, 10_000_000)),
    *((100_000, 100_000_000), (1_000_000, 100_000_000), (1_000_000, 1_000_000_000)),
]


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """What one more takes: CPU in microseconds, the rest in bytes."""

    redis_us: float  # an action, of a master, with the persister's reading of it
    persister_us: float  # an action, of a persister
    postgres_us: float  # an action, of Postgres
    user: float  # in a table of Redis
    receipt: float
    event: float  # in a stream, until it is persisted
    wire_in: float  # an action, into a master
    wire_out: float  # an action, out of a master: the reply, and the event to the persister
    ledger: float  # an action, with its indexes
    total: float  # a user in a table of Postgres
    wal: float  # an action


# Of docs/sizing.md but for the two on the wire, which `--measure` gave (docs/capacity.md).
DOCUMENTED = Units(
    redis_us=44,
    persister_us=29,
    postgres_us=40,
    user=80,
    receipt=169,
    event=147,
    wire_in=271,
    wire_out=271,
    ledger=350,
    total=316,
    wal=981,
)


@dataclass(frozen=True)
class Needs:
    """Arithmetic only. ``rate`` are actions a second at the peak, ``users`` are in one table."""

    units: Units
    rate: int
    users: int

    @property
    def average(self) -> float:
        """Actions a second over the day."""
        return self.rate / PEAK

    @property
    def memory(self) -> float:
        """Bytes of all masters: users, receipts of a day, and an hour of events at the peak that
        Postgres does not take; twice."""
        units = self.units
        held = self.users * units.user + self.average * DAY * units.receipt
        return COPIES * (held + self.rate * HOUR * units.event)

    @property
    def masters_for_rate(self) -> int:
        return ceil(self.rate * self.units.redis_us * 1e-6 / SPARE)

    @property
    def masters_for_memory(self) -> int:
        return ceil(self.memory / MEMORY)

    @property
    def masters(self) -> int:
        return max(self.masters_for_rate, self.masters_for_memory)

    @property
    def wire(self) -> tuple[float, float]:
        """Bits a second into and out of all masters at the peak, without replicas and tops."""
        return self.rate * self.units.wire_in * 8, self.rate * self.units.wire_out * 8

    @property
    def cores(self) -> tuple[float, float]:
        """Of persisters and of Postgres, at the peak."""
        units = self.units
        return self.rate * units.persister_us * 1e-6, self.rate * units.postgres_us * 1e-6

    @property
    def ledger_a_day(self) -> float:
        return self.average * DAY * self.units.ledger

    @property
    def wal_a_day(self) -> float:
        return self.average * DAY * self.units.wal

    @property
    def ledger_kept(self) -> float:
        """Bytes of Postgres with a retention of 35 days: the most that it keeps, and totals."""
        return self.ledger_a_day * KEPT_DAYS + self.users * self.units.total

    def row(self) -> str:
        into, out = self.wire
        persisters, postgres = self.cores
        over = "" if self.rate <= POSTGRES_MOST else " (!)"
        cells = (
            *(f"{self.rate:,}", f"{self.users:,}", _bytes(self.memory)),
            f"{self.masters} ({self.masters_for_rate}, {self.masters_for_memory})",
            f"{into / 1e9:.2g}, {out / 1e9:.2g} Gbit/s",
            *(f"{persisters:.2g}", f"{postgres:.2g}{over}"),
            *(_bytes(self.ledger_a_day), _bytes(self.wal_a_day), _bytes(self.ledger_kept)),
        )
        return f"| {' | '.join(cells)} |"


HEAD = """\
| actions a second, at the peak | users | memory of Redis | masters (for the rate, for memory) | \
network: in, out | cores of persisters | cores of Postgres | ledger a day | write-ahead log \
a day | Postgres with a retention |
|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|"""


def table(units: Units) -> str:
    """The sizes of SIZES, as Markdown."""
    return "\n".join([HEAD, *(Needs(units, rate, users).row() for rate, users in SIZES)])


def _bytes(number: float) -> str:
    for name, size in (("PB", 1e15), ("TB", 1e12)):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number / 1e9:.3g} GB"


def measured(users: int, actions: int) -> dict[str, float]:
    """The units of Redis and of the persister, on servers of their own."""
    found = _of_redis(users, actions)
    with databases() as (valkey, postgres):
        settings = Settings(redis_url=valkey.url, database_url=postgres.url)
        backlog = persister.Backlog(actions, 1, users, 0)
        drained = uvloop.run(persister.measure(settings, backlog, valkey, postgres))
        found["persister_us"] = drained["persister_cpu_ms_per_thousand"]
        found["postgres_us"] = drained["postgres_cpu_ms_per_thousand"]
        found["redis_us"] += drained["valkey_cpu_ms_per_thousand"]
        found["wal"] = drained["wal_bytes_per_thousand"] / 1000
        for partitions in (8, 64, 256):
            idle = msgspec.structs.replace(settings, partitions=partitions)
            found |= uvloop.run(_idle(idle, valkey.process.pid or 0, postgres.process.pid or 0))
    return found


def _of_redis(users: int, actions: int) -> dict[str, float]:
    batch = 10
    with running(None) as (valkey, redis):
        line = Line(valkey.url)
        boards: list[FullBoard] = []
        zset = grown(redis, lambda: boards.append(FullBoard(redis, "global", users)))
        (board,) = boards
        calls = [board.call(batch) for _ in range(actions // batch)]
        pid, before = valkey.process.pid or 0, redis.info("stats")
        cpu = used(pid)
        both = grown(redis, lambda: line.run(calls, 16))
        cpu, after = used(pid) - cpu, redis.info("stats")
        sent = after["total_net_output_bytes"] - before["total_net_output_bytes"]
        trimmed = redis.info("stats")["total_net_output_bytes"]
        read: Any = redis.xrange(board.keys.events)
        read_bytes = redis.info("stats")["total_net_output_bytes"] - trimmed
        assert len(read) == actions
        events = -grown(redis, lambda: redis.xtrim(board.keys.events, maxlen=0, approximate=False))
        line.close()
    return {
        "redis_us": cpu * 1e6 / actions,
        "user": zset / users,
        "receipt": (both - events) / actions,
        "event": events / actions,
        "wire_in": (after["total_net_input_bytes"] - before["total_net_input_bytes"]) / actions,
        "wire_out": (sent + read_bytes) / actions,
    }


async def _idle(settings: Settings, valkey: int, postgres: int) -> dict[str, float]:
    """What a persister of so many partitions takes of a core, in percent, while nothing comes, with
    its connections."""
    seconds = QUIET + 5  # each stream is looked at once
    topology = topology_at(settings.redis_url)
    redis = topology.client(timeout=10)
    blocking = topology.client(timeout=None, connections=settings.partitions)
    pool = await open_pool(settings.database_url, connections=8, timeout=60)
    durable = recovery(settings, topology, redis, blocking, pool)
    works = Persister(
        durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(works.run(stopping))
    try:
        await asyncio.sleep(2)  # it has looked at every stream, and waits
        before = time.process_time(), used(valkey), used(postgres)
        await asyncio.sleep(seconds)
        after = time.process_time(), used(valkey), used(postgres)
        clients = (await redis.info("clients"))["connected_clients"]
        spent = [round(100 * (b - a) / seconds, 2) for a, b in zip(before, after, strict=True)]
    finally:
        stopping.set()
        await task
        for closing in (redis, blocking):
            await closing.aclose()
        await pool.close()
        await topology.close()
    name = f"{settings.partitions} idle partitions"
    return {
        **{f"{name}: {part}, % of a core": share for part, share in zip(
            ("persister", "Valkey", "Postgres"), spent, strict=True)},
        f"{name}: connections to Redis": clients,
        f"{name}: connections to Postgres": pool.get_size(),
    }  # fmt: skip


def main(
    measure: Annotated[bool, typer.Option("--measure", help="Take the units anew.")] = False,
    users: int = 1_000_000,
    actions: int = 100_000,
    json: JsonFile = None,
) -> None:
    """Print what services of some sizes need."""
    units = DOCUMENTED
    if measure:
        found = measured(users, actions)
        report(found)
        write(found, json)
        names = units.__struct_fields__
        units = msgspec.structs.replace(
            units, **{name: found[name] for name in names if name in found}
        )
    print(table(units))


if __name__ == "__main__":
    typer.run(main)
