"""Shards: the boards that a board with many writes is spread over. The first has the board's name,
the others have it with their number, as ``arena.3``; no board that somebody names has a dot in its
name. Each user belongs to one of them, by a hash of the user's id.

A table (``arena:week:12``) or a feed, whose name begins with that of its board, has a part in each
shard, with a name that begins with the shard's (``arena.3:week:12``)."""

from __future__ import annotations

from zlib import crc32

MOST_SHARDS = 64


def shard_names(name: str, shards: int) -> list[str]:
    """The names of a board's shards, or of their parts of a table, in order."""
    board, colon, rest = name.partition(":")
    return [name, *(f"{board}.{number}{colon}{rest}" for number in range(1, shards))]


def shard_of(name: str, user: str, shards: int) -> str:
    """The name of the shard of a board, or of its part of a table, to which the user belongs."""
    number = crc32(user.encode()) % shards if shards > 1 else 0
    board, colon, rest = name.partition(":")
    return f"{board}.{number}{colon}{rest}" if number else name


def sharded_board(shard: str) -> str:
    """The board, or the table, that has this shard. A first or only shard has the same name."""
    name, colon, rest = shard.partition(":")
    return name.partition(".")[0] + colon + rest


def shard_number(shard: str) -> int:
    """Which of its board's shards it is, from 0."""
    return int(shard.partition(":")[0].partition(".")[2] or 0)
