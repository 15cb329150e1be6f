"""What the clients know of each action: how often it was sent and the best that was answered."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.load import requests

LEVELS = ("redis", "replica", "disk", "postgres")
BOARDS = tuple(f"board{n}" for n in range(4))
Key = tuple[str, str, str]  # board, user, action id


@dataclass(slots=True)
class Action:
    """``level`` is the strongest acknowledgement. The action last counted between ``sent_at`` and
    ``counted_at`` (monotonic seconds), when the first acknowledgement of it came. ``unknown``: an
    answer was lost, so it may have counted. ``given_up``: every answer was "nothing was written",
    and it is not sent again."""

    board: str
    user: str
    id: str
    points: int
    level: str | None = None
    sent_at: float = 0.0
    counted_at: float = 0.0
    score: int | None = None
    unknown: bool = False
    given_up: bool = False

    @property
    def key(self) -> Key:
        return self.board, self.user, self.id

    @property
    def body(self) -> bytes:
        return requests.action(self.user, self.id, self.points)

    def acknowledge(self, level: str, score: int, anew: float | None) -> str | None:
        """Notes an answer at ``level``. ``anew`` is when it was sent, if that made it count; None
        when it had counted before. Returns what is wrong with the answer, if anything is; nothing
        is noted then."""
        if anew and self.level == "postgres":
            return "counted again although it was in Postgres"
        if not anew and self.level and not self.unknown and score != self.score:
            return f"a retry was told {score}, the first answer was {self.score}"
        if anew or self.unknown or self.level is None:
            self.counted_at = time.monotonic()
        if anew:
            self.sent_at = anew
        if self.level is None or LEVELS.index(level) > LEVELS.index(self.level):
            self.level = level
        self.score = score
        self.unknown = False
        return None


class Doubt(NamedTuple):
    """An answer that contradicts an earlier one. ``spans`` are when either was asked for and came
    (monotonic seconds)."""

    action: Action
    text: str
    spans: Sequence[tuple[float, float]]


@dataclass
class Book:
    """Every action of a run. ``limit`` is how many there will be."""

    limit: int
    actions: list[Action] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)

    def count(self, answer: str, times: int = 1) -> None:
        self.answers[answer] = self.answers.get(answer, 0) + times

    def violation(self, action: Action, text: str) -> None:
        self.violations.append(f"{action.board} {action.user} {action.id}: {text}")


class Load(NamedTuple):
    """What is posted: by so many ``clients`` at the same time, on these ``boards``, up to ``most``
    actions in a call, and ``rate`` actions a second; None: as many as there can be."""

    clients: int = 12
    boards: Sequence[str] = BOARDS
    most: int = 60
    rate: float | None = None


MIXED = Load()


def new_actions(client: int, seed: int, load: Load = MIXED) -> Iterator[list[Action]]:
    """The requests of a client without end: single actions and batches, always the same for the
    same seed. A few users score on all boards, most score rarely."""
    rng = random.Random(f"{seed}/client {client}")
    number = 0
    while True:
        board = load.boards[rng.randrange(len(load.boards))]
        size = 1 if load.most == 1 or rng.random() < 0.5 else rng.randint(2, load.most)
        batch = []
        for _ in range(size):
            number += 1
            user = f"user{min(rng.randrange(300), rng.randrange(300))}"
            batch.append(Action(board, user, f"{client}-{number}", rng.randint(-20, 100)))
        yield batch
