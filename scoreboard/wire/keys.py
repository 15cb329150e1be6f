"""Every key and channel name of Redis is built here and nowhere else; Lua gets them as KEYS.

``{P}`` is the partition, crc16(board) mod the number of partitions: as a hash tag it keeps all of a
partition's keys on one slot of a Redis Cluster.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from functools import lru_cache
from typing import TypedDict

CONSUMER_GROUP = "persist"  # of every partition's stream
PATROL = "sb:patrol"  # JSON of the last domain/audit.PatrolReport


class PartitionKeys:
    """Names that belong to a partition as a whole."""

    __slots__ = ("events", "persisted")

    def __init__(self, partition: int) -> None:
        self.events = f"sb:{{{partition}}}:events"
        self.persisted = f"sb:{{{partition}}}:persisted"


class WrittenKeys(TypedDict):
    """The KEYS of a script that counts something on a board (wire/scripts.py), as sent."""

    key_board: bytes
    key_hidden: bytes
    key_meta: bytes
    key_events: bytes
    key_channel: bytes


class BoardKeys:
    """Names that belong to one board. The per-user and per-action prefixes are bytes, since they
    are joined on the hot path."""

    __slots__ = (
        "_action",
        "_device",
        "_load",
        "_profile",
        "_rate",
        "board",
        "channel",
        "events",
        "hidden",
        "meta",
        "partition",
        "persisted",
        "written",
    )

    def __init__(self, name: str, partition: int) -> None:
        self.partition = partition
        tag = f"sb:{{{self.partition}}}"
        of_partition = PartitionKeys(self.partition)
        self.events = of_partition.events
        self.persisted = of_partition.persisted
        self.board = f"{tag}:board:{name}"
        self.hidden = f"{tag}:hidden:{name}"
        self.meta = f"{tag}:meta:{name}"
        self.channel = f"{tag}:top:{name}"
        self.written = WrittenKeys(
            key_board=self.board.encode(),
            key_hidden=self.hidden.encode(),
            key_meta=self.meta.encode(),
            key_events=self.events.encode(),
            key_channel=self.channel.encode(),
        )
        self._load = f"{tag}:load:{name}:"
        self._action = f"{tag}:action:{name}:".encode()
        self._profile = f"{tag}:profile:{name}:".encode()
        self._device = f"{tag}:device:{name}:".encode()
        self._rate = f"{tag}:rate:{name}:".encode()

    def action(self, user: bytes, action: bytes) -> bytes:
        """The receipt of an action; the length makes the name unambiguous."""
        return b"%b%d:%b:%b" % (self._action, len(user), user, action)

    def profile(self, user: bytes) -> bytes:
        """The agents' memory of a user."""
        return self._profile + user

    def device(self, device: bytes) -> bytes:
        """The users that a device was seen with."""
        return self._device + device

    def rate(self, user: bytes) -> bytes:
        """The times of the user's latest accepted actions, while the board sets a rate."""
        return self._rate + user

    def load(self, nonce: str) -> str:
        """A zset that a rebuild fills and, at its end, swaps in."""
        return self._load + nonce


class Keyspace:
    """The names of one installation, whose boards are spread over ``partitions``."""

    __slots__ = ("board", "partitions")

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        # Remembered, since every call needs the names of its board.
        self.board: Callable[[str], BoardKeys] = lru_cache(maxsize=4096)(self._board)

    def partition_of(self, board: str) -> int:
        """The board's partition, 0 <= P < partitions (CRC-16/XMODEM, as Redis Cluster's own)."""
        return crc_hqx(board.encode(), 0) % self.partitions

    def every_partition(self) -> list[PartitionKeys]:
        """The names of all partitions, in order."""
        return [PartitionKeys(partition) for partition in range(self.partitions)]

    def _board(self, name: str) -> BoardKeys:
        return BoardKeys(name, self.partition_of(name))


def ticket(token: str) -> str:
    """A one-use WebSocket ticket."""
    return f"sb:ticket:{token}"
