"""The course of a run in pictures, as SVG to stand in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, StrMethodFormatter

from scripts.load.histograms import Latency
from scripts.load.pictures import STYLE, svg
from scripts.load_test.results import Results

SIZE = (6.4, 3.4)  # inches
TICKS = (0, 50, 90, 99, 99.9, 99.99, 99.999)  # percentiles

Values = Sequence[float | None]


def charts(results: Results, earlier: Results | None) -> list[str]:
    """A chart of each of the run's series, and the percentiles beside those of ``earlier``."""
    series = results.series
    pictures = [
        _over_time(results, "POST latency over time", "ms",
                   {"max": series.post_max, "p99": series.post_p99, "p50": series.post_p50}),
        _percentiles(results, earlier),
        _over_time(results, "POST to WebSocket over time", "ms",
                   {"p99": series.delivery_p99, "p50": series.delivery_p50}),
        _over_time(results, "Answers", "actions/s",
                   {"accepted": series.accepted, "duplicates recognised": series.duplicates,
                    "refused": series.refused}),
        _over_time(results, "Server CPU", "cores", series.cpu),
        _over_time(results, "Not yet in Postgres", "events", {"events": series.backlog}),
    ]  # fmt: skip
    return [picture for picture in pictures if picture]


def _over_time(results: Results, title: str, unit: str, lines: Mapping[str, Values]) -> str:
    lines = {name: line for name, line in lines.items() if any(v is not None for v in line)}
    if not lines:
        return ""
    step = results.series.step
    with mpl.rc_context(STYLE):
        figure, axes = _axes(title, unit, log=unit == "ms")
        for name, line in lines.items():
            # None becomes nan, at which the line is broken.
            places = step * (np.arange(len(line)) + 0.5)
            axes.plot(places, np.array(line, float), label=name, marker=".")
        axes.set_xlabel("seconds")
        if results.plan.warmup:
            axes.axvspan(0, results.plan.warmup, color="#808080", alpha=0.12, label="warm-up")
        return _svg(figure, axes)


def _percentiles(results: Results, earlier: Results | None) -> str:
    lines = [
        ("POST", "C0-", results.post),
        ("POST, since sent", "C1-", results.service),
        ("POST to WebSocket", "C2-", results.delivery),
    ]
    if earlier is not None:
        lines.append(("POST before", "C0--", earlier.post))
        lines.append(("WebSocket before", "C2--", earlier.delivery))
    with mpl.rc_context(STYLE):
        figure, axes = _axes("Latency by percentile", "ms", log=True)
        for name, style, latency in lines:
            if latency.curve:
                axes.plot(*_curve(latency), style, label=name)
        axes.set_xticks([_nines(p) for p in TICKS], [f"{p:g}%" for p in TICKS])
        axes.set_xlim(0, max(_nines(line.curve[-1][0]) if line.curve else 1 for *_, line in lines))
        return _svg(figure, axes)


def _curve(latency: Latency) -> tuple[list[float], list[float]]:
    return [_nines(point) for point, _ in latency.curve], [value for _, value in latency.curve]


def _nines(percentile: float) -> float:
    """Each further nine is as wide as the one before."""
    return -log10(1 - percentile / 100)


def _axes(title: str, unit: str, *, log: bool) -> tuple[Figure, Axes]:
    figure = Figure(SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_ylabel(unit)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(LogFormatter())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    axes.legend()
    return svg(figure)
