"""The report: one HTML file that needs nothing else, for a phone as for a desk, light or dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import inf, log10
from pathlib import Path

from scripts.load.histograms import Latency
from scripts.load_test.audit import Check
from scripts.load_test.charts import Axis, Line, chart
from scripts.load_test.comparison import compared, differing_settings
from scripts.load_test.results import Generator, Results

STYLE = Path(__file__).with_name("report.css")
TICKS = (0, 50, 90, 99, 99.9, 99.99, 99.999)


def page(results: Results, earlier: Results | None = None) -> str:
    """The whole page; with ``earlier`` it also says what has changed since."""
    passed = results.passed
    body = [
        "<h1>Load test</h1>",
        f'<p class="soft">{escape(_headline(results))}</p>',
        f'<p class="verdict {"pass" if passed else "fail"}">'
        f"{'Audit passed' if passed else 'Audit failed: see below what differs'}</p>",
        _tiles(results),
        *(f'<div class="warning">{escape(text)}</div>' for text in results.generator.warnings),
        f'<div class="figures">{_charts(results, earlier)}</div>',
    ]
    if earlier is not None:
        since = f"Compared with the run of {earlier.finished}"
        rows = [(row.name, row.before, row.now, row.change) for row in compared(results, earlier)]
        differ = "".join(f"<p>{escape(d)}</p>" for d in differing_settings(results, earlier))
        body.append(_section(since, _table(("", "before", "now", "change"), rows) + differ))
    body += [
        _section("Latency, ms", _latencies(results)),
        _section("Audit", "".join(map(_check, results.audit))),
        _section("Answers", _table(("", "actions"), _outcomes(results))),
        _section("Write-behind and generator", _words(_beside(results))),
        _section("Settings and machine", _words(_settings(results))),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Load test {escape(results.finished)}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _headline(results: Results) -> str:
    plan = results.plan
    calls = f"in calls of {plan.batch}" if plan.batch else "one by one"
    server = "a server of its own" if results.own_server else results.url
    return (
        f"{results.finished} · {plan.rate:,.0f} actions a second asked for, {calls}, for "
        f"{plan.duration:g} s after {plan.warmup:g} s of warm-up · {plan.clients:,} WebSocket "
        f"clients · {plan.users:,} users on {plan.boards:,} board(s) · {server}"
    )


def _tiles(results: Results) -> str:
    tiles = [
        ("accepted a second", f"{results.accepted_rate:,.0f}"),
        ("refused a second", f"{results.refused_rate:,.0f}"),
        ("POST p50", _ms(results.post.p50)),
        ("POST p99", _ms(results.post.p99)),
        ("POST p99.9", _ms(results.post.p999)),
    ]
    if results.delivery.count:
        tiles.append(("POST to WebSocket p50", _ms(results.delivery.p50)))
        tiles.append(("POST to WebSocket p99", _ms(results.delivery.p99)))
    if results.cpu:
        tiles.append(("server CPU per 1,000", f"{sum(results.cpu.values()):,.0f} ms"))
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><small>{n}</small><b>{v}</b></div>' for n, v in tiles)
        + "</div>"
    )


def _charts(results: Results, earlier: Results | None) -> str:
    series = results.series
    end = series.step * len(series.accepted)
    middles = [series.step * (index + 0.5) for index in range(len(series.accepted))]
    every = next(
        step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 3600, inf) if end / step <= 8
    )
    ticks = [every * index for index in range(int(end // every) + 1)]
    time = Axis(
        (0, end),
        middles,
        [(at, f"{at:g} s") for at in ticks],
        [f"from second {at - series.step / 2:g}" for at in middles],
        shaded=results.plan.warmup or None,
    )
    tones = ("t1", "t5", "t2", "t4")
    return "".join(
        (
            chart(
                "POST latency over time",
                time,
                [
                    Line("max", "t3", series.post_max),
                    Line("p99", "t2", series.post_p99),
                    Line("p50", "t1", series.post_p50),
                ],
                "ms",
                log=True,
            ),
            _percentile_curve(results, earlier),
            chart(
                "POST to WebSocket over time",
                time,
                [
                    Line("p50", "t1", series.delivery_p50),
                    Line("p99", "t2", series.delivery_p99),
                ],
                "ms",
                log=True,
            ),
            chart(
                "Answers",
                time,
                [
                    Line("accepted", "t4", series.accepted),
                    Line("duplicates recognised", "t3", series.duplicates),
                    Line("refused", "t2", series.refused),
                ],
                "actions/s",
            ),
            chart(
                "Server CPU",
                time,
                [
                    Line(part, tone, used)
                    for tone, (part, used) in zip(tones, series.cpu.items(), strict=False)
                ],
                "cores",
            ),
            chart("Not yet in Postgres", time, [Line("events", "t5", series.backlog)], "events"),
        )
    )


def _percentile_curve(results: Results, earlier: Results | None) -> str:
    curves = [
        Line("POST", "t1", _values(results.post)),
        Line("POST, since sent", "t3", _values(results.service)),
        Line("POST to WebSocket", "t4", _values(results.delivery)),
    ]
    if earlier is not None:
        curves.append(Line("POST before", "t1", _values(earlier.post), dashed=True))
        curves.append(Line("WebSocket before", "t4", _values(earlier.delivery), dashed=True))
    longest = max((results.post, results.service, results.delivery), key=lambda c: len(c.curve))
    percentiles = [point for point, _ in longest.curve]
    if not percentiles:
        return ""
    ticks = [(_nines(p), f"{p:g}%") for p in TICKS if p <= percentiles[-1]]
    places = list(map(_nines, percentiles))
    axis = Axis((0, places[-1]), places, ticks, [f"{p:g}% of calls" for p in percentiles])
    return chart("Latency by percentile", axis, curves, "ms", log=True)


def _values(latency: Latency) -> list[float]:
    return [value for _, value in latency.curve]


def _nines(percentile: float) -> float:
    """The axis of a percentile curve: each further nine is as wide as the one before."""
    return -log10(1 - percentile / 100)


def _latencies(results: Results) -> str:
    rows = [
        (name, *(f"{v:,.2f}" for v in (c.mean, c.p50, c.p99, c.p999, c.max)), f"{c.count:,}")
        for name, c in (
            ("POST, since due", results.post),
            ("POST, since sent", results.service),
            ("POST to WebSocket", results.delivery),
        )
        if c.count
    ]
    return _table(("", "mean", "p50", "p99", "p99.9", "max", "count"), rows)


def _check(check: Check) -> str:
    if check.skipped:
        return f"<p>– <b>{escape(check.name)}</b>: not checked, {escape(check.skipped)}</p>"
    tone, mark = ("pass", "✓") if check.passed else ("fail", "✗")
    found = "".join(f"<li>{escape(problem)}</li>" for problem in check.problems)
    return (
        f'<p><span class="{tone}">{mark} <b>{escape(check.name)}</b></span>: '
        f"{escape(check.compared)}</p>" + (f"<ul>{found}</ul>" if found else "")
    )


def _outcomes(results: Results) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in results.outcomes.items()]


def _beside(results: Results) -> list[tuple[str, str]]:
    behind, generator = results.write_behind, results.generator
    rows = []
    if behind.mean is not None and behind.max is not None:
        waited = f", {1000 * behind.lag:,.0f} ms" if behind.lag is not None else ""
        rows.append(("Not yet in Postgres", f"{behind.mean:,.0f} events on average{waited}; "
                     f"{behind.max:,} at most"))  # fmt: skip
    if behind.drained is not None:
        rows.append(("Drained", f"{behind.drained:.2f} s after the last answer"))
    rows += [(f"CPU of {part}", f"{ms:,.1f} ms per 1,000 actions")
             for part, ms in results.cpu.items()]  # fmt: skip
    rows.append(("Generator late by", f"p50 {_ms(generator.lag.p50)}, p99 {_ms(generator.lag.p99)}"
                 f", at most {_ms(generator.lag.max)}"))  # fmt: skip
    rows.append(("Generator CPU", f"{generator.sender_cpu:.0%} of a core for the busiest sender, "
                 f"{generator.watcher_cpu:.0%} for the WebSocket clients"))  # fmt: skip
    rows.append(("Machine", _machine(generator)))
    rows.append(("Delivery", f"{results.probes:,} probes, {results.undelivered:,} times one did "
                 f"not reach a client, {results.reconnects:,} connections lost"))  # fmt: skip
    return rows


def _machine(generator: Generator) -> str:
    others = generator.others_cpu
    return f"all cores {generator.machine_busy:.0%} busy" + (
        "" if others is None else f", {others:.1f} cores of it by other programs"
    )


def _settings(results: Results) -> list[tuple[str, str]]:
    plan = results.plan
    settings = [
        (name.replace("_", " "), f"{getattr(plan, name):g}")
        for name in ("rate", "clients", "duration", "warmup", "duplicates", "users", "boards",
                     "batch", "skew", "seed", "connections", "senders", "watchers")
    ]  # fmt: skip
    arrivals = ("arrivals", "evenly spaced" if plan.even else "Poisson")
    return [*settings, arrivals, *results.machine.items()]


def _section(title: str, content: str) -> str:
    return f'<h2>{escape(title)}</h2><div class="card">{content}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr>{lines}</table>"


def _words(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows
    )
    return f'<table class="words">{lines}</table>'


def _ms(value: float) -> str:
    return f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"
