"""Progress bars of the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from scoreboard.commands.terminal import say
from scoreboard.domain.ledger import LockHolder


@contextmanager
def stage_bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage of work that reports (stage, done, total), in the order in which they
    report first."""
    stages: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.description:<14}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bars:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done, total=total)

        yield report


def progress_bar(console: Console) -> Progress:
    """A progress bar: a board's name, and the users done of all."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("users"),
        TimeRemainingColumn(),
        console=console,
    )


def tell_wait(_: int, holder: LockHolder, waited: float) -> None:
    """Says in a line of its own, above the bar if there is one, whom the work waits for."""
    say(f"waiting for {holder}, which works on the same boards ({waited:.0f} s)", err=True)


def row_count(console: Console) -> Progress:
    """A board's name, and how many rows are done, of nobody knows how many."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f} rows"),
        console=console,
    )


def pace_bar(console: Console) -> Progress:
    """A file's actions done of all, and the task's field ``pace``. Shown only in a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
