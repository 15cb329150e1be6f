"""What a person sees while it runs."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scripts.load_test.plan import Plan
from scripts.load_test.sender import Progress
from scripts.load_test.summary import ms


class Screen:
    """The live view; used as a context. ``step`` and ``tell`` are what the run calls."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._live = Live(console=console, refresh_per_second=4, transient=True)
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

    def tell(self, senders: list[Progress]) -> None:
        """The senders are that far."""
        now = time.monotonic()
        self._started = self._started or now
        done = sum(sender.finished for sender in senders)
        then, before = self._before
        if now - then >= 1:
            self._rate = (done - before) / (now - then) if before else 0.0
            self._before = (now, done)
        self._live.update(self._view(now - self._started, senders))

    def _view(self, elapsed: float, senders: list[Progress]) -> Group:
        plan = self._plan
        table = Table.grid(padding=(0, 2))
        table.add_row(
            f"{min(elapsed, plan.seconds):.0f}/{plan.seconds:.0f} s"
            + (" warm-up" if elapsed < plan.warmup else ""),
            f"{self._rate * max(plan.batch, 1):,.0f} actions/s",
            f"p50 {ms(1000 * max(sender.p50 for sender in senders))}",
            f"p99 {ms(1000 * max(sender.p99 for sender in senders))}",
            f"{sum(sender.waiting for sender in senders):,} under way",
        )
        outcomes = sum((sender.outcomes for sender in senders), Counter[str]())
        counted = "   ".join(f"{name}: {count:,}" for name, count in outcomes.most_common(6))
        bar = ProgressBar(total=plan.seconds, completed=min(elapsed, plan.seconds), width=60)
        return Group(bar, table, Text(counted, style="dim"))
