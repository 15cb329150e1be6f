"""Watched players of a board with shards: moves are told in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence

from scoreboard.api.sharded_places import ShardedPlaces
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.standings import Rows, Spot
from scoreboard.wire.places import Places


class Tables:
    """Each shard with the moves noted on it, by id."""

    def __init__(self, noted: dict[str, dict[bytes, list[bytes]]]) -> None:
        self._noted = noted

    async def watch(self, board: str) -> bytes:
        return b"0-0"

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        noted = self._noted[table]
        moves = [text for move in noted.values() for text in move]
        return Places(b"new", 0, 1, False, [*noted][-1], len(noted), moves, [*noted], ())


class NobodyWatched:
    async def stamps(self, shard: str, users: Sequence[str]) -> list[float | None]:
        return []

    async def above(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int]]:
        return 0, []

    async def around(self, shard: str, spots: Sequence[Spot]) -> tuple[int, list[int], list[Rows]]:
        return 0, [], []

    async def unopened(self, shard: str) -> bool:
        return False


async def test_moves_of_all_shards_are_told_as_if_they_were_of_one() -> None:
    async def settings_of(board: str) -> BoardSettings:
        return BoardSettings(shards=2)

    ada, bob, cy = [b"ada", b"1.5", b"2.5"], [b"bob", b"-inf", b"7.5"], [b"cy", b"3.5", b"9.5"]
    tables = Tables({"wide": {b"999-7": ada, b"1000-10": cy}, "wide.1": {b"1000-9": bob}})
    reader = ShardedPlaces(tables, NobodyWatched(), settings_of)
    told = await reader.places("wide", [], known=b"", since=b"0-0|0-0")
    assert told.moves == [*ada, *bob, *cy]
    assert told.ids == [b"999-7", b"1000-9", b"1000-10"]
    assert (told.last, told.looked) == (b"1000-10|1000-9", 3)
