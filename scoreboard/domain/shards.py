"""Shards: the boards that a board with many writes is spread over. The first has the board's name,
the others have it with their number, as ``arena.3``; no board that somebody names has a dot in its
name. Each user belongs to one of them, by a hash of the user's id."""

from __future__ import annotations

from zlib import crc32

MOST_SHARDS = 64


def shard_names(board: str, shards: int) -> list[str]:
    """The names of a board's shards, in order."""
    return [board, *(f"{board}.{number}" for number in range(1, shards))]


def shard_of(board: str, user: str, shards: int) -> str:
    """The name of the shard of a board, or of an occurrence's table, to which the user belongs."""
    number = crc32(user.encode()) % shards if shards > 1 else 0
    return f"{board}.{number}" if number else board


def sharded_board(shard: str) -> str:
    """The board that the shard is one of; a board's own name for its first, or only, shard."""
    return shard.partition(".")[0]


def shard_number(shard: str) -> int:
    """Which of its board's shards it is, from 0."""
    return int(shard.partition(".")[2] or 0)
