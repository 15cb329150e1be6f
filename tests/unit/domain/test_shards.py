"""Which shard a user belongs to, and where it is."""

from __future__ import annotations

from collections import Counter

import pytest

from scoreboard.domain.boards import is_board_name
from scoreboard.domain.shards import (
    MOST_SHARDS,
    shard_names,
    shard_number,
    shard_of,
    sharded_board,
)
from scoreboard.wire.keys import Keyspace, board_with_users


def test_users_stay_where_they_are_in_every_version() -> None:
    """What is stored depends on it."""
    found = [shard_of("arena", user, 8) for user in ("ann", "bob", "zoë", "日本", "u" * 128)]
    assert found == ["arena.3", "arena", "arena.4", "arena.4", "arena.7"]


@pytest.mark.parametrize("shards", [2, 3, 8, MOST_SHARDS])
def test_users_are_spread_evenly(shards: int) -> None:
    users = 1_000 * shards
    counts = Counter(shard_of("arena", f"player-{n}", shards) for n in range(users))
    assert set(counts) == set(shard_names("arena", shards))
    assert min(counts.values()) > 850
    assert max(counts.values()) < 1_150


def test_nobody_can_name_a_further_shard() -> None:
    names = shard_names("arena", 64)
    assert names[0] == "arena"
    assert not any(is_board_name(name) for name in names[1:])
    assert [shard_number(name) for name in names] == [*range(64)]
    assert {sharded_board(name) for name in names} == {"arena"}


@pytest.mark.parametrize("partitions", [8, 64])
def test_each_shard_has_a_partition_of_its_own(partitions: int) -> None:
    keyspace = Keyspace(partitions)
    names = shard_names("arena", 8)
    assert len({keyspace.partition_of(name) for name in names}) == 8
    assert keyspace.partition_of("arena.3:week:12") == keyspace.partition_of("arena.3")
    key = keyspace.board("arena.3").board.encode()
    assert board_with_users(key) == "arena.3"
    assert not keyspace.board("arena").owns(key)
