"""Which events of a batch are of erased players, and so are left out: a stream may still have some,
or have some again after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scoreboard.domain.erasures import ErasedEvents, Tombstone, digest_of
from scoreboard.domain.ledger import DeadEntry, Entry
from scoreboard.pg.sql import statements
from scoreboard.wire.events import JOIN, Event, EventKind, split_id

_sql = statements("erasures")


class Whose(msgspec.Struct):
    """The part of a body that tells on which board and of whom it is."""

    b: str
    u: str


_whose = msgspec.json.Decoder(Whose)


def whose(fields: Mapping[bytes, bytes]) -> Whose | None:
    """Of whom an entry is that can't be decoded, if it can be read that far."""
    try:
        return _whose.decode(fields[b"d"])
    except (KeyError, ValueError, msgspec.DecodeError):
        return None


async def leave_out(
    connection: Any,
    events: Sequence[tuple[Event, Entry]],
    dead: Sequence[DeadEntry],
    key: str | None,
    *,
    timeout: float | None,
) -> tuple[Sequence[tuple[Event, Entry]], Sequence[DeadEntry], list[ErasedEvents]]:
    """The events and the dead letters without those of erased players, and then what was left out.
    ``key`` makes the digests (hex); None: nobody was ever erased."""
    if key is None:
        return events, dead, []
    secret = bytes.fromhex(key)
    bodies = [whose(letter.entry[1]) for letter in dead]
    users = {event.body.u for event, _ in events if event.kind is not EventKind.OPENED}
    users |= {body.u for body in bodies if body is not None}
    digests = {digest_of(user, secret): user for user in users}
    rows = await connection.fetch(_sql["tombstones"], list(digests), timeout=timeout)
    stones = {
        digests[digest]: Tombstone(closed, frozenset(boards), admitted)
        for digest, closed, boards, admitted in rows
    }
    if not stones:
        return events, dead, []

    def erased(event: Event) -> bool:
        stone = None if event.kind is EventKind.OPENED else stones.get(event.body.u)
        return stone is not None and stone.covers(event.body.b, event.ms)

    def buried(letter: DeadEntry, body: Whose | None) -> bool:
        if body is None or (stone := stones.get(body.u)) is None:
            return False
        return stone.covers(body.b, split_id(letter.entry[0])[0])

    actions: dict[tuple[str, str], list[str]] = {}
    for event, _ in events:
        # What is in Redis of an id that is a new player's is the new player's.
        if erased(event) and stones[event.body.u].admitted is None:
            named = actions.setdefault((event.body.b, event.body.u), [])
            if event.body.a != JOIN:
                named.append(event.body.a)
    return (
        [one for one in events if not erased(one[0])],
        [letter for letter, body in zip(dead, bodies, strict=True) if not buried(letter, body)],
        [ErasedEvents(board, user, tuple(named)) for (board, user), named in actions.items()],
    )
