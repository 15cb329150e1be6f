"""What has changed since an earlier run."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.load_test.results import Results


@dataclass(frozen=True)
class Row:
    name: str
    before: str
    now: str
    change: str


def compared(now: Results, before: Results) -> list[Row]:
    """The main figures of both runs, with the change in percent."""
    figures = [
        ("Asked for, actions/s", before.plan.rate, now.plan.rate),
        ("Accepted, actions/s", before.accepted_rate, now.accepted_rate),
    ]
    for name, old, new in (
        ("POST", before.post, now.post),
        ("POST to WebSocket", before.delivery, now.delivery),
    ):
        if old.count and new.count:
            figures += [
                (f"{name} p50, ms", old.p50, new.p50),
                (f"{name} p99, ms", old.p99, new.p99),
                (f"{name} p99.9, ms", old.p999, new.p999),
            ]
    for part in now.cpu:
        if part in before.cpu:
            name = f"CPU of {part}, ms per 1,000"
            figures.append((name, before.cpu[part], now.cpu[part]))
    return [Row(name, _shown(old), _shown(new), _change(old, new)) for name, old, new in figures]


def differing_settings(now: Results, before: Results) -> list[str]:
    """Settings in which the runs differ, so that like is not compared with unlike unawares."""
    names = [name for name in now.plan.__struct_fields__ if name not in {"run", "seed"}]
    return [
        f"{name}: {getattr(before.plan, name):g} before, {getattr(now.plan, name):g} now"
        for name in names
        if getattr(before.plan, name) != getattr(now.plan, name)
    ] + [
        f"{name}: {before.machine.get(name, 'unknown')} before, {value} now"
        for name, value in now.machine.items()
        if before.machine.get(name) != value
    ]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _change(before: float, now: float) -> str:
    return f"{100 * (now - before) / before:+.1f}%" if before else ""
