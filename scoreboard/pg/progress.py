"""How far partitions and boards have come in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scoreboard.pg.sql import statements
from scoreboard.wire.events import Event

_progress = statements("ledger")["progress"]
_of_one = _progress.format(asked="$1::integer", source="(SELECT) AS one")
_of_several = _progress.format(asked="asked", source="unnest($1::integer[]) AS asked")
LATEST = 2**63 - 1  # ms


class Progress(NamedTuple):
    """``behind`` has the highest event of each partition that is persisted. Events before ``older``
    (Unix ms) are in other parts of the ledger; None: it has no other parts. ``secret`` is the key
    of the digests of erased players, hex; None: nobody was ever erased."""

    behind: Mapping[int, tuple[int, int]]
    older: int | None
    secret: str | None

    def is_behind(self, partition: int, event: Event) -> bool:
        """Whether the event comes after all of the partition's that are persisted."""
        return self.behind[partition] < (event.ms, event.seq)


class BoardMarks(NamedTuple):
    """Boards, in columns: each with its partition, the version that it comes to, and the id of its
    last event."""

    boards: Sequence[str]
    partitions: Sequence[int]
    versions: Sequence[int]
    ms: Sequence[int]
    seq: Sequence[int]


async def progress_of(
    connection: Any, partitions: Sequence[int], ms: int, timeout: float | None
) -> Progress:
    """The progress of these partitions, of which there is at least one, for a batch whose latest
    event is of ``ms``."""
    one = len(partitions) == 1  # which nearly all are, and for which Postgres has less to do
    statement, asked = (_of_one, partitions[0]) if one else (_of_several, partitions)
    rows = await connection.fetch(statement, asked, min(ms, LATEST), timeout=timeout)
    *_, older, secret = rows[0]
    return Progress({row[0]: (row[1], row[2]) for row in rows}, older, secret)


def board_marks(batches: Mapping[int, Sequence[Event]]) -> BoardMarks:
    """What batches of events, by their partitions, bring their boards to."""
    marks: dict[str, tuple[str, int, int, int, int]] = {}
    for partition, events in batches.items():
        for event in events:  # in the order of their ids
            board, version = event.body.b, event.version + 1
            known = marks.get(board)
            if known is not None and known[2] > version:
                version = known[2]
            marks[board] = board, partition, version, event.ms, event.seq
    return BoardMarks(*map(list, zip(*marks.values(), strict=True)))
