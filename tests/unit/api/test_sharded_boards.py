"""The top of a board with shards is one that there was."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from scoreboard.api.sharded_boards import ShardedBoards
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.domain.standings import Part, Place, Spot
from scoreboard.errors import Unavailable, UnknownBoard

SHARDS = shard_names("arena", 3)


class Moving:
    """Shards of one user each, whose tops change while they are read: before each read one does, as
    long as ``changes`` are left. ``states`` has all that there were at once."""

    def __init__(self, changes: int) -> None:
        self.dice = random.Random(changes)
        self.left = changes
        self.versions = dict.fromkeys(SHARDS, 1)
        self.states = [dict(self.versions)]

    async def settings(self, table: str) -> BoardSettings:
        return BoardSettings(shards=3)

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        for _ in range(self.dice.randrange(3)):
            await asyncio.sleep(0)
        if self.left:
            self.left -= 1
            self.versions[self.dice.choice(SHARDS)] += 1
            self.states.append(dict(self.versions))
        for _ in range(self.dice.randrange(3)):
            await asyncio.sleep(0)
        version = self.versions[shard]
        return Part(version, 1, 0, [(shard, float(version))])


@pytest.mark.parametrize("changes", [0, 1, 2, 5, 8])
async def test_what_is_seen_was_the_newest_of_all_shards_at_once(changes: int) -> None:
    for seed in range(20):
        shards: Any = Moving(changes)
        shards.dice.seed(seed)
        version, top = await ShardedBoards(shards, shards).top("arena")
        seen = {one["userId"]: one["score"] for one in msgspec.json.decode(top)}
        assert seen in shards.states
        assert version == sum(seen.values())


class Crowd:
    """Shards of users at zset scores."""

    def __init__(self, rows: Sequence[tuple[str, float]]) -> None:
        self.rows = {
            shard: sorted(
                ((user, at) for user, at in rows if shard_of("arena", user, 3) == shard),
                key=lambda row: (row[1], row[0]),
                reverse=True,
            )
            for shard in SHARDS
        }
        self.reads = 0

    async def settings(self, table: str) -> BoardSettings:
        return BoardSettings(shards=3)

    async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
        self.reads += 1
        rows = self.rows[shard]
        above = sum((at, user) >= (spot.zset_score, spot.user_id) for user, at in rows)
        near = rows[max(0, above - before) : above + behind]
        return Part(1, len(rows), above, near)

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        self.reads += 1
        parts = [await self.part(shard, spot, before=0, behind=0) for spot in spots]
        self.reads -= len(spots)
        return len(self.rows[shard]), [part.above for part in parts]


@pytest.mark.parametrize("spread", ["even", "few totals", "one total", "far apart"])
async def test_a_page_begins_at_any_rank(spread: str) -> None:
    dice = random.Random(9)
    kinds: dict[str, Callable[[], float]] = {
        "even": lambda: dice.randrange(1_000_000) + dice.randrange(2**20) / 2**21,
        "few totals": lambda: dice.randrange(4) + dice.randrange(2**30) / 2**31,
        "one total": lambda: 7.25,
        "far apart": lambda: float(dice.choice((-1, 1)) * 2 ** dice.randrange(50)),
    }
    rows = [(f"u{n}", kinds[spread]()) for n in range(3_000)]
    crowd: Any = Crowd(rows)
    boards = ShardedBoards(crowd, crowd)
    order = [user for user, _ in sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)]
    for rank in (1, 2, 501, 1_500, 2_400, 3_000, 3_001):
        before = crowd.reads
        page = await boards.page("arena", Place("rank", rank), 3)
        assert [one.user_id for one in page.standings] == order[rank - 1 : rank + 2]
        assert page.rank == min(rank, 3_001)
        assert crowd.reads - before <= 3 * 14


async def test_a_shard_that_is_gone_is_no_unknown_board() -> None:
    class Gone(Crowd):
        async def part(self, shard: str, spot: Spot, *, before: int, behind: int) -> Part:
            if shard == "arena.2":
                raise UnknownBoard("There is none.")
            return await super().part(shard, spot, before=before, behind=behind)

    crowd: Any = Gone([])
    with pytest.raises(Unavailable):
        await ShardedBoards(crowd, crowd).top("arena")
