"""The results as rich renders them, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.load.histograms import Latency
from scripts.load_test.audit import Check
from scripts.load_test.comparison import compared, differing_settings
from scripts.load_test.results import Results


def summary(results: Results, earlier: Results | None = None) -> Group:
    """The figures, what has changed since an ``earlier`` run, warnings and the audit."""
    parts: list[RenderableType] = [_latencies(results), "", _facts(results), ""]
    if earlier is not None:
        parts += [_changes(results, earlier), ""]
        parts += [Text(text, "yellow") for text in differing_settings(results, earlier)]
    parts += [Text(f"! {warning}", "yellow") for warning in results.generator.warnings]
    parts += [line for check in results.audit for line in _check(check)]
    return Group(*parts)


def settings(results: Results) -> Table:
    """What was asked for, and the machine."""
    plan = results.plan
    table = _words("Settings and machine")
    for name in ("rate", "clients", "duration", "warmup", "duplicates", "users", "boards", "batch",
                 "skew", "seed", "connections", "senders", "watchers"):  # fmt: skip
        table.add_row(name, f"{getattr(plan, name):g}")
    table.add_row("arrivals", "evenly spaced" if plan.even else "Poisson")
    table.add_row("server", Text("its own" if results.own_server else results.url))
    for name, value in results.machine.items():
        table.add_row(name, Text(value))
    return table


def ms(value: float) -> str:
    """Milliseconds, with as many digits as they are worth."""
    return f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"


def _latencies(results: Results) -> Table:
    rows = (
        ("POST, since due", results.post),
        ("POST, since sent", results.service),
        ("POST to WebSocket", results.delivery),
    )
    return _figures(
        "Latency",
        ("mean", "p50", "p99", "p99.9", "max", "count"),
        ((name, *_row(latency)) for name, latency in rows),
    )


def _row(latency: Latency) -> list[str]:
    if not latency.count:
        return ["-"] * 5 + ["0"]
    values = (latency.mean, latency.p50, latency.p99, latency.p999, latency.max)
    return [*map(ms, values), f"{latency.count:,}"]


def _facts(results: Results) -> Table:
    behind, generator = results.write_behind, results.generator
    table = _words()
    table.add_row("Accepted", f"{results.accepted_rate:,.0f} actions/s")
    table.add_row("Duplicates", f"{results.duplicate_rate:,.0f} recognised/s")
    table.add_row("Refused", f"{results.refused_rate:,.0f} actions/s")
    table.add_row(
        "Answers", "  ".join(f"{name}: {count:,}" for name, count in results.outcomes.items())
    )
    table.add_row(
        "Delivery",
        f"{results.probes:,} probes, {results.undelivered:,} times one did not reach a client, "
        f"{results.reconnects:,} connections lost",
    )
    if results.cpu:
        parts = ", ".join(f"{part} {used:.0f}" for part, used in results.cpu.items())
        total = sum(results.cpu.values())
        table.add_row("Server CPU", f"{total:.0f} ms per 1,000 actions ({parts})")
    if behind.mean is not None and behind.max is not None:
        lag = f", {1000 * behind.lag:,.0f} ms behind" if behind.lag is not None else ""
        waiting = f"{behind.mean:,.0f} events on average{lag}, {behind.max:,} at most"
        table.add_row("Write-behind", waiting)
    if behind.drained is not None:
        table.add_row("Drained", f"{behind.drained:.2f} s after the last answer")
    others = generator.others_cpu
    table.add_row(
        "Generator",
        f"late by {ms(generator.lag.p50)} (p99 {ms(generator.lag.p99)}, at most "
        f"{ms(generator.lag.max)}); sender {generator.sender_cpu:.0%}, WebSocket clients "
        f"{generator.watcher_cpu:.0%} of a core",
    )
    table.add_row(
        "Machine",
        f"all cores {generator.machine_busy:.0%} busy"
        + ("" if others is None else f", {others:.1f} cores of it by other programs"),
    )
    return table


def _changes(results: Results, earlier: Results) -> Table:
    return _figures(
        f"Since {earlier.finished}",
        ("before", "now", "change"),
        ((row.name, row.before, row.now, row.change) for row in compared(results, earlier)),
    )


def _check(check: Check) -> Iterator[Text]:
    if check.skipped:
        yield Text(f"- {check.name}: not checked, {check.skipped}", "yellow")
        return
    mark, style = ("✓", "green") if check.passed else ("✗", "red")
    yield Text.assemble((f"{mark} {check.name}", style), f": {check.compared}")
    for problem in check.problems:
        yield Text(f"    {problem}", "red")


def _figures(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False
    )
    table.add_column(no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _words(title: str | None = None) -> Table:
    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify, table.title_style = title, "left", "bold"
    return table
