"""Every key and channel name of Redis is built here and nowhere else; Lua gets them as KEYS.

``{P}`` is the partition, crc16(board) mod the number of partitions: as a hash tag it keeps all of a
partition's keys on one slot of a Redis Cluster. Further shards of a board have the partitions
behind that of the board, so no two of them have the same one.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from functools import lru_cache
from typing import TypedDict

from scoreboard.domain.shards import shard_number, sharded_board
from scoreboard.domain.tables import board_of, feed_of

CONSUMER_GROUP = "persist"  # of every partition's stream; read by in earlier versions
EVERY_KEY = "sb:*"  # a pattern of SCAN
EVERY_PARTITIONS_KEY = "sb:{*}:*"  # likewise, without those that belong to no partition
EVERY_META_KEY = "sb:{*}:meta:*"  # likewise, of each board and occurrence
REVOKED = "sb:revoked"  # channel of wire/revocations.py
REVOCATIONS = "sb:revocations"  # zset, a copy of those that Postgres has
PROFILES_CHANGED = "sb:profiles:changed"  # channel of wire/profiles.py
PRIVACY = "sb:profiles:privacy"  # string, a copy of what Postgres says (wire/profiles.py)
ERASED = "sb:erased"  # channel of wire/erasures.py
PATROL = "sb:patrol"  # JSON of the last domain/audit.PatrolReport
PERSISTER_TROUBLES = "sb:troubles"  # JSON list of what keeps a persister from its work


class PartitionKeys:
    """Names that belong to a partition as a whole."""

    __slots__ = ("committed", "events", "persisted", "probe")

    def __init__(self, partition: int) -> None:
        self.probe = f"sb:{{{partition}}}:probe"  # never exists (lua/check_writes.lua)
        self.events = f"sb:{{{partition}}}:events"
        self.committed = f"sb:{{{partition}}}:committed"
        self.persisted = f"sb:{{{partition}}}:persisted"


class WrittenKeys(TypedDict):
    """The KEYS of a script that counts something on a board (wire/scripts.py), as sent."""

    key_board: bytes
    key_hidden: bytes
    key_meta: bytes
    key_events: bytes
    key_channel: bytes


class BoardKeys:
    """Names that belong to one board, or to one occurrence of one of its periods
    (domain/tables.py). The per-user and per-action prefixes are bytes, since they are joined on the
    hot path; they belong to boards only. ``guard`` is the meta hash of the board, under which the
    occurrence's table is live or not; all occurrences of a period share one channel, and all tables
    of a board ``moves``."""

    __slots__ = (
        "_action",
        "_device",
        "_load",
        "_name",
        "_profile",
        "_rate",
        "_tag",
        "board",
        "channel",
        "events",
        "guard",
        "hidden",
        "meta",
        "moves",
        "partition",
        "persisted",
        "players",
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
        self.guard = f"{tag}:meta:{board_of(name)}"
        self.channel = f"{tag}:top:{feed_of(name)}"
        self.moves = f"{tag}:moves:{board_of(name)}"
        self.players = f"{tag}:players:{name}"
        self.written = WrittenKeys(
            key_board=self.board.encode(),
            key_hidden=self.hidden.encode(),
            key_meta=self.meta.encode(),
            key_events=self.events.encode(),
            key_channel=self.channel.encode(),
        )
        self._name = name
        self._tag = tag.encode().split(b":")
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

    @property
    def pattern(self) -> str:
        """A pattern of SCAN that finds every key of the board, and some that ``owns`` tells
        apart."""
        return f"sb:{{{self.partition}}}:*:{self._name}*"

    def owns(self, key: bytes) -> bool:
        """True for a key of this board, of whatever kind."""
        parts = key.split(b":", 4)
        return parts[:2] == self._tag and len(parts) > 3 and parts[3] == self._name.encode()

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
        """The partition of a board and all of its tables, 0 <= P < partitions (CRC-16/XMODEM, as
        Redis Cluster's own)."""
        name = board_of(board)
        first = crc_hqx(sharded_board(name).encode(), 0)
        return (first + shard_number(name)) % self.partitions

    def every_partition(self) -> list[PartitionKeys]:
        """The names of all partitions, in order."""
        return [PartitionKeys(partition) for partition in range(self.partitions)]

    def _board(self, name: str) -> BoardKeys:
        return BoardKeys(name, self.partition_of(name))


def ticket(token: str) -> str:
    """A one-use WebSocket ticket."""
    return f"sb:ticket:{token}"


def is_stream(key: bytes) -> bool:
    """Whether it is a partition's stream of events."""
    return key.split(b":", 2)[2:] == [b"events"]


def board_of_meta(key: bytes) -> str:
    """The board of a key that matches EVERY_META_KEY."""
    return key.split(b":", 4)[3].decode()


_TABLES = frozenset((b"board", b"hidden", b"players", b"load"))


def user_of(key: bytes) -> bytes | None:
    """The user whose receipt, memory or rate it is; None for any other key."""
    parts = key.split(b":", 4)
    if len(parts) < 5 or parts[0] != b"sb":
        return None
    kind, rest = parts[2], parts[4]
    if kind in (b"profile", b"rate"):
        return rest
    if kind != b"action":
        return None
    length, _, named = rest.partition(b":")
    return named[: int(length)] if length.isdigit() else None


def board_with_users(key: bytes) -> str | None:
    """The board of whose users it is a zset; None for any other key."""
    parts = key.split(b":", 4)
    if len(parts) < 4 or parts[0] != b"sb" or parts[2] not in _TABLES:
        return None
    return parts[3].decode()
