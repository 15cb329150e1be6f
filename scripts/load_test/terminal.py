"""What a person sees while it runs and at the end."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scripts.load.histograms import Latency
from scripts.load_test.comparison import compared
from scripts.load_test.messages import SentSoFar
from scripts.load_test.plan import Plan
from scripts.load_test.results import Results


class Screen:
    """The live view; used as a context. ``step`` and ``progress`` are what the run calls."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._latest: dict[int, SentSoFar] = {}
        self._started = 0.0
        self._rate = 0.0
        self._before = (0.0, 0)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def step(self, text: str) -> None:
        """Something else happens from now on."""
        self._console.print(f"[dim]{text} …[/]")

    def progress(self, sender: int, message: SentSoFar) -> None:
        """A sender has told of its progress."""
        now = time.monotonic()
        self._started = self._started or now
        self._latest[sender] = message
        done = sum(m.finished for m in self._latest.values())
        then, before = self._before
        if now - then >= 1:
            self._rate = (done - before) / (now - then) if before else 0.0
            self._before = (now, done)
        self._live.update(self._view(now - self._started))

    def _view(self, elapsed: float) -> Group:
        plan = self._plan
        latest = self._latest.values()
        table = Table.grid(padding=(0, 2))
        table.add_row(
            f"{min(elapsed, plan.seconds):.0f}/{plan.seconds:.0f} s"
            + (" warm-up" if elapsed < plan.warmup else ""),
            f"{self._rate * max(plan.batch, 1):,.0f} actions/s",
            f"p50 {_ms(1000 * max(m.p50 for m in latest))}",
            f"p99 {_ms(1000 * max(m.p99 for m in latest))}",
            f"{sum(m.waiting for m in latest):,} under way",
        )
        outcomes: Counter[str] = Counter()
        for message in latest:
            outcomes.update(message.outcomes)
        counted = "   ".join(f"{name}: {count:,}" for name, count in outcomes.most_common(6))
        bar = ProgressBar(total=plan.seconds, completed=min(elapsed, plan.seconds), width=60)
        return Group(bar, table, Text(counted, style="dim"))


def summary(console: Console, results: Results, earlier: Results | None, files: list[Path]) -> None:
    """The result in a table, what has changed, the audit, and where the report is."""
    table = Table(title="Load test", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("", "p50", "p99", "p99.9", "max", "count"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("POST, since due", *_row(results.post))
    table.add_row("POST, since sent", *_row(results.service))
    table.add_row("POST to WebSocket", *_row(results.delivery))
    console.print(table)
    console.print(_facts(results))
    if earlier is not None:
        console.print(_changes(results, earlier))
    for warning in results.generator.warnings:
        console.print(f"[yellow]! {warning}[/]")
    for check in results.audit:
        if check.skipped:
            console.print(f"[yellow]- {check.name}: not checked, {check.skipped}[/]")
        elif check.passed:
            console.print(f"[green]✓ {check.name}[/]: {check.compared}")
        else:
            console.print(f"[red]✗ {check.name}[/]: {check.compared}")
            for problem in check.problems:
                console.print(f"    {problem}", style="red", markup=False, highlight=False)
    for path in files:
        console.print(f"Written: {path}", highlight=False, soft_wrap=True)


def _facts(results: Results) -> Table:
    behind, generator = results.write_behind, results.generator
    table = Table.grid(padding=(0, 2))
    table.add_row("Accepted", f"{results.accepted_rate:,.0f} actions/s")
    table.add_row("Duplicates", f"{results.duplicate_rate:,.0f} recognised/s")
    table.add_row("Refused", f"{results.refused_rate:,.0f} actions/s")
    table.add_row(
        "Answers", "  ".join(f"{name}: {count:,}" for name, count in results.outcomes.items())
    )
    if results.cpu:
        parts = ", ".join(f"{part} {used:.0f}" for part, used in results.cpu.items())
        total = sum(results.cpu.values())
        table.add_row("Server CPU", f"{total:.0f} ms per 1,000 actions ({parts})")
    if behind.mean is not None and behind.max is not None:
        lag = f", {1000 * behind.lag:,.0f} ms behind" if behind.lag is not None else ""
        table.add_row("Write-behind", f"{behind.mean:,.0f} events on average{lag}, {behind.max:,} "
                      "at most")  # fmt: skip
    if behind.drained is not None:
        table.add_row("Drained", f"{behind.drained:.2f} s after the last answer")
    table.add_row(
        "Generator",
        f"late by {_ms(generator.lag.p50)} (p99 {_ms(generator.lag.p99)}); sender "
        f"{generator.sender_cpu:.0%}, WebSocket clients {generator.watcher_cpu:.0%} of a core; "
        f"machine {generator.machine_busy:.0%}",
    )
    return table


def _changes(results: Results, earlier: Results) -> Table:
    table = Table(title=f"Since {earlier.finished}", title_justify="left", show_edge=False)
    for column in ("", "before", "now", "change"):
        table.add_column(column, justify="left" if not column else "right")
    for row in compared(results, earlier):
        table.add_row(row.name, row.before, row.now, row.change)
    return table


def _row(latency: Latency) -> list[str]:
    if not latency.count:
        return ["-"] * 4 + ["0"]
    values = [_ms(v) for v in (latency.p50, latency.p99, latency.p999, latency.max)]
    return [*values, f"{latency.count:,}"]


def _ms(value: float) -> str:
    return f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"
