"""The rows of the comparison, and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.table import Table

from scripts.bench.peers.retries import Faults


class Row(msgspec.Struct, frozen=True):
    """Medians. ``post_*`` as fast as 64 connections are answered, ``calm_*`` at ``calm_rate`` a
    second, counted from when each was due; rates a second, CPU of all processes in microseconds an
    action or a read. Reads are None where they are those of the row above."""

    name: str
    counted: str
    durable: str
    post_rate: float
    post_p50_ms: float
    post_p99_ms: float
    post_cpu_us: float
    calm_rate: float
    calm_p50_ms: float
    calm_p99_ms: float
    top_rate: float | None
    top_cpu_us: float | None
    around_rate: float | None
    around_cpu_us: float | None
    faults: Faults


def table(rows: Sequence[Row]) -> Table:
    """For the terminal, with each promise beside the figures."""
    shown = Table("", *(row.name for row in rows), title="64 connections, medians", show_lines=True)
    for column in shown.columns[1:]:
        column.justify = "right"
    shown.add_row("counted", *(row.counted for row in rows))
    shown.add_row("when it answers", *(row.durable for row in rows))
    shown.add_row("POST/s", *(f"{row.post_rate:,.0f}" for row in rows))
    shown.add_row("p50, p99", *(f"{row.post_p50_ms:.1f}, {row.post_p99_ms:.1f} ms" for row in rows))
    shown.add_row("CPU an action", *(f"{row.post_cpu_us:,.0f} \u00b5s" for row in rows))
    shown.add_row(
        f"p50, p99 at {rows[0].calm_rate:,.0f}/s",
        *(f"{row.calm_p50_ms:.1f}, {row.calm_p99_ms:.1f} ms" for row in rows),
    )
    shown.add_row("top 10/s", *(_read(row.top_rate) for row in rows))
    shown.add_row("CPU of one", *(_read(row.top_cpu_us, " \u00b5s") for row in rows))
    shown.add_row("around/s", *(_read(row.around_rate) for row in rows))
    shown.add_row("CPU of one", *(_read(row.around_cpu_us, " \u00b5s") for row in rows))
    shown.add_row("lost under kill -9", *(f"{row.faults.lost:,}" for row in rows))
    shown.add_row("counted twice", *(f"{row.faults.doubled:,}" for row in rows))
    shown.add_row("of actions", *(f"{row.faults.actions:,}" for row in rows))
    return shown


def _read(value: float | None, unit: str = "") -> str:
    return "the same" if value is None else f"{value:,.0f}{unit}"
