"""Players who are erased, or made anonymous: the jobs, and what is kept of who it was."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from scoreboard.errors import Erased

ErasureMode = Literal["erase", "anonymise"]
ErasureState = Literal["running", "done"]

MODES: tuple[ErasureMode, ...] = ("erase", "anonymise")
DIGEST = 16  # bytes

_pseudonym = re.compile("anon-[0-9a-f]{24}")


def is_erased() -> Erased:
    """The error for what comes for the id of an erased player."""
    return Erased("This player was erased. Admit the id first if it is a new player's.")


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure, without whom it is about. ``counts`` says of each place how many rows, entries or
    keys of the player went, or got a pseudonym; it grows while the state is ``running``."""

    erasure: str
    mode: ErasureMode
    state: ErasureState
    asked: datetime
    done: datetime | None
    counts: dict[str, int]


class ErasureJob(NamedTuple):
    """An erasure that is not done. Pseudonyms follow from ``salt``, which goes with the job;
    ``begun`` are the boards whose turn has come, ``boards`` those of which all is done. ``closed``
    says that nothing of the player is written any more."""

    id: str
    mode: ErasureMode
    user_id: str
    salt: str
    boards: frozenset[str]
    begun: frozenset[str]
    closed: bool

    def pseudonym(self, board: str) -> str | None:
        """By what name the player's totals on the board go on; None: they do not. What comes to a
        board that is done came too late for that."""
        if self.mode == "erase" or self.closed or board in self.boards:
            return None
        named = hashlib.sha256(f"{self.salt} {board}".encode())
        return f"anon-{named.hexdigest()[:24]}"

    def action_name(self, action: str) -> str:
        """By what id an action goes on (pg/queries/erased_rows.sql makes the same)."""
        return hashlib.sha256(f"{self.salt}{action}".encode()).hexdigest()[:32]


class Tombstone(NamedTuple):
    """What is kept of an erased player, by the digest of the id. Unless ``closed``, only what comes
    to one of ``boards`` is left out. ``admitted`` is since when the id is a new player's, Unix ms
    of Redis's clock; None: it is nobody's."""

    closed: bool
    boards: frozenset[str]
    admitted: int | None

    def covers(self, board: str, ms: int) -> bool:
        """Whether an event of that millisecond on the board is one of the erased player."""
        if self.admitted is not None:
            return ms < self.admitted
        return self.closed or board in self.boards


class ErasedEvents(NamedTuple):
    """Events of an erased player that were left out: their board, the id, and the actions that
    they name."""

    board: str
    user_id: str
    action_ids: tuple[str, ...]


def is_pseudonym(user: str) -> bool:
    """Whether an anonymised player's totals may go on by this name."""
    return _pseudonym.fullmatch(user) is not None


def digest_of(user: str, key: bytes) -> bytes:
    """What is kept in place of an erased id: without the key, which only this installation has,
    nobody can tell whether it is that of an id."""
    return hashlib.blake2b(user.encode(), digest_size=DIGEST, key=key).digest()
