"""Imports standings: each user's total becomes an action, submitted as any other.

The action's id follows from the name of the source, so one that was imported is not imported again.
Receipts know that for a while; beyond, the ledger is asked before anything is submitted."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

from scoreboard.backoff import Backoff
from scoreboard.domain.actions import MAX_BATCH, ScoreAction
from scoreboard.domain.imports import PREFIX, Plan, Refused, Source, SourceRow
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import RetryLater
from scoreboard.write_path.ports import ImportedActions, SubmitsScores

BATCH = 250  # actions in a call: more would keep others on the board waiting for longer
# Rows of equal scores go one behind the other, or their order would be lost. Others need not wait
# for them: while Redis works on the call of one stream, this process makes that of the next.
STREAMS = 4
ATTEMPTS = 60  # for one batch, while it can't be submitted
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between these

_COUNTED = {Outcome.ACCEPTED, Outcome.DUPLICATE}

NEW, BEFORE, OTHER = "imported", "imported before", "imported before with another total"

_REASONS = {
    Outcome.CONFLICT: OTHER,
    Outcome.OUT_OF_RANGE: "the user's total would leave the bounds of totals",
    Outcome.OUT_OF_BOUNDS: "outside of the board's bounds of points",
    Outcome.RATE_LIMITED: "the board's rate for a user's actions",
    Outcome.BOARD_CLOSED: "the board is closed",
    Outcome.ATTEMPTS_EXHAUSTED: "no attempt is left to the user",
    Outcome.NOT_JOINED: "the user has to join the board first",
    Outcome.BOARD_FULL: "the board takes no further user",
    Outcome.UNFIT_ID: "the board does not take this user id",
    Outcome.REFUSED: "refused before by the anomaly gate",
}


class _Todo(NamedTuple):
    """A row with the submissions that are left to make of it."""

    row: SourceRow
    submissions: list[Submission]


class _Stream:
    """Rows that wait to be submitted, and the task that submits those before them."""

    __slots__ = ("rows", "size", "task")

    def __init__(self) -> None:
        self.rows: list[_Todo] = []
        self.size = 0  # their submissions
        self.task: asyncio.Task[None] | None = None

    def add(self, todo: _Todo) -> None:
        """Puts a row at the end."""
        self.rows.append(todo)
        self.size += len(todo.submissions)

    def take(self) -> list[_Todo]:
        """All that wait."""
        taken, self.rows, self.size = self.rows, [], 0
        return taken


class Importer:
    """Imports into one board. ``on_refused`` is told each row that is left out, ``on_rows`` how
    many rows were done. A batch that can't be submitted is tried ``attempts`` times in all."""

    def __init__(
        self,
        board: str,
        plan: Plan,
        submitter: SubmitsScores,
        ledger: ImportedActions,
        *,
        on_refused: Callable[[Refused], None],
        on_rows: Callable[[int], None],
        attempts: int = ATTEMPTS,
    ) -> None:
        self._board = board
        self._plan = plan
        self._submitter = submitter
        self._ledger = ledger
        self._refused = on_refused
        self._done = on_rows
        self._most_attempts = attempts
        # By its beginning the gate knows an import, which tells nothing of how somebody plays.
        self._attempts = f"{PREFIX}{secrets.token_urlsafe(6)}."
        self._attempt = 0
        self.counts: Counter[str] = Counter()

    async def run(self, source: Source, *, dry: bool = False) -> None:
        """Imports all rows in their order; with ``dry`` only says what would become of them.
        ``counts`` has the rows by what became of them. Raises Unavailable when it can't go on:
        what was imported by then counts, and the next run goes on from there."""
        chunks = self._todos(source.chunks)
        streams = [_Stream() for _ in range(1 if self._plan.in_order else STREAMS)]
        coming = asyncio.ensure_future(anext(chunks, None))
        try:
            while (todos := await coming) is not None:
                # The next rows are read, and looked for in the ledger, while these are submitted.
                coming = asyncio.ensure_future(anext(chunks, None))
                if dry:
                    self.counts[NEW] += len(todos)
                    self._done(len(todos))
                    continue
                for todo in todos:
                    stream = streams[hash(todo.row.score) % len(streams)]
                    stream.add(todo)
                    if stream.size >= BATCH:
                        await self._flush(stream)
            for stream in streams:
                await self._flush(stream)
            await asyncio.gather(*(stream.task for stream in streams if stream.task))
        finally:
            tasks = [coming, *(stream.task for stream in streams if stream.task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _flush(self, stream: _Stream) -> None:
        """Begins to submit what waits, once what was before it is done."""
        if stream.task is not None:
            await stream.task
        if stream.rows:
            stream.task = asyncio.create_task(self._submit(stream.take()))

    async def _todos(
        self, chunks: AsyncIterator[Sequence[SourceRow]]
    ) -> AsyncIterator[list[_Todo]]:
        async for chunk in chunks:
            planned: list[tuple[SourceRow, list[tuple[str, int]]]] = []
            for row in chunk:
                try:
                    planned.append((row, self._plan.actions(row)))
                except ValueError as error:
                    self.leave_out(row, str(error))
            asked = [(row.user_id, action) for row, actions in planned for action, _ in actions]
            known = await self._ledger.imported(self._board, asked)
            todos = [
                _Todo(row, todo)
                for row, actions in planned
                if (todo := self._todo(row, actions, known))
            ]
            self._done(len(chunk) - len(todos))
            yield todos

    def _todo(
        self,
        row: SourceRow,
        actions: Sequence[tuple[str, int]],
        known: Mapping[tuple[str, str], int],
    ) -> list[Submission]:
        """What the ledger has not of a row's actions. Nothing of a row that was imported with
        another total: its actions would be conflicts, each of which a person would have to see."""
        todo = []
        for action, points in actions:
            before = known.get((row.user_id, action))
            if before is None:
                todo.append(self._submission(row.user_id, action, points))
            elif before != points:
                self.leave_out(row, OTHER)
                return []
        if not todo:
            self.counts[BEFORE] += 1
        return todo

    def _submission(self, user: str, action: str, points: int) -> Submission:
        self._attempt += 1
        now = time.time_ns() // 1_000_000
        attempt = f"{self._attempts}{self._attempt:x}"
        return Submission(ScoreAction(user, action, points), attempt, now, now)

    async def _submit(self, todos: Sequence[_Todo]) -> None:
        firsts = await self._results_of([todo.submissions[0] for todo in todos])
        outcomes = [{result.outcome} for result in firsts]
        # Where the first of a row does not count, the others would be a part of a total.
        further = [
            (place, submission)
            for place, (todo, found) in enumerate(zip(todos, outcomes, strict=True))
            if len(todo.submissions) > 1 and found <= _COUNTED
            for submission in todo.submissions[1:]
        ]
        rest = await self._results_of([submission for _, submission in further])
        for (place, _), result in zip(further, rest, strict=True):
            outcomes[place].add(result.outcome)
        for (row, _), found in zip(todos, outcomes, strict=True):
            if bad := found - _COUNTED:
                self.leave_out(row, _REASONS[min(bad, key=list(_REASONS).index)])
            else:
                self.counts[NEW if Outcome.ACCEPTED in found else BEFORE] += 1
        self._done(len(todos))

    async def _results_of(self, submissions: Sequence[Submission]) -> list[Result]:
        results: list[Result] = []
        for at in range(0, len(submissions), MAX_BATCH):
            results += await self._results(submissions[at : at + MAX_BATCH])
        return results

    async def _results(self, submissions: Sequence[Submission]) -> list[Result]:
        """Repeated as they are, these find the receipts of their own."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        for attempt in range(1, self._most_attempts + 1):
            try:
                results, _ = await self._submitter.submit(self._board, submissions, create=False)
                return results
            except RetryLater:
                if attempt == self._most_attempts:
                    raise
                await asyncio.sleep(backoff.next())
        raise AssertionError("the last attempt raises")

    def leave_out(self, row: SourceRow, reason: str) -> None:
        """Counts and tells a row that is not imported."""
        self.counts[reason] += 1
        self._refused(Refused(row, reason))
