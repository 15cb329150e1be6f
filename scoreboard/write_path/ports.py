"""What the write path needs of rooms that it may not import, and of whatever prepares its calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.durability import Durability
from scoreboard.domain.judging import Case, Judgement
from scoreboard.domain.submissions import Result, Submission
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.write_path.commit_watch import Commit, Expected
from scoreboard.write_path.plain_calls import Call


class BoardRecovery(Protocol):
    """Makes a board live. Implemented in workers/rebuilder.Rebuilder."""

    async def ensure(self, board: str, *, create: bool) -> None:
        """Returns when the board is live; a caller that stops waiting does not stop the work.
        Raises UnknownBoard when there is none and ``create`` is False, Unavailable when it can't
        be made live now."""


class BoardCalendar(Protocol):
    """Says which occurrences are the latest on boards with shards. Implemented in
    workers/calendars.Calendar."""

    async def agreed(
        self, shard: str, settings: BoardSettings
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        """The shard's time in Unix ms and what it knows of each period, once it has followed its
        board. Raises Unavailable."""


class Commits(Protocol):
    """Knows what of a partition is in Postgres. Implemented in commit_watch.CommitWatch; tests
    without a persister have another."""

    async def watch(self, partition: int) -> None:
        """Must be called before the event is written."""

    def expecting(self, attempts: Sequence[str]) -> AbstractContextManager[Expected]:
        """Notes which of these attempts are committed, from before they are written."""

    async def wait(
        self,
        partition: int,
        last: str,
        expected: Expected,
        attempts: Sequence[str],
        timeout: float,
    ) -> Commit:
        """What became known of these within ``timeout`` seconds; ``last`` is their last event."""


class RecordedActions(Protocol):
    """Knows what is in Postgres. Implemented in pg/ledger.Ledger."""

    async def has_counted(self, board: str, actions: Sequence[tuple[str, str]]) -> bool:
        """True when it has all these (user, action id). Raises Unavailable."""


class PastActions(Protocol):
    """Knows what users did before. Implemented in pg/cases.LedgerCases."""

    async def recent(self, board: str, users: Sequence[str]) -> Mapping[str, Sequence[Case]]:
        """The latest accepted actions of each, oldest first. Raises Unavailable."""


class Gate(Protocol):
    """Judges a batch of one board, in order. Implemented in anomaly/gate.Gate."""

    def judge(
        self,
        cases: Sequence[Case],
        profiles: Mapping[str, bytes | None],
        devices: Mapping[str, bytes | None],
        *,
        accept_refused: bool = False,
        scored: bool = True,
    ) -> list[Judgement]:
        """``profiles`` by user id and ``devices`` by device id are the memories from before the
        batch. A later action sees what an earlier one left, unless that was refused; with
        ``accept_refused`` (mode ``flag``) a refused action counts and is remembered like any
        other. Answers that need not be ``scored`` take less work."""

    def recall(self, cases: Sequence[Case]) -> bytes:
        """The memory of a user whose latest accepted actions these are, in order."""

    def recall_device(self, cases: Sequence[Case]) -> bytes:
        """The memory of a device on which these actions were made, in order."""


class Gates(Protocol):
    """The gates of a process. Implemented in assembly/model_gates.py."""

    async def gate(self, board: str, *, allow_history: bool) -> Gate:
        """The board's gate; with ``allow_history`` one that accepts actions of any age. Raises
        Unavailable while it is not known which model is in force."""


class CallMaker(Protocol):
    """Turns submissions into the keys and arguments of one call: plain_calls.PlainCalls for a board
    without a gate, judged_calls.JudgedCalls for one with a gate."""

    async def prepare(
        self,
        board: str,
        settings: BoardSettings,
        submissions: Sequence[Submission],
        line: ScriptLine,
    ) -> Call:
        """The call of these submissions. Raises Unavailable."""


class SubmitsScores(Protocol):
    """The way of actions into Redis. Implemented in submitter.Submitter."""

    async def submit(
        self, board: str, submissions: Sequence[Submission], *, create: bool
    ) -> tuple[list[Result], Durability]:
        """The result of each submission (1 to 1,000), in order. Raises UnknownBoard, Unavailable or
        OutcomeUnknown."""


class ImportedActions(Protocol):
    """Knows what was imported before. Implemented in pg/imports.ImportRecord."""

    async def imported(
        self, board: str, actions: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], int]:
        """The points of those of the actions (user, action id) that the ledger has. Raises
        Unavailable."""


class SettingsReader(Protocol):
    """Reads boards' settings. Implemented in pg/board_settings.py."""

    async def get(self, board: str) -> BoardSettings:
        """Raises UnknownBoard."""


class ErasedReader(Protocol):
    """Knows erased players. Implemented in pg/erasures.py."""

    async def erased_among(self, users: Collection[str]) -> set[str]:
        """Which of these ids are those of erased players."""


class ImportRecord(ImportedActions, Protocol):
    """What was imported, and the audit of it. Implemented in pg/imports.py."""

    async def note(self, board: str, *, by: str, details: str) -> None:
        """Writes a line into the audit; ``details`` is JSON."""
